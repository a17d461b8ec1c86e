"""A lane per provider: so many calls at once, and none while its other end is down. One that is slow or dead starves no other.

The circuit breaker counts what tells of the other end's health alone: connections that fail, time-outs and 5xx. Whom a
lane turns away has certainly sent nothing, so the breaker never makes an unknown outcome of a call, nor a failure of an
unknown one. The known libraries let every caller through while they try whether the other end is back, or count a
caller's own cancelling as a failure; a lane lets one through.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from time import monotonic

KEPT = 1000


class LaneClosed(Exception):
    """No call goes out on this lane now; the sentence says why."""


@dataclass(slots=True)
class Passage:
    """One call on its way. Whoever makes it says what it told of the other end; silence tells nothing."""

    healthy: bool | None = None


class BreakerOpen(Exception):
    """Nothing goes out: the other end is down, or one call is trying whether it is back."""

    def __init__(self, left: float) -> None:
        super().__init__(f"for {left:.1f} s")
        self.left = left
        """Seconds until somebody may try; 0 while somebody does."""


@dataclass(slots=True)
class Breaker:
    """Lets nothing out after so many failures in a row, for `pause` seconds; then one call tries for all."""

    failures: int
    pause: float
    row: int = 0
    opened: float | None = None
    """When it opened, or its last trial failed; None while all may go."""
    trying: bool = False

    @contextmanager
    def passage(self) -> Iterator[Passage]:
        """One call on its way. Raises BreakerOpen before anything is sent."""
        trial, call = self._enter(), Passage()
        try:
            yield call
        finally:
            self._leave(call, trial)

    def _enter(self) -> bool:
        """Whether this call is the one that tries if the other end is back."""
        if self.opened is None:
            return False
        left = self.opened + self.pause - monotonic()
        if self.trying or left > 0:
            raise BreakerOpen(max(left, 0.0))
        self.trying = True
        return True

    def _leave(self, call: Passage, trial: bool) -> None:
        if trial:
            self.trying = False
        if call.healthy is None:
            return
        if call.healthy:
            self.row, self.opened = 0, None
            return
        self.row += 1
        # Calls that left before it opened tell nothing new.
        if trial or (self.opened is None and self.row >= self.failures):
            self.opened = monotonic()


@dataclass(slots=True)
class _Lane:
    free: asyncio.Semaphore
    breaker: Breaker
    waiting: int = 0
    busy: int = 0


class Lanes:
    """The lanes of a process.

    `at_once` calls go out per lane; as many may wait `wait` seconds for a place. After `failures` bad signs in a row the
    lane is closed for `pause` seconds; then one call tries whether the other end is back: its outcome opens the lane to
    all, or closes it for another `pause`.
    """

    def __init__(self, *, at_once: int, failures: int, pause: float, wait: float = 2.0) -> None:
        self._at_once, self._failures, self._pause, self._wait = at_once, failures, pause, wait
        self._lanes: dict[str, _Lane] = {}

    @asynccontextmanager
    async def passage(self, name: str) -> AsyncIterator[Passage]:
        """Hold a place on a lane for one call. Raises LaneClosed before anything is sent."""
        lane = self._lane(name)
        await self._place(lane, name)
        lane.busy += 1
        try:
            with lane.breaker.passage() as call:
                yield call
        except BreakerOpen:
            raise LaneClosed(f"{name} has failed {self._failures} times in a row") from None
        finally:
            lane.busy -= 1
            lane.free.release()

    async def _place(self, lane: _Lane, name: str) -> None:
        if lane.free.locked() and lane.waiting >= self._at_once:
            raise LaneClosed(f"too many calls to {name} are waiting")
        lane.waiting += 1
        try:
            async with asyncio.timeout(self._wait):
                await lane.free.acquire()
        except TimeoutError:
            raise LaneClosed(f"too many calls to {name} are under way") from None
        finally:
            lane.waiting -= 1

    def _lane(self, name: str) -> _Lane:
        if name not in self._lanes:
            if len(self._lanes) >= KEPT:
                self._lanes = {kept: lane for kept, lane in self._lanes.items() if lane.busy or lane.waiting}
            self._lanes[name] = _Lane(asyncio.Semaphore(self._at_once), Breaker(self._failures, self._pause))
        return self._lanes[name]
