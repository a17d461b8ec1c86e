"""Klarna's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.connectors import till as tills
from tests.connectors.klarna.published import SPECS, faults_in
from tests.connectors.scripted import Scripted, samples_of, served

sample = samples_of("klarna")


@dataclass
class Till(tills.Till):
    """One order's way through Klarna's simulator. Only an order that makes a customer token is placed by our confirm."""

    code: str = "KLARNA"

    def sent(self, path: str) -> Any:
        """The body of the last request whose address ends so."""
        return [e.sent for e in self.exchanges if e.url.endswith(path)][-1]


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> AsyncIterator[Till]:
    """The till; whatever a test did, the published specifications must allow each call that was made."""
    till = Till(await counter_of("klarna"))
    yield till
    if SPECS.is_dir():
        assert faults_in(till.exchanges) == []


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with served(Scripted(sample), "KLARNA", {"username": "PK1", "password": "s"}) as server:
        yield server
