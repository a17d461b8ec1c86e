"""Jobs on a real PostgreSQL: enqueued with the transaction, run at least once, never lost."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import structlog

from paymux.platform.clock import Clock
from paymux.platform.database import Database
from paymux.platform.jobs import JobHandler, NotYet, Worker, enqueue, enqueue_many
from tests.conftest import Eventually

Handler = Callable[[str], Awaitable[None]]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.connect(database_url, 8)
    yield opened
    await opened.close()


@asynccontextmanager
async def working(database: Database, handler: Handler, grace: float = 10.0) -> AsyncIterator[asyncio.Event]:
    """A worker that runs `handler` for jobs named `work`; at the end it is stopped."""
    stop = asyncio.Event()
    running = asyncio.create_task(Worker(database, {"work": JobHandler(handler)}, 20, grace).run(stop))
    try:
        yield stop
    finally:
        stop.set()
        await running


class Done:
    """A handler that keeps what it was given."""

    def __init__(self) -> None:
        self.payloads: list[str] = []

    async def __call__(self, payload: str) -> None:
        self.payloads.append(payload)

    async def any(self) -> bool:
        return bool(self.payloads)


async def queued(database: Database) -> int:
    async with database.connection() as held:
        count: int = await held.fetchval("SELECT count(*) FROM pgqueuer")
        return count


async def nothing_left(database: Database) -> bool:
    return await queued(database) == 0


async def put(database: Database, payload: str = "one", after: timedelta = timedelta(0)) -> None:
    async with database.transaction() as tx:
        await enqueue(tx, "work", payload, after)


async def test_a_job_exists_only_when_its_transaction_commits(database: Database, eventually: Eventually) -> None:
    async def enqueue_and_fail() -> None:
        async with database.transaction() as tx:
            await enqueue(tx, "work", "rolled back")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await enqueue_and_fail()
    await put(database, "committed")
    done = Done()
    async with working(database, done):
        await eventually(lambda: nothing_left(database))
    assert done.payloads == ["committed"]


async def test_a_worker_is_woken_for_what_is_due_and_for_nothing_else(
    database: Database, eventually: Eventually
) -> None:
    woken: list[object] = []

    async def any_notice() -> bool:
        return bool(woken)

    def wake(*notice: object) -> None:
        woken.append(notice[-1])

    async with database.connection() as listening:
        await listening.add_listener("ch_pgqueuer", wake)
        await put(database, "later", timedelta(hours=1))
        async with database.transaction() as tx:
            await tx.execute("UPDATE pgqueuer SET updated = now()")
            await tx.execute("DELETE FROM pgqueuer")
            await tx.execute("NOTIFY ch_pgqueuer, 'the mark behind them'")
        await eventually(any_notice)
        assert woken == ["the mark behind them"]

        woken.clear()
        await put(database, "now")
        await eventually(any_notice)

        woken.clear()
        async with database.transaction() as tx:
            await tx.execute("UPDATE pgqueuer SET execute_after = now() - interval '1 second'")
        await eventually(any_notice)
        await listening.remove_listener("ch_pgqueuer", wake)


async def test_many_jobs_are_enqueued_at_once_and_each_runs_once(database: Database, eventually: Eventually) -> None:
    async with database.transaction() as tx:
        await enqueue_many(tx, "work", [str(n) for n in range(100)])
        await enqueue_many(tx, "work", [])
    done = Done()
    async with working(database, done):
        await eventually(lambda: nothing_left(database))
    assert sorted(done.payloads, key=int) == [str(n) for n in range(100)]


async def test_what_can_not_be_done_yet_is_one_line_without_a_traceback_and_runs_again(
    database: Database, eventually: Eventually
) -> None:
    await put(database)
    tries: list[str] = []

    async def wait_once(payload: str) -> None:
        tries.append(payload)
        if len(tries) == 1:
            raise NotYet("the provider does not answer")

    with structlog.testing.capture_logs() as told:
        async with working(database, wait_once):
            await eventually(lambda: nothing_left(database))
    assert len(tries) == 2
    [line] = [line for line in told if str(line["event"]).startswith("job.")]
    assert (line["event"], line["job"], line["reason"]) == ("job.put_off", "work", "the provider does not answer")
    assert "exc_info" not in line


async def test_what_the_handlers_keep_open_is_closed_after_the_last_job(database: Database) -> None:
    await put(database)
    said: list[str] = []
    begun, stop = asyncio.Event(), asyncio.Event()

    async def work(payload: str) -> None:
        begun.set()
        await stop.wait()
        said.append("worked")

    async def close() -> None:
        said.append("closed")

    worker = asyncio.create_task(Worker(database, {"work": JobHandler(work)}, 20, closing=(close,)).run(stop))
    await begun.wait()
    stop.set()
    await worker
    assert said == ["worked", "closed"]


@pytest.mark.parametrize("fault", [RuntimeError("no"), asyncio.CancelledError()], ids=["exception", "cancelled"])
async def test_a_job_whose_handler_breaks_off_runs_again(
    database: Database, eventually: Eventually, fault: BaseException
) -> None:
    await put(database)
    tries: list[str] = []

    async def fail_once(payload: str) -> None:
        tries.append(payload)
        if len(tries) == 1:
            raise fault

    async with working(database, fail_once):
        await eventually(lambda: nothing_left(database))
    assert tries == ["one", "one"]


async def test_what_a_failing_handler_said_is_not_kept_in_the_database(
    database: Database, eventually: Eventually
) -> None:
    await put(database)
    tries: list[str] = []

    async def fail_once(payload: str) -> None:
        tries.append(payload)
        if len(tries) == 1:
            raise RuntimeError("the card of Ada Byron")

    async with working(database, fail_once):
        await eventually(lambda: nothing_left(database))
    async with database.connection() as held:
        kept = await held.fetchval("SELECT string_agg(traceback::text, '') FROM pgqueuer_log")
    assert kept
    assert "Ada" not in kept


async def test_a_running_job_is_let_end_when_the_worker_stops(database: Database) -> None:
    await put(database)
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), Done()

    async def wait(payload: str) -> None:
        begun.set()
        await may_end.wait()
        await ended(payload)

    async with working(database, wait) as stop:
        await begun.wait()
        stop.set()
        await put(database, "comes too late")
        asyncio.get_running_loop().call_later(0.1, may_end.set)
    assert ended.payloads == ["one"]
    assert await queued(database) == 1


async def test_a_job_that_outlives_the_grace_is_put_back_and_done_by_the_next_worker(
    database: Database, eventually: Eventually
) -> None:
    await put(database)
    begun = asyncio.Event()

    async def never_end(payload: str) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with working(database, never_end, grace=0.05):
        await begun.wait()
    assert await queued(database) == 1
    done = Done()
    async with working(database, done):
        await eventually(done.any)


_DOOMED = """
import asyncio, sys
from paymux.platform.database import Database
from paymux.platform.jobs import JobHandler, Worker

