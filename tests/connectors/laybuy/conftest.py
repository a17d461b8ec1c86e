"""Laybuy's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from paymux.connectors.contract import Checkout
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served
from tests.connectors.till import checkout_of

TOKEN = "frOilqUU0DboUCiyRtnzH1VdBXnrj7kD39NWhgsD"
CREDENTIALS = {"merchant_id": "100059", "api_key": "sandbox-laybuy-key"}
# printf '100059:sandbox-laybuy-key' | openssl base64
BASIC = "Basic MTAwMDU5OnNhbmRib3gtbGF5YnV5LWtleQ=="

sample = samples_of("laybuy")


@dataclass
class Till(tills.Till):
    """One order's way through Laybuy's simulator."""

    code: str = "LAYBUY_NZ"

    def checkout(self, **changes: Any) -> Checkout:
        """A checkout of the documented token and reference."""
        return checkout_of(TOKEN, "79.95", "NZD", "NZ", reference="1728950142", **changes)

    async def call(self, method: str, path: str, body: Any = None, who: str = BASIC) -> tuple[int, Any]:
        """Call Laybuy's API, or the sandbox's own routes, by plain HTTP."""
        return await self.request(method, path, body, Authorization=who)


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("laybuy"))


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with served(Scripted(sample, authorization=BASIC), "LAYBUY_NZ", CREDENTIALS) as server:
        yield server
