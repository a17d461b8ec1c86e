"""Splitit's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from paymux.connectors.contract import Checkout
from tests.connectors import till as tills
from tests.connectors.overheard import Exchange
from tests.connectors.scripted import Scripted, samples_of, served
from tests.connectors.splitit.published import SPEC, faults_in
from tests.connectors.till import KEY, checkout_of

CREDENTIALS = {"client_id": "APIUser", "client_secret": "password", "terminal_id": "terminal"}

sample = samples_of("splitit")


def checkout(**changes: Any) -> Checkout:
    """A checkout of 100 USD as the core stores it, its payment known."""
    plan = "62787747637784516814"
    return checkout_of(plan, "100.00", "USD", "US", **{"payment_id": plan, **changes})


@dataclass
class Till(tills.Till):
    """One order's way through Splitit's simulator."""

    code: str = "SPLITIT"

    @property
    def exchanges(self) -> list[Exchange]:
        """The calls that the connector has made but those for access tokens, oldest first."""
        return [exchange for exchange in super().exchanges if not exchange.url.endswith("/connect/token")]

    def changes(self, checkout: Checkout, **fields: Any) -> None:
        """Change what Splitit holds of a plan."""
        case = self.case(checkout)
        for name, value in fields.items():
            if name in case.data:
                case.data[name] = value
            else:
                setattr(case, name, value)
        self.simulator.save(case)

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """A call of Splitit's own API as a merchant's program makes it, past the connector."""
        token = await self.connector._bearer.token()  # type: ignore[attr-defined]
        sent = {"Authorization": f"Bearer {token}", "X_Splitit_IdempotencyKey": KEY, "X_Splitit_TouchPoint": "test"}
        return await self.request(method, path, body, **(sent | headers))


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> AsyncIterator[Till]:
    """The till; whatever a test did, the published specification must allow each call that was made."""
    till = Till(await counter_of("splitit"))
    yield till
    if SPEC.is_file():
        assert faults_in(till.exchanges) == []


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    granted = sample("token_granted")
    server = Scripted(
        sample, authorization=f"Bearer {granted['answer']['access_token']}", grant_path="/connect/token",
        grant=(granted["status"], granted["answer"]),
    )  # fmt: skip
    async with served(server, "SPLITIT", CREDENTIALS, {"api": "", "id": ""}) as server:
        yield server
