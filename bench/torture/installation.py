"""The installation under torture: started as `paymux dev`, killed piece by piece, asked and moved over HTTP."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import simplejson

from bench.installation import free_port

PIECES = ("serve", "worker", "sandbox", "postgres")
CRASH_POINTS = ("claimed", "called", "decided", "delivered")
NO_ANSWER = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call brought; status 0: no answer, so nobody knows."""

    status: int
    body: Any = None
    location: str = ""

    @property
    def open(self) -> bool:
        """Whether the caller has to ask again: no answer, a fault of the server's, or `in_progress`."""
        waiting = self.status == 409 and isinstance(self.body, dict) and self.body.get("code") == "in_progress"
        return self.status in (NO_ANSWER, 401, 429) or self.status in (500, 503, 504) or waiting


@dataclass(frozen=True, slots=True)
class Movement:
    """A line of the providers' ledger: `kind` is authorize, capture, void or refund, `at` the installation's time."""

    kind: str
    amount: Decimal
    at: datetime


class Installation:
    """`paymux dev` in a home of its own, with short limits so that much happens in little time."""

    def __init__(self, home: Path, seed: int) -> None:
        self.home, self.seed = home, seed
        self.port, self.sandbox_port = free_port(), free_port()
        self.base, self.sandbox = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.sandbox_port}"
        self.crash_folder = home / "crash"
        self.kills: dict[str, int] = {}
        self._token = ""
        self._dev: subprocess.Popen[bytes] | None = None
        self._http: aiohttp.ClientSession | None = None

    # -- its processes ---------------------------------------------------------------------------

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        self.crash_folder.mkdir(parents=True, exist_ok=True)
        limits = {
            "PROVIDER_CONNECT_TIMEOUT": "1", "PROVIDER_TIMEOUT": "2", "SANDBOX_HOLD": "3", "SANDBOX_SLOW": "1", "LEASE": "6",
            "DELIVERY_TIMEOUT": "2", "RACE_WAIT": "3", "SHUTDOWN_GRACE": "3", "LOG_LEVEL": "WARNING",
            "HOME": str(self.home), "PORT": str(self.port), "SANDBOX_PORT": str(self.sandbox_port),
            "CRASH_POINTS": str(self.crash_folder), "WRITE_RATE": "0", "TOKEN_RATE": "0", "PROVIDER_PAUSE": "1",
        }  # fmt: skip
        environment = {**os.environ, **{f"PAYMUX_{name}": value for name, value in limits.items()}}
        self._dev = self._spawn({**environment, "PAYMUX_STOP_WITH": str(os.getpid())})
        if self._http is None:
            self._http = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=20), json_serialize=_dumps
            )
        await self.ready()

    def _spawn(self, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self.home / "torture.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "paymux", "dev"],
                env=environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    async def ready(self, within: float = 90) -> None:
        """Wait until it answers. Raises RuntimeError when it does not come back."""
        ends = time.monotonic() + within
        while time.monotonic() < ends:
            up = [await self.ask("GET", self.base + "/readyz"), await self.ask("GET", self.sandbox + "/healthz")]
            if all(answer.status == 200 for answer in up):
                return
            if self._dev is not None and self._dev.poll() is not None:
                raise RuntimeError(f"paymux dev ended with {self._dev.returncode}; see {self.home}/torture.log")
            await asyncio.sleep(0.1)
        raise RuntimeError(f"it is not ready after {within:.0f} s; see {self.home}/torture.log")

    def pieces(self) -> dict[str, psutil.Process]:
        """Its running processes by name."""
        found: dict[str, psutil.Process] = {}
        if self._dev is None or self._dev.poll() is not None:
            return found
        for child in psutil.Process(self._dev.pid).children():
            try:
                line = child.cmdline()
            except psutil.Error:
                continue
            name = next((piece for piece in PIECES if piece in line), "")
            if not name and line and "postgres" in Path(line[0]).name:
                name = "postgres"
            if name:
                found[name] = child
        return found

    def kill(self, piece: str) -> bool:
        """`kill -9` one of its processes; False when it is not there just now."""
        process = self.pieces().get(piece)
        if process is None:
            return False
        process.send_signal(signal.SIGKILL)
        self.kills[piece] = self.kills.get(piece, 0) + 1
        return True

    async def kill_all(self) -> None:
        """`kill -9` the watching process, whose death ends everything, and start again."""
        assert self._dev is not None
        self._dev.kill()
        self._dev.wait()
        self.kills["everything"] = self.kills.get("everything", 0) + 1
        await self.start()

    def crash_at(self, point: str) -> None:
        """The next process that passes this point dies there."""
        (self.crash_folder / point).touch()

    def crashed(self) -> int:
        """How many armed crash points have struck; takes the others back."""
        left = [file for file in self.crash_folder.iterdir() if file.name in CRASH_POINTS]
        for file in left:
            file.unlink(missing_ok=True)
        return len(left)

    async def stop(self) -> None:
        """Ctrl-C, as a person would."""
        if self._dev is not None and self._dev.poll() is None:
            self._dev.send_signal(signal.SIGINT)
            await asyncio.to_thread(self._dev.wait, 60)
        if self._http is not None:
            await self._http.close()

    # -- calls -----------------------------------------------------------------------------------

    async def ask(self, method: str, url: str, **request: Any) -> Answer:
        """One HTTP call; redirects are not followed. No answer is an answer of status 0."""
        assert self._http is not None
        try:
            async with self._http.request(method, url, allow_redirects=False, **request) as answer:
                text = await answer.text()
                body: Any = text
                if "json" in answer.headers.get("Content-Type", ""):
                    body = simplejson.loads(text, use_decimal=True)
                return Answer(answer.status, body, answer.headers.get("Location", ""))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return Answer(NO_ANSWER)

    async def api(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """A call of the Merchant API as the demo merchant."""
        if not self._token:
            form = {
                "client_id": "demo-merchant", "client_secret": "demo-secret", "grant_type": "client_credentials",
                "scope": "api-user",
            }  # fmt: skip
            granted = await self.ask("POST", self.base + "/token", data=form)
            if granted.status != 200:
                return Answer(NO_ANSWER)
            self._token = granted.body["access_token"]
        sent = {"Authorization": f"Bearer {self._token}", **(headers or {})}
        more = {} if method == "GET" else {"json": body or {}}
        return await self.ask(method, self.base + path, headers=sent, **more)

    async def must(self, method: str, url: str, **request: Any) -> Any:
        """A call of the sandbox's controls, repeated until it is answered."""
        while True:
            answer = await self.ask(method, url, **request)
            if 200 <= answer.status < 300:
                return answer.body
            await asyncio.sleep(0.2)

    async def advance(self, seconds: int) -> bool:
        """Move the clock."""
        return (await self.api("POST", "/sandbox/clock", {"advance": seconds})).status == 200

    async def now(self) -> datetime:
        """The installation's time."""
        while (answer := await self.api("POST", "/sandbox/clock", {"advance": 0})).status != 200:
            await asyncio.sleep(0.2)
        return datetime.fromisoformat(answer.body["now"])

    async def ledger(self, reference: str) -> list[Movement]:
        """What moved at the providers for an order, as they saw it."""
        rows = await self.must("GET", self.sandbox + "/control/ledger", params={"reference": reference})
        return [Movement(row["kind"], Decimal(row["amount"]), datetime.fromisoformat(row["at"])) for row in rows]


def _dumps(value: Any) -> str:
    return simplejson.dumps(value, use_decimal=True)
