"""`paymux dev`: the database, the API, the worker and the sandbox under one roof, and nothing left when it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from paymux.platform.running import forget_database_url, write_database_url
from paymux.platform.settings import Settings

READY_LIMIT = 60.0


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


@dataclass
class _Child:
    """One process of ours, started again when it dies."""

    name: str
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    pause: float = 0.2
    again_at: float = field(default=0.0)

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "paymux", self.name], env=self.environment, stdin=subprocess.DEVNULL,
            preexec_fn=_die_with_parent, start_new_session=True,
        )  # fmt: skip
        self.again_at = 0.0

    def tend(self) -> None:
        """Start it again when it has died, later each time."""
        if self.process is None or self.process.poll() is None:
            return
        now = time.monotonic()
        if not self.again_at:
            print(f"paymux: {self.name} ended with {self.process.returncode}; starting it again", file=sys.stderr)
            self.again_at, self.pause = now + self.pause, min(self.pause * 2, 5)
        elif now >= self.again_at:
            self.start()

    def stop(self, grace: float) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _taken(settings: Settings) -> str | None:
    for name, port in (("PAYMUX_PORT", settings.port), ("PAYMUX_SANDBOX_PORT", settings.sandbox_port)):
        if name == "PAYMUX_SANDBOX_PORT" and not settings.sandbox:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, port))
            except OSError:
                return f"Port {port} is taken: stop what uses it, or set {name} to another one."
    return None


def run_dev(settings: Settings) -> int:
    """Run everything until Ctrl-C or SIGTERM; the exit code."""
    began = time.monotonic()
    if fault := _taken(settings):
        print(fault, file=sys.stderr)
        return 1
    stopping: list[int] = []
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, frame: stopping.append(number))
    if settings.host not in ("127.0.0.1", "localhost", "::1") and settings.sandbox:
        print(f"Warning: a sandbox with known credentials listens on {settings.host}.", file=sys.stderr)
    from paymux.platform.postgres import EmbeddedPostgres, PostgresFailed

    embedded = None if settings.database_url else EmbeddedPostgres(settings.home)
    children: list[_Child] = []
    try:
        if not settings.sandbox and embedded is not None and not settings.allow_embedded:
            print("Live mode needs PAYMUX_DATABASE_URL, or PAYMUX_ALLOW_EMBEDDED=1 (K4).", file=sys.stderr)
            return 1
        url = embedded.start() if embedded is not None else settings.database_url
        if embedded is not None:
            write_database_url(settings.home, url)
        # In a process of its own, so that this one stays small.
        prepared = subprocess.run(
            [sys.executable, "-m", "paymux", "db", "prepare"],
            env={**os.environ, "PAYMUX_DATABASE_URL": url},
            check=False,
        )
        if prepared.returncode:
            return prepared.returncode
        names = ["serve", "worker", *(["sandbox"] if settings.sandbox else [])]
        children = [_Child(name, {**os.environ, "PAYMUX_DATABASE_URL": url, "PYTHONUNBUFFERED": "1"}) for name in names]
        for child in children:
            child.start()
        return _tend(settings, children, embedded, stopping, began)
    except PostgresFailed as failed:
        print(f"The database does not start: {failed}", file=sys.stderr)
        return 1
    finally:
        _stop(settings, children, stopping)
        if embedded is not None:
            forget_database_url(settings.home)
            embedded.stop()


def _tend(settings: Settings, children: list[_Child], embedded: object, stopping: list[int], began: float) -> int:
    ready, limit = False, time.monotonic() + READY_LIMIT
    while not stopping:
        for child in children:
            child.tend()
        if embedded is not None and getattr(embedded, "pid", 1) is None:
            print("paymux: the database ended; starting it again", file=sys.stderr)
            embedded.start()  # type: ignore[attr-defined]
        if not ready and _ready(settings):
            ready = True
            print(banner(settings, time.monotonic() - began), flush=True)
        elif not ready and time.monotonic() > limit:
            print(f"paymux did not get ready within {READY_LIMIT:.0f} s; see the messages above.", file=sys.stderr)
            return 1
        time.sleep(0.1)
    return 0


def _ready(settings: Settings) -> bool:
    urls = [f"http://{_local(settings)}:{settings.port}/readyz"]
    if settings.sandbox:
        urls.append(f"http://{_local(settings)}:{settings.sandbox_port}/healthz")
    try:
        for url in urls:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status != 200:
                    return False
    except (urllib.error.URLError, OSError):
        return False
    return True


def _local(settings: Settings) -> str:
    return "127.0.0.1" if settings.host in ("0.0.0.0", "::", "") else settings.host  # noqa: S104


def _stop(settings: Settings, children: list[_Child], stopping: list[int]) -> None:
    if children:
        print("paymux: stopping", file=sys.stderr, flush=True)
    for child in children:
        if child.process is not None and child.process.poll() is None:
            child.process.terminate()
    hurry = len(stopping) > 1
    for child in children:
        child.stop(1 if hurry else settings.shutdown_grace + 2)


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


async def prepare(settings: Settings) -> None:
    """Migrate the database and, in sandbox mode, seed the demo merchant."""
    from paymux.accounts import demo
    from paymux.platform.clock import Clock
    from paymux.platform.database import Database
    from paymux.platform.migrations import upgrade
    from paymux.processes import open_keyring

    await upgrade(settings.database_url)
    if settings.sandbox:
        database = await Database.connect(settings.database_url, 2)
        try:
            await demo.seed(database, open_keyring(settings), Clock(movable=True), settings)
        finally:
            await database.close()
