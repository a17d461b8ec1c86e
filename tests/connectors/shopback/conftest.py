"""ShopBack's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from paymux.connectors.contract import Checkout, Redirect
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served
from tests.connectors.till import checkout_of

sample = samples_of("shopback")
LOGIN = sample("login")
CREDENTIALS = {"merchant_id": LOGIN["request"]["username"], "merchant_secret": LOGIN["request"]["password"]}
UUID = sample("order_status")["answer"]["uuid"]


@dataclass
class Till(tills.Till):
    """One order's way through ShopBack's simulator."""

    code: str = "SHOPBACK_SG"
    currency: str = "SGD"

    async def page(self, opened: Redirect) -> str:
        """Behind ShopBack's page, which the order's public token opens."""
        return await self.sent_on(opened.url)

    def checkout(self, amount: str = "100.00", **changes: Any) -> Checkout:
        """A checkout of the sample's order."""
        return checkout_of(UUID, amount, "SGD", "SG", reference="#2020-82445", **changes)

    async def token(self) -> str:
        """The header of a merchant's token."""
        known = self.simulator.credentials
        keys = {"username": known["merchant_id"], "password": known["merchant_secret"]}
        status, answer = await self.request("POST", "/auth/login", keys)
        assert (status, answer.keys()) == (200, LOGIN["answer"].keys())
        return f"Bearer {answer['token']}"


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("shopback"))


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server = Scripted(
        sample, authorization=f"Bearer {LOGIN['answer']['token']}", grant_path="/merchant/auth/login",
        grant=(LOGIN["status"], LOGIN["answer"]),
    )  # fmt: skip
    async with served(server, "SHOPBACK_SG", CREDENTIALS, {"api": "/merchant", "checkout": "/checkout"}) as server:
        yield server
    assert all(asked == ("POST", "/merchant/auth/login", LOGIN["request"]) for asked in server.granted)
