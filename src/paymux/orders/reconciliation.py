"""Our orders beside their providers' own view: what differs is listed, and repaired through the same decision as any answer.

The provider is asked order by order, as a poll asks it, the newest first; several are asked at once, for an answer takes a
second and more, but at most `rate` a second are begun with. Never within a transaction.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog

from paymux.accounts.model import ProviderAccount
from paymux.audit import trail
from paymux.connectors import contract as c
from paymux.connectors.registry import all_codes
from paymux.orders import asking, auditing, calls, opening, reconciliation_store, reports, settling, store
from paymux.orders.core import Core, facts_of
from paymux.orders.decide import Deciding, deciding
from paymux.orders.differences import Difference, differences
from paymux.orders.model import ZERO, Kind, Operation, OperationStatus, Order
from paymux.platform.http import CallFailed
from paymux.platform.identifiers import id_at

log = structlog.get_logger()
PAGE = 50
RATE = 5.0
"""Calls a second to one provider: a fraction of what any of them allows, beside the payments of the day."""
AT_ONCE = 10
"""Orders that a provider is asked about at the same time: RATE is kept up while it takes up to two seconds to answer."""
_SHARE = 5
"""And never more than one in so many of the calls that one process may have under way at a provider: payments have the rest."""
MOST_LISTED = 1000
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """Which orders: of a connector (or code), perhaps of one merchant, created from `since` to `until`."""

    connector: str
    since: datetime
    until: datetime
    merchant_id: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """An order after its provider was asked. `answered` is false when it could not be."""

    order: Order
    differences: Sequence[Difference] = ()
    answered: bool = True
    said: c.Report | c.NotThere | None = None
    repaired: Sequence[Difference] = ()
    """What differed before a repair, and differs no more."""

    def json(self) -> dict[str, Any]:
        """As `paymux reconcile --json` prints it."""
        order = self.order
        return {
            "merchant": order.merchant_id, "orderReference": order.reference, "orderId": order.id, "provider": order.code,
            "status": str(order.status), "answered": self.answered,
            "differences": [one.json() for one in self.differences],
            "repaired": [one.json() for one in self.repaired],
        }  # fmt: skip


@dataclass(slots=True)
class Pace:
    """Keeps calls apart: `rate` a second at most."""

    rate: float = RATE
    _next: float = field(default=0.0)

    async def wait(self) -> None:
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(max(self._next - now, 0))
        self._next = max(self._next, now) + 1 / self.rate


def connector_named(name: str) -> str:
    """A connector by its name, or a payment method code of one. Raises ValueError."""
    codes = all_codes()
    found = next((provider.facts for code, (provider, _) in codes.items() if name in (code, provider.name)), None)
    if found is None:
        raise ValueError(f"{name} is neither a connector nor a payment method code. `paymux providers` lists them all.")
    if not found.capabilities.status:
        raise ValueError(f"{found.title} can't be asked what became of a payment: there is nothing to compare with.")
    return name


async def reconcile(core: Core, asked: Asked, *, repair: bool = False, pace: Pace | None = None) -> AsyncIterator[Seen]:
    """Compare every order asked for, and repair what differs if told to. Yields each order as it was found in the end,
    the newest first."""
    before, pace = "", pace or Pace()
    while orders := await page_of(core, asked, before):
        async with aclosing(compared_at_once(core, orders, pace, repair=repair)) as looks:
            async for seen in looks:
                yield seen
        before = orders[-1].id


async def page_of(core: Core, asked: Asked, before: str, limit: int = PAGE) -> list[Order]:
    """The next orders to compare, the newest first: those before an order id ('' from the newest of all)."""
    async with core.database.transaction() as tx:
        await core.clock.refresh(tx)
        # Ids sort by real time, of which the installation's is never behind (C1).
        first = id_at("ord", asked.since - core.clock.offset - timedelta(minutes=1))
        last = id_at("ord", asked.until + timedelta(minutes=1))
        return await reconciliation_store.page(
            tx, asked.connector, asked.merchant_id, asked.since, asked.until, first, min(before or last, last), limit
        )


async def compared_at_once(
    core: Core, orders: Sequence[Order], pace: Pace, *, repair: bool = False
) -> AsyncGenerator[Seen]:
    """Compare these orders, several at once, at most at the pace. Yields them in their order.

    Whoever stops early, or is cancelled, waits for those that have begun: a repair is not broken off. Who is cancelled
    again while he waits breaks them off.
    """
    most = max(1, min(AT_ONCE, core.settings.provider_calls // _SHARE))
    begun: deque[asyncio.Task[Seen]] = deque()
    try:
        for order in orders:
            if len(begun) == most:
                yield await _first_of(begun)
            await pace.wait()
            begun.append(asyncio.create_task(compared(core, order.id, repair=repair)))
        while begun:
            yield await _first_of(begun)
    finally:
        await asyncio.gather(*begun, return_exceptions=True)


async def _first_of(begun: deque[asyncio.Task[Seen]]) -> Seen:
    """What the first of them found; it is one of them until then, and goes on when whoever waits here is cancelled."""
    seen = await asyncio.shield(begun[0])
    begun.popleft()
    return seen


async def compared(core: Core, order_id: str, *, repair: bool = False) -> Seen:
    """One order beside what its provider says now; what differs is listed, what is equal (again) is not any more."""
    seen = await _look(core, order_id)
    if repair and seen.differences and isinstance(seen.said, c.Report):
        before, said = seen.differences, seen.said

        async def apply(desk: Deciding) -> None:
            desk.action = "reconciliation.repaired"
            desk.said = {"differences": [one.json() for one in before]}
            await reports.apply_report(desk, said)

        await calls.run_all(core, await deciding(core, order_id, "reconcile", apply))
        again = await _look(core, order_id)
        left = [one for one in again.differences if one.what in {gone.what for gone in before}]
        repaired = [one for one in before if one.what not in {stays.what for stays in left}]
        seen = Seen(again.order, again.differences, again.answered, again.said, repaired)
    await _keep(core, seen)
    return seen


async def _look(core: Core, order_id: str) -> Seen:
    """Ask, and compare with the order as it is afterwards; once more when it changed meanwhile."""
    async with core.database.transaction() as tx:
        order = await store.order_by_id(tx, order_id)
        account = await core.account(tx, order)
    for _ in range(_TRIES):
        said = await _said(core, order, core.connector_for(order, account))
        if isinstance(said, c.Approved) and said.state:
            # What is given once is kept by whoever gets it; nothing that is compared changes by it.
            await asking.keep_given_once(core, order_id, "reconcile", said)
        async with core.database.transaction() as tx:
            before, order = order, await store.order_by_id(tx, order_id)
            operations = await store.operations(tx, order_id)
            await trail.record_calls(tx, core.calls.take(order_id))
        if said is None:
            return Seen(order, answered=False)
        if order.updated_at == before.updated_at:
            found = differences(order, operations, said)
            if found and isinstance(said, c.Paid) and facts_of(order).capabilities.find_move:
                apart = await _apart(core, order, account, operations)
                found = differences(order, operations, said, apart)
            return Seen(order, found, said=said)
    return Seen(order, answered=False)


async def _said(core: Core, order: Order, connector: c.Connector) -> c.Report | c.NotThere | None:
    try:
        return await connector.fetch(opening.checkout_of(order))
    except c.NotThere as gone:
        return gone
    except (c.Refused, CallFailed) as fault:
        said = fault.code if isinstance(fault, c.Refused) else str(fault)
        log.info("reconciliation.no_answer", order=order.id, fault=said)
        return None
    except Exception:  # a connector's own mistake in reading an answer: as good as none
        log.exception("connector.failed", connector=order.connector, kind="reconcile")
        return None


async def _apart(
    core: Core, order: Order, account: ProviderAccount, operations: Sequence[Operation]
) -> dict[Kind, Decimal]:
    """What the provider says has moved when it is asked for each of our own movements."""
    known: dict[Kind, Decimal] = {}
    connector, checkout = core.connector_for(order, account), opening.checkout_of(order)
    for op in operations:
        if op.kind not in settling.MOVES or op.status is not OperationStatus.SUCCESSFUL or op.currency is not None:
            continue
        try:
            move = await connector.find_move(checkout, settling.MOVES[op.kind], op.key, op.provider_id)
        except (c.Refused, CallFailed):
            continue
        if move is not None and move.status is c.MoveStatus.DONE:
            known[op.kind] = known.get(op.kind, ZERO) + move.amount
    return known


async def _keep(core: Core, seen: Seen) -> None:
    if not seen.answered:
        return
    shown = [one.json() for one in seen.differences]
    async with core.database.transaction() as tx:
        now = await core.clock.refresh(tx)
        await trail.record_calls(tx, core.calls.take(seen.order.id))
        if shown:
            await reconciliation_store.find(tx, seen.order, shown, now)
            await auditing.about(tx, seen.order, "reconciliation.found", differences=shown)
        elif await reconciliation_store.forget(tx, seen.order.id):
            await auditing.about(tx, seen.order, "reconciliation.equal_again")
    if shown:
        log.warning("reconciliation.differs", order=seen.order.id, differences=shown)


async def listed(core: Core) -> list[dict[str, Any]]:
    """The orders that differed when they were last compared, and how to compare them again."""
    async with core.database.transaction() as tx:
        rows = await reconciliation_store.findings(tx, MOST_LISTED)
    return [
        {"merchant": row["merchant_id"], "orderReference": row["reference"], "orderId": row["order_id"],
         "provider": row["code"], "status": row["status"], "differences": row["differences"],
         "foundAt": row["found_at"].isoformat(),
         "repair": f"paymux reconcile --provider {row['code']} --from {row['created_at'].date()} --repair"}
        for row in rows
    ]  # fmt: skip
