"""`paymux dev`: the database, the API, the worker and the sandbox under one roof, and nothing left when it ends.

This process only watches, so it imports little. Children and database are told by the kernel when it dies, whatever way.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from paymux.platform.parent_death import die_with_parent
from paymux.platform.ports import refusal
from paymux.platform.postgres import EmbeddedPostgres, PostgresFailed
from paymux.platform.running import forget_database_url, write_database_url
from paymux.platform.settings import Settings

READY_LIMIT = 60.0
FIRST_PAUSE, LONGEST_PAUSE, SETTLED = 0.2, 5.0, 10.0
DEATHS_AT_START = 3


def run_dev(settings: Settings) -> int:
    """Run everything until Ctrl-C, SIGTERM or SIGHUP; the exit code. A second Ctrl-C hurries."""
    began = time.monotonic()
    if fault := _refusal(settings):
        _say(fault)
        return 1
    asked = _StopAsked()
    embedded = None if settings.database_url else EmbeddedPostgres(settings.home)
    children: list[_Child] = []
    try:
        url = settings.database_url
        if embedded is not None:
            url = embedded.start(cancelled=lambda: asked.times > 0)
            write_database_url(settings.home, url)
        environment = _environment(settings, url)
        if code := _prepare(environment, asked):
            return code
        children = [_Child(name, environment) for name in _names(settings)]
        return _watch(settings, children, embedded, asked, began)
    except PostgresFailed as failed:
        if not asked.times:
            _say(str(failed))
        return 0 if asked.times else 1
    finally:
        _stop(children, settings.shutdown_grace, asked)
        if embedded is not None:
            forget_database_url(settings.home)
            embedded.stop(hurry=asked.times > 1)


async def prepare(settings: Settings) -> None:
    """Migrate the database and, in sandbox mode, make the demo merchant. Raises NewerDatabase."""
    from paymux.platform.migrations import upgrade

    await upgrade(settings.database_url)
    if not settings.sandbox:
        return
    from paymux.accounts import demo
    from paymux.platform.clock import Clock
    from paymux.platform.database import Database
    from paymux.processes import open_keyring

    keyring = open_keyring(settings)
    database = await Database.connect(settings.database_url, 2)
    try:
        await demo.seed(database, keyring, Clock(movable=True), settings)
    finally:
        await database.close()


class _StopAsked:
    """How often Ctrl-C, SIGTERM or SIGHUP asked us to stop.

    `make` can't hand on its own `kill -9`: it names itself in PAYMUX_STOP_WITH, and we stop when it is gone.
    """

    def __init__(self) -> None:
        self._signals = 0
        self._maker = os.environ.pop("PAYMUX_STOP_WITH", "")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # as nohup leaves it
                signal.signal(number, self._count)

    @property
    def times(self) -> int:
        """How often so far."""
        orphaned = self._maker and self._maker != str(os.getppid())
        return max(self._signals, 1) if orphaned else self._signals

    def _count(self, number: int, frame: object) -> None:
        self._signals += 1


class _Child:
    """One process of ours, started again when it dies: after 0.2 seconds, each time in a row later, 5 at most.

    `deaths` counts how often it ended by itself; not how often somebody killed it.
    """

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        self.name, self.deaths = name, 0
        self._environment = environment
        self._pause, self._due = FIRST_PAUSE, 0.0
        self._start()

    def _start(self) -> None:
        self.process = _spawn(["-m", "paymux", self.name], self._environment)
        self._began = time.monotonic()

    def tend(self) -> None:
        """See whether it lives; if not, say so, and start it again when its pause is over."""
        if self.process.poll() is None:
            return
        now = time.monotonic()
        if not self._due:
            if now - self._began > SETTLED:
                self._pause = FIRST_PAUSE
            # Who is killed would have started; whoever ends by himself at the start will do so again.
            self.deaths, self._due = self.deaths + (self.process.returncode >= 0), now + self._pause
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
            _say(f"paymux: {self.name} ended with {self.process.returncode}; starting it again")
        elif now >= self._due:
            self._due = 0.0
            self._start()


def _names(settings: Settings) -> tuple[str, ...]:
    return ("serve", "worker", "sandbox") if settings.sandbox else ("serve", "worker")


def _spawn(arguments: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    # In a session of its own: a Ctrl-C reaches this process alone, which then stops its children in order.
    return subprocess.Popen(
        [sys.executable, *arguments], env=environment, stdin=subprocess.DEVNULL, start_new_session=True,
        preexec_fn=die_with_parent(signal.SIGKILL),
    )  # fmt: skip


def _environment(settings: Settings, url: str) -> dict[str, str]:
    """The settings as a child reads them, whether they came from the environment or not."""
    environment = dict(os.environ)
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, dict):
            value = ",".join(f"{key}={part}" for key, part in value.items())
        elif isinstance(value, tuple):
            value = ",".join(value)
        if value is not None:
            environment[f"PAYMUX_{name.upper()}"] = str(value)
    environment["PAYMUX_DATABASE_URL"] = url
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling everything anew doubles the time of a start
    return environment


def _refusal(settings: Settings) -> str | None:
    """Why this can't start, in one sentence; None when it can."""
    if not settings.sandbox and not settings.database_url and not settings.allow_embedded:
        return "Live mode needs PAYMUX_DATABASE_URL, or PAYMUX_ALLOW_EMBEDDED=1 to run on the embedded database."
    if not settings.sandbox:
        return refusal("PAYMUX_PORT", settings.host, settings.port)
    if settings.port == settings.sandbox_port:
        return f"PAYMUX_PORT and PAYMUX_SANDBOX_PORT are both {settings.port}: set one of them to another port."
    if not _private(settings.host):
        _say(f"Warning: the sandbox, whose credentials everybody knows, listens on {settings.host}.")
    return refusal("PAYMUX_PORT", settings.host, settings.port) or refusal(
        "PAYMUX_SANDBOX_PORT", settings.host, settings.sandbox_port
    )


