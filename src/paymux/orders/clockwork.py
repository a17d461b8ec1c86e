"""What the clock brings: polls, deadlines, authorisation expiry, watching and repairing. One handler per timer (D1, U3, S4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial

import structlog

from paymux.orders import calls, reports, settling, store
from paymux.orders.asking import as_it_is, ask_provider
from paymux.orders.core import Core, facts_of
from paymux.orders.deadlines import DEFAULT_DEADLINE, FIRST_POLL, LAST_POLL, backoff
from paymux.orders.decide import LATE, Deciding, deciding
from paymux.orders.ending import Closed, close_checkout, end_unpaid
from paymux.orders.model import Kind, Order, Status
from paymux.orders.views import order_event
from paymux.platform.database import Connection

log = structlog.get_logger()
WATCH_AFTER_EXPIRY = timedelta(hours=1)
GIVE_UP = timedelta(days=30)
SWEPT_AT_ONCE = 1_000
"""Timers that one transaction of the start-up sweep wakes at most."""
CREATE_TRIES = 3


async def run_timer(core: Core, payload: str) -> None:
    """Do what is due for an order. Payload: `order id|what|subject|when`. Not due any more, or at another time: nothing.

    Raises NotYet where its provider has all the places of jobs that it gets: then nothing was touched.
    """
    order_id, what, subject, *when = payload.split("|")  # an earlier version's jobs name no time
    with ExitStack() as place:
        if (order := await _taken_up(core, order_id, what, subject, when, place)) is None:
            return
        if what == "operation":
            await _operation(core, order_id, subject)
        else:
            await _HANDLERS[what](core, order)


async def _taken_up(
    core: Core, order_id: str, what: str, subject: str, when: list[str], place: ExitStack
) -> Order | None:
    """The order whose timer is due, with a place among the jobs where its provider is called; None: nothing to do."""
    async with core.database.transaction() as tx:
        now = await core.clock.refresh(tx)
        # Under the order's lock: a decision that drops this timer right now must not find it set again afterwards.
        order = await store.lock_order(tx, order_id)
        due = await store.timer_due(tx, order_id, what, subject)
        if due is None or (when and due != datetime.fromisoformat(when[0])):
            return None  # whoever moved it has enqueued a job of its own
        if due > now:
            await store.wake(tx, order_id, {(what, subject): due}, now)
            return None
        if what == "poll" and await _deadline_is_due(tx, order, now):
            await store.set_timer(tx, order_id, "poll", now + FIRST_POLL, now)
            return None
        if what != "expiry_notice":
            # Before anything is written: whoever finds no place comes again as if he had not been here.
            place.enter_context(core.place_for(order))
        # Should we die at it, it comes again.
        await store.set_timer(tx, order_id, what, now + timedelta(seconds=core.settings.lease + 2), now, subject)
    return order


async def _operation(core: Core, order_id: str, operation_id: str) -> None:
    decision = await calls.run_operation(core, operation_id)
    async with core.database.transaction(patient=True) as tx:
        now = await core.clock.refresh(tx)
        order = await store.lock_order(tx, order_id)
        op = await store.operation(tx, operation_id)
        if not op.pending:
            await store.drop_timers(tx, order_id, "operation", subject=operation_id)
        elif decision is None and (left := await store.lease_left(tx, op)) is not None:
            # Somebody is at it. Should he die, it is due at the moment his lease has lapsed, and not a round later.
            await store.set_timer(tx, order.id, "operation", now + left + calls.LAPSED, now, operation_id)


async def _poll(core: Core, order: Order) -> None:
    """U3: 30 s doubling to 600 s, hourly once the provider should long have decided."""
    asked = await ask_provider(core, order, "poll")
    order = asked.order
    if not order.status.final and _confirm_is_due(core, order):
        await calls.run_all(
            core, await deciding(core, order.id, "poll", partial(reports.approved, certain=order.approval_seen))
        )

    async def plan(desk: Deciding) -> None:
        order, facts = desk.order, desk.facts
        if order.status.final and (asked.answered or not facts.capabilities.status):
            await store.drop_timers(desk.tx, order.id, "poll")
            return
        since = order.completed_at or order.checkout_expires_at or order.created_at
        # An installation that was down itself finds everything late: without an answer it asks a few times more.
        able = facts.capabilities.status
        told = asked.report is not None or not able or order.polls >= settling.ASKED_BEFORE_LATE
        slow = told and desk.now - since > timedelta(seconds=facts.times.decides_within)
        await desk.change(polls=order.polls + 1)
        await desk.timer("poll", desk.now + (timedelta(hours=1) if slow else backoff(order.polls + 1)))
        if slow and order.completed_at is not None and not order.status.final:
            await desk.review(LATE)
        if slow and not able:
            await store.drop_timers(desk.tx, order.id, "poll")

    await deciding(core, order.id, "poll", plan)


async def _deadline_is_due(tx: Connection, order: Order, now: datetime) -> bool:
    """Whether the order's deadline is about to ask what a poll would: then the poll waits for what becomes of it.

    Under the order's lock, or a deadline that ends the order right now would find its poll set again afterwards.
    """
    if order.status.final or facts_of(order).capabilities.confirm_by_poll:
        return False
    due = await store.timer_due(tx, order.id, "deadline", "")
    return due is not None and due <= now


def _confirm_is_due(core: Core, order: Order) -> bool:
    """Where paying needs our confirmation the poll tries it, too, until the checkout expires (design 7)."""
    able = facts_of(order).capabilities
    if not able.confirm or order.session is None or order.authorised is not None:
        return False
    alive = order.checkout_expires_at is None or core.clock.now() < order.checkout_expires_at
    return order.approval_seen or (able.confirm_by_poll and alive)


async def _deadline(core: Core, order: Order) -> None:
    if not order.status.final:
        await end_unpaid(core, order, by="SYSTEM")


async def _cancel_checkout(core: Core, order: Order) -> None:
    """The cancelling of an ended order's checkout goes on until it is closed or long expired (D1)."""
    closed = await close_checkout(core, order)

    async def plan(desk: Deciding) -> None:
        if closed is Closed.UNKNOWN and not _dead(desk):
            await desk.timer("cancel_checkout", desk.now + LAST_POLL)
        else:
            await store.drop_timers(desk.tx, order.id, "cancel_checkout")

    await deciding(core, order.id, "cancel", plan)


