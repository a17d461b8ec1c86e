"""Postpay's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web

from paymux.connectors.contract import Checkout, Moved
from tests.connectors import scripted as base
from tests.connectors import till as tills
from tests.connectors.till import KEY, ONE, TWO

__all__ = ["KEY", "ONE", "TWO"]

CREDENTIALS = {"merchant_id": "id_demo", "secret_key": "sk_test_demo"}
# printf 'id_demo:sk_test_demo' | openssl base64
BASIC = "Basic aWRfZGVtbzpza190ZXN0X2RlbW8="


sample = base.samples_of("postpay")


@dataclass
class Till(tills.Till):
    """One order's way through Postpay's simulator."""

    code: str = "POSTPAY"
    currency: str = "AED"

    async def pays(self, amount: str = "100.00") -> Checkout:
        """Have the shopper agree, and capture the order."""
        return await self.confirms(amount)

    async def refunds(self, checkout: Checkout, amount: str, key: str = ONE, open: str = "100.00") -> Moved:
        done = await self.connector.refund(checkout, self.counter.move(self.money(amount), key, open))
        assert isinstance(done, Moved)
        return done

    def checkout(self, **changes: Any) -> Checkout:
        """A checkout of the sample's order."""
        order = self.counter.order(self.code)
        return Checkout(
            session="R-1001-0b9f3a52-6a0e", reference="R-1001", total=order.total, auto_capture=True, get_token=False,
            country="AE", locale="en_AE", expires_at=order.expires_at, order_id=order.id, **changes,
        )  # fmt: skip

    async def call(self, method: str, path: str, body: Any = None, who: str = BASIC) -> tuple[int, Any]:
        """Call Postpay's API, or the sandbox's own routes, by plain HTTP."""
        return await self.request(method, path, body, Authorization=who)


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("postpay"))


class Scripted(base.Scripted):
    def admits(self, request: web.Request) -> None:
        assert request.headers["Authorization"] == BASIC


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with base.served(Scripted(sample), "POSTPAY", CREDENTIALS) as server:
        yield server
