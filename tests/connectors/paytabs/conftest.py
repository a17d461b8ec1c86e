"""PayTabs' connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from urllib.parse import quote_plus

import pytest

from paymux.connectors.contract import Checkout, Incoming, Move, Moved
from paymux.connectors.registry import all_providers
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served

SECRET = "SSJN-SANDBOX-PAYTABS"


def key(number: int) -> str:
    """The key of another operation."""
    return f"{number:08d}-6a0e-4f7e-9a57-2f4a3f1f6f01"


sample = samples_of("paytabs")


def signature(content: str) -> str:
    return hmac.new(SECRET.encode(), content.encode(), hashlib.sha256).hexdigest()


def signed(**fields: str) -> dict[str, str]:
    """A return with PayTabs' signature; none of these texts has a character that PHP and Python write differently."""
    text = "&".join(f"{name}={quote_plus(fields[name])}" for name in sorted(fields) if fields[name])
    return {**fields, "signature": signature(text)}


def transaction(**changes: Any) -> dict[str, Any]:
    """A sale of 100.00 AED for the order R-1001, authorised."""
    result = {"response_status": "A", "response_code": "G1", "response_message": "Authorised"}
    said = {
        "tran_ref": "TST1", "tran_type": "Sale", "cart_id": "R-1001", "cart_description": "Shirt (1)",
        "cart_currency": "AED", "cart_amount": "100.00", "tran_currency": "AED", "tran_total": "100.00",
        "payment_result": result,
    }  # fmt: skip
    status = changes.pop("status", None)
    if status is not None:
        said["payment_result"] = result | {"response_status": status, "response_message": f"as {status}"}
    return said | changes


def told(said: Mapping[str, Any] | str, **headers: str) -> Incoming:
    """A callback, signed unless `signature` says otherwise."""
    body = said if isinstance(said, str) else json.dumps(said)
    return Incoming(method="POST", headers={"signature": signature(body)} | headers, query={}, body=body.encode())


@dataclass
class Till(tills.Till):
    """One order's way through PayTabs' simulator."""

    code: str = "PAYTAB"
    currency: str = "AED"

    async def pays(self, amount: str = "", **changes: Any) -> Checkout:
        """Have the shopper pay; the checkout with the payment's id that his return brings."""
        checkout, query = await self.decides("approve", amount, **changes)
        return replace(checkout, payment_id=query["tranRef"])

    def follow_up(self, amount: str, open: str = "", captured: str = "0", number: int = 1) -> Move:
        """A claimed capture, void or refund."""
        return self.move(amount, key(number), open, captured=captured)

    async def captures(self, checkout: Checkout, amount: str, open: str, number: int) -> Moved:
        captured = str(Decimal("100.00") - Decimal(open))
        return await self.moves("capture", checkout, amount, key(number), open, captured=captured)

    async def call(self, path: str, body: Any, authorization: str = SECRET) -> tuple[int, Any]:
        """Call the simulator as somebody else would."""
        return await self.request("POST", path, body, Authorization=authorization)


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("paytabs"))


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    credentials = {"profile_id": "987654", "server_key": SECRET, "region": "sau"}
    hosts = {host: f"/{host}" for host in all_providers()["paytabs"].facts.hosts}
    async with served(Scripted(sample, authorization=SECRET), "PAYTAB", credentials, hosts) as server:
        yield server
