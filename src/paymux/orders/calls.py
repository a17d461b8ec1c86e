"""Runs claimed operations: takes the lease, calls the provider, lets `decide` settle it; asks before it repeats (U1, U4)."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from paymux.connectors import contract as c
from paymux.money import InexactAmount, Money
from paymux.orders import opening, reports, store
from paymux.orders.core import Core, facts_of
from paymux.orders.decide import Deciding, Decision, backoff, deadline_of, deciding
from paymux.orders.model import ZERO, Kind, Operation, Order, Status
from paymux.platform.crash_points import CrashPoint, passing
from paymux.platform.http import CallFailed, NotSent

log = structlog.get_logger()

MOVES = {Kind.CAPTURE: c.MoveKind.CAPTURE, Kind.VOID: c.MoveKind.VOID, Kind.REFUND: c.MoveKind.REFUND}


@dataclass(frozen=True, slots=True)
class _Taken:
    """An operation under our lease: its order, and whether a call may have left before."""

    op: Operation
    order: Order
    connector: c.Connector
    again: bool
    move: c.Move | None


async def run_operation(core: Core, operation_id: str) -> Decision | None:
    """Run an operation until it is settled or unknown. None when somebody alive is at it, or it is settled."""
    taken = await _take(core, operation_id)
    if taken is None:
        return None
    passing(CrashPoint.CLAIMED)
    async with _kept(core, taken.op.id):
        if not taken.again:
            settle = await _call(core, taken)
        else:
            settle = await _ask(core, taken)
    return await _decided(core, taken, settle)


async def call_claimed(core: Core, op: Operation, order: Order) -> Decision:
    """Call for an operation that was claimed with its lease a moment ago, in the claiming transaction."""
    async with core.database.transaction() as tx:
        taken = _Taken(op, order, await core.connector(tx, order), again=False, move=None)
    passing(CrashPoint.CLAIMED)
    async with _kept(core, op.id):
        settle = await _call(core, taken)
    return await _decided(core, taken, settle)


async def _decided(core: Core, taken: _Taken, settle: Any) -> Decision:
    passing(CrashPoint.CALLED)
    decision = await deciding(core, taken.order.id, f"operation:{taken.op.kind}", settle)
    passing(CrashPoint.DECIDED)
    return await run_all(core, decision)


async def run_all(core: Core, decision: Decision) -> Decision:
    """Run what a decision left to run, one after the other; the timers repeat it should we die here."""
    for operation_id in decision.run:
        again = await run_operation(core, operation_id)
        if again is not None:
            decision = Decision(again.order, ())
    return decision


async def _take(core: Core, operation_id: str) -> _Taken | None:
    async with core.database.transaction() as tx:
        now = await core.clock.refresh(tx)
        op = await store.operation(tx, operation_id)
        order = await store.lock_order(tx, op.order_id)
        op = await store.operation(tx, operation_id)
        if not op.pending or not await store.lease(tx, op, f"{core.holder}:{uuid.uuid4()}", core.settings.lease):
            return None
        op = await store.operation(tx, operation_id)
        again = op.calls > 0
        if not again:
            op = await store.update_operation(tx, op, now, calls=1)
        # Should we die now, the timer asks once the lease has lapsed.
        await store.set_timer(tx, order.id, "operation", now + timedelta(seconds=core.settings.lease + 1), now, op.id)
        move = await _move(tx, order, op) if op.kind in MOVES else None
        return _Taken(op, order, await core.connector(tx, order), again, move)


async def _move(tx: Any, order: Order, op: Operation) -> c.Move:
    before = [o for o in await store.operations(tx, order.id) if o.kind is op.kind and o.id != op.id]
    held = sum((o.amount or ZERO for o in before if o.pending and o.currency is None), ZERO)
    left = order.captured - order.refunded if op.kind is Kind.REFUND else order.open
    amount = op.amount or ZERO
    return c.Move(
        key=op.key, reference=op.reference, amount=Money(amount, op.currency or order.currency),
        open=amount if op.currency else max(left - held, amount), captured=order.captured,
        first=not any(o.status == "SUCCESSFUL" for o in before), description=op.description,
    )  # fmt: skip


@contextlib.asynccontextmanager
async def _kept(core: Core, operation_id: str) -> AsyncIterator[None]:
    """Renew the lease while its living holder waits for a slow provider (U4)."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(core.settings.lease / 3)
            with contextlib.suppress(Exception):
                async with core.database.transaction() as tx:
                    op = await store.operation(tx, operation_id)
                    if op.holder is not None:
                        await store.renew_lease(tx, operation_id, op.holder, core.settings.lease)

    task = asyncio.create_task(renew())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


