"""What a provider's report does to an order: does it count (T1), and which money moved (T3, T4, U1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import structlog

from paymux.connectors import contract as c
from paymux.money import is_currency
from paymux.orders import store
from paymux.orders.core import facts_of
from paymux.orders.deadlines import FIRST_POLL
from paymux.orders.decide import Deciding, refused_reason
from paymux.orders.model import ZERO, Initiator, Kind, Operation, OperationStatus, Order, Status

log = structlog.get_logger()

_KIND_OF = {
    c.MoveKind.CAPTURE: Kind.CAPTURE,
    c.MoveKind.VOID: Kind.VOID,
    c.MoveKind.REFUND: Kind.REFUND,
    c.MoveKind.CHARGEBACK: Kind.CHARGEBACK,
}


async def apply_report(desk: Deciding, report: c.Report) -> None:
    """Decide on a provider's report of this order's checkout."""
    if isinstance(report, c.Paid):
        await desk.keep_raw(report)
        fault = await _fault(desk, report)
        if fault is None and _given_back(desk.order, report):
            await desk.review("a payment that was given back as not this order's is reported as this order's now")
        elif fault is None:
            await _paid(desk, report)
        else:
            await _not_ours(desk, report, fault)
    elif (fault := _foreign(desk.order, report)) is not None:
        # Another checkout's end, or another order's, says nothing of this one (T1).
        log.warning("report.foreign", order=desk.order.id, source=desk.source, fault=fault)
    else:
        await _unpaid(desk, report)


async def _fault(desk: Deciding, paid: c.Paid) -> str | None:
    fault = mismatch(desk.order, paid)
    if fault is None and desk.order.session is None and paid.session is not None:
        # A create whose answer was lost left no session of ours; an id unknown to us is never trusted (U2).
        charged = await desk.operations(Kind.CHARGE_TOKEN)
        return None if charged else "session"
    return fault


def _given_back(order: Order, paid: c.Paid) -> bool:
    """Whether this payment was another's when it was seen first (T1): what is left of it pays for nothing any more."""
    return order.paid_seen and order.authorised is None and paid.payment_id == order.payment_id


def mismatch(order: Order, paid: c.Paid) -> str | None:
    """Why a payment does not count for this order (T1); None when it does."""
    fault = _foreign(order, paid)
    if fault is not None or paid.total is None:
        return fault
    if paid.total.currency != order.currency:
        return "currency"
    return "amount" if paid.total.amount != order.amount else None


def _foreign(order: Order, report: c.Report) -> str | None:
    if report.session is not None and order.session is not None and report.session != order.session:
        return "session"
    if report.reference is not None and report.reference != order.provider_reference:
        return "reference"
    return None


async def _unpaid(desk: Deciding, report: c.Report) -> None:
    order = desk.order
    ended = isinstance(report, c.Declined | c.Cancelled | c.Expired | c.Broken)
    if order.authorised is not None:
        # Money is known; a report that denies it contradicts what the provider said before.
        if ended and (not order.status.final or await _holds_money(desk) or await _counted_on(desk)):
            await _denied(desk, report)
        return
    if isinstance(report, c.Pending):
        await desk.outcome("pending")
        if report.completed:
            await desk.completed()
    elif isinstance(report, c.Approved):
        await keep_state(desk, report)
        await approved(desk)
    elif isinstance(report, c.Declined):
        await desk.keep_raw(report)
        if order.cancelled_by is not None:
            # Some have one word for a refusal and for the cancelling that we have asked for ourselves (D1).
            await desk.outcome("cancelled", cancelled_by=order.cancelled_by)
        else:
            await desk.outcome("declined", reject_reason=report.reason or report.code)
    elif isinstance(report, c.Cancelled):
        await desk.outcome("cancelled", cancelled_by=order.cancelled_by or "USER")
    elif isinstance(report, c.Expired):
        await desk.outcome("expired", cancelled_by=order.cancelled_by or "SYSTEM")
    elif isinstance(report, c.Broken):
        await desk.outcome("broken", failure_reason=report.reason or report.code)
    if ended and desk.order.status.final:
        # The provider itself calls the checkout dead: nothing is left to watch (T3).
        await store.drop_timers(desk.tx, order.id, "watch", "cancel_checkout")


async def _denied(desk: Deciding, report: c.Report) -> None:
    """An end is reported of an order whose money we hold to be there: for a person (U3).

    What arrives by itself may be old, such as the refusal of a try before the one that paid: where the provider can be
    asked, his answer to that counts, and the poll brings it.
    """
    if desk.source in ("event", "return") and desk.facts.capabilities.status:
        await desk.timer("poll", desk.now)
    else:
        await _listed_once(desk, f"the provider reports {type(report).__name__.lower()} after a payment")


