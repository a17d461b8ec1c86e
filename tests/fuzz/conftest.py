"""Fixtures: each connector's tape, recorded once, and the server that plays it back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from paymux.connectors.registry import all_providers
from tests.conformance.trial import Trial
from tests.fuzz.tape import Script, Tape, add_samples, told
from tests.installation import Installation

TapeOf = Callable[[str], Awaitable[Tape]]


@pytest.fixture(scope="module")
async def tape_of(installation: Installation) -> TapeOf:
    """A connector's tape: a sale and, where it can, a deferred order, told in a whole installation; and its samples."""
    kept: dict[str, Tape] = {}

    async def of(name: str) -> Tape:
        if name not in kept:
            trial = Trial(installation, all_providers()[name])
            tape = await told(trial, auto_capture=True)
            if trial.able.deferred_capture:
                deferred = await told(trial, auto_capture=False)
                deferred.join(tape)
                tape = deferred
            add_samples(tape)
            kept[name] = tape
        return kept[name]

    return of


@pytest.fixture(scope="module")
async def script(installation: Installation) -> AsyncIterator[Script]:
    """A scripted provider on loopback."""
    script = Script(installation.settings.sandbox_base_url)
    end = await script.serve()
    yield script
    await end()
