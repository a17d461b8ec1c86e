"""Tamara's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from paymux.connectors.contract import Checkout
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served

CURRENCIES = {"TAMARA_SA": "SAR", "TAMARA_AE": "AED"}
CREDENTIALS = {"api_token": "t", "notification_token": "sandbox-tamara-notification-token"}
AT_SIMULATOR = "Bearer sandbox-tamara-api-token"

sample = samples_of("tamara")


@dataclass
class Till(tills.Till):
    """One order's way through Tamara's simulator."""

    code: str = "TAMARA_SA"

    async def captures(self, amount: str = "100.00") -> Checkout:
        """Authorise the order and capture it."""
        checkout = await self.confirms(amount)
        await self.moves("capture", checkout, amount)
        return checkout

    async def call(self, method: str, path: str, body: Any = None, who: str = AT_SIMULATOR) -> tuple[int, Any]:
        """Call Tamara's API, or the sandbox's own routes, by plain HTTP."""
        return await self.request(method, path, body, Authorization=who)


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("tamara"))


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with served(Scripted(sample, authorization="Bearer t"), "TAMARA_SA", CREDENTIALS) as server:
        yield server
