"""The daily comparison with the providers: planned once a day whatever number of workers, page by page, resumable.

    compare DAY                          begins the day: the runs of each connector, and the next day's job
    compare DAY|CONNECTOR|PAGE           one page of its recent orders, and the job of the next
    compare DAY|CONNECTOR:older|PAGE     one page of its older orders, once the recent ones are done

A page that was cut short is done again; a page that has been done already is not. Nothing is repaired by it: what it finds
is logged, counted by /readyz?verbose and listed by `paymux review differences`.

Every day asks for the orders of the last 30 days, the newest first, and then goes on through the older ones where the day
before came to, so fast that each of these is asked for once a week until it is 400 days old: providers let a merchant
refund for months, and the event of that may be lost. What a day does not get done is counted and logged; the day after
begins with the newest orders again, and with the older ones where it stopped.
"""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, date, datetime, time, timedelta

import structlog

from paymux.connectors.registry import UnknownCode, provider_of
from paymux.orders import reconciliation, reconciliation_store
from paymux.orders.core import Core
from paymux.orders.reconciliation import Asked, Pace
from paymux.platform import jobs
from paymux.platform.database import Connection

log = structlog.get_logger()
JOB = "compare"
OLDEST_FIRST = "reconcile"
"""The job of versions that asked for the oldest orders first and knew no run of older ones. They go on to take it: so it is
never given a page that they would misread, nor a page of theirs asked for in this order (`run_oldest_first`)."""
AT = time(3, tzinfo=UTC)
LOOKS_BACK = timedelta(days=30)
"""Younger orders are asked for every day."""
LOOKS_FAR_BACK = timedelta(days=400)
"""Younger ones than that are asked for every week."""
_PARTS = 6
"""Days that a round through the older ones takes: as orders grow older meanwhile, one may be asked for a day later in the
next round than in this one."""
_PART = (LOOKS_FAR_BACK - LOOKS_BACK) / _PARTS
_OLDER = ":older"
"""What the run of a connector's older orders is named by, behind the connector."""
SETTLED = timedelta(hours=1)
"""Orders younger than this are still being paid, and asked about anyway."""
SILENT = 3
"""After so many orders without an answer the provider is left alone for a while."""
SILENT_PAUSE = timedelta(minutes=10)


async def schedule(core: Core) -> bool:
    """Plan the next day's comparison, unless somebody has; whether it was us."""
    async with core.database.transaction() as tx:
        return await _plan(tx, await core.clock.refresh(tx))


async def _plan(tx: Connection, now: datetime) -> bool:
    due = datetime.combine(now.date(), AT)
    if due <= now:
        due += timedelta(days=1)
    if not await reconciliation_store.plan_day(tx, due.date(), now):
        return False
    await jobs.enqueue(tx, JOB, due.date().isoformat(), due - now)
    return True


async def run(core: Core, payload: str) -> None:
    """Begin a day, or do a page of a run: the job `compare`."""
    day, *rest = payload.split("|")
    if rest:
        with core.places.place(rest[0].removesuffix(_OLDER)):
            await _page(core, date.fromisoformat(day), rest[0], int(rest[1]))
    else:
        await _begin(core, date.fromisoformat(day))


async def run_oldest_first(core: Core, payload: str) -> None:
    """Begin a day that an older version planned, or give up a run that one has begun: the job `reconcile`.

    Where such a run came to, it has done what is older, not what is newer. The next day asks for all of it; until then it
    is counted as not finished.
    """
    day, *rest = payload.split("|")
    if not rest:
        await run(core, payload)
        return
    older = f"{rest[0].removesuffix(_OLDER)}{_OLDER}"
    async with core.database.transaction() as tx:
        now = await core.clock.refresh(tx)
        given_up = await reconciliation_store.give_up(tx, date.fromisoformat(day), [rest[0], older], now)
    if given_up:
        log.warning("reconciliation.not_finished", runs=given_up, day=day)


async def _begin(core: Core, day: date) -> None:
    async with core.database.transaction() as tx:
        now = await core.clock.refresh(tx)
        if not await reconciliation_store.begin_day(tx, day, now):
            return
        if slow := await reconciliation_store.supersede(tx, day, now):
            log.warning("reconciliation.not_finished", runs=slow, before=day.isoformat())
        until = now - SETTLED
        recent = now - LOOKS_BACK
        for connector in sorted(await _connectors(tx)):
            older = f"{connector}{_OLDER}"
            since, youngest = older_part(day, recent, await reconciliation_store.came_to(tx, day, older))
            await reconciliation_store.begin_run(tx, day, connector, "running", recent, until, now)
            await reconciliation_store.begin_run(tx, day, older, "planned", since, youngest, now)
            await jobs.enqueue(tx, JOB, f"{day}|{connector}|0")
        await _plan(tx, now)


def older_part(day: date, recent: datetime, came_to: datetime | None) -> tuple[datetime, datetime]:
    """From when until when the older orders were created that a day asks for. `recent`: since when they are not older.
    `came_to`: how far back the runs before came in their round, None when there were none.

    A round that is over begins anew at the youngest. One that is behind goes on to where this day should come to, and a
    round that should be over by now to its end.
    """
    oldest = recent + LOOKS_BACK - LOOKS_FAR_BACK
    begins = recent if came_to is None or came_to <= oldest else min(came_to, recent)
    due = recent - (day.toordinal() % _PARTS + 1) * _PART
    return (due if due < begins else oldest), begins


async def _connectors(tx: Connection) -> set[str]:
    """Those that some merchant has an account at, and that can be asked."""
    found = set()
    for code in await reconciliation_store.codes_used(tx):
        try:
            provider = provider_of(code)[0]
        except UnknownCode:
            continue
        if provider.facts.capabilities.status:
            found.add(provider.name)
    return found


async def _page(core: Core, day: date, run: str, page: int) -> None:
    async with core.database.transaction() as tx:
        row = await reconciliation_store.run(tx, day, run)
    if row is None or row["state"] != "running" or row["page"] != page:
        return
    connector, came_to = run.removesuffix(_OLDER), row["after_order"]
    orders = await reconciliation.page_of(core, Asked(connector, row["since"], row["until"]), came_to)
    done, differing, unanswered, silent = 0, 0, 0, 0
    async with aclosing(reconciliation.compared_at_once(core, orders, Pace())) as looks:
        async for seen in looks:
            silent = 0 if seen.answered else silent + 1
            done, came_to = done + 1, seen.order.id
            differing, unanswered = differing + bool(seen.differences), unanswered + (not seen.answered)
            if silent == SILENT:
                break
    async with core.database.transaction() as tx:
        now = await core.clock.refresh(tx)
        row = await reconciliation_store.run(tx, day, run)
        if row is None or row["state"] != "running" or row["page"] != page:
            return
        await reconciliation_store.advance_run(tx, day, run, came_to, done, differing, unanswered)
        if orders:
            pause = SILENT_PAUSE if silent == SILENT else timedelta(0)
            await jobs.enqueue(tx, JOB, f"{day}|{run}|{page + 1}", pause)
            return
        over = await reconciliation_store.end_run(tx, day, run, now)
        older = f"{connector}{_OLDER}"
        if run != older and await reconciliation_store.start_run(tx, day, older):
            await jobs.enqueue(tx, JOB, f"{day}|{older}|0")
    log.info("reconciliation.done", day=day.isoformat(), connector=connector, part="older" if run == older else "recent",
             asked=over["asked"], differing=over["differing"], unanswered=over["unanswered"])  # fmt: skip
