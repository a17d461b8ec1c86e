"""paymux's commands as processes of their own: started, spoken to over HTTP, stopped, and seen to be gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from paymux.platform.database import from_json, to_json

LIMIT = 120.0
ORDER: dict[str, Any] = {
    "orderReference": "KEPT-1", "bnplProvider": "AFTERPAY_AU", "purchaseCountry": "AU", "purchaseCurrency": "AUD",
    "locale": "en_AU", "orderAmount": 100,
    "orderItems": [{"name": "Shirt", "quantity": 1, "sku": "S-1", "unitPrice": 100, "totalAmount": 100}],
    "customer": {"firstName": "Ada", "lastName": "Byron", "email": "ada@shop.example", "phoneNumber": "+61400000000"},
    "billingAddress": {
        "firstName": "Ada", "lastName": "Byron", "streetAddress": "1 High Street", "city": "Sydney", "state": "NSW",
        "region": "NSW", "postalCode": "2000", "country": "AU",
    },
}  # fmt: skip
# Runs a command as `paymux` does, and leaves behind which modules its process had loaded.
_WATCHED = """
import atexit, os, sys
def leave():
    with open(os.environ["MODULES"], "w") as file:
        file.write("\\n".join(sorted(sys.modules)))
atexit.register(leave)
from paymux.cli import main
main()
"""


@dataclass
class Ran:
    """A command that has ended."""

    code: int
    out: str
    said: str


@dataclass
class Answer:
    status: int
    body: Any
    location: str
    headers: str = ""


def environment_of(**variables: str) -> dict[str, str]:
    """The machine's environment without anybody's PAYMUX_ variables, and these."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PAYMUX_")} | variables


def run(environment: dict[str, str], *words: str | Path) -> Ran:
    """Run a command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "paymux", *map(str, words)], env=environment, capture_output=True, text=True, check=False,
        timeout=LIMIT,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr)


class Process:
    """A command that goes on running."""

    def __init__(self, environment: dict[str, str], folder: Path, name: str) -> None:
        self.modules_file, self.log = folder / f"{name}.modules", folder / f"{name}.log"
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WATCHED, name], env={**environment, "MODULES": str(self.modules_file)},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log.open("w"),
        )  # fmt: skip

    def stop(self) -> int:
        """End it by SIGTERM; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LIMIT)

    @property
    def modules(self) -> set[str]:
        """Every module that it had loaded when it ended."""
        return set(self.modules_file.read_text().split())

    @property
    def said(self) -> str:
        return self.log.read_text()


@contextmanager
def running(environment: dict[str, str], folder: Path, *names: str) -> Iterator[dict[str, Process]]:
    """Several commands at once, each a process of its own."""
    with ExitStack() as stack:
        processes = {}
        for name in names:
            processes[name] = Process(environment, folder, name)
            stack.callback(processes[name].stop)
        yield processes


async def call(method: str, url: str, **request: Any) -> Answer:
    """One HTTP call, redirects not followed."""
    if "json" in request:
        request["data"] = to_json(request.pop("json")).encode()
        request["headers"] = {"Content-Type": "application/json", **request.get("headers", {})}
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
        http.request(method, URL(url, encoded=True), allow_redirects=False, **request) as answer,
    ):
        content = await answer.read()
        body = from_json(content) if "json" in answer.headers.get("Content-Type", "") else content.decode()
        return Answer(answer.status, body, answer.headers.get("Location", ""), str(dict(answer.headers)))


async def until(url: str, status: int, process: Process | None = None) -> Answer:
    """Ask until it answers with this status."""
    import asyncio

    ends = time.monotonic() + LIMIT
    while True:
        try:
            answer = await call("GET", url)
            if answer.status == status:
                return answer
        except aiohttp.ClientError:
            pass
        assert process is None or process.process.poll() is None, process.said
        assert time.monotonic() < ends, f"{url} does not come to answer {status}"
        await asyncio.sleep(0.05)
