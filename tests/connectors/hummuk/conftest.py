"""The connector of humm in the United Kingdom at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest

from paymux.connectors.contract import Checkout, OrderToPay
from tests.connectors import scripted as base
from tests.connectors import till as tills
from tests.connectors.till import KEY, ONE, TWO

__all__ = ["KEY", "ONE", "TWO"]

CREDENTIALS = {
    "account_id": "0014L00000Nt0tP", "client_id": "3MVG9lKcPoNINVB", "client_secret": "1955279925675241571",
    "refresh_token": "5Aep861",
}  # fmt: skip
CALLS = "/services/apexrest"

sample = base.samples_of("hummuk")


@dataclass
class Till(tills.Till):
    """One order's way through humm's simulator; the shopper has a British mobile."""

    code: str = "HUMM_UK"
    currency: str = "GBP"

    def order(self, amount: str = "", phone: str = "+44 7700 900123", **changes: Any) -> OrderToPay:
        made = super().order(amount or "100.00", **changes)
        return replace(made, customer=replace(made.customer, phone=phone), billing=replace(made.billing, phone=""))

    async def pays(self, amount: str = "", **changes: Any) -> Checkout:
        """Have the shopper pay: the checkout as the core keeps it then."""
        checkout, _ = await self.decides("approve", amount, **changes)
        return replace(checkout, payment_id=checkout.session)

    def checkout(self, **changes: Any) -> Checkout:
        """The checkout of the samples, of 100 pounds."""
        order = self.order()
        base = Checkout(
            session="P-1001", reference="R-1001", total=order.total, auto_capture=True, get_token=False, country="GB",
            locale="en_GB", expires_at=order.expires_at, order_id=order.id, state={"flexi": "F000000000000001"},
        )  # fmt: skip
        return replace(base, **changes)

    async def signs_in(self, **changes: str) -> tuple[int, Any]:
        """Ask for an access token as a merchant's program does."""
        own = self.counter.sandbox.simulators["hummuk"].credentials
        form = {"grant_type": "refresh_token", **{name: own[name] for name in own if name != "account_id"}, **changes}
        url = f"{self.counter.base_url}/hummuk/services/oauth2/token"
        async with aiohttp.ClientSession() as http, http.post(url, data=form) as answer:
            return answer.status, await answer.json()

    async def call(self, path: str, body: Any, token: str | None = None) -> tuple[int, Any]:
        """One of humm's calls, past the connector; by default with a good token."""
        if token is None:
            token = (await self.signs_in())[1]["access_token"]
        return await self.request("POST", CALLS + path, body, Authorization=f"Bearer {token}")


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("hummuk"))


class Scripted(base.Scripted):
    """A server that is the token's address and humm's instance in one."""

    def grants(self, token: str = "T-1", instance: str | None = None) -> None:
        """Grant an access token for this server, or for an instance elsewhere."""
        own = self.connector.account.hosts["api"]
        self.says(
            200, {**self.sample("token_granted")["answer"], "access_token": token, "instance_url": instance or own}
        )


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with base.served(Scripted(sample), "HUMM_UK", CREDENTIALS) as server:
        yield server