async def _listed_once(desk: Deciding, reason: str) -> None:
    """List what the provider says again in every report: once a person has settled it, it is no news any more."""
    reason = " ".join(reason.split())
    noted = [row["detail"] for row in await store.events(desk.tx, desk.order.id) if row["kind"] == "needs_review"]
    if reason not in [detail.get("reason") for detail in noted]:
        await desk.review(reason)


async def _holds_money(desk: Deciding) -> bool:
    """Whether captured money is there that is not on its way back to the shopper either."""
    return desk.order.captured - desk.order.refunded > await desk.pending_amount(Kind.REFUND)


async def _counted_on(desk: Deciding) -> bool:
    """Whether a merchant still relies on an authorisation, to capture it once he has delivered."""
    order = desk.order
    if order.status is not Status.SUCCESSFUL or (order.authorised_until or desk.now) < desk.now:
        return False
    return order.open > await desk.pending_amount(Kind.VOID)


async def keep_state(desk: Deciding, approval: c.Approved) -> None:
    """Keep what an approval brought, on an order that has ended, too: its provider may give it once, such as a token."""
    order = desk.order
    if approval.state and order.authorised is None and _foreign(order, approval) is None:
        await desk.change(connector_state={**order.connector_state, **approval.state})


async def approved(desk: Deciding, *, certain: bool = True) -> None:
    """Our confirm is due: claim it, once. Not `certain`: a poll tries it without a sign that the shopper agreed."""
    order = desk.order
    if order.status.final or order.authorised is not None:
        return
    if certain:
        await desk.completed()
        if not order.approval_seen:
            await desk.change(approval_seen=True)
    op = await store.claim(desk.tx, order, Kind.CONFIRM, desk.now, reference="confirm", initiator=Initiator.SYSTEM)
    if op is None:
        op = await store.operation_by_reference(desk.tx, order.id, Kind.CONFIRM, "confirm")
    if op is not None and op.pending:
        if op.calls == 0:
            await desk.timer("operation", desk.now + timedelta(seconds=5), op.id)
        desk.run.append(op.id)


async def _not_ours(desk: Deciding, paid: c.Paid, fault: str) -> None:
    """A payment that is not this order's: never announced as paid, listed, and given back (T1)."""
    order = desk.order
    if order.status is Status.INITIATED:
        await desk.outcome("pending")
    await desk.review(f"the provider reports a payment with another {fault}")
    if fault == "session" or order.paid_seen or order.authorised is not None:
        return
    if fault == "reference" and paid.session is None and desk.source in ("return", "event"):
        # Perhaps another order's own news, brought to the wrong place: its money is that order's to keep.
        return
    await desk.change(payment_id=order.payment_id or paid.payment_id,
                      connector_state={**order.connector_state, **paid.state})  # fmt: skip
    if paid.underway and not desk.facts.capabilities.void:
        return  # nothing can be given back before it is there (S5)
    total = paid.total or order.total
    captured = _captured(desk, paid, total.amount) or ZERO
    await desk.change(paid_seen=True)
    await _send_back(desk, Kind.REFUND, captured - (paid.refunded or ZERO), total.currency)
    await _send_back(desk, Kind.VOID, total.amount - captured - (paid.voided or ZERO) - paid.expired, total.currency)


async def _send_back(desk: Deciding, kind: Kind, amount: Decimal, currency: str) -> None:
    able = desk.facts.capabilities
    if amount > 0 and not is_currency(currency):
        await desk.review(f"{amount} that are not this order's can't be given back: {currency[:9]!r} is no currency")
    elif amount > 0 and (able.refund if kind is Kind.REFUND else able.void):
        await desk.claim_system(kind, amount, f"not-ours-{kind}", currency)
    elif amount > 0:
        await desk.review(f"{amount} {currency} that are not this order's can't be given back: there is no {kind}")


