"""The gateway's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from paymux.connectors.contract import Checkout
from paymux.connectors.provider_http import basic
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served

ROOT = "/api/rest/version/100/merchant/TESTPAYMUX"
CREDENTIALS = {
    "gateway": "test-gateway.mastercard.com", "merchant_id": "TESTPAYMUX", "api_password": "sandbox-mpgs-password",
    "notification_secret": "SANDBOX0MPGS0NOTIFICATION0SECRET", "merchant_name": "Paymux demo",
    "merchant_url": "https://shop.example",
}  # fmt: skip


sample = samples_of("mpgs")


USUAL = {"SUCCESS": "APPROVED", "FAILURE": "DECLINED", "PENDING": "PENDING", "UNKNOWN": "UNKNOWN"}
"""The gateway's code that mostly comes with a result."""


def row(
    kind: str, result: str = "SUCCESS", id: str = "1", amount: str | None = "100.00", code: str | None = None
) -> dict[str, Any]:
    """A transaction of an order in USD; with the usual code of its result, unless another one is given."""
    code = USUAL.get(result, "") if code is None else code
    transaction: dict[str, Any] = {"id": id, "type": kind, "currency": "USD"}
    if amount is not None:
        transaction["amount"] = amount
    return {"result": result, "response": {"gatewayCode": code}, "transaction": transaction}


@dataclass
class Till(tills.Till):
    """One order's way through the gateway's simulator."""

    code: str = "MPGS"
    currency: str = "USD"

    async def pays(self, amount: str = "", **changes: Any) -> Checkout:
        """Have the shopper pay; the checkout with its payment's ID."""
        return replace(await self.decided("approve", amount, **changes), payment_id="1")

    async def bank_says(self, held: Checkout, code: str, **more: Any) -> None:
        """What the bank answers to the order's next transaction; with `transaction`, what is found out about that one."""
        assert await self.post("/sandbox/bank", id=held.session, code=code, **more) == 200

    async def call(
        self, method: str, path: str, body: Any = None, password: str = CREDENTIALS["api_password"]
    ) -> tuple[int, Any]:
        """Call the simulator as somebody else would."""
        return await self.request(method, path, body, Authorization=basic("merchant.TESTPAYMUX", password))


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("mpgs"))


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server = Scripted(sample, authorization=basic("merchant.TESTPAYMUX", CREDENTIALS["api_password"]))
    async with served(server, "MPGS", CREDENTIALS) as server:
        yield server
