"""What the page's session and the order at Order Management mean to the core."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from paymux.connectors.contract import (
    Approved,
    Cancelled,
    Checkout,
    Declined,
    MoveKind,
    Paid,
    Pending,
    ProviderMove,
    Report,
)
from paymux.connectors.klarna.answers import Order, Page, raw
from paymux.money import Money
from paymux.platform.http import Answer

_OPEN = {
    "WAITING": "the shopper has not come yet",
    "IN_PROGRESS": "the shopper is on the page",
    "BACK": "the shopper went back and may return",
    "MANUAL_ID_CHECK": "the shopper has to be identified",
    "FAILED": "declined, but the shopper may try again",
    "ERROR": "an error on the page, but the shopper may try again",
}
_DEAD = {"CANCELLED": "the shopper cancelled at Klarna", "DISABLED": "the page was disabled"}
_TOKEN_LOST = "the answer that named the customer token was lost"  # noqa: S105
_CAPTURABLE = frozenset({"AUTHORIZED", "PART_CAPTURED"})
# After these nothing can be captured any more, whatever they say is left.
_ENDED = frozenset({"EXPIRED", "CLOSED"})
_KNOWN = _CAPTURABLE | _ENDED | {"CAPTURED", "CANCELLED"}
_DECIDED = frozenset({"ACCEPTED", "REJECTED"})


def report_of_page(page: Page, answer: Answer, *, get_token: bool) -> Report:
    """The report of a page's session that names no order. Approved only where our confirm places the order."""
    said: dict[str, Any] = {"session": page.session_id, "raw": raw(answer)}
    if page.status in _DEAD:
        return Cancelled(reason=_DEAD[page.status], **said)
    if page.status == "COMPLETED":
        if get_token and page.authorization_token:
            return Approved(**said)
        return Pending(reason="the order is being placed", completed=True, **said)
    return Pending(reason=_OPEN.get(page.status, f"unknown page status {page.status}"), **said)


def token_of(checkout: Checkout) -> dict[str, str]:
    """What a read order says of its customer token: an order never names one, so it was kept by confirm or lost."""
    lost = checkout.get_token and "customer_token" not in checkout.state
    return {"token_failure": _TOKEN_LOST} if lost else {}


def report_of(order: Order, answer: Answer, session: str | None, **more: Any) -> Report:
    """The report of an order. `session` is the page's id as Klarna named it; `more` goes into a `Paid`."""
    said: dict[str, Any] = {"session": session, "reference": order.merchant_reference1, "raw": raw(answer)}
    if order.status not in _KNOWN:
        return Pending(reason=f"unknown order status {order.status}", completed=True, **said)
    if order.fraud_status == "REJECTED" and not order.captured_amount:
        return Declined(reason="Klarna rejected the order after its fraud check", code="REJECTED", **said)

    def major(amount: int) -> Decimal:
        return Money.from_minor(amount, order.purchase_currency).amount

    voided, expired = _gone(order)
    original = order.order_amount if order.original_order_amount is None else order.original_order_amount
    return Paid(
        payment_id=order.order_id,
        total=Money(major(original), order.purchase_currency),
        captured=major(order.captured_amount),
        voided=major(voided),
        refunded=major(order.refunded_amount),
        expired=major(expired),
        moves=_moves(order),
        authorised_until=order.expires_at if order.status in _CAPTURABLE else None,
        underway=order.status in _CAPTURABLE and order.fraud_status not in _DECIDED,
        **said,
        **more,
    )


def _gone(order: Order) -> tuple[int, int]:
    """What was voided and what expired, in minor units; Klarna lists neither, so it is what is missing."""
    original = order.order_amount if order.original_order_amount is None else order.original_order_amount
    if order.status in _ENDED:
        return max(original - order.order_amount, 0), max(order.order_amount - order.captured_amount, 0)
    left = 0 if order.status == "CANCELLED" else order.remaining_authorized_amount
    return max(original - order.captured_amount - left, 0), 0


def _moves(order: Order) -> tuple[ProviderMove, ...] | None:
    """Captures and refunds one by one. Klarna echoes the reference that each was made with: our key if it was us."""
    if order.captures is None and order.refunds is None:
        return None

    def move(kind: MoveKind, amount: int, id: str, reference: str | None) -> ProviderMove:
        money = Money.from_minor(amount, order.purchase_currency)
        return ProviderMove(kind=kind, amount=money.amount, provider_id=id, key=reference or None)

    captures = [move(MoveKind.CAPTURE, c.captured_amount, c.capture_id, c.reference) for c in order.captures or ()]
    refunds = [move(MoveKind.REFUND, r.refunded_amount, r.refund_id, r.reference) for r in order.refunds or ()]
    return (*captures, *refunds)
