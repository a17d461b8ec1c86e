"""What a PayPal order and its payments mean to the core."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from paymux.connectors.contract import (
    Approved,
    Cancelled,
    Checkout,
    Declined,
    MoveKind,
    MoveStatus,
    Paid,
    Pending,
    ProviderMove,
    ProviderToken,
    Report,
)
from paymux.connectors.paypal.answers import Authorization, Capture, Order, Payments, Refund
from paymux.connectors.reading import raw
from paymux.money import Money
from paymux.platform.http import Answer, Unclear

ZERO = Decimal(0)
_OPEN = {
    "CREATED": "the shopper has not agreed yet",
    "SAVED": "the order is saved, not paid",
    "PAYER_ACTION_REQUIRED": "the shopper has not agreed yet",
}
# Authorised, with what is left open to be captured.
_HELD = frozenset({"CREATED", "PARTIALLY_CAPTURED"})
# Nothing can be captured any more; what was not captured went back.
_ENDED = frozenset({"CAPTURED", "VOIDED"})


def report_of(order: Order, answer: Answer, checkout: Checkout) -> Report:
    """The report of an order: of its payment, if it has become one, else of the checkout."""
    said: dict[str, Any] = {"session": order.id, "reference": order.unit.custom_id, "raw": raw(answer)}
    payments = order.unit.payments
    if len(order.purchase_units) > 1:
        raise Unclear("the order has purchase units that are not ours")
    if payments.authorizations:
        return _authorised(_ours(payments.authorizations, checkout), payments, said, _token(order, checkout))
    if payments.captures:
        return _sold(payments, said, _token(order, checkout))
    if order.status == "APPROVED":
        return Approved(**said)
    if order.status == "VOIDED":
        return Cancelled(reason="the order was voided at PayPal", **said)
    if order.status == "COMPLETED":
        return Pending(reason="the payment is being made", completed=True, **said)
    return Pending(reason=_OPEN.get(order.status, f"unknown order status {order.status[:64]}"), **said)


def _ours(authorizations: list[Authorization], checkout: Checkout) -> Authorization:
    """The payment's own authorisation; one that was authorised anew at PayPal lists more."""
    return next((a for a in authorizations if a.id == checkout.payment_id), authorizations[0])


def _sold(payments: Payments, said: dict[str, Any], token: dict[str, Any]) -> Report:
    capture = payments.captures[0]
    if capture.refused:
        return Declined(reason="PayPal declined the payment", code=capture.status, **said)
    done = sum((c.amount.value for c in payments.captures if c.done), ZERO)
    return Paid(
        payment_id=capture.id,
        total=capture.amount.money,
        captured=done,
        moves=_moves(payments),
        underway=not capture.done,
        **token,
        **said,
    )


def _authorised(held: Authorization, payments: Payments, said: dict[str, Any], token: dict[str, Any]) -> Report:
    if held.status == "DENIED":
        return Declined(reason="PayPal denied the authorization", code=held.status, **said)
    if held.status != "PENDING" and held.status not in _HELD | _ENDED:
        return Pending(reason=f"unknown authorization status {held.status[:64]}", completed=True, **said)
    captured = sum((c.amount.value for c in payments.captures if c.done), ZERO)
    flying = sum((c.amount.value for c in payments.captures if not c.done and not c.refused), ZERO)
    gone = max(held.amount.value - captured - flying, ZERO) if held.status in _ENDED else ZERO
    return Paid(
        payment_id=held.id,
        total=held.amount.money,
        captured=captured,
        voided=ZERO if held.expired else gone,
        expired=gone if held.expired else ZERO,
        moves=_moves(payments),
        authorised_until=held.expiration_time if held.status in _HELD else None,
        underway=held.status == "PENDING",
        **token,
        **said,
    )


def _token(order: Order, checkout: Checkout) -> dict[str, Any]:
    """The saved agreement, where one was asked for: it is there with the payment, or PayPal did not save it."""
    if not checkout.get_token:
        return {}
    vault = order.vault
    if vault is not None and vault.id and vault.status == "VAULTED":
        return {"token": ProviderToken(value=vault.id)}
    return {
        "token_failure": f"PayPal did not save the account with this payment ({vault.status if vault else 'no vault'})"
    }


def _moves(payments: Payments) -> tuple[ProviderMove, ...]:
    return (*map(move_of_capture, payments.captures), *_refunds(payments.refunds))


def move_of_capture(capture: Capture) -> ProviderMove:
    """A capture as a movement. PayPal echoes no key of ours on it."""
    status = MoveStatus.DONE if capture.done else MoveStatus.FAILED if capture.refused else MoveStatus.UNDERWAY
    return ProviderMove(
        kind=MoveKind.CAPTURE, amount=capture.amount.value, provider_id=capture.id, status=status,
        reason="PayPal declined the capture" if capture.refused else "",
    )  # fmt: skip


def _refunds(refunds: Iterable[Refund]) -> list[ProviderMove]:
    """The refunds as movements: those that one operation of ours took together are one."""
    together: dict[str, list[Refund]] = {}
    for refund in refunds:
        together.setdefault(refund.key or refund.id, []).append(refund)
    return [_refund(parts) for parts in together.values()]


def _refund(parts: list[Refund]) -> ProviderMove:
    first, whole = parts[0], parts[0].whole
    done = sum((part.amount.value for part in parts if part.status == "COMPLETED"), ZERO)
    status = MoveStatus.DONE if done >= whole else MoveStatus.UNDERWAY
    if not done and all(part.refused for part in parts):
        status = MoveStatus.FAILED
    return ProviderMove(
        kind=MoveKind.REFUND, amount=whole, provider_id=first.id, key=first.key, status=status,
        reason="PayPal refused the refund" if status is MoveStatus.FAILED else "",
    )  # fmt: skip


def refundable(payments: Payments) -> dict[str, Decimal]:
    """What is left of each capture, oldest first; a refund that names no capture counts for the only one."""
    left = {capture.id: capture.amount.value for capture in payments.captures if capture.done}
    for refund in payments.refunds:
        named = refund.capture_id or (next(iter(left)) if len(left) == 1 else None)
        if not refund.refused and named in left:
            left[named] -= refund.amount.value
    return {id: amount for id, amount in left.items() if amount > 0}


def spread(amount: Money, left: dict[str, Decimal]) -> dict[str, Decimal]:
    """From which captures to give an amount back: one that holds it all, else the oldest first; empty if all don't."""
    rest = amount.amount
    whole = [id for id, held in left.items() if held >= rest]
    parts: dict[str, Decimal] = {}
    for id in whole[:1] or left:
        if rest > 0:
            parts[id] = min(left[id], rest)
            rest -= parts[id]
    return parts if rest <= 0 else {}
