"""Zip's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Checkout
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served
from tests.connectors.till import checkout_of

ALL = Decimal("100.00")

sample = samples_of("zip")


def checkout(session: str = "au-co_PxSeQfLlpaYn6bLMZSMv13", **changes: Any) -> Checkout:
    """A checkout of 100 AUD as the core stores it."""
    return checkout_of(session, "100.00", "AUD", "AU", **changes)


@dataclass
class Till(tills.Till):
    """One order's way through Zip's simulator."""

    code: str = "ZIP_AU"

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """A call of Zip's own API as a merchant's program makes it, past the connector."""
        sent = {"Authorization": "Bearer sandbox-zip-private-key", "Zip_Version": "2017-03-01", **headers}
        return await self.request(method, path, body, **sent)


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("zip"))


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with served(Scripted(sample, authorization="Bearer key"), "ZIP_AU", {"api_key": "key"}) as server:
        yield server
