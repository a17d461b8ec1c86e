"""Volt's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from paymux.connectors.contract import Checkout, Incoming, Underway
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served
from tests.connectors.till import ONE

SECRET = "9c0c8c97-c224-45ed-a195-23b54b1c67e5"
CREDENTIALS = {
    "client_id": "5b113e6b-7b62-4b23-8f2a-5f8f8f3d9d11", "client_secret": "sandbox-volt-client-secret",
    "username": "sandbox@volt.example", "password": "sandbox-volt-password", "notification_secret": SECRET,
}  # fmt: skip
HEADERS = {"X-Volt-Api-Version": "1", "X-Volt-Initiation-Channel": "hosted"}


sample = samples_of("volt")


def notification(body: Mapping[str, Any] | bytes, secret: str = SECRET, version: str = "2.0") -> Incoming:
    """A signed notification."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = hmac.new(secret.encode(), content + f"|20200131123456|{version}".encode(), hashlib.sha256).hexdigest()
    headers = {"user-agent": f"Volt/{version}", "x-volt-timed": "20200131123456", "x-volt-signed": signed}
    return Incoming(method="POST", headers=headers, query={}, body=content)


@dataclass
class Till(tills.Till):
    """One order's way through Volt's simulator."""

    code: str = "VOLT"

    async def becomes(self, checkout: Checkout, **changes: str) -> None:
        """Change what Volt holds of a payment."""
        assert await self.post("/sandbox/tamper", id=checkout.session, **changes) == 200

    async def refunds(self, checkout: Checkout, amount: str = "40.00", key: str = ONE) -> Underway:
        done = await self.tries("refund", checkout, amount, key)
        assert isinstance(done, Underway)
        return done

    async def token(self) -> str:
        """The header of an access token of Volt's."""
        status, answer = await self.request("POST", "-gateway/oauth", {"grant_type": "password", **CREDENTIALS})
        assert status == 200
        return f"Bearer {answer['access_token']}"


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("volt"))


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server = Scripted(sample, authorization="Bearer granted", grant_path="/gateway/oauth")
    async with served(server, "VOLT", CREDENTIALS, {"api": "/api", "gateway": "/gateway"}) as server:
        yield server
    keys = {name: CREDENTIALS[name] for name in ("client_id", "client_secret", "username", "password")}
    for asked in server.granted:
        assert asked == ("POST", "/gateway/oauth", {"grant_type": "password", **keys})
