"""`paymux dev`, as `make run` calls it: everything starts, `kill -9` loses nothing, and nothing is left running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.installation import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


class Dev:
    """A running `paymux dev`."""

    def __init__(self, process: subprocess.Popen[str], port: int, sandbox_port: int) -> None:
        self.process, self.port, self.sandbox_port = process, port, sandbox_port

    def wait_ready(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "is ready in" in line:
                return
        raise AssertionError("it ended before it was ready")

    def call(self, path: str, body: Any = None, form: dict[str, str] | None = None, token: str = "") -> Any:
        data = (
            urllib.parse.urlencode(form).encode() if form else json.dumps(body).encode() if body is not None else None
        )
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data)
        if body is not None:
            request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return json.load(answer)

    def token(self) -> str:
        form = {
            "client_id": "demo-merchant",
            "client_secret": "demo-secret",
            "grant_type": "client_credentials",
            "scope": "api-user",
        }
        granted: str = self.call("/token", form=form)["access_token"]
        return granted


@contextmanager
def dev(home: Path) -> Iterator[Dev]:
    port, sandbox_port = free_port(), free_port()
    environment = {
        **os.environ, "PAYMUX_HOME": str(home), "PAYMUX_PORT": str(port), "PAYMUX_SANDBOX_PORT": str(sandbox_port),
        "PAYMUX_LOG_LEVEL": "WARNING",
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "paymux", "dev"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        running = Dev(process, port, sandbox_port)
        running.wait_ready()
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(40)


ORDER = {
    "orderReference": "KEPT-1", "bnplProvider": "AFTERPAY_AU", "purchaseCountry": "AU", "purchaseCurrency": "AUD",
    "locale": "en_AU", "orderAmount": 100,
    "orderItems": [{"name": "Shirt", "quantity": 1, "sku": "S-1", "unitPrice": 100, "totalAmount": 100}],
    "customer": {"firstName": "Ada", "lastName": "Byron", "email": "ada@shop.example", "phoneNumber": "+61400000000"},
    "billingAddress": {
        "firstName": "Ada", "lastName": "Byron", "streetAddress": "1 High Street", "city": "Sydney", "state": "NSW",
        "region": "NSW", "postalCode": "2000", "country": "AU",
    },
}  # fmt: skip


def _left(pids: list[int]) -> list[int]:
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        left = [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
        if not left:
            return []
        time.sleep(0.1)
    return left


def test_an_order_survives_kill_9_of_everything_and_ctrl_c_leaves_nothing_running(tmp_path: Path) -> None:
    with dev(tmp_path / "home") as first:
        token = first.token()
        created = first.call("/orders", ORDER, token=token)
        assert created["paymentStatus"] == "pending"
        children = [child.pid for child in psutil.Process(first.process.pid).children(recursive=True)]
        assert len(children) >= 4
        first.process.kill()
        assert _left(children) == []
    with dev(tmp_path / "home") as second:
        found = second.call("/orders/KEPT-1", token=second.token())
        assert found["status"] == "PENDING"
        children = [child.pid for child in psutil.Process(second.process.pid).children(recursive=True)]
        second.process.send_signal(signal.SIGINT)
        assert second.process.wait(40) == 0
        assert _left(children) == []


def test_a_taken_port_is_one_clear_sentence(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "paymux", "dev"], capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, "PAYMUX_HOME": str(tmp_path), "PAYMUX_PORT": str(port)},
        )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.strip() == f"Port {port} is taken: stop what uses it, or set PAYMUX_PORT to another one."
