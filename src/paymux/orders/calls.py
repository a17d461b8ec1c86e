"""Runs claimed operations: takes the lease, calls the provider, lets `decide` settle it; asks before it repeats (U1, U4)."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import structlog

from paymux.accounts.model import ProviderAccount
from paymux.connectors import contract as c
from paymux.money import InexactAmount, Money
from paymux.orders import opening, reports, settling, store
from paymux.orders.core import Core
from paymux.orders.decide import Decision, deciding
from paymux.orders.given_words import description_of
from paymux.orders.model import ZERO, Kind, Operation, Order
from paymux.platform.crash_points import CrashPoint, passing
from paymux.platform.database import Connection
from paymux.platform.http import CallFailed, NotSent

log = structlog.get_logger()
MONEY = (Kind.CONFIRM, Kind.CHARGE_TOKEN, Kind.CAPTURE)
LAPSED = timedelta(milliseconds=100)
"""So long after a lease's end somebody else looks: soon, for an order may wait for it."""


def lapse(core: Core) -> timedelta:
    """How long from now until a lease that is taken now has surely lapsed, unless it is renewed (U4)."""
    return timedelta(seconds=core.settings.lease) + LAPSED


@dataclass(frozen=True, slots=True)
class _Taken:
    """An operation under our lease: its order, whether a call may have left before, and what to move."""

    op: Operation
    order: Order
    account: ProviderAccount
    connector: c.Connector
    again: bool = False
    move: c.Move | None = None


async def run_operation(core: Core, operation_id: str) -> Decision | None:
    """Run an operation until it is settled or unknown. None when somebody alive is at it, or it is settled."""
    taken = await _take(core, operation_id)
    if taken is None:
        return None
    passing(CrashPoint.CLAIMED)
    async with _kept(core, taken.op):
        settle = await (_ask if taken.again else _call)(core, taken)
    return await _decided(core, taken, settle)


async def call_claimed(core: Core, op: Operation, order: Order, account: ProviderAccount) -> Decision:
    """Call for an operation that was claimed with its lease a moment ago; `account` is the order's own."""
    taken = _Taken(op, order, account, core.connector_for(order, account, op.id))
    passing(CrashPoint.CLAIMED)
    async with _kept(core, op):
        settle = await _call(core, taken)
    return await _decided(core, taken, settle)


async def _decided(core: Core, taken: _Taken, settle: settling.Settle) -> Decision:
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
    async def take(tx: Connection) -> _Taken | None:
        now = await core.clock.refresh(tx)
        op = await store.operation(tx, operation_id)
        order = await store.lock_order(tx, op.order_id)
        op = await store.operation(tx, operation_id)
        if not op.pending or not await store.lease(tx, op, f"{core.holder}:{uuid.uuid4()}", core.settings.lease):
            return None
        op, again = await store.operation(tx, operation_id), op.calls > 0
        if not again:
            # Counted before it leaves: whoever finds it so later can't know whether it did, and asks.
            op = await store.update_operation(tx, op, now, calls=1, called_at=now)
        # Should we die now, the timer asks once the lease has lapsed.
        await store.set_timer(tx, order.id, "operation", now + lapse(core), now, op.id)
        move = await _move(core, tx, order, op) if op.kind in settling.MOVES else None
        account = await core.account(tx, order)
        return _Taken(op, order, account, core.connector_for(order, account, op.id), again, move)

    return await core.database.decided(take)


async def _move(core: Core, tx: Any, order: Order, op: Operation) -> c.Move:
    before = [o for o in await store.operations(tx, order.id) if o.kind is op.kind and o.id != op.id]
    held = sum((o.amount or ZERO for o in before if o.pending and o.currency is None), ZERO)
    left = order.captured - order.refunded if op.kind is Kind.REFUND else order.open
    amount = op.amount or ZERO
    return c.Move(
        key=op.key, reference=op.reference, amount=Money(amount, op.currency or order.currency),
        open=amount if op.currency else max(left - held, amount), captured=order.captured,
        first=not any(o.status == "SUCCESSFUL" for o in before), description=description_of(core.keyring, op),
    )  # fmt: skip


@contextlib.asynccontextmanager
async def _kept(core: Core, op: Operation) -> AsyncIterator[None]:
    """Renew our lease while we, alive, wait for a slow provider (U4)."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(core.settings.lease / 3)
            with contextlib.suppress(Exception):
                async with core.database.transaction(patient=True) as tx:
                    await store.renew_lease(tx, op.id, op.holder or "", core.settings.lease)

    task = asyncio.create_task(renew())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def settled(core: Core, order: Order) -> Order:
    """Wait a little for a money call that somebody is at: whoever waits here should see its result (D1)."""
    ends = asyncio.get_running_loop().time() + core.settings.race_wait
    while not order.status.final and asyncio.get_running_loop().time() < ends:
        async with core.database.transaction() as tx:
            order = await store.order_by_id(tx, order.id)
            money = [op for op in await store.operations(tx, order.id) if op.pending and op.kind in MONEY]
            busy = [op for op in money if await store.leased(tx, op)]
        # Whoever claimed a capture a moment ago may not have got to its call yet: the first to take its lease calls.
        fresh = [op for op in money if op.kind is Kind.CAPTURE and op.calls == op.asks == 0]
        if order.status.final or not (busy or fresh):
            break
        for op in fresh:
            await run_operation(core, op.id)
        if not fresh:
            await asyncio.sleep(0.1)
    return order


# -- the call ---------------------------------------------------------------------------------------


async def _call(core: Core, taken: _Taken) -> settling.Settle:
    """Make the call; return what to decide. Nothing here touches the database but reading the order's request."""
    op = taken.op
    try:
        return await _called(core, taken)
    except c.Refused as no:
        if op.calls > 1 and op.kind is not Kind.CREATE and taken.connector.turned_away(no):
            # Credentials may change between a call and its repeat: who is not let in learns nothing of the first one.
            return settling.unknown(op, no.reason)
        return settling.refused(op, taken.connector.explained(no))
    except InexactAmount as no:
        return settling.refused(op, c.Refused(str(no), "inexact_amount"))
    except NotSent as fault:
        return settling.not_sent(op, str(fault))
    except CallFailed as fault:
        return settling.unknown(op, str(fault))
    except Exception as fault:  # a connector's own mistake: the call may have left, so nobody knows
        log.exception("connector.failed", connector=taken.order.connector, kind=str(op.kind))
        return settling.unknown(op, type(fault).__name__)


