"""Alma's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from paymux.connectors.contract import Checkout
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served

AUTHORIZATION = "Alma-Auth sk_test_paymux-sandbox"

sample = samples_of("alma")


@dataclass
class Till(tills.Till):
    """One order's way through Alma's simulator."""

    code: str = "ALMA"

    async def pays(self, amount: str = "", **changes: Any) -> Checkout:
        checkout = await self.decided("approve", amount, **changes)
        return replace(checkout, payment_id=checkout.session)

    async def call(self, method: str, path: str, body: Any = None, who: str = AUTHORIZATION) -> tuple[int, Any]:
        """Call Alma's API, or the sandbox's own routes, by plain HTTP."""
        return await self.request(method, path, body, Authorization=who)


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("alma"))


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server = Scripted(sample, authorization=AUTHORIZATION)
    async with served(server, "ALMA", {"api_key": "sk_test_paymux-sandbox"}) as server:
        yield server
