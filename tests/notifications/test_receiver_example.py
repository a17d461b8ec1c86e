"""examples/webhook_receiver.py: a shop that copies it believes what paymux sent, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.installation import free_port

EXAMPLE = Path(__file__).parents[2] / "examples" / "webhook_receiver.py"
SECRET = "whsec_ZGVtby13ZWJob29rLXNlY3JldA=="
OTHER = "whsec_b3RoZXItd2ViaG9vay1zZWNyZXQ="
EVENT = {"event": "ORDER_STATUS_UPDATE", "data": {"orderReference": "A-1", "sequence": 2, "status": "SUCCESSFUL"}}
BODY = json.dumps(EVENT).encode()


@pytest.fixture
def receiver() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Its URL, and its process, which waits for webhooks."""
    port = free_port()
    with subprocess.Popen([sys.executable, EXAMPLE, str(port)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{port}/"
        assert process.stdout.readline() == f"Waiting for webhooks at {url}\n"
        yield url, process
        process.terminate()


def headers(secret: str = SECRET, age: int = 0, body: bytes = BODY) -> dict[str, str]:
    """What a sender that knows `secret` puts beside `body`, `age` seconds ago."""
    at = int(time.time()) - age
    signature = Webhook(secret).sign("whd_1", datetime.fromtimestamp(at, UTC), body.decode())
    return {"webhook-id": "whd_1", "webhook-timestamp": str(at), "webhook-signature": signature}


def sent(url: str, beside: dict[str, str]) -> int:
    """The status that it answers BODY with."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, BODY, beside), timeout=10) as answer:  # noqa: S310
            status: int = answer.status
            return status
    except urllib.error.HTTPError as refused:
        return refused.code


def test_what_is_signed_with_the_secret_is_taken_and_printed(receiver: tuple[str, subprocess.Popen[str]]) -> None:
    url, process = receiver
    rotated = headers()
    rotated["webhook-signature"] = headers(OTHER)["webhook-signature"] + " " + rotated["webhook-signature"]
    for beside in (headers(), rotated):
        assert sent(url, beside) == 204
        assert process.stdout is not None
        assert process.stdout.readline() == "ORDER_STATUS_UPDATE of A-1, sequence 2: SUCCESSFUL\n"


def test_anything_else_is_refused(receiver: tuple[str, subprocess.Popen[str]]) -> None:
    url, process = receiver
    for what, beside in {
        "another secret": headers(OTHER), "another body": headers(body=b"{}"), "too old": headers(age=301),
        "another id": headers() | {"webhook-id": "whd_2"}, "unsigned": {},
    }.items():  # fmt: skip
        assert sent(url, beside) == 401, what
        assert process.stdout is not None
        assert process.stdout.readline().startswith("REFUSED"), what
