"""PayPal's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from paymux.connectors.contract import Checkout
from tests.connectors import till as tills
from tests.connectors.overheard import Exchange
from tests.connectors.paypal.published import SPECS, faults_in
from tests.connectors.scripted import Scripted, samples_of, served
from tests.connectors.till import checkout_of

sample = samples_of("paypal")


def checkout(session: str = "5O190127TN364715T", **changes: Any) -> Checkout:
    """A checkout of 100 USD as the core stores it."""
    return checkout_of(session, "100.00", "USD", "US", **changes)


@dataclass
class Till(tills.Till):
    """One order's way through PayPal's simulator."""

    code: str = "PAYPAL"

    @property
    def exchanges(self) -> list[Exchange]:
        """The calls that the connector has made but those for access tokens, oldest first."""
        return [exchange for exchange in super().exchanges if not exchange.url.endswith("/oauth2/token")]

    def sent(self, path: str) -> list[Exchange]:
        """The calls whose address ends so, oldest first."""
        return [exchange for exchange in self.exchanges if exchange.url.endswith(path)]

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """A call of PayPal's own API as a merchant's program makes it, past the connector."""
        token = await self.connector._bearer.token()  # type: ignore[attr-defined]
        return await self.request(method, path, body, **{"Authorization": f"Bearer {token}", **headers})


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> AsyncIterator[Till]:
    """The till; whatever a test did, the published specifications must allow each call that was made."""
    till = Till(await counter_of("paypal"))
    yield till
    if SPECS.is_dir():
        assert faults_in(till.exchanges) == []


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    server = Scripted(sample, authorization="Bearer granted", grant_path="/v1/oauth2/token")
    async with served(server, "PAYPAL", {"client_id": "app", "client_secret": "secret"}) as server:
        yield server