def _dead(desk: Deciding, grace: timedelta = WATCH_AFTER_EXPIRY) -> bool:
    order = desk.order
    expires = order.checkout_expires_at or order.created_at + DEFAULT_DEADLINE
    return desk.now > expires + grace


async def _watch(core: Core, order: Order) -> None:
    """An order that failed is watched until nobody can pay it any more (T3)."""
    asked = await ask_provider(core, order, "watch")

    async def plan(desk: Deciding) -> None:
        due = await store.timer_due(desk.tx, desk.order.id, "watch", "")
        if due is None:
            return
        # Long after the end, the last words of a provider that does not answer are not waited for.
        over = _dead(desk) and asked.answered and not desk.order.underway
        if over or _dead(desk, GIVE_UP) or desk.order.status is Status.SUCCESSFUL:
            await store.drop_timers(desk.tx, desk.order.id, "watch")
            return
        await desk.change(polls=desk.order.polls + 1)
        await desk.timer("watch", desk.now + backoff(desk.order.polls))

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
                    **order_event(desk.core.keyring, desk.order),
                    "authorizationExpiresAt": until.isoformat(),
                    "notice": "authorization_expires",
                },
            )

    await deciding(core, order.id, "clock", tell)


async def _expiry(core: Core, order: Order) -> None:
    """The stored deadline of an authorisation: ask the provider; what is still open then has expired (S4)."""
    asked = await ask_provider(core, order, "expiry")

    async def expire(desk: Deciding) -> None:
        until = desk.order.authorised_until
        if desk.order.open == 0 or until is None:
            await store.drop_timers(desk.tx, order.id, "expiry", "expiry_notice")
        elif until > desk.now:
            await desk.timer("expiry", until)
        elif (asked.report is None and desk.facts.capabilities.status) or await desk.pending_amount(
            Kind.CAPTURE, Kind.VOID
        ):
            await desk.timer("expiry", desk.now + LAST_POLL)
        else:
            await reports.expire(desk, desk.order.open)
            await reports.conclude(desk)

    await deciding(core, order.id, "expiry", expire)


async def _create(core: Core, order: Order) -> None:
    """Try a lost create again (U2)."""
    await retry_create(core, order)


async def retry_create(core: Core, order: Order, *, patient: bool = True) -> Order:
    """Open the checkout that a lost answer left open, now; the order as it is then (U2).

    Not `patient`: the shopper waits. When the third try has failed, too, the order ends ERROR and he goes back to
    the shop: no money has moved, and nobody holds the URL of a checkout that may have come about.
    """
    async with core.database.transaction() as tx:
        pending = [op for op in await store.operations(tx, order.id) if op.kind is Kind.CREATE and op.pending]
        if not pending or order.status.final:
            await store.drop_timers(tx, order.id, "create")
    if not pending or order.status.final:
        return await as_it_is(core, order.id)
    decision = await calls.run_operation(core, pending[0].id)
    if decision is None or patient:
        return decision.order if decision is not None else await as_it_is(core, order.id)

    async def end(desk: Deciding) -> None:
        op = await store.operation(desk.tx, pending[0].id)
        if op.pending and op.calls >= CREATE_TRIES:
            await desk.failed(op, "provider_unreachable", "the checkout could not be opened", 502, ours=True)
            await desk.outcome("broken", failure_reason="the checkout could not be opened")

    return (await deciding(core, order.id, "shopper", end)).order


async def sweep(core: Core, batch: int = SWEPT_AT_ONCE) -> int:
    """At start-up: wake every timer that is long due, in case its job was lost. How many there were."""
    woken, last, more = 0, ("", "", ""), True
    while more:
        async with core.database.transaction() as tx:
            now = await core.clock.refresh(tx)
            lapsed = await store.lapsed_timers(tx, now - timedelta(seconds=60), batch, last)
            for row in lapsed:
                # The job alone: to write the timers of many orders, none of them locked, would cross decisions on them.
                last = (row["order_id"], row["what"], row["subject"])
                await store.wake(tx, row["order_id"], {(row["what"], row["subject"]): row["due_at"]}, now)
        woken, more = woken + len(lapsed), len(lapsed) == batch
    return woken


_HANDLERS: dict[str, Callable[[Core, Order], Awaitable[None]]] = {
    "poll": _poll,
    "deadline": _deadline,
    "cancel_checkout": _cancel_checkout,
    "watch": _watch,
    "expiry_notice": _expiry_notice,
    "expiry": _expiry,
    "create": _create,
}
