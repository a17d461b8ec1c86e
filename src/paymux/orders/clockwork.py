"""What the clock brings: polls, deadlines, authorisation expiry, watching and repairing. One handler per timer (D1, U3, S4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import structlog

from paymux.connectors import contract as c
from paymux.orders import calls, opening, reports, store
from paymux.orders.core import Core, facts_of
from paymux.orders.decide import Deciding, Decision, backoff, deadline_of, deciding
from paymux.orders.model import Kind, Order, Status
from paymux.orders.views import order_event
from paymux.platform.http import CallFailed

log = structlog.get_logger()
WATCH_AFTER_EXPIRY = timedelta(hours=1)
SOON = timedelta(seconds=1)
_MONEY = (Kind.CONFIRM, Kind.CHARGE_TOKEN, Kind.CAPTURE)


async def run_timer(core: Core, payload: str) -> None:
    """Do what is due for an order. Payload: `order id|what|subject`. Not due any more: nothing."""
    order_id, what, subject = payload.split("|", 2)
    async with core.database.transaction() as tx:
        now = await core.clock.refresh(tx)
        due = await store.timer_due(tx, order_id, what, subject)
        if due is None:
            return
        if due > now:
            await store.set_timer(tx, order_id, what, due, now, subject)
            return
        # Should we die at it, it comes again.
        await store.set_timer(tx, order_id, what, now + timedelta(seconds=core.settings.lease + 2), now, subject)
        order = await store.order_by_id(tx, order_id)
    if what == "operation":
        await _operation(core, order_id, subject)
    else:
        await _HANDLERS[what](core, order)


async def _operation(core: Core, order_id: str, operation_id: str) -> None:
    await calls.run_operation(core, operation_id)
    async with core.database.transaction() as tx:
        op = await store.operation(tx, operation_id)
        if not op.pending:
            await store.drop_timers(tx, order_id, "operation", subject=operation_id)


async def ask(core: Core, order: Order, source: str) -> Decision | None:
    """Ask the provider for the state of an order and decide on it. None when there is no answer."""
    if order.session is None or not facts_of(order).capabilities.status:
        return None
    async with core.database.transaction() as tx:
        connector = await core.connector(tx, order)
    try:
        report = await connector.fetch(opening.checkout_of(order))
    except (c.Refused, CallFailed) as fault:
        log.info("provider.no_answer", order=order.id, source=source, fault=str(fault))
        return None
    decision = await deciding(core, order.id, source, lambda desk: reports.apply_report(desk, report))
    return await calls.run_all(core, decision)


async def _poll(core: Core, order: Order) -> None:
    """U3: 30 s doubling to 600 s, hourly once the provider should long have decided."""
    decision = await ask(core, order, "poll")
    order = decision.order if decision else order
    if not order.status.final and _confirm_is_due(core, order):
        await calls.run_all(
            core, await deciding(core, order.id, "poll", partial(reports.approved, certain=order.approval_seen))
        )

    async def plan(desk: Deciding) -> None:
        order, facts = desk.order, desk.facts
        if order.status.final:
            await store.drop_timers(desk.tx, order.id, "poll")
            return
        since = order.completed_at or order.checkout_expires_at or order.created_at
        slow = desk.now - since > timedelta(seconds=facts.times.decides_within)
        await desk.change(polls=order.polls + 1)
        await desk.timer("poll", desk.now + (timedelta(hours=1) if slow else backoff(order.polls + 1)))
        if slow and order.completed_at is not None:
            await desk.review("the provider has not decided for too long")

    await deciding(core, order.id, "poll", plan)


def _confirm_is_due(core: Core, order: Order) -> bool:
    """Where paying needs our confirmation the poll tries it, too, until the checkout expires (design 7)."""
    able = facts_of(order).capabilities
    if not able.confirm or order.session is None or order.authorised is not None:
        return False
    alive = order.checkout_expires_at is None or core.clock.now() < order.checkout_expires_at
    return order.approval_seen or (able.confirm_by_poll and alive)


async def _deadline(core: Core, order: Order) -> None:
    if not order.status.final:
        await end_unpaid(core, order.id, by="SYSTEM")


async def end_unpaid(core: Core, order_id: str, *, by: str) -> Order:
    """A deadline or a merchant's cancel (D1): wait for money in flight, ask, and cancel what is unpaid."""
    async with core.database.transaction() as tx:
        order = await store.order_by_id(tx, order_id)
    asked = await ask(core, order, "deadline")
    order = asked.order if asked else order
    if order.status.final:
        return order

    async def end(desk: Deciding) -> None:
        flying = [op for op in await desk.operations(*_MONEY) if op.pending and (op.calls > 0 or desk.order.authorised)]
        if desk.order.authorised is not None or any(flying):
            if by == "SYSTEM" and not desk.order.status.final:
                # A call that somebody alive is at ends soon; an outcome that nobody knows takes its time.
                calling = [op for op in flying if await store.leased(desk.tx, op)]
                await desk.timer("deadline", desk.now + (SOON if calling else backoff(0)))
            return
        if by == "SYSTEM" and deadline_of(desk.order) > desk.now:
            await desk.timer("deadline", deadline_of(desk.order))
            return
        for op in await desk.operations(Kind.CONFIRM, Kind.CREATE):
            if op.pending and op.kind is Kind.CONFIRM:
                await desk.failed(op, "order_cancelled", "the order was cancelled before it was confirmed")
        await desk.outcome("cancelled", cancelled_by=by)
        if desk.order.session is not None and desk.facts.capabilities.cancel:
            await desk.timer("cancel_checkout", desk.now)

    decision = await deciding(core, order_id, "deadline" if by == "SYSTEM" else "merchant", end)
    if decision.order.status is Status.CANCELED:
        await _cancel_checkout(core, decision.order)
    return decision.order


