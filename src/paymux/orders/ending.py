"""How an unpaid order ends: by its deadline or its merchant, never while money may be on its way (D1, D2)."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum

import structlog

from paymux.connectors import contract as c
from paymux.orders import calls, opening, store
from paymux.orders.asking import Answered, as_it_is, ask_provider
from paymux.orders.core import Core, facts_of
from paymux.orders.deadlines import FIRST_POLL, LAST_POLL, chosen_deadline, deadline_of
from paymux.orders.decide import Deciding, deciding
from paymux.orders.model import Kind, Order
from paymux.platform.http import CallFailed

log = structlog.get_logger()
SOON = timedelta(seconds=1)


async def end_unpaid(core: Core, order: Order, *, by: str) -> Order:
    """A deadline or a merchant's cancel (D1): wait for money in flight, ask, and cancel what is unpaid."""
    if by == "MERCHANT":
        order = await calls.settled(core, await as_it_is(core, order.id))
    asked = await ask_provider(core, order, "deadline", confirm=False)
    if asked.order.status.final or await _put_off(core, asked, by):
        return await as_it_is(core, order.id)
    closed = await close_checkout(core, asked.order)
    if closed is Closed.REFUSED:
        # Perhaps because it was paid meanwhile.
        asked = await ask_provider(core, asked.order, "deadline", confirm=False)
        if asked.order.status.final or await _put_off(core, asked, by):
            return await as_it_is(core, order.id)

    async def end(desk: Deciding) -> None:
        if desk.order.status.final or await _waits(desk, by):
            return
        for op in await desk.operations(Kind.CONFIRM, Kind.CREATE):
            await desk.failed(op, "order_cancelled", f"the order was cancelled before its {op.kind}", ours=True)
        await desk.outcome("cancelled", cancelled_by=by)
        if closed is Closed.UNKNOWN:
            await desk.timer("cancel_checkout", desk.now + FIRST_POLL)

    return (await deciding(core, order.id, _source(by), end)).order


def _source(by: str) -> str:
    return "deadline" if by == "SYSTEM" else "merchant"


async def _put_off(core: Core, asked: Answered, by: str) -> bool:
    """Whether an order can't end now: money is known or in flight, or its checkout was completed and not expired (D2)."""
    put_off = False

    async def look(desk: Deciding) -> None:
        nonlocal put_off
        if desk.order.status.final:
            put_off = True  # it ended while the provider was asked
            return
        put_off = await _waits(desk, by)
        completed = isinstance(asked.report, c.Pending) and asked.report.completed
        held = by == "SYSTEM" and chosen_deadline(desk.order) is None and (completed or desk.order.underway)
        if not put_off and held:
            # Nobody set a time-out, and the provider has the shopper's order and still decides: the poll goes on.
            put_off = True
            await desk.timer("deadline", desk.now + timedelta(hours=1))
        elif not put_off:
            # Said before the provider is told: its own event of the end may overtake its answer.
            await desk.change(cancelled_by=by)

    await deciding(core, asked.order.id, _source(by), look)
    return put_off


async def _waits(desk: Deciding, by: str) -> bool:
    """Whether the end has to wait: for money that is known or in flight, or because the deadline has moved."""
    order = desk.order
    flying = [op for op in await desk.operations(*calls.MONEY) if op.pending and (op.calls > 0 or order.authorised)]
    if order.authorised is None and not flying:
        if by == "SYSTEM" and deadline_of(order) > desk.now:
            await desk.timer("deadline", deadline_of(order))
            return True
        return False
    if by == "SYSTEM" and not order.status.final:
        # A call that somebody alive is at ends soon; an outcome that nobody knows takes its time.
        calling = [op for op in flying if await store.leased(desk.tx, op)]
        late = min(max(desk.now - deadline_of(order), FIRST_POLL), LAST_POLL)
        await desk.timer("deadline", desk.now + (SOON if calling else late))
    return True


class Closed(Enum):
    """What became of closing a checkout at the provider: `NOTHING` where it can't be, or there is none."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    NOTHING = "nothing"


async def close_checkout(core: Core, order: Order) -> Closed:
    """Close the checkout at the provider, so that nobody can pay it any more (D1)."""
    if order.session is None or not facts_of(order).capabilities.cancel:
        return Closed.NOTHING
    async with core.database.connection() as held:
        connector = await core.connector(held, order)
    try:
        await connector.cancel_checkout(opening.checkout_of(order))
        return Closed.DONE
    except c.Refused as no:
        log.info("checkout.cancel_refused", order=order.id, reason=no.code)
        return Closed.REFUSED
    except CallFailed:
        return Closed.UNKNOWN
    except Exception:  # a connector's own mistake: it may be closed or not
        log.exception("connector.failed", connector=order.connector, kind="cancel")
        return Closed.UNKNOWN