async def _called(core: Core, taken: _Taken) -> settling.Settle:
    op, connector = taken.op, taken.connector
    if taken.move is not None:
        return settling.moved(op, await _send_move(taken))
    if op.kind is Kind.CREATE:
        to_pay = opening.order_to_pay(core, taken.order, taken.account)
        return settling.opened(op, await connector.create_checkout(to_pay, op.key))
    if op.kind is Kind.CONFIRM:
        return settling.answered(op, await connector.confirm(opening.checkout_of(taken.order), op.key))
    to_pay, token = opening.token_to_charge(core, taken.order, taken.account)
    return settling.answered(op, await connector.charge_token(to_pay, token, op.key))


async def _send_move(taken: _Taken) -> c.MoveResult:
    checkout, move = opening.checkout_of(taken.order), taken.move
    assert move is not None
    if taken.op.kind is Kind.CAPTURE:
        return await taken.connector.capture(checkout, move)
    if taken.op.kind is Kind.VOID:
        return await taken.connector.void(checkout, move)
    return await taken.connector.refund(checkout, move)


# -- asking before repeating ----------------------------------------------------------------------------


async def _ask(core: Core, taken: _Taken) -> settling.Settle:
    """A call may have left and nobody knows: ask; repeat only what is declared idempotent (U1).

    What can't be asked for is repeated only while the provider knows our key: after that it would be another call.
    """
    op, able, facts = taken.op, taken.connector.facts.capabilities, taken.connector.facts
    if op.kind is Kind.CREATE:
        # No money moves at create and nobody holds its URL: try it again (U2).
        return await _again(core, taken, fresh=not facts.idempotent.create)
    kind, readable = str(op.kind), bool(getattr(facts.readable, str(op.kind)))
    repeat = facts.idempotent.has(kind) and op.provider_id is None
    if repeat and not facts.readable.shows(kind, whole=op.amount == taken.order.amount):
        repeat = facts.idempotent.bears(kind, op.key_age(core.clock.now()))
    try:
        if op.kind is Kind.CONFIRM and op.provider_id is None and able.recover_confirm:
            found = await taken.connector.recover_confirm(opening.checkout_of(taken.order), op.key)
            return settling.reported(op, found) if found is not None else await _again(core, taken, fresh=True)
        if readable:
            read = await _read(core, taken)
            if read is not None:
                return read
            if op.failure_code is not None:
                return settling.refused_before(op)
    except c.NotThere as no:
        if op.failure_code is not None:
            return settling.refused_before(op)
        if not repeat:
            return settling.unknown(op, str(no))
    except (c.Refused, CallFailed) as fault:
        return settling.unknown(op, str(fault))
    except Exception as fault:  # a connector's own mistake in reading an answer
        log.exception("connector.failed", connector=taken.order.connector, kind=f"ask:{op.kind}")
        return settling.unknown(op, type(fault).__name__)
    if repeat:
        return await _again(core, taken, fresh=False)
    return settling.unknown(op, "not seen yet") if readable or op.provider_id is not None else settling.forgotten(op)


async def _read(core: Core, taken: _Taken) -> settling.Settle | None:
    """What the provider says of an operation when asked; None: it does not show there (yet)."""
    op, connector = taken.op, taken.connector
    checkout, able = opening.checkout_of(taken.order), connector.facts.capabilities
    if op.kind in settling.MOVES and able.find_move:
        move = await connector.find_move(checkout, settling.MOVES[op.kind], op.key, op.provider_id)
        return settling.found(op, move) if move is not None else None
    if not able.status:
        return None
    report = await connector.fetch(checkout)
    if op.kind not in settling.MOVES:
        waits = isinstance(report, c.Approved) or (isinstance(report, c.Pending) and not report.completed)
        return None if waits else settling.reported(op, report)
    if isinstance(report, c.Paid):
        decision = await deciding(core, taken.order.id, "ask", lambda desk: reports.apply_report(desk, report))
        async with core.database.transaction(patient=True) as tx:
            if not (await store.operation(tx, op.id)).pending:
                return settling.nothing(decision)
    return None


async def _again(core: Core, taken: _Taken, *, fresh: bool) -> settling.Settle:
    """Repeat a call: with its first key, or with a new one when the first surely had no effect.

    Not if it was settled while the provider was asked, or if somebody has taken it over since: then it is his to repeat.
    """
    key = str(uuid.uuid4()) if fresh else taken.op.key
    async with core.database.transaction(patient=True) as tx:
        now = await core.clock.refresh(tx)
        await store.lock_order(tx, taken.order.id)
        op = await store.operation(tx, taken.op.id)
        if not op.pending or op.holder != taken.op.holder:
            return settling.left_alone
        await store.renew_lease(tx, op.id, op.holder or "", core.settings.lease)
        called = now if fresh else op.called_at
        op = await store.update_operation(tx, op, now, key=key, calls=op.calls + 1, called_at=called)
    return await _call(core, replace(taken, op=op, again=True))
