"""ShopBack's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from paymux.connectors.contract import Checkout, MoveResult
from tests.connectors import scripted as base
from tests.connectors import till as tills
from tests.connectors.till import KEY, ONE, TWO

__all__ = ["KEY", "ONE", "TWO"]

sample = base.samples_of("shopback")
LOGIN = sample("login")
CREDENTIALS = {"merchant_id": LOGIN["request"]["username"], "merchant_secret": LOGIN["request"]["password"]}
UUID = sample("order_status")["answer"]["uuid"]


@dataclass
class Till(tills.Till):
    """One order's way through ShopBack's simulator."""

    code: str = "SHOPBACK_SG"
    currency: str = "SGD"

    async def decides(self, outcome: str, amount: str = "100.00", **changes: Any) -> tuple[Checkout, Mapping[str, str]]:
        """Have the shopper go from ShopBack's page, which the order's public token opens, to his decision."""
        opened, checkout = await self.opens(amount, **changes)
        async with aiohttp.ClientSession() as browser, browser.get(opened.url, allow_redirects=False) as page:
            assert page.status == 303, await page.text()
            return checkout, await self.counter.shopper(page.headers["Location"], outcome)

    async def pays(self, amount: str = "100.00", **changes: Any) -> Checkout:
        checkout, _ = await self.decides("approve", amount, **changes)
        return checkout

    async def refunds(self, checkout: Checkout, amount: str, key: str = ONE, open: str = "100.00") -> MoveResult:
        result: MoveResult = await self.connector.refund(checkout, self.counter.move(self.money(amount), key, open))
        return result

    def checkout(self, amount: str = "100.00", **changes: Any) -> Checkout:
        """A checkout of the sample's order."""
        order = self.counter.order(self.code, amount)
        return Checkout(
            session=UUID, reference="#2020-82445", total=order.total, auto_capture=True, get_token=False, country="SG",
            locale="en_SG", expires_at=order.expires_at, order_id=order.id, **changes,
        )  # fmt: skip

    async def token(self) -> str:
        """The header of a merchant's token."""
        known = self.counter.sandbox.simulators["shopback"].credentials
        keys = {"username": known["merchant_id"], "password": known["merchant_secret"]}
        status, answer = await self.request("POST", "/auth/login", keys)
        assert (status, answer.keys()) == (200, LOGIN["answer"].keys())
        return f"Bearer {answer['token']}"


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("shopback"))


class Scripted(base.Scripted):
    """Logs the merchant in by itself; every other answer is the test's."""

    logins: int = 0
    logins_are_told: bool = False
    """Whether the test tells the answers to logins, too."""

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/merchant/auth/login" and not self.logins_are_told:
            assert (request.method, await request.json()) == ("POST", LOGIN["request"])
            self.logins += 1
            return web.json_response(LOGIN["answer"])
        return await super().answer(request)

    def admits(self, request: web.Request) -> None:
        if not self.logins_are_told:
            assert request.headers["Authorization"] == f"Bearer {LOGIN['answer']['token']}"


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    hosts = {"api": "/merchant", "checkout": "/checkout"}
    async with base.served(Scripted(sample), "SHOPBACK_SG", CREDENTIALS, hosts) as server:
        yield server
