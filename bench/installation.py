"""A fresh installation to measure: the embedded PostgreSQL and paymux's processes, apart, on free loopback ports."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench import memory
from paymux.accounts import demo
from paymux.platform.postgres import EmbeddedPostgres

PROCESSES = ("serve", "worker", "sandbox")
READY_LIMIT = 60.0
END_LIMIT = 30.0


def free_port() -> int:
    """A port that is free on loopback right now, below those that the kernel gives to whoever connects meanwhile."""
    while True:
        port = random.randint(12_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def environment(home: Path, port: int, sandbox_port: int, **more: str) -> dict[str, str]:
    """What a process of ours gets: none of the caller's own PAYMUX_ settings, and no limit on how often one shop calls."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PAYMUX_")}
    return kept | {
        "PAYMUX_HOME": str(home), "PAYMUX_PORT": str(port), "PAYMUX_SANDBOX_PORT": str(sandbox_port),
        "PAYMUX_WRITE_RATE": "0", "PAYMUX_TOKEN_RATE": "0", **more,
    }  # fmt: skip


@dataclass
class Installation:
    """A running installation. `processes` by name; what they said stands in `home`/NAME.log."""

    home: Path
    postgres: EmbeddedPostgres
    port: int
    sandbox_port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """The API's URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The database's URL."""
        return self.postgres.url("paymux")

    def start(self, name: str) -> None:
        """Start a process. Its connections carry its name, by which the database's log tells them apart."""
        url = f"{self.url}&application_name={name}"
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "paymux", name], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment(self.home, self.port, self.sandbox_port, PAYMUX_DATABASE_URL=url),
            )  # fmt: skip

    def end(self, name: str) -> None:
        """Stop a process and wait for its end."""
        process = self.processes.pop(name)
        process.terminate()
        try:
            process.wait(END_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wait_until_ready(self) -> None:
        """Wait for the API, the worker and the sandbox. Raises RuntimeError with what they said."""
        ends = time.monotonic() + READY_LIMIT
        asked = [f"{self.base}/readyz", f"http://127.0.0.1:{self.sandbox_port}/healthz"]
        while not all(_answers(url) for url in asked):
            if time.monotonic() > ends or any(process.poll() is not None for process in self.processes.values()):
                said = "\n".join(path.read_text()[-2000:] for path in sorted(self.home.glob("*.log")))
                raise RuntimeError(f"the installation does not get ready:\n{said}")
            time.sleep(0.05)

    def families(self) -> dict[str, list[psutil.Process]]:
        """Every process by its name, PostgreSQL with its children."""
        assert self.postgres.pid is not None
        found = {name: [psutil.Process(process.pid)] for name, process in self.processes.items()}
        return found | {"postgres": memory.with_children(self.postgres.pid)}

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU that each has used so far."""
        used = {}
        for name, family in self.families().items():
            used[name] = 0.0
            for process in family:
                with contextlib.suppress(psutil.Error):
                    times = process.cpu_times()
                    used[name] += times.user + times.system
        return used

    def access_token(self) -> str:
        """An access token of the demo merchant."""
        form = (
            f"client_id={demo.CLIENT_ID}&client_secret={demo.SECRETS['client']}"
            "&grant_type=client_credentials&scope=api-user"
        )
        asked = urllib.request.Request(f"{self.base}/token", form.encode())  # noqa: S310
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
            body: dict[str, Any] = json.load(answer)
        token: str = body["access_token"]
        return token


@contextlib.contextmanager
def installed() -> Iterator[Installation]:
    """A prepared installation with every process running; nothing of it is left afterwards."""
    home = Path(tempfile.mkdtemp(prefix="paymux-bench-"))
    postgres = EmbeddedPostgres(home)
    made = Installation(home, postgres, free_port(), free_port())
    try:
        url = postgres.start()
        subprocess.run(
            [sys.executable, "-m", "paymux.supervisor"], check=True,
            env=environment(home, made.port, made.sandbox_port, PAYMUX_DATABASE_URL=url),
        )  # fmt: skip
        for name in PROCESSES:
            made.start(name)
        made.wait_until_ready()
        yield made
    finally:
        for name in list(made.processes):
            made.end(name)
        postgres.delete()
        shutil.rmtree(home, ignore_errors=True)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
