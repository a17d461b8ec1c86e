"""No two transactions wait for each other; where they ever should, one is made again, and nobody is told of a fault of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from paymux.orders import clockwork
from paymux.platform.clock import Clock
from paymux.platform.database import Connection, Database, DatabaseBusy
from paymux.platform.jobs import enqueue_many
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.connect(database_url, 8)
    async with opened.transaction() as tx:
        await tx.execute("INSERT INTO installation (mode) VALUES ('sandbox')")
    yield opened
    await opened.close()


@pytest.fixture
async def patient(installation: Installation) -> AsyncIterator[Any]:
    """A connection of somebody who never gives way: in a deadlock with it the other one is rolled back."""
    connection = await asyncpg.connect(installation.settings.database_url)
    await connection.execute("SET deadlock_timeout = '60s'")
    yield connection
    await connection.close()


async def waits(database: Database) -> bool:
    """Whether some connection waits for another's lock."""
    async with database.connection() as held:
        return bool(
            await held.fetchval(
                "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
                " WHERE NOT l.granted AND a.datname = current_database())"
            )
        )


async def test_moving_the_clock_waits_for_no_job_that_a_worker_has_in_hand(database: Database) -> None:
    async with database.transaction() as tx:
        await enqueue_many(tx, "work", ["one", "two", "three"], [timedelta(0), timedelta(0), timedelta(hours=2)])
        first, second, _ = [row["id"] for row in await tx.fetch("SELECT id FROM pgqueuer ORDER BY id")]
    clock = Clock(movable=True)

    async def advance(tx: Connection) -> Any:
        return await clock.advance(tx, timedelta(hours=1))

    async with database.transaction() as worker:
        await worker.execute("UPDATE pgqueuer SET status = 'picked' WHERE id = $1", second)
        moving = asyncio.create_task(database.decided(advance))
        done, _ = await asyncio.wait([moving], timeout=10)
        # Had it locked the first job and waited for the second, this would close the circle.
        await worker.execute("UPDATE pgqueuer SET status = 'picked' WHERE id = $1", first)
        assert done, "it waits for the worker"
    await moving
    async with database.connection() as held:
        late = await held.fetchval("SELECT execute_after - now() FROM pgqueuer WHERE status = 'queued'")
    assert timedelta(minutes=50) < late <= timedelta(hours=1), "what is not due yet is brought forward"


async def test_moving_the_clock_once_moves_every_job_once(database: Database) -> None:
    async with database.transaction() as tx:
        await enqueue_many(tx, "work", [str(n) for n in range(50)], [timedelta(hours=3)] * 50)
    clock = Clock(movable=True)
    await asyncio.gather(*(database.decided(lambda tx: clock.advance(tx, timedelta(hours=1))) for _ in range(2)))
    async with database.connection() as held:
        least, most = await held.fetchrow("SELECT min(execute_after) - now(), max(execute_after) - now() FROM pgqueuer")
    assert timedelta(minutes=50) < least <= most <= timedelta(hours=1)


async def crossing(database: Database, how: Callable[[Callable[[Connection], Awaitable[int]]], Awaitable[int]]) -> Any:
    """Two transactions that take the same two locks, each in the other's order, at once; what came of each."""
    both, tries = asyncio.Barrier(2), 0

    async def take(tx: Connection, *numbers: int) -> int:
        nonlocal tries
        tries += 1
        await tx.execute("SELECT pg_advisory_xact_lock($1)", numbers[0])
        if tries <= 2:
            await asyncio.wait_for(both.wait(), 30)
        await tx.execute("SELECT pg_advisory_xact_lock($1)", numbers[1])
        return tries

    return await asyncio.gather(how(lambda tx: take(tx, 1, 2)), how(lambda tx: take(tx, 2, 1)), return_exceptions=True)


async def test_a_decision_that_stood_in_anothers_way_is_made_again(database: Database) -> None:
    outcomes = await crossing(database, database.decided)
    assert all(isinstance(outcome, int) for outcome in outcomes), outcomes
    assert max(outcomes) == 3, "one of both was made twice"


