"""The daily comparison in a shop that has more orders than a day has time for: the newest first, and nothing begins again."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any

import pytest

from paymux.orders import daily_reconciliation, reconciliation, store
from paymux.orders.model import Order
from paymux.orders.reconciliation import Pace, Seen
from paymux.platform import jobs
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import Till

FAST = Pace(rate=1000)
DAY = 86_400


async def paid(merchant: Merchant, shopper: Shopper, code: str) -> str:
    opened = await merchant.creates(code)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    return str(opened["orderReference"])


async def runs(installation: Installation, run: str) -> list[Any]:
    """The runs of this name, the last day's first."""
    async with installation.database.connection() as held:
        rows: list[Any] = await held.fetch("SELECT * FROM reconciliations WHERE connector = $1 ORDER BY day DESC", run)
    return rows


async def next_day(installation: Installation, eventually: Eventually, run: str) -> Any:
    """The run of this name of the next day, once all of that day are over."""
    seen = len(await runs(installation, run))
    await installation.advance(DAY)

    async def over() -> Any:
        rows = await runs(installation, run)
        return len(rows) > seen and rows[0]["state"] == "done" and rows[0]

    done = await eventually(over)
    await installation.quiet()
    return done


async def not_finished(installation: Installation) -> int:
    answer = await installation.call("GET", f"{installation.settings.base_url}/readyz?verbose")
    counted: int = answer.body["reconciliationsNotFinished"]
    return counted


