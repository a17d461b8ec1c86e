"""The daily comparison with the providers: planned once a day whatever number of workers, page by page, resumable.

    reconcile DAY                    begins the day: a run per connector, and the next day's job
    reconcile DAY|CONNECTOR|PAGE     one page of a run, and the job of the next

A page that was cut short is done again; a page that has been done already is not. Nothing is repaired by it: what it finds
is logged, counted by /readyz?verbose and listed by `paymux review differences`.

Every day asks for the orders of the last 30 days, and for a part of the older ones, so that each of these is asked for once
a week until it is 400 days old: providers let a merchant refund for months, and the event of that may be lost.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import structlog

from paymux.connectors.registry import UnknownCode, provider_of
from paymux.orders import reconciliation, reconciliation_store
from paymux.orders.core import Core
from paymux.orders.model import Order
from paymux.orders.reconciliation import Asked, Pace
from paymux.platform import jobs
from paymux.platform.database import Connection

log = structlog.get_logger()
JOB = "reconcile"
AT = time(3, tzinfo=UTC)
LOOKS_BACK = timedelta(days=30)
"""Younger orders are asked for every day."""
LOOKS_FAR_BACK = timedelta(days=400)
"""Younger ones than that are asked for every week."""
_PARTS = 7
_PART = (LOOKS_FAR_BACK - LOOKS_BACK) / _PARTS
_OVERLAP = timedelta(days=8)
"""So far a part reaches into the next one, for orders grow older meanwhile: a week, and a day for runs that begin late."""
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
    """Begin a day, or do a page: the job `reconcile`."""
    day, *rest = payload.split("|")
    if rest:
        with core.places.place(rest[0]):
            await _page(core, date.fromisoformat(day), rest[0], int(rest[1]))
    else:
        await _begin(core, date.fromisoformat(day))


async def _begin(core: Core, day: date) -> None:
    async with core.database.transaction() as tx:
        now = await core.clock.refresh(tx)
        if not await reconciliation_store.begin_day(tx, day, now):
            return
        if slow := await reconciliation_store.supersede(tx, day, now):
            log.warning("reconciliation.not_finished", runs=slow, before=day.isoformat())
        for connector in sorted(await _connectors(tx)):
            until = now - SETTLED
            await reconciliation_store.begin_run(tx, day, connector, spans(day, until)[0][0], until, now)
            await jobs.enqueue(tx, JOB, f"{day}|{connector}|0")
        await _plan(tx, now)


def spans(day: date, until: datetime) -> tuple[tuple[datetime, datetime], tuple[datetime, datetime]]:
    """From when until when the orders were created that a day's runs ask for: the day's part of the older ones, then the
    younger ones that every day asks for. `until`: where the latter end."""
    recent = until + SETTLED - LOOKS_BACK
    youngest = recent - day.toordinal() % _PARTS * _PART
    oldest = max(youngest - _PART - _OVERLAP, recent + LOOKS_BACK - LOOKS_FAR_BACK)
    return (oldest, youngest), (recent, until)


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


async def _page(core: Core, day: date, connector: str, page: int) -> None:
    async with core.database.transaction() as tx:
        row = await reconciliation_store.run(tx, day, connector)
    if row is None or row["state"] != "running" or row["page"] != page:
        return
    orders: list[Order] = []
    for since, until in spans(day, row["until"]):
        orders = orders or await reconciliation.page_of(core, Asked(connector, since, until), row["after_order"])
    pace, differing, unanswered, silent, after = Pace(), 0, 0, 0, row["after_order"]
    for order in orders:
        await pace.wait()
        seen = await reconciliation.compared(core, order.id)
        silent = 0 if seen.answered else silent + 1
        differing, unanswered, after = differing + bool(seen.differences), unanswered + (not seen.answered), order.id
        if silent == SILENT:
            break
    done = next((n for n, order in enumerate(orders, 1) if order.id == after), 0)
    async with core.database.transaction() as tx:
        now = await core.clock.refresh(tx)
        row = await reconciliation_store.run(tx, day, connector)
        if row is None or row["state"] != "running" or row["page"] != page:
            return
        await reconciliation_store.advance_run(tx, day, connector, after, done, differing, unanswered)
        if orders:
            pause = SILENT_PAUSE if silent == SILENT else timedelta(0)
            await jobs.enqueue(tx, JOB, f"{day}|{connector}|{page + 1}", pause)
            return
        over = await reconciliation_store.end_run(tx, day, connector, now)
    log.info("reconciliation.done", day=day.isoformat(), connector=connector, asked=over["asked"],
             differing=over["differing"], unanswered=over["unanswered"])  # fmt: skip
