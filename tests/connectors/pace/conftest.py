"""Pace's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from paymux.connectors.contract import Checkout, Incoming
from paymux.platform.database import from_json
from tests.connectors import till as tills
from tests.connectors.scripted import Scripted, samples_of, served
from tests.connectors.till import checkout_of

TRANSACTION = "T7F3A91C2"
CREDENTIALS = {"client_id": "id_demo", "client_secret": "secret_demo"}
# printf 'id_demo:secret_demo' | openssl base64
BASIC = "Basic aWRfZGVtbzpzZWNyZXRfZGVtbw=="
# printf 'paymux-sandbox:sbx-paymux-pace-secret' | openssl base64
AT_SIMULATOR = "Basic cGF5bXV4LXNhbmRib3g6c2J4LXBheW11eC1wYWNlLXNlY3JldA=="

sample = samples_of("pace")


def event(body: bytes) -> Incoming:
    """A webhook as it arrives."""
    return Incoming(method="POST", headers={}, query={}, body=body)


@dataclass
class Till(tills.Till):
    """One order's way through Pace's simulator."""

    code: str = "PACE"
    currency: str = "SGD"

    def checkout(self, **changes: Any) -> Checkout:
        """A checkout of the samples' transaction."""
        return checkout_of(TRANSACTION, "100.00", "SGD", "SG", **changes)

    async def call(self, method: str, path: str, body: Any = None, who: str = AT_SIMULATOR) -> tuple[int, Any]:
        """Call Pace's API, or the sandbox's own routes, by plain HTTP."""
        return await self.request(method, path, body, Authorization=who)

    async def told(self, count: int) -> list[Mapping[str, Any]]:
        """The webhooks that the simulator sent, once so many have arrived."""
        return [from_json(one.body) for one in await self.events(count)]


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("pace"))


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with served(Scripted(sample, authorization=BASIC), "PACE", CREDENTIALS) as server:
        yield server
