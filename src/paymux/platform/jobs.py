"""Durable jobs on PostgreSQL by pgqueuer: enqueued in the deciding transaction, never lost, taken over from the dead."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog
from pgqueuer.adapters.persistence.qb import QueryQueueBuilder
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries

from paymux.platform.database import Connection, Database

log = structlog.get_logger()

HEARTBEAT = timedelta(seconds=5)
NOTICE = timedelta(milliseconds=500)
LONGEST_RETRY = 600
_ENQUEUE = QueryQueueBuilder().build_enqueue_query("raise")


@dataclass(frozen=True, slots=True)
class JobHandler:
    """What does a kind of job, and how many of it at once over all workers (0: no limit of its own)."""

    run: Callable[[str], Awaitable[None]]
    limit: int = 0


async def enqueue(tx: Connection, entrypoint: str, payload: str, after: timedelta = timedelta(0)) -> None:
    """Enqueue a job within the caller's transaction: it exists when, and only when, that commits."""
    await tx.fetch(_ENQUEUE, [0], [entrypoint], [payload.encode()], [after], [None], ["{}"])


class Worker:
    """Runs the jobs of an installation. Any number of workers share the work."""

    def __init__(self, database: Database, handlers: Mapping[str, JobHandler], concurrency: int) -> None:
        self._database, self._handlers, self._concurrency = database, handlers, concurrency

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; running jobs are let end. Comes back by itself when the database goes away."""
        pause = 0.2
        beat = asyncio.create_task(self._seen(stop))
        try:
            while not stop.is_set():
                try:
                    await self._work(stop)
                    pause = 0.2
                except Exception as fault:
                    log.warning("worker.interrupted", fault=type(fault).__name__)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), pause)
                    pause = min(pause * 2, 5)
        finally:
            beat.cancel()

    async def _work(self, stop: asyncio.Event) -> None:
        manager = QueueManager(Queries(AsyncpgPoolDriver(self._database.pool)))
        for name, handler in self._handlers.items():
            manager.entrypoint(name, concurrency_limit=handler.limit, on_failure="hold")(_guarded(name, handler))

        async def end() -> None:
            await stop.wait()
            manager.shutdown.set()

        ender = asyncio.create_task(end())
        try:
            await manager.run(
                dequeue_timeout=NOTICE, batch_size=10, max_concurrent_tasks=self._concurrency, heartbeat_timeout=HEARTBEAT,
            )  # fmt: skip
        finally:
            ender.cancel()

    async def _seen(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with contextlib.suppress(Exception):
                async with self._database.connection() as held:
                    await held.execute("UPDATE installation SET worker_seen_real = now()")
            await asyncio.sleep(2)


def _guarded(name: str, handler: JobHandler) -> Callable[[Job], Awaitable[None]]:
    async def run(job: Job) -> None:
        try:
            await handler.run((job.payload or b"").decode())
        except Exception as fault:
            delay = min(2 ** min(job.attempts, 10), LONGEST_RETRY)
            log.exception("job.failed", job=name, attempt=job.attempts, retry_in=delay)
            raise RetryRequested(delay=timedelta(seconds=delay)) from fault

    return run