async def _paid(desk: Deciding, paid: c.Paid) -> None:
    order = desk.order
    settled = [op for op in await desk.operations(Kind.CONFIRM, Kind.CHARGE_TOKEN) if op.pending]
    if order.authorised is None and nothing_came_of_it(paid):
        await desk.outcome("cancelled", cancelled_by=order.cancelled_by or "USER")
        for op in settled:
            await desk.failed(op, "cancelled", "the payment was voided at the provider", ours=True)
        return
    changes: dict[str, Any] = {
        # Until one counts, the latest is the one that is being decided: the shopper may have paid anew after a refusal.
        "payment_id": paid.payment_id if order.underway else order.payment_id or paid.payment_id,
        "connector_state": {**order.connector_state, **paid.state},
        "session": order.session or paid.session,
        "surcharge": paid.surcharge or order.surcharge,
    }
    if any(changes[name] != getattr(order, name) for name in changes):
        await desk.change(**changes)
    await desk.completed()
    await desk.token(paid)
    for op in settled:
        await desk.succeeded(op, paid.payment_id)
    if paid.underway and order.authorised is None:
        # A fraud check or debit is still open: the money is not there yet (S5).
        await desk.outcome("authorised")
        return
    if order.authorised is None:
        await desk.change(authorised=order.amount)
        await desk.note("authorised", amount=order.amount)
    desk.absorbing = True
    await _absorb(desk, paid)
    await _expire(desk, paid.expired)
    desk.absorbing = False
    await _keep_deadline(desk, paid)
    await conclude(desk)
    if paid.review:
        await _listed_once(desk, paid.review)


async def _keep_deadline(desk: Deciding, paid: c.Paid) -> None:
    """When what is open expires: as the provider says, else as its documentation does (S4)."""
    order, life = desk.order, desk.facts.times.authorisation
    if paid.authorised_until is not None:
        await desk.expires(paid.authorised_until)
    elif order.authorised_until is None and order.open > 0 and life is not None:
        await desk.expires((order.completed_at or desk.now) + timedelta(seconds=life))


def nothing_came_of_it(paid: c.Paid) -> bool:
    """Whether a payment was set free whole before anything of it was captured."""
    total = paid.total.amount if paid.total else None
    gone = (paid.voided or ZERO) + paid.expired
    return not paid.captured and total is not None and gone >= total


async def conclude(desk: Deciding) -> None:
    """From the amounts, now whole, to the status and what follows."""
    order, able = desk.order, desk.facts.capabilities
    if order.status is Status.SUCCESSFUL:
        await desk.after_capture()
    elif order.status.final:
        await desk.outcome("authorised", paid_seen=True)
    elif not order.auto_capture:
        await desk.outcome("paid", paid_seen=True)
        await desk.after_capture()
    elif order.open > 0:
        await desk.outcome("authorised", paid_seen=True)
        if able.capture_after_authorisation and not await desk.pending_amount(Kind.CAPTURE, Kind.VOID):
            await desk.claim_system(Kind.CAPTURE, desk.order.open, "auto-capture")
    elif order.captured > 0:
        await desk.outcome("paid", paid_seen=True)
    else:
        await desk.outcome("broken", failure_reason="the authorisation ended before it was captured")


async def _absorb(desk: Deciding, paid: c.Paid) -> None:
    """Make our operations and totals equal to what the provider says, whole."""
    if paid.moves is not None:
        for move in paid.moves:
            await _absorb_move(desk, move)
    listed = {_KIND_OF[move.kind] for move in paid.moves or ()}
    captured = _captured(desk, paid, desk.order.amount)
    voided = voided_in_time(desk.order, paid)
    for kind, total in ((Kind.CAPTURE, captured), (Kind.VOID, voided), (Kind.REFUND, paid.refunded)):
        if total is not None and kind not in listed:
            await _absorb_total(desk, kind, total)


def voided_in_time(order: Order, paid: c.Paid) -> Decimal | None:
    """What the provider says was voided, but for what we count as expired and it calls a void, too, where it does."""
    if paid.voided is None or not facts_of(order).voids_what_expires:
        return paid.voided
    return max(paid.voided - max(order.expired - paid.expired, ZERO), ZERO)


def _captured(desk: Deciding, paid: c.Paid, total: Decimal) -> Decimal | None:
    """What was captured; a sale whose provider names no amount has captured the total."""
    if paid.captured is None and desk.order.auto_capture and not desk.facts.capabilities.capture_after_authorisation:
        return total
    return paid.captured


def _counted(order: Order, kind: Kind) -> Decimal:
    return {Kind.CAPTURE: order.captured, Kind.VOID: order.voided, Kind.REFUND: order.refunded}[kind]


def _maker(desk: Deciding, kind: Kind) -> Initiator:
    """Who made a movement that nobody claimed: a sale's capture is the system's, anything else the provider's (T4)."""
    sale = kind is Kind.CAPTURE and desk.order.auto_capture and not desk.order.captured
    return Initiator.SYSTEM if sale else Initiator.PROVIDER


