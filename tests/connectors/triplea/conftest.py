"""TripleA's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from paymux.connectors.contract import Checkout, Incoming
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served
from tests.connectors.till import checkout_of

PAYMENT = "SDF-453672-PMT"
SECRET = "whsec-demo"
CREDENTIALS = {
    "client_id": "oacid-demo", "client_secret": "secret-demo", "api_id": "HA1565669224NlgN_t", "notify_secret": SECRET,
}  # fmt: skip
AT_SIMULATOR = {
    "client_id": "oacid-paymux-sandbox", "client_secret": "sandbox-triplea-client-secret",
    "grant_type": "client_credentials",
}  # fmt: skip

sample = samples_of("triplea")


def webhook(body: bytes, secret: str = SECRET, when: str = "1580010000") -> Incoming:
    """A signed webhook as it arrives."""
    signature = hmac.new(secret.encode(), when.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"triplea-signature": f"t={when},v1={signature}"}
    return Incoming(method="POST", headers=headers, query={}, body=body)


@dataclass
class Till(tills.Till):
    """One order's way through TripleA's simulator."""

    code: str = "TRIPLEA"
    currency: str = "USD"

    def checkout(self, **changes: Any) -> Checkout:
        """A checkout of the samples' payment."""
        return checkout_of(PAYMENT, "100.00", "USD", "US", **changes)

    async def sends(self, checkout: Checkout, value: str) -> str:
        """Have somebody send coins of a value to a payment's address; the tier that follows."""
        status, answer = await self.request("POST", "/sandbox/coins", {"id": checkout.session, "value": value})
        assert status == 201
        tier: str = answer["payment_tier"]
        return tier

    async def grant(self, **changes: str) -> tuple[int, dict[str, Any]]:
        """Ask for an access token by plain HTTP."""
        return await self.request("POST", "/api/v1/oauth/token", aiohttp.FormData({**AT_SIMULATOR, **changes}))

    async def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """Call TripleA's API by plain HTTP, by default with a fresh access token."""
        if token is None:
            token = (await self.grant())[1]["access_token"]
        return await self.request(method, path, body, Authorization=f"Bearer {token}")


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("triplea"))


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server = Scripted(
        sample, authorization="Bearer granted", grant_path="/api/v1/oauth/token",
        grant=(200, {"access_token": "granted", "expires_in": 315360000}),
    )  # fmt: skip
    async with served(server, "TRIPLEA", CREDENTIALS) as server:
        yield server
