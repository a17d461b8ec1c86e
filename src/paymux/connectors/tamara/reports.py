"""What Tamara's orders say, in the core's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from paymux.connectors.contract import Approved, Cancelled, Declined, Expired, Paid, Pending, Report
from paymux.connectors.tamara.answers import Authorisation, Order
from paymux.platform.http import Unclear

ZERO = Decimal(0)


def of_authorisation(done: Authorisation, body: Mapping[str, Any] | None) -> Report:
    """What the answer to our authorise call says; it names no reference of ours."""
    total = done.authorized_amount.money
    captured = {"authorised": ZERO, "fully_captured": total.amount}.get(done.status)
    if captured is None:
        return Pending(reason=f"authorised as {done.status[:64]}", completed=True, session=done.order_id, raw=body)
    return Paid(payment_id=done.order_id, total=total, captured=captured, session=done.order_id, raw=body)


def _new(order: Order, said: Mapping[str, Any]) -> Report:
    return Pending(reason="the shopper has not finished", **said)


def _on_hold(order: Order, said: Mapping[str, Any]) -> Report:
    return Pending(reason="Tamara holds the order", completed=True, **said)


def _approved(order: Order, said: Mapping[str, Any]) -> Report:
    return Approved(**said)


def _declined(order: Order, said: Mapping[str, Any]) -> Report:
    return Declined(reason="Tamara declined the shopper", code=order.status, **said)


def _expired(order: Order, said: Mapping[str, Any]) -> Report:
    return Expired(reason="the shopper did not pay, or the order was not authorised, in time", **said)


def _canceled(order: Order, said: Mapping[str, Any]) -> Report:
    if order.canceled_amount is not None and order.canceled_amount.amount:
        return _paid(order, said)
    return Cancelled(reason="the order was cancelled at Tamara", **said)


def _paid(order: Order, said: Mapping[str, Any]) -> Report:
    captured, canceled, refunded = order.captured_amount, order.canceled_amount, order.refunded_amount
    if captured is None or canceled is None or refunded is None:
        raise Unclear("a paid order without its amounts")
    return Paid(
        payment_id=order.order_id, total=order.total_amount.money, captured=captured.amount, voided=canceled.amount,
        refunded=refunded.amount, moves=order.moves, **said,
    )  # fmt: skip


_MEANING: dict[str, Callable[[Order, Mapping[str, Any]], Report]] = {
    "new": _new,
    "on_hold": _on_hold,
    "approved": _approved,
    "declined": _declined,
    "expired": _expired,
    "canceled": _canceled,
    **dict.fromkeys(
        ("authorised", "updated", "partially_captured", "fully_captured", "partially_refunded", "fully_refunded"), _paid
    ),
}


def of_order(order: Order, body: Mapping[str, Any] | None, *, authorised: bool) -> Report:
    """What an order says; a status that is not documented is asked about again.

    `expired` of an order that we have authorised is not the end of an unpaid checkout: what was open has expired.
    """
    said: dict[str, Any] = {"session": order.order_id, "reference": order.order_reference_id, "raw": body}
    meaning = _MEANING.get(order.status)
    if meaning is None:
        return Pending(reason=f"unknown order status {order.status[:64]}", completed=True, **said)
    if meaning is _expired and authorised:
        gone = order.total_amount.amount
        for part in (order.captured_amount, order.canceled_amount):
            gone -= part.amount if part else ZERO
        return Paid(
            payment_id=order.order_id, total=order.total_amount.money, expired=max(gone, ZERO), moves=order.moves,
            captured=order.captured_amount.amount if order.captured_amount else None, **said,
        )  # fmt: skip
    return meaning(order, said)
