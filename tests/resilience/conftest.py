"""A provider that holds its answers back until it is told otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.installation import Installation


class Held:
    """Holds every call that reaches the sandbox, before anything happens there, until it is opened."""

    def __init__(self, sandbox: Any) -> None:
        self._sandbox, self._refresh = sandbox, sandbox._refresh
        self._open, self._came = asyncio.Event(), asyncio.Condition()
        self.calls = 0
        sandbox._refresh = self._hold

    async def _hold(self) -> None:
        task = asyncio.current_task()
        if task is not None and getattr(task.get_coro(), "__name__", "") == "_deliver_events":
            return  # the sandbox's own look at the time, not a call
        async with self._came:
            self.calls += 1
            self._came.notify_all()
        await self._open.wait()

    async def reached(self, calls: int) -> None:
        """Wait until so many calls are held."""
        async with self._came:
            await asyncio.wait_for(self._came.wait_for(lambda: self.calls >= calls), 30)

    def open(self) -> None:
        """Let them go on, and whoever comes later."""
        self._sandbox._refresh = self._refresh
        self._open.set()


@pytest.fixture
def hold(installation: Installation) -> Iterator[Callable[[], Held]]:
    """Makes the sandbox hold its answers back from now on: `held = hold()`."""
    gates: list[Held] = []

    def begin() -> Held:
        gates.append(Held(installation.sandbox))
        return gates[-1]

    yield begin
    for gate in gates:
        gate.open()


@pytest.fixture
def held(hold: Callable[[], Held]) -> Held:
    return hold()
