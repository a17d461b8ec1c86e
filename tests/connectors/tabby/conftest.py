"""Tabby's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Checkout
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served
from tests.connectors.tabby import specification

CURRENCIES = {"TABBY_AE": "AED", "TABBY_SA": "SAR", "TABBY_KW": "KWD", "TABBY_QA": "QAR", "TABBY_BH": "BHD"}
CREDENTIALS = {
    "secret_key": "sk_test_1", "merchant_code": "paymux-sandbox", "webhook_header": "X-Shop-Secret",
    "webhook_secret": "sandbox-tabby-webhook-secret",
}  # fmt: skip

sample = samples_of("tabby")


@dataclass
class Till(tills.Till):
    """One order's way through Tabby's simulator.

    Everything that goes over the wire has to be what the published file says, unless a test goes beyond it on purpose.
    """

    code: str = "TABBY_AE"
    beyond_the_specification: bool = False

    @property
    def watched(self) -> specification.Watched:
        watched: specification.Watched = self.counter.client
        return watched

    async def closes(self, amount: str = "") -> Checkout:
        """Have the shopper agree, and capture everything."""
        checkout = await self.decided("approve", amount)
        await self.moves("capture", checkout, amount or self.usual, tills.KEY, amount)
        return checkout

    def rows(self) -> list[tuple[str, Decimal]]:
        """What moved after the authorisation."""
        return super().rows()[1:]


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> AsyncIterator[Till]:
    counter = await counter_of("tabby")
    counter.client = specification.Watched(counter.client)
    till = Till(counter)
    yield till
    if specification.PUBLISHED.exists() and not till.beyond_the_specification:
        assert till.watched.faults == []


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with served(Scripted(sample, authorization="Bearer sk_test_1"), "TABBY_AE", CREDENTIALS) as server:
        yield server