async def _cancel_checkout(core: Core, order: Order) -> None:
    """Close the checkout at the provider; goes on by job until it is closed or long expired (D1)."""
    if order.session is None or not facts_of(order).capabilities.cancel:
        return
    async with core.database.transaction() as tx:
        connector = await core.connector(tx, order)
    closed = True
    try:
        await connector.cancel_checkout(opening.checkout_of(order))
    except c.Refused as no:
        log.info("checkout.cancel_refused", order=order.id, reason=no.reason)
    except CallFailed:
        closed = False

    async def plan(desk: Deciding) -> None:
        if closed or _dead(desk):
            await store.drop_timers(desk.tx, order.id, "cancel_checkout")
        else:
            await desk.timer("cancel_checkout", desk.now + backoff(3))

    await deciding(core, order.id, "cancel", plan)


def _dead(desk: Deciding) -> bool:
    order = desk.order
    expires = order.checkout_expires_at or order.created_at + timedelta(hours=24)
    return desk.now > expires + WATCH_AFTER_EXPIRY


async def _watch(core: Core, order: Order) -> None:
    """An order that failed is watched until nobody can pay it any more (T3)."""
    if order.status is Status.SUCCESSFUL:
        return
    decision = await ask(core, order, "watch")

    async def plan(desk: Deciding) -> None:
        await desk.change(polls=desk.order.polls + 1)
        settled = desk.order.authorised is not None and desk.order.open == 0
        if _dead(desk) and (decision is not None or not desk.facts.capabilities.status):
            await store.drop_timers(desk.tx, desk.order.id, "watch")
        elif decision is not None and await store.timer_due(desk.tx, desk.order.id, "watch", "") is None:
            return
        else:
            await desk.timer("watch", desk.now + (timedelta(hours=1) if settled else backoff(desk.order.polls)))

    await deciding(core, order.id, "watch", plan)


async def _expiry_notice(core: Core, order: Order) -> None:
    """Tell the merchant before an authorisation expires (S4)."""

    async def tell(desk: Deciding) -> None:
        await store.drop_timers(desk.tx, order.id, "expiry_notice")
        if desk.order.open > 0 and desk.order.authorised_until is not None:
            until = desk.order.authorised_until
            await desk.announce(
                "ORDER_STATUS_UPDATE",
                {
                    **order_event(desk.order),
                    "authorizationExpiresAt": until.isoformat(),
                    "notice": "authorization_expires",
                },
            )

    await deciding(core, order.id, "clock", tell)


async def _expiry(core: Core, order: Order) -> None:
    """The stored deadline of an authorisation: ask the provider; what is still open then has expired (S4)."""
    decision = await ask(core, order, "expiry")

    async def expire(desk: Deciding) -> None:
        until = desk.order.authorised_until
        if desk.order.open == 0 or until is None:
            await store.drop_timers(desk.tx, order.id, "expiry", "expiry_notice")
        elif until > desk.now:
            await desk.timer("expiry", until)
        elif (decision is None and desk.facts.capabilities.status) or await desk.pending_amount(
            Kind.CAPTURE, Kind.VOID
        ):
            await desk.timer("expiry", desk.now + backoff(5))
        else:
            await desk.change(expired=desk.order.expired + desk.order.open)
            await desk.note("expired", amount=desk.order.expired)
            await store.drop_timers(desk.tx, order.id, "expiry", "expiry_notice")

    await deciding(core, order.id, "expiry", expire)


async def _create(core: Core, order: Order) -> None:
    """Try a lost create again (U2)."""
    await retry_create(core, order)


async def retry_create(core: Core, order: Order) -> Order:
    """Open the checkout that a lost answer left open, now; the order as it is then."""
    async with core.database.transaction() as tx:
        pending = [op for op in await store.operations(tx, order.id) if op.kind is Kind.CREATE and op.pending]
        if not pending or order.status.final:
            await store.drop_timers(tx, order.id, "create")
    if pending and not order.status.final:
        decision = await calls.run_operation(core, pending[0].id)
        if decision is not None:
            return decision.order
    async with core.database.transaction() as tx:
        return await store.order_by_id(tx, order.id)


async def sweep(core: Core) -> int:
    """At start-up: wake every timer that is long due, in case its job was lost. How many there were."""
    async with core.database.transaction() as tx:
        now = await core.clock.refresh(tx)
        await store.forget_old_keys(tx, now - timedelta(days=30))
        lapsed = await store.lapsed_timers(tx, now - timedelta(seconds=60))
        for row in lapsed:
            await store.set_timer(tx, row["order_id"], row["what"], now, now, row["subject"])
    return len(lapsed)


_HANDLERS: dict[str, Callable[[Core, Order], Awaitable[None]]] = {
    "poll": _poll,
    "deadline": _deadline,
    "cancel_checkout": _cancel_checkout,
    "watch": _watch,
    "expiry_notice": _expiry_notice,
    "expiry": _expiry,
    "create": _create,
}
