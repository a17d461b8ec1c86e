"""GoCardless's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from paymux.connectors.contract import Checkout, MoveResult, Paid
from tests.connectors import scripted as servers
from tests.connectors import till as tills
from tests.connectors.scripted import samples_of, served
from tests.connectors.till import KEY, ONE, checkout_of

sample = samples_of("gocardless")


@dataclass
class Till(tills.Till):
    """One order's way through GoCardless's simulator."""

    code: str = "GOCARDLESS_GB"

    async def charges(self, outcome: str = "approve", amount: str = "") -> Checkout:
        """Have the shopper decide, and charge the mandate; the checkout with the payment's id."""
        checkout = await self.decided(outcome, amount)
        charged = await self.connector.confirm(checkout, KEY)
        assert isinstance(charged, Paid)
        return replace(checkout, payment_id=charged.payment_id)

    async def refunds(self, checkout: Checkout, amount: str, key: str = ONE, open: str = "") -> MoveResult:
        """Refund a part of what was collected."""
        return await self.tries("refund", checkout, amount, key, open, captured=self.usual)

    async def calls(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Call the simulator as any merchant's software could."""
        sent = {"Authorization": "Bearer sandbox_gocardless_token", "GoCardless-Version": "2015-07-06", **headers}
        return await self.request(method, path, body, **sent)


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("gocardless"))


class Scripted(servers.Scripted):
    checkout = checkout_of("BRQ123", "10.00", "EUR", "DE", locale="de_DE")

    def pays(self, **changes: Any) -> None:
        """Give the documented payment, with some of its fields changed."""
        self.says(200, {"payments": {**sample("payment_submitted")["answer"]["payments"], **changes}})


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    credentials = {"access_token": "t-1", "webhook_secret": sample("webhook")["secret"]}
    server = Scripted(sample, authorization="Bearer t-1")
    async with served(server, "GOCARDLESS_EU", credentials) as server:
        yield server