async def _absorb_move(desk: Deciding, move: c.ProviderMove) -> None:
    kind = _KIND_OF[move.kind]
    ours = await desk.operations(kind)
    known = next((op for op in ours if _same(op, move)), None)
    waiting = [op for op in ours if op.pending and op.calls > 0 and op.provider_id is None]
    counted = [op for op in ours if op.status is OperationStatus.SUCCESSFUL and op.provider_id is None]
    if move.key is None and str(kind) in desk.facts.moves_echo_keys:
        waiting, counted = [], [op for op in counted if op.initiator is not Initiator.MERCHANT]
    done = move.status is c.MoveStatus.DONE
    if known is None and move.key is None and done:
        # Only what happened is taken for ours by its amount alone: a refusal may be that of an earlier try.
        alike = [op for op in waiting if op.amount == move.amount]
        if _told_apart(desk, kind, alike):
            alike = []
        known = next((op for op in (*counted, *alike) if op.amount == move.amount), None)
    if known is not None:
        await _settle(desk, known, move)
    elif not done:
        return
    elif waiting and move.key is None:
        # Ours may be this one under another amount; ask again once it is settled.
        await desk.timer("poll", desk.now + FIRST_POLL)
    else:
        await desk.moved_by(
            kind, move.amount, _maker(desk, kind), f"provider-{move.provider_id}"[:128], move.provider_id
        )


def _told_apart(desk: Deciding, kind: Kind, waiting: Sequence[Operation]) -> bool:
    """Whether it comes out by itself which of several it was: by repeating each under its own key, where that is safe."""
    repeated = desk.facts.idempotent.has(str(kind)) and all(op.provider_id is None for op in waiting)
    return repeated and len(waiting) > 1


def _same(op: Operation, move: c.ProviderMove) -> bool:
    return (move.key is not None and op.key == move.key) or (
        bool(move.provider_id) and op.provider_id == move.provider_id
    )


async def _settle(desk: Deciding, op: Operation, move: c.ProviderMove) -> None:
    if move.status is c.MoveStatus.DONE:
        await desk.succeeded(op, move.provider_id)
    elif move.status is c.MoveStatus.FAILED:
        await desk.failed(op, "provider_refused", move.reason or "refused by the provider")
        if op.status is OperationStatus.SUCCESSFUL and move.provider_id and op.provider_id == move.provider_id:
            # Final is final; whether the money is back, and how it gets to the shopper, is for a person to find out.
            await desk.review(f"the provider reports the {op.kind} {op.reference} as failed after it was done")


async def _absorb_total(desk: Deciding, kind: Kind, total: Decimal) -> None:
    extra = total - _counted(desk.order, kind)
    if extra <= 0:
        return
    waiting = [op for op in await desk.operations(kind) if op.pending and op.calls > 0]
    match = next((op for op in waiting if op.amount == extra), None)
    if waiting and sum((op.amount or ZERO for op in waiting), ZERO) == extra:
        for op in waiting:
            await desk.succeeded(op, None)
    elif match is not None and not _told_apart(desk, kind, waiting):
        await desk.succeeded(match, None)
    elif not waiting:
        limit = desk.order.captured - desk.order.refunded if kind is Kind.REFUND else desk.order.open
        if extra > limit:
            await desk.review(f"the provider reports more {kind} than there can be")
            return
        if kind is Kind.VOID and _ran_out(desk):
            await expire(desk, extra)  # nobody voided it: that is how this provider lets go of what ran out (S4)
            return
        number = len(await desk.operations(kind)) + 1
        await desk.moved_by(kind, extra, _maker(desk, kind), f"provider-{kind}-{number}", None)
    else:
        await desk.timer("poll", desk.now + FIRST_POLL)


def _ran_out(desk: Deciding) -> bool:
    until = desk.order.authorised_until
    return desk.facts.voids_what_expires and until is not None and until <= desk.now


async def _expire(desk: Deciding, expired: Decimal) -> None:
    await expire(desk, min(expired - desk.order.expired, desk.order.open))


async def expire(desk: Deciding, amount: Decimal) -> None:
    """So much of what was open has expired (S4). With nothing left, a void of it has nothing to do any more, sent or not."""
    if amount > 0:
        await desk.change(expired=desk.order.expired + amount)
        await desk.note("expired", amount=amount)
        await store.drop_timers(desk.tx, desk.order.id, "expiry", "expiry_notice")
    if desk.order.open == 0 and desk.order.expired > 0:
        for op in await desk.operations(Kind.VOID):
            await desk.failed(op, "authorisation_expired", "the authorisation expired before it was voided", ours=True)
            if op.status is OperationStatus.FAILED:
                await desk.reviewed(refused_reason(op))
