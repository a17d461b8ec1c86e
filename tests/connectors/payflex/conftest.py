"""Payflex's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from paymux.connectors.contract import Checkout
from tests.connectors.partpay import Till, family_server
from tests.connectors.scripted import Scripted, samples_of
from tests.connectors.till import checkout_of

sample = samples_of("payflex")


def checkout(session: str) -> Checkout:
    """A checkout with this id."""
    return checkout_of(session, "100.00", "ZAR", "ZA")


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("payflex"), "PAYFLEX_SA")


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with family_server(sample, "PAYFLEX_SA", "/auth/merchant") as server:
        yield server
