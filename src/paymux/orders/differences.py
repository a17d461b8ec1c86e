"""In what an order differs from its provider's own view of it: a comparison that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from paymux.connectors import contract as c
from paymux.money import plain
from paymux.orders.core import facts_of
from paymux.orders.model import ZERO, Kind, Operation, OperationStatus, Order, Status
from paymux.orders.reports import mismatch, nothing_came_of_it, voided_in_time

_MOVES = {
    Kind.CAPTURE: c.MoveKind.CAPTURE, Kind.VOID: c.MoveKind.VOID, Kind.REFUND: c.MoveKind.REFUND,
    Kind.CHARGEBACK: c.MoveKind.CHARGEBACK,
}  # fmt: skip
NOT_THERE = "not there"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs: what, as we have it, and as the provider says. Amounts in major units."""

    what: str
    ours: str
    theirs: str

    def json(self) -> dict[str, str]:
        return {"what": self.what, "ours": self.ours, "theirs": self.theirs}


def differences(
    order: Order,
    operations: Sequence[Operation],
    said: c.Report | c.NotThere,
    apart: Mapping[Kind, Decimal] | None = None,
) -> list[Difference]:
    """How an order and its operations differ from a report; `NotThere` that the provider does not know it.

    What is still on its way (an operation in flight, a payment that is not decided) is no difference: its timer asks.
    `apart` is what the provider knows of our movements when asked for each: a report need not tell those.
    """
    if isinstance(said, c.Paid):
        return list(_paid(order, operations, said, apart or {}))
    held = (order.authorised or ZERO) - order.voided - order.expired
    if not isinstance(said, c.NotThere):
        # Whom everything was given back has a word for it that need not be one of a payment.
        held -= order.refunded + _amount_flying(operations, Kind.REFUND, Kind.VOID)
    theirs = NOT_THERE if isinstance(said, c.NotThere) else type(said).__name__.lower()
    if held > 0:
        return [Difference("payment", plain(held), theirs)]
    ended = isinstance(said, c.Declined | c.Cancelled | c.Expired | c.Broken)
    if ended and order.authorised is None and not order.status.final and not _flying(operations, *Kind):
        return [Difference("status", str(order.status), theirs)]
    return []


def _paid(
    order: Order, operations: Sequence[Operation], paid: c.Paid, apart: Mapping[Kind, Decimal]
) -> Iterator[Difference]:
    fault = mismatch(order, paid)
    if fault is not None:
        # One that is known to be not this order's has been listed for a person, and given back (T1).
        if not (order.paid_seen or order.reviews):
            yield Difference("payment", "none of this order", f"another {fault}")
        return
    if order.authorised is None:
        if nothing_came_of_it(paid) or paid.underway:
            return
        if not _flying(operations, Kind.CONFIRM, Kind.CHARGE_TOKEN):
            yield Difference("authorised", str(order.status), plain(paid.total.amount if paid.total else order.amount))
        return
    if order.status in (Status.INITIATED, Status.PENDING) and _flying(operations, Kind.CAPTURE):
        return
    for kind, told in _moved(order, paid).items():
        theirs = max(told, apart.get(kind, ZERO))
        ours = _counted(order, operations, kind, listed=paid.moves is not None)
        if theirs != ours and not _flying(operations, kind):
            yield Difference(_NAMES[kind], plain(ours), plain(theirs))
    if paid.expired > order.expired and order.open > 0:
        yield Difference("expired", plain(order.expired), plain(paid.expired))


_NAMES = {Kind.CAPTURE: "captured", Kind.VOID: "voided", Kind.REFUND: "refunded", Kind.CHARGEBACK: "charged back"}


def _moved(order: Order, paid: c.Paid) -> dict[Kind, Decimal]:
    """What the provider says has moved, of each kind that it tells."""
    done = [move for move in paid.moves or () if move.status is c.MoveStatus.DONE]
    moved = {
        kind: sum((move.amount for move in done if move.kind is listed), ZERO)
        for kind, listed in _MOVES.items()
        if any(move.kind is listed for move in paid.moves or ())
    }
    captured = paid.captured
    if captured is None and order.auto_capture and not facts_of(order).capabilities.capture_after_authorisation:
        captured = order.amount
    totals = {Kind.CAPTURE: captured, Kind.VOID: voided_in_time(order, paid), Kind.REFUND: paid.refunded}
    return {kind: total for kind, total in totals.items() if total is not None} | moved


def _counted(order: Order, operations: Sequence[Operation], kind: Kind, *, listed: bool) -> Decimal:
    if kind is Kind.CAPTURE:
        return order.captured
    if kind is Kind.VOID:
        return order.voided
    if not listed:
        return order.refunded
    done = [op for op in operations if op.kind is kind and op.status is OperationStatus.SUCCESSFUL]
    return sum((op.amount or ZERO for op in done if op.currency is None), ZERO)


def _flying(operations: Sequence[Operation], *kinds: Kind) -> bool:
    return any(op.pending and op.calls > 0 for op in operations if op.kind in kinds)


def _amount_flying(operations: Sequence[Operation], *kinds: Kind) -> Decimal:
    """What is on its way back, of this order's own money."""
    flying = [op for op in operations if op.kind in kinds and op.pending and op.calls > 0 and op.currency is None]
    return sum((op.amount or ZERO for op in flying), ZERO)
