"""Postpay's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from paymux.connectors.contract import Checkout
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served
from tests.connectors.till import checkout_of

CREDENTIALS = {"merchant_id": "id_demo", "secret_key": "sk_test_demo"}
# printf 'id_demo:sk_test_demo' | openssl base64
BASIC = "Basic aWRfZGVtbzpza190ZXN0X2RlbW8="


sample = samples_of("postpay")


@dataclass
class Till(tills.Till):
    """One order's way through Postpay's simulator."""

    code: str = "POSTPAY"
    currency: str = "AED"

    def checkout(self, **changes: Any) -> Checkout:
        """A checkout of the sample's order."""
        return checkout_of("R-1001-0b9f3a52-6a0e", "100.00", "AED", "AE", **changes)

    async def call(self, method: str, path: str, body: Any = None, who: str = BASIC) -> tuple[int, Any]:
        """Call Postpay's API, or the sandbox's own routes, by plain HTTP."""
        return await self.request(method, path, body, Authorization=who)


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("postpay"))


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with served(Scripted(sample, authorization=BASIC), "POSTPAY", CREDENTIALS) as server:
        yield server