# -- the call ---------------------------------------------------------------------------------------


async def _call(core: Core, taken: _Taken) -> Any:
    """Make the call; return what to decide. Nothing here touches the database but reading the order's request."""
    op, connector = taken.op, taken.connector
    try:
        if taken.move is not None:
            return _moved(op, await _send_move(taken))
        if op.kind is Kind.CREATE:
            order = await opening.order_to_pay(core, taken.order)
            return _opened(op, await connector.create_checkout(order, op.key))
        if op.kind is Kind.CONFIRM:
            return _reported(op, await connector.confirm(opening.checkout_of(taken.order), op.key))
        order, token = await opening.token_to_charge(core, taken.order)
        return _reported(op, await connector.charge_token(order, token, op.key))
    except c.Refused as no:
        return _refused(op, no)
    except InexactAmount as no:
        return _refused(op, c.Refused(str(no), "inexact_amount"))
    except NotSent as fault:
        return _not_sent(op, str(fault))
    except CallFailed as fault:
        return _unknown(op, str(fault))
    except Exception as fault:  # a connector's own mistake: the call may have left, so nobody knows
        log.exception("connector.failed", connector=taken.order.connector, kind=str(op.kind))
        return _unknown(op, type(fault).__name__)


async def _send_move(taken: _Taken) -> c.MoveResult:
    checkout, move = opening.checkout_of(taken.order), taken.move
    assert move is not None
    if taken.op.kind is Kind.CAPTURE:
        return await taken.connector.capture(checkout, move)
    if taken.op.kind is Kind.VOID:
        return await taken.connector.void(checkout, move)
    return await taken.connector.refund(checkout, move)


# -- asking before repeating ----------------------------------------------------------------------------


async def _ask(core: Core, taken: _Taken) -> Any:
    """A call may have left and nobody knows: ask; repeat only what is declared idempotent (U1)."""
    op, able, facts = taken.op, taken.connector.facts.capabilities, taken.connector.facts
    idempotent = getattr(facts.idempotent, str(op.kind), False)
    readable = getattr(facts.readable, str(op.kind), False)
    if op.kind is Kind.CREATE:
        # No money moves at create and nobody holds its URL: try it again (U2).
        return await _again(core, taken, fresh=not idempotent)
    if op.kind is Kind.CONFIRM and op.provider_id is None and able.recover_confirm:
        try:
            found = await taken.connector.recover_confirm(opening.checkout_of(taken.order), op.key)
        except (c.Refused, CallFailed) as fault:
            return _unknown(op, str(fault))
        return _reported(op, found) if found is not None else await _again(core, taken, fresh=True)
    if not readable:
        if idempotent and op.provider_id is None:
            return await _again(core, taken, fresh=False)
        return _for_a_person(op) if op.provider_id is None else _unknown(op, "underway")
    return await _read(core, taken, repeat=idempotent and op.provider_id is None)


async def _read(core: Core, taken: _Taken, *, repeat: bool) -> Any:
    op, connector = taken.op, taken.connector
    checkout = opening.checkout_of(taken.order)
    try:
        if op.kind in MOVES and connector.facts.capabilities.find_move:
            found = await connector.find_move(checkout, MOVES[op.kind], op.key, op.provider_id)
            if found is not None:
                return _found(op, found)
        elif connector.facts.capabilities.status:
            report = await connector.fetch(checkout)
            if isinstance(report, c.Paid) or op.kind not in MOVES:
                decision = await deciding(core, taken.order.id, "ask", lambda desk: reports.apply_report(desk, report))
                async with core.database.transaction() as tx:
                    if not (await store.operation(tx, op.id)).pending:
                        return _nothing(decision)
                if op.kind is Kind.CHARGE_TOKEN or (op.kind is Kind.CONFIRM and not isinstance(report, c.Approved)):
                    repeat = repeat and isinstance(report, c.Pending)
    except (c.Refused, CallFailed) as fault:
        return _unknown(op, str(fault))
    return await _again(core, taken, fresh=False) if repeat else _unknown(op, "not seen yet")


