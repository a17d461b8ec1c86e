"""Affirm's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from paymux.connectors.contract import Checkout
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served
from tests.connectors.till import checkout_of

CREDENTIALS = {"public_key": "AFFIRMDEMOPUBLIC", "private_key": "affirm-demo-private"}
# printf 'AFFIRMDEMOPUBLIC:affirm-demo-private' | openssl base64
BASIC = "Basic QUZGSVJNREVNT1BVQkxJQzphZmZpcm0tZGVtby1wcml2YXRl"

sample = samples_of("affirm")


@dataclass
class Till(tills.Till):
    """One order's way through Affirm's simulator."""

    code: str = "AFFIRM_US"

    def checkout(self, **changes: Any) -> Checkout:
        """A checkout of the documented transaction."""
        return checkout_of("A1B2C3D4E5F6G7H8", "61.00", "USD", "US", reference="JKLM4321", **changes)

    async def call(
        self, method: str, path: str, body: Any = None, who: str = BASIC, country: str = "USA", key: str = ""
    ) -> tuple[int, Any]:
        """Call Affirm's API, or the sandbox's own routes, by plain HTTP."""
        sent = {"Authorization": who, "country-code": country} | ({"Idempotency-Key": key} if key else {})
        return await self.request(method, path, body, **sent)


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("affirm"))


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with served(Scripted(sample, authorization=BASIC), "AFFIRM_US", CREDENTIALS) as server:
        yield server
