"""The form that Alma demands of what merchants send, and its errors: the simulator's half that keeps nothing."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from paymux.sandbox.simulator import ErrorAnswer

_TEXTS = ("locale", "origin")
_URLS = ("return_url", "customer_cancel_url", "failure_return_url", "ipn_callback_url")
_COUNTS = ("installments_count", "deferred_days", "deferred_months", "expires_after")
_MONTH = int(timedelta(days=30).total_seconds())
_LOCALES = re.compile(r"[a-z]{2}([_-][A-Z]{2})?")


class ApiError(ErrorAnswer):
    """An error answer with Alma's message; its words are the sandbox's own."""

    @property
    def body(self) -> dict[str, Any]:
        """The answer's body."""
        return {"error_code": self.code, "message": self.message, "errors": [{"message": self.message}]}


def check_payment(body: Any) -> int:
    """A payment's body has what Alma demands; its amount in cents. Raises ApiError."""
    payment = _object(body, "payment")
    amount = cents(payment, "purchase_amount")
    for name in _URLS:
        # Only the address to come back to is demanded.
        if (name == "return_url" or name in payment) and not re.fullmatch(r"https?://\S+", _text(payment, name)):
            raise fault(name)
    for name in _COUNTS:
        if name in payment and (type(payment[name]) is not int or payment[name] < 0):
            raise fault(name)
    for name in _TEXTS:
        if name in payment:
            _text(payment, name)
    if "locale" in payment and not _LOCALES.fullmatch(payment["locale"]):
        raise fault("locale")
    for name in ("custom_data", "billing_address", "shipping_address", "cart"):
        if name in payment:
            _object(payment, name)
    for item in payment.get("cart", {}).get("items", []):
        _text(item, "title")
        cents(item, "quantity")
        # A line may cost nothing: Alma's own client refuses only what is below.
        cents(item, "line_price", least=0)
    for name in ("customer", "order"):
        if name in body:
            _object(body, name)
    return amount


def instalments(payment: dict[str, Any], created: int, amount: int, paid: int) -> list[dict[str, Any]]:
    """The plan of a payment: equal parts a month apart from when it starts, the first with what can't be divided.

    `amount` in cents, `created` in seconds since 1970; as many as `paid` of the first are paid.
    """
    count = payment.get("installments_count") or 3
    start = created + int(timedelta(days=payment.get("deferred_days") or 0).total_seconds())
    start += (payment.get("deferred_months") or 0) * _MONTH
    return [
        {
            "due_date": start + number * _MONTH, "purchase_amount": amount // count + (0 if number else amount % count),
            "customer_fee": 0, "state": "paid" if number < paid else "pending",
        }
        for number in range(count)
    ]  # fmt: skip


def cents(body: Any, name: str, least: int = 1) -> int:
    """A whole number, not below the least. Raises ApiError."""
    value = body.get(name) if isinstance(body, dict) else None
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise fault(name)
    return value


def fault(field: str) -> ApiError:
    """A field that is missing or wrong."""
    return ApiError(400, "validation_error", f"{field} is missing or invalid")


def _object(body: Any, name: str) -> dict[str, Any]:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, dict):
        raise fault(name)
    return value


def _text(body: Any, name: str) -> str:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str) or not value:
        raise fault(name)
    return value
