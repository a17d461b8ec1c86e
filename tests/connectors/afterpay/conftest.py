"""Afterpay's connector at its simulator, and at a server that answers what a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.connectors.scripted import Scripted, samples_of, served
from tests.connectors.till import Till

sample = samples_of("afterpay")


@pytest.fixture
async def till(counter_of: Callable[[str], Any]) -> Till:
    return Till(await counter_of("afterpay"), "AFTERPAY_AU")


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    credentials = {"merchant_id": "60032000", "secret_key": "s"}
    async with served(Scripted(sample), "AFTERPAY_AU", credentials) as server:
        yield server
