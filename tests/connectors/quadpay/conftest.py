"""QuadPay's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from paymux.connectors.contract import Checkout
from tests.connectors.partpay import Till, family_server
from tests.connectors.scripted import Scripted, samples_of
from tests.connectors.till import checkout_of

sample = samples_of("quadpay")


def checkout(session: str = "qp_order_id", **state: str) -> Checkout:
    """A checkout with this id, remembered with this state."""
    return checkout_of(session, "100.00", "USD", "US", state=state)


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("quadpay"), "QUADPAY_US")


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with family_server(sample, "QUADPAY_US", "/oauth/token") as server:
        yield server