async def main():
    database = await Database.connect(sys.argv[1], 4)
    async def hold(payload):
        print("begun", flush=True)
        await asyncio.Event().wait()
    await Worker(database, {"work": JobHandler(hold)}, 20).run(asyncio.Event())

asyncio.run(main())
"""


async def test_the_job_of_a_killed_worker_is_taken_over(
    database: Database, database_url: str, eventually: Eventually
) -> None:
    await put(database)
    doomed = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _DOOMED, database_url, stdout=asyncio.subprocess.PIPE
    )
    assert doomed.stdout is not None
    assert await doomed.stdout.readline() == b"begun\n"
    os.kill(doomed.pid, signal.SIGKILL)
    await doomed.wait()
    done = Done()
    async with working(database, done):
        await eventually(done.any)


async def cut_all(database: Database) -> None:
    """End every connection to this database but the one that asks."""
    async with database.connection() as held:
        await held.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_a_worker_comes_back_when_its_connections_are_cut(database: Database, eventually: Eventually) -> None:
    done = Done()
    async with working(database, done):
        await put(database, "before")
        await eventually(done.any)
        await cut_all(database)
        await put(database, "after")

        async def came() -> bool:
            return "after" in done.payloads

        await eventually(came)


async def test_a_job_under_way_when_the_connection_is_cut_does_not_run_beside_itself(
    database: Database, eventually: Eventually
) -> None:
    begun, may_end, starts, other = asyncio.Event(), asyncio.Event(), Done(), Done()

    async def hold(payload: str) -> None:
        if payload == "other":
            return await other(payload)
        await starts(payload)
        begun.set()
        await may_end.wait()
        return None

    async def was_tried_again() -> bool:
        async with database.connection() as held:
            return bool(await held.fetchval("SELECT bool_or(attempts > 0) FROM pgqueuer"))

    async with working(database, hold):
        await put(database)
        await begun.wait()
        await cut_all(database)
        await put(database, "other")
        await eventually(other.any)
        await eventually(was_tried_again)
        assert starts.payloads == ["one"]
        may_end.set()
        await eventually(lambda: nothing_left(database))


async def test_a_job_that_a_lost_retry_left_failed_is_brought_back(database: Database, eventually: Eventually) -> None:
    await put(database)
    async with database.connection() as held:
        await held.execute("UPDATE pgqueuer SET status = 'failed'")
    done = Done()
    async with working(database, done):
        await eventually(done.any)


async def test_a_job_whose_due_time_a_moved_clock_brought_forward_runs(
    database: Database, eventually: Eventually
) -> None:
    done = Done()
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO installation (mode) VALUES ('sandbox')")
    async with working(database, done):
        await put(database, "in an hour", timedelta(hours=1))
        await put(database, "now")

        async def sleeping() -> bool:
            # The last thing that a worker asks before it goes to sleep, with nothing left but the later job.
            async with database.connection() as held:
                asked = await held.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle'"
                    " AND query LIKE '%AS eta%' AND (SELECT count(*) FROM pgqueuer) = 1"
                )
            return bool(asked)

        await eventually(sleeping)
        assert done.payloads == ["now"]
        async with database.transaction() as tx:
            await Clock(movable=True).advance(tx, timedelta(hours=1))

        async def both() -> bool:
            return done.payloads == ["now", "in an hour"]

        await eventually(both)


async def test_a_worker_says_that_it_is_there(database: Database, eventually: Eventually) -> None:
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO installation (mode) VALUES ('sandbox')")

    async def seen() -> bool:
        async with database.connection() as held:
            return bool(await held.fetchval("SELECT worker_seen_real > now() - interval '5 seconds' FROM installation"))

    async with working(database, Done()):
        await eventually(seen)


async def test_the_queues_log_of_old_jobs_is_thinned(database: Database, eventually: Eventually) -> None:
    await put(database)
    async with database.connection() as held:
        await held.execute("UPDATE pgqueuer_log SET aggregated = true, created = now() - interval '2 days'")

    async def gone() -> bool:
        async with database.connection() as held:
            return not await held.fetchval("SELECT count(*) FROM pgqueuer_log WHERE created < now() - interval '1 day'")

    async with working(database, Done()):
        await eventually(gone)