async def _again(core: Core, taken: _Taken, *, fresh: bool) -> Any:
    """Repeat a call: with its first key, or with a new one when the first surely had no effect."""
    op = taken.op
    if fresh:
        async with core.database.transaction() as tx:
            op = await store.update_operation(tx, op, core.clock.now(), key=str(uuid.uuid4()), calls=op.calls + 1)
    return await _call(core, _Taken(op, taken.order, taken.connector, True, taken.move))


# -- what is decided afterwards ---------------------------------------------------------------------------


def _opened(op: Operation, answer: c.Redirect | c.Declined) -> Any:
    async def settle(desk: Deciding) -> None:
        if isinstance(answer, c.Declined):
            await desk.failed(op, answer.code or "declined", answer.reason)
            await desk.keep_raw(answer)
            await desk.outcome("declined", reject_reason=answer.reason or answer.code)
            return
        if desk.order.status.final:
            # Nobody holds this checkout's URL, and nobody will: close it there.
            await desk.change(session=answer.session, connector_state=dict(answer.state))
            await desk.timer("cancel_checkout", desk.now)
            await desk.failed(op, "order_final", "the order ended before its checkout was opened")
            return
        changes: dict[str, Any] = {
            "session": answer.session, "connector_state": dict(answer.state), "checkout_url": answer.url,
            "checkout_form": dict(answer.form) if answer.form else None, "checkout_expires_at": answer.expires_at,
        }  # fmt: skip
        if answer.expires_at is None and desk.facts.times.checkout is not None:
            changes["checkout_expires_at"] = desk.now + timedelta(seconds=desk.facts.times.checkout)
        await desk.change(**changes)
        await desk.succeeded(op, answer.session)
        await store.drop_timers(desk.tx, desk.order.id, "create")
        if not await desk.outcome("redirect"):
            await desk.timer("deadline", deadline_of(desk.order))
            if desk.facts.capabilities.status:
                await desk.timer("poll", desk.now + backoff(0))

    return settle


def _reported(op: Operation, report: c.Report) -> Any:
    async def settle(desk: Deciding) -> None:
        await reports.apply_report(desk, report)
        current = await store.operation(desk.tx, op.id)
        if not current.pending:
            return
        if isinstance(report, c.Declined):
            await desk.failed(current, report.code or "declined", report.reason)
        elif isinstance(report, c.Cancelled | c.Expired | c.Broken):
            await desk.failed(current, "not_paid", report.reason)
        elif isinstance(report, c.Pending) and op.kind is Kind.CONFIRM and not report.completed:
            # The shopper has not agreed yet: the claim stays, to be called again at the next sign of it.
            await store.update_operation(desk.tx, current, desk.now, calls=0, holder=None)
            await store.drop_timers(desk.tx, desk.order.id, "operation", subject=op.id)
        else:
            await _wait(desk, current, "underway")

    return settle


def _moved(op: Operation, result: c.MoveResult) -> Any:
    async def settle(desk: Deciding) -> None:
        current = await store.operation(desk.tx, op.id)
        if isinstance(result, c.Moved):
            await desk.succeeded(current, result.provider_id)
        elif current.pending:
            current = await store.update_operation(desk.tx, current, desk.now, provider_id=result.provider_id)
            await _wait(desk, current, "underway")

    return settle


