"""The form that Tabby demands of what merchants send, and its errors: the simulator's half that keeps nothing."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

# QAR and BHD are played as assumed: Tabby's specification lists the other three only.
_DECIMALS = {"AED": 2, "SAR": 2, "QAR": 2, "KWD": 3, "BHD": 3}
_REJECTED_PHONE = re.compile(r"\+?(971|966|0)?500000002|\+?(965)?90000002")
_SPENDING_LIMIT = {2: Decimal(25_000), 3: Decimal(2_500)}
_PHONE = re.compile(r"\+?\d{8,15}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_MAX_TEXT = 255


class ApiError(Exception):
    """An error answer with Tabby's error type; `text` None leaves the field out, as its 403 does."""

    def __init__(self, status: int, kind: str, text: str | None = None, field: str = "") -> None:
        super().__init__(text)
        self.status, self.kind, self.text, self.field = status, kind, text, field

    @property
    def body(self) -> dict[str, Any]:
        """The body in Tabby's form: one text, or the faulty field in a list."""
        error: dict[str, Any] = {"status": "error", "errorType": self.kind}
        if self.field:
            error["errors"] = [{"field": f"$.{self.field}", "code": "invalid_value", "message": self.text or ""}]
        elif self.text is not None:
            error["error"] = self.text
        return error


def check_session(body: Any) -> tuple[Decimal, str]:
    """A session's body has what Tabby demands; its amount and currency. Raises ApiError."""
    if not isinstance(body, dict):
        raise ApiError(400, "bad_data", "could not decode request")
    payment = _object(body, "payment", "")
    if body.get("lang") not in ("ar", "en"):
        raise _fault("lang")
    urls = _object(body, "merchant_urls", "")
    for name in ("success", "cancel", "failure"):
        if not re.fullmatch(r"https?://\S+", _text(urls, name, "merchant_urls")):
            raise _fault(f"merchant_urls.{name}")
    currency = payment.get("currency")
    if currency not in _DECIMALS:
        raise ApiError(400, "bad_data", f"could not create payment: only 'AED' is supported, but got '{currency}'")
    amount = amount_of(payment, "amount", currency)
    _check_buyer(payment)
    _check_order(payment, currency)
    return amount, currency


def _check_buyer(payment: dict[str, Any]) -> None:
    buyer, place = _object(payment, "buyer", "payment"), _object(payment, "shipping_address", "payment")
    for name in ("name", "email", "phone"):
        _text(buyer, name, "payment.buyer")
    if not _PHONE.fullmatch(buyer["phone"]):
        raise _fault("payment.buyer.phone")
    if "@" not in buyer["email"]:
        raise _fault("payment.buyer.email")
    for name in ("city", "address"):
        _text(place, name, "payment.shipping_address")
    _text(place, "zip", "payment.shipping_address", empty=True)
    history = _object(payment, "buyer_history", "payment")
    if not _MOMENT.fullmatch(_text(history, "registered_since", "payment.buyer_history")):
        raise _fault("payment.buyer_history.registered_since")
    if isinstance(history.get("loyalty_level"), bool) or not isinstance(history.get("loyalty_level"), int | Decimal):
        raise _fault("payment.buyer_history.loyalty_level")
    if not isinstance(payment.get("order_history"), list):
        raise _fault("payment.order_history")


def _check_order(payment: dict[str, Any], currency: str) -> None:
    order = _object(payment, "order", "payment")
    _text(order, "reference_id", "payment.order")
    for name in ("tax_amount", "shipping_amount", "discount_amount"):
        if order.get(name) is not None:
            amount_of(order, name, currency, zero=True)
    items = order.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise _fault("payment.order.items")
    for item in items:
        for name in ("title", "category"):
            _text(item, name, "payment.order.items[]")
        _text(item, "reference_id", "payment.order.items[]", empty=True, absent=True)
        if type(item.get("quantity")) is not int or item["quantity"] < 1:
            raise _fault("payment.order.items[].quantity")
        amount_of(item, "unit_price", currency, zero=True)


def rejection(payment: dict[str, Any], amount: Decimal, currency: str) -> str | None:
    """The pre-scoring: Tabby's test numbers that end in 0002 are refused, and so is what exceeds a spending limit."""
    if _REJECTED_PHONE.fullmatch(payment["buyer"]["phone"]):
        return "not_available"
    if amount < 1:
        return "order_amount_too_low"
    return "order_amount_too_high" if amount > _SPENDING_LIMIT[_DECIMALS[currency]] else None


def amount_of(body: Any, name: str, currency: str, *, zero: bool = False) -> Decimal:
    """A decimal string of a body in major units, with no more decimals than the currency has. Raises ApiError."""
    said = body.get(name) if isinstance(body, dict) else None
    decimals = _DECIMALS.get(currency, 2)
    if not isinstance(said, str) or not re.fullmatch(rf"\d{{1,12}}(\.\d{{1,{decimals}}})?", said):
        raise _fault(name)
    amount = Decimal(said)
    if not amount and not zero:
        raise _fault(name)
    return amount


def key_of(body: Any) -> str:
    """The idempotency key of a capture or refund. Raises ApiError."""
    return _text(body if isinstance(body, dict) else {}, "reference_id", "")


def check_webhook(body: Any) -> dict[str, Any]:
    """A webhook's address and header. Raises ApiError. Loopback is let in without https: this is a sandbox."""
    url, header = (body.get("url"), body.get("header")) if isinstance(body, dict) else (None, None)
    if not isinstance(url, str) or not re.match(r"https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/]", url):
        raise ApiError(400, "bad_data", "bad_request")
    if header is not None:
        titled = isinstance(header, dict) and re.fullmatch(r"[A-Za-z0-9-]+", str(header.get("title", "")))
        if not titled or not isinstance(header.get("value"), str):
            raise ApiError(400, "bad_data", "bad_request")
        header = {"title": header["title"], "value": header["value"]}
    return {"url": url, "header": header}


def check_id(text: str) -> None:
    """A payment's id is a UUID. Raises ApiError."""
    try:
        UUID(text)
    except ValueError:
        raise ApiError(400, "bad_data", "invalid payment id") from None


def money(amount: Decimal, currency: str) -> str:
    """An amount in Tabby's form."""
    return f"{amount:.{_DECIMALS.get(currency, 2)}f}"


def text_of(moment: datetime) -> str:
    """A moment in Tabby's form."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """The moment that Tabby's form names."""
    return datetime.fromisoformat(text)


def _object(body: dict[str, Any], name: str, within: str) -> dict[str, Any]:
    value = body.get(name)
    if not isinstance(value, dict):
        raise _fault(f"{within}.{name}".lstrip("."))
    return value


def _text(body: dict[str, Any], name: str, within: str, *, empty: bool = False, absent: bool = False) -> str:
    value = body.get(name)
    if value is None and absent:
        return ""
    if not isinstance(value, str) or len(value) > _MAX_TEXT or not (value or empty):
        raise _fault(f"{within}.{name}".lstrip("."))
    return value


def _fault(field: str) -> ApiError:
    return ApiError(400, "bad_data", field=field)
