"""TendoPay's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from paymux.connectors.contract import Checkout, Incoming
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served

SECRET = "sandbox-tendopay-secret"
CREDENTIALS = {"client_id": "91617300-49bd-46d4-8e9c-cc476a2d30c5", "client_secret": SECRET}


sample = samples_of("tendopay")


def signed(fields: Mapping[str, Any], secret: str = SECRET) -> dict[str, Any]:
    """Fields with TendoPay's signature over them."""
    text = "".join(f"{name}{str(value).strip()}" for name, value in sorted(fields.items()) if name.startswith("tp_"))
    return {**fields, "x_signature": hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()}


def told(**changes: Any) -> dict[str, Any]:
    """A signed return for the order R-1001 of 100 PHP; an empty change takes a field away."""
    fields = {
        "tp_transaction_status": "PAID", "tp_amount": "100", "tp_transaction_id": "12215",
        "tp_merchant_order_id": "R-1001",
    }  # fmt: skip
    return signed({name: value for name, value in (fields | changes).items() if value != ""})


def notification(fields: Mapping[str, Any] | bytes) -> Incoming:
    """A notification with these fields, or with this body."""
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return Incoming(method="POST", headers={"content-type": "application/json"}, query={}, body=body)


@dataclass
class Till(tills.Till):
    """One order's way through TendoPay's simulator."""

    code: str = "TENDOPAY"
    usual: str = "100"

    async def pays(self, amount: str = "", **changes: Any) -> Checkout:
        """Have the shopper pay; the checkout with the transaction that his return brings."""
        checkout, query = await self.decides("approve", amount, **changes)
        return replace(checkout, payment_id=query["tp_transaction_id"])

    async def call(self, path: str, body: Any, token: str = "") -> tuple[int, Any]:
        """Call TendoPay's API by plain HTTP."""
        return await self.request("POST", path, body, Authorization=f"Bearer {token}")

    async def token(self) -> str:
        """An access token of TendoPay's."""
        status, answer = await self.call("/oauth/token", {"grant_type": "client_credentials", **CREDENTIALS})
        assert (status, answer["token_type"], answer["expires_in"]) == (200, "Bearer", 604800)
        return str(answer["access_token"])


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("tendopay"))


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server = Scripted(sample, authorization="Bearer granted", grant_path="/oauth/token")
    async with served(server, "TENDOPAY", CREDENTIALS) as server:
        yield server