def _found(op: Operation, move: c.ProviderMove) -> Any:
    async def settle(desk: Deciding) -> None:
        current = await store.operation(desk.tx, op.id)
        if move.status is c.MoveStatus.DONE:
            await desk.succeeded(current, move.provider_id)
        elif move.status is c.MoveStatus.FAILED:
            await desk.failed(current, "provider_refused", move.reason or "refused by the provider")
        else:
            await _wait(desk, current, "underway")

    return settle


def _refused(op: Operation, no: c.Refused) -> Any:
    async def settle(desk: Deciding) -> None:
        current = await store.operation(desk.tx, op.id)
        repeated = op.calls > 1 or op.asks > 0
        if repeated and op.kind in MOVES and getattr(desk.facts.readable, str(op.kind)):
            # A repeat's no may be the first try's yes ("already captured"): only reading settles it.
            await _wait(desk, current, no.reason)
            return
        await desk.failed(current, no.code or "provider_refused", no.reason)
        if op.kind in (Kind.CREATE, Kind.CONFIRM, Kind.CHARGE_TOKEN):
            await desk.outcome("declined", reject_reason=no.reason)

    return settle


def _not_sent(op: Operation, reason: str) -> Any:
    """The request certainly never left (502)."""

    async def settle(desk: Deciding) -> None:
        current = await store.operation(desk.tx, op.id)
        if op.calls > 1 or op.asks > 0 or op.initiator == "SYSTEM":
            waiting = op.kind is not Kind.CREATE or desk.order.status is not Status.INITIATED
            if waiting:
                if op.calls == 1 and op.asks == 0 and current.pending:
                    # It surely had no effect, so it may simply be called again.
                    current = await store.update_operation(desk.tx, current, desk.now, calls=0)
                await _wait(desk, current, reason)
                return
        await desk.failed(current, "provider_unreachable", f"the provider could not be reached: {reason}", 502)
        if op.kind in (Kind.CREATE, Kind.CHARGE_TOKEN):
            await desk.outcome("broken", failure_reason="the provider could not be reached")

    return settle


def _unknown(op: Operation, reason: str) -> Any:
    async def settle(desk: Deciding) -> None:
        current = await store.operation(desk.tx, op.id)
        if not current.pending:
            return
        if op.kind is Kind.CREATE:
            await desk.outcome("unknown")
        else:
            await desk.outcome("pending")
        facts = facts_of(desk.order)
        known = getattr(facts.readable, str(op.kind), False) or getattr(facts.idempotent, str(op.kind), False)
        recoverable = op.kind is Kind.CREATE or (op.kind is Kind.CONFIRM and facts.capabilities.recover_confirm)
        if known or recoverable or current.provider_id is not None:
            await _wait(desk, current, reason)
        else:
            await _for_a_person(op)(desk)

    return settle


def _for_a_person(op: Operation) -> Any:
    """Neither idempotent nor readable: it stays PENDING, its amount blocked, and is listed (U1)."""

    async def settle(desk: Deciding) -> None:
        current = await store.operation(desk.tx, op.id)
        if current.pending:
            await store.update_operation(desk.tx, current, desk.now, needs_review=True, holder=None)
            await store.drop_timers(desk.tx, desk.order.id, "operation", subject=op.id)
            await desk.review(f"nobody knows whether the {op.kind} {op.reference} happened; ask the provider")

    return settle


async def _wait(desk: Deciding, op: Operation, reason: str) -> None:
    """Ask again later: 30 s doubling to 600 s, and tell a person when it takes too long (U1, U3)."""
    if not op.pending:
        return
    await store.update_operation(desk.tx, op, desk.now, asks=op.asks + 1, holder=None)
    slow = desk.now - op.created_at > timedelta(seconds=desk.facts.times.decides_within)
    await desk.timer("operation", desk.now + (timedelta(hours=1) if slow else backoff(op.asks)), op.id)
    if slow and op.kind is not Kind.CREATE:
        await store.update_operation(desk.tx, op, desk.now, needs_review=True)
        await desk.review(f"the {op.kind} {op.reference} has been undecided for too long: {reason}")


def _nothing(decision: Decision) -> Any:
    async def settle(desk: Deciding) -> None:
        desk.run.extend(decision.run)

    return settle