def _private(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _prepare(environment: dict[str, str], asked: _StopAsked) -> int:
    preparing = _spawn(["-m", "paymux.supervisor"], environment)
    while preparing.poll() is None:
        if asked.times:
            preparing.kill()
            preparing.wait()
            return 0
        time.sleep(0.01)
    return preparing.returncode


def _watch(
    settings: Settings, children: list[_Child], embedded: EmbeddedPostgres | None, asked: _StopAsked, began: float
) -> int:
    ready = False
    while not asked.times:
        if embedded is not None and embedded.pid is None:
            _say("paymux: the database ended; starting it again")
            embedded.start(cancelled=lambda: asked.times > 0)
        for child in children:
            child.tend()
        if not ready:
            ready = _answers(settings)
            if ready:
                _say(banner(settings, time.monotonic() - began), sys.stdout)
            elif time.monotonic() - began > READY_LIMIT or any(child.deaths >= DEATHS_AT_START for child in children):
                _say("paymux does not get ready; the messages above say why.")
                return 1
        time.sleep(0.1 if ready else 0.05)
    return 0


def _answers(settings: Settings) -> bool:
    asked = [(settings.port, "/readyz"), (settings.sandbox_port, "/healthz")]
    return all(_status(settings.host, port, path) == 200 for port, path in (asked if settings.sandbox else asked[:1]))


def _status(host: str, port: int, path: str) -> int:
    """The status of a GET, 0 without an answer; an HTTP client of the library's would double this process."""
    host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    try:
        with socket.create_connection((host, port), timeout=2) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            line = connection.makefile("rb").readline().split()
        return int(line[1])
    except (OSError, ValueError, IndexError):
        return 0


def _stop(children: list[_Child], grace: float, asked: _StopAsked) -> None:
    """End the children: gracefully within `grace` seconds, at once when asked twice."""
    if children:
        _say("paymux: stopping")
    for child in children:
        if child.process.poll() is None:
            child.process.terminate()
    ends = time.monotonic() + grace + 2
    while any(child.process.poll() is None for child in children):
        if asked.times > 1 or time.monotonic() > ends:
            for child in children:
                child.process.kill()
        time.sleep(0.02)


def _say(text: str, stream: object = None) -> None:
    # Whoever listened may be gone; that must not keep us from stopping everything.
    with contextlib.suppress(OSError, ValueError):
        print(text, file=stream or sys.stderr, flush=True)  # type: ignore[arg-type]


def banner(settings: Settings, seconds: float) -> str:
    """What a newcomer needs: URLs, credentials, and a curl that creates an order."""
    base = settings.base_url
    if not settings.sandbox:
        return f"paymux is ready in {seconds:.1f} s (live mode): {base}"
    return f"""
paymux is ready in {seconds:.1f} s (sandbox mode, no money moves)

  API      {base}            documents at {base}/docs
  Sandbox  {settings.sandbox_base_url}
  Data     {Path(settings.home).absolute()}

  client id       demo-merchant
  client secret   demo-secret
  payment secret  demo-payment-secret
  webhook secret  whsec_ZGVtby13ZWJob29rLXNlY3JldA==

Create an order (paste this into another terminal, then open the redirectUrl in a browser):

TOKEN=$(curl -s {base}/token -d client_id=demo-merchant -d client_secret=demo-secret -d grant_type=client_credentials \\
  -d scope=api-user | python3 -c 'import json,sys; print(json.load(sys.stdin)["access_token"])')
curl -s {base}/orders -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{{
  "orderReference": "ORD-'$(date +%s)'", "bnplProvider": "AFTERPAY_AU", "purchaseCountry": "AU", "purchaseCurrency": "AUD",
  "locale": "en_AU", "orderAmount": 100,
  "orderItems": [{{"name": "Shirt", "quantity": 1, "sku": "S-1", "unitPrice": 100, "totalAmount": 100}}],
  "customer": {{"firstName": "Ada", "lastName": "Byron", "email": "ada@shop.example", "phoneNumber": "+61400000000"}},
  "billingAddress": {{"firstName": "Ada", "lastName": "Byron", "streetAddress": "1 High Street", "city": "Sydney",
    "state": "NSW", "region": "NSW", "postalCode": "2000", "country": "AU"}}}}'

Ctrl-C stops everything; the data stays.
"""


def _prepare_here() -> None:
    from paymux.platform.database import DatabaseUnavailable
    from paymux.platform.migrations import NewerDatabase

    try:
        asyncio.run(prepare(Settings()))
    except (NewerDatabase, DatabaseUnavailable, OSError) as fault:
        sys.exit(f"The database can't be made ready: {fault}")


if __name__ == "__main__":
    _prepare_here()
