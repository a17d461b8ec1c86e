"""Grab's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from paymux.connectors.contract import Approved, Checkout, Paid, Redirect
from paymux.connectors.grab.simulator import GrabSimulator
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served
from tests.connectors.till import ONE

SECRET = GrabSimulator.credentials["client_secret"]

sample = samples_of("grab")


@dataclass
class Till(tills.Till):
    """One order's way through Grab's simulator."""

    code: str = "GRAB_SG"

    async def page(self, opened: Redirect) -> str:
        return await self.sent_on(opened.url)

    async def approved(self, amount: str = "", **changes: Any) -> Checkout:
        """Have the shopper agree; the checkout with what the approval brought, as the core keeps it."""
        checkout = await self.decided("approve", amount, **changes)
        report = await self.connector.fetch(checkout)
        assert isinstance(report, Approved)
        return replace(checkout, state={**checkout.state, **report.state})

    async def pays(self, amount: str = "", **changes: Any) -> Checkout:
        """Have the shopper agree, and confirm; the checkout with its payment."""
        checkout = await self.approved(amount, **changes)
        paid = await self.connector.confirm(checkout, ONE)
        assert isinstance(paid, Paid)
        return replace(checkout, payment_id=paid.payment_id)


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("grab"))


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    credentials = {**GrabSimulator.credentials, "brand_name": "Demo"}
    async with served(Scripted(sample), "GRAB_SG", credentials) as server:
        yield server
