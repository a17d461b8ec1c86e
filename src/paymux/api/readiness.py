"""Whether this process is ready, and what waits for a person: looked up by one for all who ask.

Anybody may ask, as often as he likes, and is never turned away. What he costs must therefore not grow with how often he
asks, or he takes the one connection that says how the process is, and with it the process from its load balancer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Generic, TypeVar

from paymux.notifications.store import count_exhausted
from paymux.orders import reconciliation_store, store
from paymux.platform import jobs
from paymux.platform.database import Database, DatabaseUnavailable

WORKER_FRESH = 15
WITHIN = 2.0
"""Seconds that a look may take."""
SEEN_FOR = 1.0
"""Seconds that an answer holds, counted from its end: a load balancer asks every few seconds."""
COUNTED_FOR = 3.0

T = TypeVar("T")


class SharedLook(Generic[T]):
    """A look that one takes for all: whoever asks while it is taken, or within `kept` seconds of its end, has its answer.

    It is taken to its end whoever leaves meanwhile. `now` is a clock in seconds.
    """

    def __init__(self, look: Callable[[], Awaitable[T]], kept: float, now: Callable[[], float] = monotonic) -> None:
        self._look, self._kept, self._now = look, kept, now
        self._taken: asyncio.Task[T] | None = None
        self._holds_until = 0.0

    async def answer(self) -> T:
        """The answer, of a look at most `kept` seconds and its own duration ago. Raises what the look raised."""
        if self._taken is None or (self._taken.done() and self._now() >= self._holds_until):
            self._taken = asyncio.create_task(self._take())
        return await asyncio.shield(self._taken)

    async def _take(self) -> T:
        try:
            return await self._look()
        finally:
            self._holds_until = self._now() + self._kept


class Readiness:
    """What `/readyz` says of one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._state = SharedLook(self._seen, SEEN_FOR)
        self._counts = SharedLook(self._counted, COUNTED_FOR)

    async def state(self) -> Mapping[str, bool]:
        """Whether the database answers, and whether a worker was seen lately."""
        return await self._state.answer()

    async def counts(self) -> Mapping[str, int]:
        """How much waits for a person, as it was a few seconds ago; nothing where the database has no time for that."""
        return await self._counts.answer()

    async def _seen(self) -> Mapping[str, bool]:
        with contextlib.suppress(DatabaseUnavailable, TimeoutError):
            async with asyncio.timeout(WITHIN), self._database.apart() as held:
                age = await jobs.worker_age(held)
                return {"database": True, "worker": age is not None and age < WORKER_FRESH}
        return {"database": False, "worker": False}

    async def _counted(self) -> Mapping[str, int]:
        # Not on the connection apart: who counts long must not keep the others from hearing that we are ready.
        with contextlib.suppress(DatabaseUnavailable, TimeoutError):
            async with asyncio.timeout(WITHIN), self._database.connection() as held:
                return {
                    "ordersToReview": await store.count_to_review(held),
                    "ordersThatDiffer": await reconciliation_store.count(held),
                    "reconciliationsNotFinished": await reconciliation_store.count_unfinished(held),
                    "webhooksGivenUp": await count_exhausted(held),
                }
        return {}
