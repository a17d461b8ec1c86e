"""Payflex's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.connectors.partpay import Scripted, Till, sample_of, scripted_server


def sample(name: str) -> dict[str, Any]:
    """A documented request or answer of Payflex."""
    return sample_of("payflex", name)


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("payflex"), "PAYFLEX_SA")


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    async with scripted_server("PAYFLEX_SA", "/auth/merchant") as server:
        yield server
