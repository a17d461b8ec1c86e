"""Durable jobs on PostgreSQL by pgqueuer: enqueued in the deciding transaction, never lost, taken over from the dead."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

import structlog
from pgqueuer.adapters.persistence.qb import QueryQueueBuilder
from pgqueuer.db import AsyncpgDriver
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries

from paymux.platform.database import Connection, Database
from paymux.platform.shares import Shares, Turns

log = structlog.get_logger()

HEARTBEAT = timedelta(seconds=5)
# The queue is looked at this often even unasked: pgqueuer drops notices that come while it hands out jobs.
NOTICE = timedelta(milliseconds=500)
LONGEST_RETRY = 600
LONGEST_PAUSE = 5.0
SEEN_EVERY = 2.0
CLOSED_EVERY = 0.5
TIDY_EVERY = 10.0
REVIVE_EVERY = 60.0
KEPT_TURNS = 1_000
_ENQUEUE = QueryQueueBuilder().build_enqueue_query("raise")

# Only a retry that could not be written leaves a job `failed`: nobody else would ever bring it back.
_REVIVE = """
UPDATE pgqueuer SET status = 'queued', execute_after = now(), updated = now(), queue_manager_id = NULL
WHERE id = ANY(ARRAY(
  SELECT id FROM pgqueuer WHERE status = 'failed' AND entrypoint = ANY($1::text[]) FOR UPDATE SKIP LOCKED))
"""
# pgqueuer keeps a row per change of every job and never deletes one. Only the oldest are looked at: no scan. Every worker
# does this: what another one has locked is his to do, here as above.
_TIDY = """
DELETE FROM pgqueuer_log WHERE id = ANY(ARRAY(
  SELECT id FROM pgqueuer_log WHERE id IN (SELECT id FROM pgqueuer_log ORDER BY id LIMIT 20000)
  AND aggregated AND created < now() - interval '1 day' FOR UPDATE SKIP LOCKED))
"""


async def _until_closed(held: Connection, lost: asyncio.Event) -> None:
    # A connection that ends in the middle of a statement may never call its termination listeners.
    while not held.is_closed():
        await asyncio.sleep(CLOSED_EVERY)
    lost.set()


@dataclass(frozen=True, slots=True)
class Chore:
    """What every worker sees to now and then, beside its jobs: `run`, every so many seconds. A fault is logged, no more."""

    name: str
    every: float
    run: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class JobHandler:
    """What does a kind of job, and how many of it at once over all workers (0: no limit of its own).

    `run` gets the job's payload. It may be called again for the same job: after an exception, and after the
    death of a worker or of the database's connection. What it does must bear that.
    """

    run: Callable[[str], Awaitable[None]]
    limit: int = 0


async def enqueue(tx: Connection, entrypoint: str, payload: str, after: timedelta = timedelta(0)) -> None:
    """Enqueue a job within the caller's transaction: it exists when, and only when, that commits."""
    await enqueue_many(tx, entrypoint, (payload,), (after,))


async def enqueue_many(
    tx: Connection, entrypoint: str, payloads: Sequence[str], after: Sequence[timedelta] = ()
) -> None:
    """Enqueue a job per payload in one statement, within the caller's transaction; each after its own time, or at once."""
    n = len(payloads)
    if n:
        delays = list(after) or [timedelta(0)] * n
        await tx.fetch(
            _ENQUEUE, [0] * n, [entrypoint] * n, [p.encode() for p in payloads], delays, [None] * n, [None] * n
        )


class NotYet(Exception):
    """A job that can't be done now, by no fault of ours: it runs again later, and the log has one line and no traceback.

    Its text is that line's `reason`. Where it says `after` how long, that is kept to, and there is no line: a place is
    taken, and it waits for its turn.
    """

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Places:
    """A bulkhead among the jobs of one process: of `in_all` places, `each` name has so many at most."""

    def __init__(self, in_all: int, each: int) -> None:
        self._each = max(each, 1)
        self._shares = Shares(in_all, each)
        self._turns: dict[str, Turns] = {}

    @contextmanager
    def place(self, name: str) -> Iterator[None]:
        """Hold a place of a name's. Raises NotYet, and then nothing may have been begun."""
        if name not in self._turns and len(self._turns) >= KEPT_TURNS:
            self._turns.clear()
        turns = self._turns.setdefault(name, Turns())
        if not self._shares.take(name):
            raise NotYet(f"as many jobs of {name} as may run at once are at it", turns.next(self._each))
        begun = monotonic()
        try:
            yield
        finally:
            self._shares.give_back(name)
            turns.held(monotonic() - begun)