async def test_the_newest_orders_are_asked_for_first_and_the_older_ones_go_on_where_a_day_had_no_time_for_them(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(daily_reconciliation, "Pace", lambda: FAST)
    monkeypatch.setattr(reconciliation, "AT_ONCE", 1)  # so that their order shows
    older = []
    for _ in range(3):
        older.append(await paid(merchant, shopper, "SALESTILL"))
        await installation.advance(3600)
    await daily_reconciliation.schedule(installation.core)
    await installation.advance(31 * DAY)
    await installation.quiet()
    recent = [await paid(merchant, shopper, "SALESTILL") for _ in range(2)]
    await installation.quiet()

    def asked() -> list[str]:
        told = [reference for verb, reference in tills["SALESTILL"].calls if verb == "status"]
        tills["SALESTILL"].calls.clear()
        return told

    # The first run of all begins its round at the youngest of the older ones.
    async with installation.database.transaction() as tx:
        await tx.execute("DELETE FROM reconciliations WHERE connector <> ''")
    asked()
    await next_day(installation, eventually, "salestill:older")
    assert asked() == [*reversed(recent), *reversed(older)]

    # Of a day that had no time for more than the first two of them, the next one has the rest.
    came_to = (await merchant.details(older[1]))["orderId"]
    async with installation.database.transaction() as tx:
        await tx.execute(
            "UPDATE reconciliations SET state = 'running', after_order = $1 WHERE connector = 'salestill:older'",
            came_to,
        )
    await next_day(installation, eventually, "salestill:older")
    assert asked() == [*reversed(recent), older[1], older[0]]
    assert [run["state"] for run in await runs(installation, "salestill:older")] == ["done", "superseded"]


async def test_runs_that_a_day_did_not_finish_are_counted_until_the_next_ones_have_come_to_their_end(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(daily_reconciliation, "Pace", lambda: FAST)
    await paid(merchant, shopper, "SALESTILL")
    await daily_reconciliation.schedule(installation.core)
    await next_day(installation, eventually, "salestill:older")
    gate, asked = asyncio.Event(), asyncio.Event()
    page_of = reconciliation.page_of

    async def held(*args: Any) -> Any:
        asked.set()
        await gate.wait()
        return await page_of(*args)

    async with installation.database.transaction() as tx:
        await tx.execute("UPDATE reconciliations SET state = 'running' WHERE connector = 'salestill'")
        await tx.execute("UPDATE reconciliations SET state = 'planned' WHERE connector = 'salestill:older'")
    with monkeypatch.context() as patched:
        patched.setattr(reconciliation, "page_of", held)
        try:
            await installation.advance(DAY)
            await asyncio.wait_for(asked.wait(), 30)

            async def counted() -> bool:
                return await not_finished(installation) == 2

            await eventually(counted)
        finally:
            gate.set()

    async def none() -> bool:
        return await not_finished(installation) == 0

    await eventually(none)


async def test_a_run_that_an_older_version_left_half_done_is_given_up_and_counted_and_the_next_day_asks_for_all_of_it(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It asked for the oldest orders first: what is left is newer than what it came to, not older."""
    monkeypatch.setattr(daily_reconciliation, "Pace", lambda: FAST)
    references = [await paid(merchant, shopper, "SALESTILL") for _ in range(4)]
    oldest = (await merchant.details(references[0]))["orderId"]
    await installation.quiet()
    async with installation.database.transaction() as tx:
        now = await installation.clock.refresh(tx)
        today, tomorrow = now.date(), now.date() + timedelta(days=1)
        await tx.execute("DELETE FROM reconciliations")
        await tx.execute("DELETE FROM pgqueuer WHERE entrypoint IN ('reconcile', 'compare')")
        await tx.execute(
            "INSERT INTO reconciliations (day, connector, state, page, after_order, since, until, begun_at) VALUES"
            " ($1, '', 'done', 0, '', NULL, NULL, $5), ($1, 'salestill', 'running', 1, $2, $3, $4, $5),"
            " ($6, '', 'planned', 0, '', NULL, NULL, $5)",
            today, oldest, now - timedelta(days=400), now + timedelta(minutes=1), now, tomorrow,
        )  # fmt: skip
        await jobs.enqueue(tx, "reconcile", f"{today}|salestill|1")
        due = datetime.combine(tomorrow, daily_reconciliation.AT) - now
        await jobs.enqueue(tx, "reconcile", f"{tomorrow}", due)
    await installation.quiet()
    assert [run["state"] for run in await runs(installation, "salestill")] == ["superseded"]

    async def counted(number: int) -> bool:
        return await not_finished(installation) == number

    await eventually(partial(counted, 1))
    tills["SALESTILL"].calls.clear()
    await next_day(installation, eventually, "salestill:older")
    asked = {reference for verb, reference in tills["SALESTILL"].calls if verb == "status"}
    assert {*references} <= asked
    await eventually(partial(counted, 0))


async def test_a_worker_of_an_older_version_is_given_no_job_that_it_would_misread(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    """It would look for a connector of the name `salestill:older`, find no order, and call the run done."""
    await paid(merchant, shopper, "SALESTILL")
    await installation.quiet()
    async with installation.database.transaction() as tx:
        await tx.execute("DELETE FROM reconciliations")
        await tx.execute("DELETE FROM pgqueuer WHERE entrypoint IN ('reconcile', 'compare')")
        before = await tx.fetchval("SELECT max(id) FROM pgqueuer_log")
    await daily_reconciliation.schedule(installation.core)
    await next_day(installation, eventually, "salestill:older")
    async with installation.database.connection() as held:
        rows = await held.fetch("SELECT DISTINCT entrypoint FROM pgqueuer_log WHERE id > $1", before)
    names = {row["entrypoint"] for row in rows}
    assert daily_reconciliation.JOB in names
    assert "reconcile" not in names


async def an_order(installation: Installation, merchant: Merchant) -> Order:
    opened = await merchant.creates("SALESTILL")
    async with installation.database.connection() as held:
        return await store.order_by_id(held, opened["orderId"])


async def test_several_orders_are_asked_about_at_once_so_that_a_slow_provider_is_asked_at_the_full_pace(
    installation: Installation, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await an_order(installation, merchant)
    orders = [replace(order, id=f"ord_{n:026}") for n in range(25)]
    answers, full = asyncio.Event(), asyncio.Event()
    under_way: set[str] = set()
    most = 0

    async def compared(core: Any, order_id: str, *, repair: bool) -> Seen:
        nonlocal most
        under_way.add(order_id)
        most = max(most, len(under_way))
        if len(under_way) == reconciliation.AT_ONCE:
            full.set()
        await answers.wait()
        under_way.remove(order_id)
        return Seen(replace(order, id=order_id))

    monkeypatch.setattr(reconciliation, "compared", compared)

    async def told() -> list[str]:
        async with aclosing(reconciliation.compared_at_once(installation.core, orders, FAST)) as looks:
            return [seen.order.id async for seen in looks]

    task = asyncio.create_task(told())
    await asyncio.wait_for(full.wait(), 10)
    answers.set()
    assert await task == [one.id for one in orders]
    assert most == reconciliation.AT_ONCE == 10


async def test_however_fast_a_provider_answers_no_more_are_begun_with_than_the_pace_allows(
    installation: Installation, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await an_order(installation, merchant)
    begun = []

    async def compared(core: Any, order_id: str, *, repair: bool) -> Seen:
        begun.append(asyncio.get_running_loop().time())
        return Seen(order)

    monkeypatch.setattr(reconciliation, "compared", compared)
    async for _ in reconciliation.compared_at_once(installation.core, [order] * 12, Pace(rate=50)):
        pass
    assert begun[-1] - begun[0] >= 11 / 50 - 0.01


async def test_who_stops_at_a_silent_provider_waits_for_those_that_have_begun(
    installation: Installation, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repair that was begun is not broken off in its middle."""
    order = await an_order(installation, merchant)
    ended: list[str] = []
    begun: list[str] = []
    left = asyncio.Event()

    async def compared(core: Any, order_id: str, *, repair: bool) -> Seen:
        begun.append(order_id)
        if order_id != orders[0].id:
            await left.wait()
        ended.append(order_id)
        return Seen(order, answered=False)

    monkeypatch.setattr(reconciliation, "compared", compared)
    orders = [replace(order, id=f"ord_{n:026}") for n in range(25)]
    async with aclosing(reconciliation.compared_at_once(installation.core, orders, FAST)) as looks:
        async for _ in looks:
            asyncio.get_running_loop().call_soon(left.set)
            break
    assert (len(begun), sorted(ended)) == (reconciliation.AT_ONCE, sorted(begun))


async def test_who_is_cancelled_while_he_waits_for_an_answer_waits_for_those_that_have_begun(
    installation: Installation, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that is waited for just then is no exception."""
    order = await an_order(installation, merchant)
    begun: list[str] = []
    ended: list[str] = []
    full, answers = asyncio.Event(), asyncio.Event()

    async def compared(core: Any, order_id: str, *, repair: bool) -> Seen:
        begun.append(order_id)
        if len(begun) == reconciliation.AT_ONCE:
            full.set()
        await answers.wait()
        ended.append(order_id)
        return Seen(order)

    monkeypatch.setattr(reconciliation, "compared", compared)
    orders = [replace(order, id=f"ord_{n:026}") for n in range(25)]

    async def told() -> None:
        async with aclosing(reconciliation.compared_at_once(installation.core, orders, FAST, repair=True)) as looks:
            async for _ in looks:
                pass

    task = asyncio.create_task(told())
    await asyncio.wait_for(full.wait(), 30)
    task.cancel()
    asyncio.get_running_loop().call_soon(answers.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (len(begun), sorted(ended)) == (reconciliation.AT_ONCE, sorted(begun))


def begun_at(day: date) -> datetime:
    """When a day's run begins: one at once, another one half a day late."""
    return datetime.combine(day, daily_reconciliation.AT) + timedelta(hours=day.toordinal() * 5 % 12)


def test_an_order_is_asked_for_every_day_for_a_month_and_then_every_week_until_it_is_400_days_old() -> None:
    first = date(2026, 1, 1)
    for born in range(7):
        created = datetime.combine(first + timedelta(days=born), time(12), UTC)
        asked, came_to = [], None
        for day in (first + timedelta(days=n) for n in range(450)):
            recent = begun_at(day) - daily_reconciliation.LOOKS_BACK
            since, until = daily_reconciliation.older_part(day, recent, came_to)
            came_to = since
            youngest = begun_at(day) - daily_reconciliation.SETTLED
            if recent <= created < youngest or since <= created < until:
                asked.append((day - created.date()).days)
        assert asked[:29] == list(range(1, 30))
        assert all(later - earlier <= 7 for earlier, later in itertools.pairwise(asked))
        assert 393 <= asked[-1] <= 400
        assert len(asked) < 30 + 1.2 * (370 / 6), "older ones are not asked for much more often than that"


def test_days_that_were_lost_are_made_up_for() -> None:
    first, created, asked, came_to = date(2026, 1, 1), datetime(2025, 6, 1, tzinfo=UTC), [], None
    for n in range(60):
        if n in (10, 20, 21, 22, 33, 34, 35, 36, 37, 38, 39):
            continue  # nothing ran
        day = first + timedelta(days=n)
        recent = begun_at(day) - daily_reconciliation.LOOKS_BACK
        since, until = daily_reconciliation.older_part(day, recent, came_to)
        came_to = since
        if since <= created < until:
            asked.append(n)
    assert all(later - earlier <= 14 for earlier, later in itertools.pairwise(asked))
    assert asked[-1] >= 53


def test_a_shop_with_too_many_orders_for_a_week_has_its_older_ones_asked_for_all_the_same_only_not_as_often() -> None:
    """A day that gets through a fifth of what it should goes on where it stopped, whatever day of the round it is."""
    first, created, came_to, rounds = date(2026, 1, 1), datetime(2025, 6, 1, tzinfo=UTC), None, []
    for n in range(90):
        day = first + timedelta(days=n)
        recent = begun_at(day) - daily_reconciliation.LOOKS_BACK
        since, until = daily_reconciliation.older_part(day, recent, came_to)
        assert came_to is None or until in (recent, came_to)
        came_to = max(since, until - timedelta(days=370 / 30))
        if came_to <= created < until:
            rounds.append(n)
    assert len(rounds) >= 2
    assert all(25 <= later - earlier <= 33 for earlier, later in itertools.pairwise(rounds))
