"""How an order looks from outside: status, details, create answer, webhook data (S1 to S5, W2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

from paymux.money import plain
from paymux.orders.given_words import configuration_of, description_of
from paymux.orders.model import Kind, Operation, Order, Status
from paymux.platform.database import Record, from_json
from paymux.platform.encryption import KeyRing


def instant(at: datetime) -> str:
    """ISO 8601, UTC, milliseconds: `2024-02-28T05:30:56.096Z`."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def number(amount: Decimal) -> Decimal | int:
    """An amount as the JSON number that a client expects: 10, 9.99."""
    return int(amount) if amount == amount.to_integral_value() else amount


def status(keyring: KeyRing, order: Order) -> dict[str, Any]:
    """The answer of `GET /orders/{reference}`."""
    return {
        "merchantReference": order.reference,
        "orderReference": order.reference,
        "status": str(order.status),
        "amount": number(order.amount),
        "surcharge": number(order.surcharge),
        "currency": order.currency,
        "provider": order.code,
        "updatedAt": instant(order.updated_at),
        "failureReason": order.failure_reason,
        "bnplOrderId": order.payment_id or order.session,
        "transactionReference": order.transaction_reference,
        "rejectReason": order.reject_reason,
        "partnerConfiguration": configuration_of(keyring, order),
        "cancelledBy": order.cancelled_by if order.status is Status.CANCELED else None,
        "captureStatus": order.capture_status,
    }


def order_event(keyring: KeyRing, order: Order) -> dict[str, Any]:
    """The `data` of an order event, but for what the outbox adds (W2)."""
    data = status(keyring, order) | {"orderId": order.id, "transactionId": order.transaction_reference}
    if order.get_token and order.token_id is None and order.status is Status.SUCCESSFUL:
        data["tokenFailureReason"] = order.token_failure or "the provider gave no token"
    if order.session_id:
        data["sessionId"] = order.session_id
    if order.partner_reference:
        data["partnerOrderReference"] = order.partner_reference
    return data


_NAMES = {
    Kind.CAPTURE: ("captureReference", "captureId"),
    Kind.VOID: ("voidReference", "voidedId"),
    Kind.REFUND: ("refundReference", "bnplRefundId"),
    Kind.CHARGEBACK: ("refundReference", "bnplRefundId"),
}


def operation_event(order: Order, op: Operation) -> dict[str, Any]:
    """The `data` of an operation event, but for what the outbox adds (W2)."""
    reference, provider_id = _NAMES[op.kind]
    return {
        "orderReference": order.reference,
        reference: op.reference,
        provider_id: op.provider_id or op.id,
        "amount": number(op.amount or Decimal(0)),
        "currency": op.currency or order.currency,
        "status": str(op.status),
        "failureReason": op.failure_reason,
        "initiator": str(op.initiator),
        **({"kind": "chargeback"} if op.kind is Kind.CHARGEBACK else {}),
    }


def created(order: Order, redirect_url: str) -> dict[str, Any]:
    """The answer of `POST /orders`."""
    return {
        "orderId": order.id,
        "orderToken": order.order_token,
        "redirectUrl": redirect_url,
        "bnplProvider": order.code,
        "orderReference": order.reference,
        "orderAmount": number(order.amount),
        "orderPaymentOption": "buy now pay later",
        "orderDate": instant(order.created_at),
        "paymentStatus": str(order.status).lower(),
        "transactionReference": order.transaction_reference,
    }


def captured(keyring: KeyRing, op: Operation) -> dict[str, Any]:
    """The answer of a capture."""
    return {
        "captureReference": op.reference,
        "capturedAmount": number(op.amount or Decimal(0)),
        "captureId": op.provider_id or op.id,
        "status": str(op.status),
        "description": description_of(keyring, op),
    }


def voided(keyring: KeyRing, op: Operation) -> dict[str, Any]:
    """The answer of a void."""
    return {
        "voidReference": op.reference,
        "amount": number(op.amount or Decimal(0)),
        "voidedId": op.provider_id or op.id,
        "status": str(op.status),
        "description": description_of(keyring, op),
    }


def refunded(keyring: KeyRing, order: Order, op: Operation) -> dict[str, Any]:
    """The answer of a refund; its date is RFC 1123, as published."""
    return {
        "refundReference": op.reference,
        "bnplProvider": order.code,
        "refundedAmount": number(op.amount or Decimal(0)),
        "refundStatus": str(op.status),
        "description": description_of(keyring, op),
        "refundDate": format_datetime(op.created_at, usegmt=True),
        "bnplRefundId": op.provider_id or op.id,
    }


def details(
    keyring: KeyRing, order: Order, happened: list[Record], operations: list[Operation], due: Record | None,
    redirect_url: str | None,
) -> dict[str, Any]:  # fmt: skip
    """The answer of `/orders/{reference}/details`; amounts are strings here, as published."""
    shown = status(keyring, order) | {
        "amount": plain(order.amount),
        "surcharge": plain(order.surcharge),
        "orderId": order.id,
        "capturedAmount": plain(order.captured),
        "voidedAmount": plain(order.voided),
        "expiredAmount": plain(order.expired),
        "refundedAmount": plain(order.refunded),
        "authorizedUntil": instant(order.authorised_until) if order.authorised_until else None,
        "transactionHistory": [
            {"transactionId": row["id"], "status": row["status"], "createdAt": instant(row["at"])}
            for row in happened
            if row["kind"] == "status"
        ],
        "refunds": [_refund_row(keyring, order, op) for op in operations if op.kind in (Kind.REFUND, Kind.CHARGEBACK)],
        "orderCaptures": [
            {"captureId": op.reference, **_row(order, op)} for op in operations if op.kind is Kind.CAPTURE
        ],
        "orderVoids": [{"voidId": op.reference, **_row(order, op)} for op in operations if op.kind is Kind.VOID],
        "needsReview": "; ".join(order.reviews) or None,
        "nextStep": {"what": due["what"], "dueAt": instant(due["due_at"])} if due else None,
    }
    if redirect_url is not None:
        shown["redirectUrl"] = redirect_url
    return shown


def _row(order: Order, op: Operation) -> dict[str, Any]:
    return {
        "amount": plain(op.amount or Decimal(0)),
        "currency": op.currency or order.currency,
        "status": str(op.status),
        "createdAt": instant(op.created_at),
        "initiator": str(op.initiator),
        "providerId": op.provider_id,
        "failureReason": op.failure_reason,
        "needsReview": op.needs_review,
    }


def _refund_row(keyring: KeyRing, order: Order, op: Operation) -> dict[str, Any]:
    return {
        "refundId": op.reference,
        **_row(order, op),
        "refundReason": description_of(keyring, op),
        "refundFailureReason": op.failure_reason or "",
        **({"kind": "chargeback"} if op.kind is Kind.CHARGEBACK else {}),
    }


def raw_answer(keyring: KeyRing, order: Order) -> Mapping[str, Any] | None:
    """The provider's own last answer on this order."""
    if order.raw_sealed is None:
        return None
    answer: Mapping[str, Any] = from_json(keyring.unseal(order.raw_sealed, "raw-answer"))
    return answer
