"""QuadPay's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from paymux.connectors.contract import Checkout
from tests.connectors.partpay import Scripted, Till, sample_of, scripted_server


def sample(name: str) -> dict[str, Any]:
    """A documented request or answer of QuadPay."""
    return sample_of("quadpay", name)


def checkout_of(till: Till, session: str = "qp_order_id", **state: str) -> Checkout:
    """A checkout with this id, remembered with this state."""
    order = till.counter.order(till.code)
    return Checkout(
        session=session, reference=order.reference, total=order.total, auto_capture=True, get_token=False, country="US",
        locale="en_US", expires_at=order.expires_at, order_id=order.id, state=state,
    )  # fmt: skip


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("quadpay"), "QUADPAY_US")


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with scripted_server("QUADPAY_US", "/oauth/token") as server:
        yield server