async def test_a_deadlock_is_told_as_a_busy_database(database: Database) -> None:
    async def once(work: Callable[[Connection], Awaitable[int]]) -> int:
        async with database.transaction() as tx:
            return await work(tx)

    outcomes = await crossing(database, once)
    assert [type(one) for one in outcomes if isinstance(one, Exception)] == [DatabaseBusy]


async def authorised(merchant: Merchant, shopper: Shopper) -> str:
    opened = await merchant.creates("AFTERPAY_AU", autoCapture=False)
    back = await shopper.decides(opened["redirectUrl"], "approve")
    await shopper.installation.call("GET", back)
    reference: str = opened["orderReference"]
    assert (await merchant.status(reference))["captureStatus"] == "AUTHORIZED"
    await shopper.installation.quiet()
    return reference


async def test_a_write_that_loses_a_deadlock_is_a_503_and_wrote_nothing(
    installation: Installation, merchant: Merchant, shopper: Shopper, patient: Any, eventually: Eventually
) -> None:
    reference = await authorised(merchant, shopper)
    async with patient.transaction():
        await patient.execute("LOCK TABLE timers IN EXCLUSIVE MODE")
        asked = asyncio.create_task(merchant.captures(reference, "40", "C-1"))
        await eventually(lambda: waits(installation.database))  # it holds the order now
        await patient.execute("SELECT 1 FROM orders WHERE reference = $1 FOR UPDATE", reference)
        answer = await asked
    assert (answer.status, answer.body["code"], answer.body["error"]) == (503, "unavailable", "Service Unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert (await merchant.details(reference))["orderCaptures"] == []
    assert (await merchant.captures(reference, "40", "C-1")).status == 201
    assert [amount for kind, amount in installation.ledger(reference) if kind == "capture"] == [40]


async def test_the_start_up_sweep_waits_for_no_order_that_is_being_decided(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await authorised(merchant, shopper)
    async with installation.database.transaction() as deciding:
        order_id = await deciding.fetchval("SELECT id FROM orders WHERE reference = $1 FOR UPDATE", reference)
        # As a restored database has them: timers due, and no jobs that wake them.
        await deciding.execute("DELETE FROM pgqueuer WHERE payload LIKE convert_to($1, 'UTF8')", f"{order_id}|%")
        await deciding.execute("UPDATE timers SET due_at = due_at - interval '30 days' WHERE order_id = $1", order_id)
    async with installation.database.transaction() as deciding:
        await deciding.execute("SELECT 1 FROM orders WHERE id = $1 FOR UPDATE", order_id)
        await deciding.execute("SELECT 1 FROM timers WHERE order_id = $1 FOR UPDATE", order_id)
        assert await asyncio.wait_for(clockwork.sweep(installation.core), 20) >= 1
    await installation.quiet()
    async with installation.database.connection() as held:
        left = await held.fetchval("SELECT count(*) FROM timers WHERE order_id = $1 AND due_at < now()", order_id)
    assert left == 0, "what was due has been done"


async def test_a_job_of_a_decision_that_was_open_while_the_clock_moved_is_brought_forward_as_well(
    database: Database, eventually: Eventually
) -> None:
    clock, mover = Clock(movable=True), Clock(movable=True)
    async with database.transaction() as deciding:
        await clock.refresh(deciding)
        moving = asyncio.create_task(database.decided(lambda tx: mover.advance(tx, timedelta(hours=1))))
        await eventually(lambda: waits(database))
        await enqueue_many(deciding, "work", ["late"], [timedelta(hours=2)])
    await moving
    async with database.connection() as held:
        left = await held.fetchval("SELECT execute_after - now() FROM pgqueuer")
    assert timedelta(minutes=50) < left <= timedelta(hours=1)


async def test_two_who_have_read_the_clock_and_then_move_it_do_not_wait_for_each_other(
    installation: Installation,
) -> None:
    async with installation.database.connection() as held:
        before = await held.fetchval("SELECT clock_offset FROM installation")
    await asyncio.gather(*(installation.advance(60) for _ in range(4)))
    async with installation.database.connection() as held:
        assert await held.fetchval("SELECT clock_offset FROM installation") - before == timedelta(seconds=240)