class JobPlaces(Places):
    """A bulkhead per provider, for what calls it.

    Of `jobs` places a quarter at most goes to what calls one provider, or `calls` where that is less; half to all such
    jobs together. Webhooks get three eighths (`Deliverer`), and what calls nobody has the rest, whoever hangs.
    """

    def __init__(self, jobs: int, calls: int) -> None:
        super().__init__(jobs // 2, min(jobs // 4, calls))


class EventPlaces(Places):
    """A bulkhead per provider account, for looking at its events: an eighth of `jobs` at most, a quarter for all accounts.

    Apart from `JobPlaces`: what an event says itself is decided on while its provider hangs.
    """

    def __init__(self, jobs: int) -> None:
        super().__init__(jobs // 4, jobs // 8)


async def worker_age(tx: Connection) -> int | None:
    """Whole seconds since any worker gave a sign of life; None when none ever did."""
    age: int | None = await tx.fetchval("SELECT extract(epoch FROM now() - worker_seen_real)::int FROM installation")
    return age


class Worker:
    """Runs the jobs of an installation. Any number of workers share the work.

    `concurrency` is the number of jobs at once (at least 20); `grace` the seconds that running jobs get to
    end when the worker stops. What has not ended by then is put back into the queue. `closing` closes what the
    handlers keep open, after the last job.
    """

    def __init__(
        self, database: Database, handlers: Mapping[str, JobHandler], concurrency: int, grace: float = 20.0,
        chores: Sequence[Chore] = (), closing: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:  # fmt: skip
        self._database, self._handlers, self._concurrency = database, handlers, concurrency
        self._chores, self._closing = chores, closing
        self._grace = grace
        self._running: dict[int, asyncio.Task[None]] = {}
        self._draining: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`. Comes back by itself when the database goes away."""
        beside = [
            asyncio.create_task(self._every(SEEN_EVERY, "UPDATE installation SET worker_seen_real = now()")),
            asyncio.create_task(self._every(TIDY_EVERY, _TIDY)),
            asyncio.create_task(self._every(REVIVE_EVERY, _REVIVE, list(self._handlers))),
            *(asyncio.create_task(self._see_to(chore)) for chore in self._chores),
        ]
        pause = 0.2
        try:
            while not stop.is_set():
                begun = asyncio.get_running_loop().time()
                try:
                    await self._work(stop)
                except Exception as fault:
                    log.warning("worker.interrupted", fault=type(fault).__name__)
                    if asyncio.get_running_loop().time() - begun > 2 * LONGEST_PAUSE:
                        pause = 0.2
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            for task in beside:
                task.cancel()
            await self._end(self._draining)
            await asyncio.gather(*beside, return_exceptions=True)
            for close in self._closing:
                await close()

    async def _work(self, stop: asyncio.Event) -> None:
        # A connection of its own: heartbeats must not queue behind the handlers for one of the pool's.
        async with self._database.connection() as held:
            lost = asyncio.Event()

            def lose(_: object) -> None:
                lost.set()

            held.add_termination_listener(lose)
            manager = self._manager(held)
            work = asyncio.create_task(
                manager.run(
                    dequeue_timeout=NOTICE, batch_size=10, max_concurrent_tasks=self._concurrency,
                    heartbeat_timeout=HEARTBEAT, shutdown_on_listener_failure=True,
                )
            )  # fmt: skip
            waits = [asyncio.ensure_future(event.wait()) for event in (stop, lost)]
            watch = asyncio.create_task(_until_closed(held, lost))
            try:
                await asyncio.wait([work, *waits], return_when=asyncio.FIRST_COMPLETED)
                if lost.is_set():
                    # Its jobs go on by themselves; new ones are taken on a new connection at once.
                    self._drain(work)
                    raise ConnectionError("the worker's connection ended")
            finally:
                manager.shutdown.set()
                for wait in (*waits, watch):
                    wait.cancel()
                if work not in self._draining:
                    await self._end({work})
                with contextlib.suppress(Exception):
                    held.remove_termination_listener(lose)
                    await held.reset()
            await work

    def _manager(self, held: Connection) -> QueueManager:
        manager = QueueManager(Queries(AsyncpgDriver(held)))
        for name, handler in self._handlers.items():
            manager.entrypoint(name, concurrency_limit=handler.limit, on_failure="hold")(self._guarded(name, handler))
        return manager

    def _drain(self, work: asyncio.Task[None]) -> None:
        def ended(done: asyncio.Task[None]) -> None:
            self._draining.discard(done)
            if not done.cancelled():
                done.exception()

        self._draining.add(work)
        work.add_done_callback(ended)

    async def _end(self, works: set[asyncio.Task[None]]) -> None:
        """Let the jobs end within the grace, then break them off: they are put back into the queue."""
        if pending := {work for work in works if not work.done()}:
            _, late = await asyncio.wait(pending, timeout=self._grace)
            while late:
                for job in list(self._running.values()):
                    job.cancel()
                _, late = await asyncio.wait(late, timeout=1)

    async def _every(self, seconds: float, statement: str, *values: object) -> None:
        while True:
            with contextlib.suppress(Exception):
                async with self._database.apart() as held:
                    await held.execute(statement, *values)
            await asyncio.sleep(seconds)

    async def _see_to(self, chore: Chore) -> None:
        while True:
            try:
                await chore.run()
            except Exception:
                log.exception("chore.failed", chore=chore.name)
            await asyncio.sleep(chore.every)

    def _guarded(self, name: str, handler: JobHandler) -> Callable[[Job], Awaitable[None]]:
        async def run(job: Job) -> None:
            if job.id in self._running:
                # Taken over from this very worker, which lost its connection but still runs it.
                raise RetryRequested(delay=HEARTBEAT)
            # A task of its own: pgqueuer deletes a job whose handler raises CancelledError, and would lose it.
            task = self._running[job.id] = asyncio.ensure_future(handler.run((job.payload or b"").decode()))
            delay = timedelta(0)
            try:
                await task
                return
            except asyncio.CancelledError:
                task.cancel()
                log.warning("job.broken_off", job=name, attempt=job.attempts)
            except Exception as fault:
                delay = timedelta(seconds=min(2 ** min(job.attempts, 10), LONGEST_RETRY))
                told = {"job": name, "attempt": job.attempts, "retry_in": delay.total_seconds()}
                if isinstance(fault, NotYet) and fault.after is not None:
                    delay = fault.after
                elif isinstance(fault, NotYet):
                    log.warning("job.put_off", **told, reason=str(fault))
                else:
                    log.exception("job.failed", **told)
            finally:
                del self._running[job.id]
            # Raised outside of the handlers: pgqueuer keeps the text of what caused it, unsealed.
            raise RetryRequested(delay=delay)

        return run
