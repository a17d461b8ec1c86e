"""The form that Sezzle demands of what merchants send, and its errors: the simulator's half that keeps nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

CURRENCIES = ("USD", "CAD")
EVENTS = ("customer.tokenized", "order.authorized", "order.captured", "order.refunded")
_ADDRESS = ("city", "country_code", "postal_code", "state", "street")


class ApiError(Exception):
    """An error answer: a list of faults."""

    def __init__(self, status: int, code: str, message: str, location: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body = [{"code": code, "location": location, "message": message, "debug_uuid": "sandbox"}]


def invalid(location: str, message: str) -> ApiError:
    """A body's field is wrong."""
    return ApiError(422, "invalid", f"{location} {message}", location)


def price_of(body: Any, location: str, least: int = 0) -> tuple[Decimal, str]:
    """A price in major units, and its currency. Raises ApiError."""
    price = body
    for name in location.split(".") if location else ():
        price = price.get(name) if isinstance(price, dict) else None
    cents = price.get("amount_in_cents") if isinstance(price, dict) else None
    currency = price.get("currency") if isinstance(price, dict) else None
    if type(cents) is not int or cents < least:
        raise invalid(f"{location}.amount_in_cents".lstrip("."), f"must be a whole number of cents, at least {least}")
    if currency not in CURRENCIES:
        raise invalid(f"{location}.currency".lstrip("."), "must be USD or CAD")
    return Decimal(cents) / 100, str(currency)


def price(amount: Decimal, currency: str) -> dict[str, Any]:
    """An amount in Sezzle's form."""
    return {"amount_in_cents": int(amount * 100), "currency": currency}


def check_order(order: Any) -> tuple[Decimal, str]:
    """An order's intent, reference and amount. Raises ApiError."""
    if not isinstance(order, dict):
        raise invalid("order", "is required")
    if order.get("intent") not in ("AUTH", "CAPTURE"):
        raise invalid("order.intent", "must be AUTH or CAPTURE")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", str(order.get("reference_id", ""))):
        raise invalid("order.reference_id", "must contain only alphanumeric characters, dashes and underscores")
    return price_of(order, "order_amount", 100)


def check_session(body: Any) -> tuple[Decimal, str]:
    """A session's body has what Sezzle demands; the order's amount. Raises ApiError."""
    if not isinstance(body, dict):
        raise ApiError(400, "bad_request", "The body must be an object")
    for name in ("complete_url", "cancel_url"):
        target = body.get(name)
        if not isinstance(target, dict) or not str(target.get("href", "")).startswith(("https://", "http://")):
            raise invalid(f"{name}.href", "is required")
    amount, currency = check_order(body.get("order"))
    for item in body["order"].get("items") or ():
        if not all(item.get(name) for name in ("name", "sku", "quantity")) or type(item["quantity"]) is not int:
            raise invalid("order.items", "need a name, a sku and a quantity")
        if price_of(item, "price")[1] != currency:
            raise invalid("order.items", "must be in the order's currency")
    for discount in body["order"].get("discounts") or ():
        if not discount.get("name"):
            raise invalid("order.discounts", "need a name")
        price_of(discount, "amount")
    customer = body.get("customer") or {}
    for name in ("billing_address", "shipping_address"):
        place = customer.get(name)
        if place is not None and not all(place.get(part) for part in _ADDRESS):
            raise invalid(f"customer.{name}", f"needs {', '.join(_ADDRESS)}")
    return amount, currency


def check_webhook(body: Any) -> dict[str, Any]:
    """A subscription's URL and events. Raises ApiError."""
    url, events = (body.get("url"), body.get("events")) if isinstance(body, dict) else (None, None)
    if not str(url).startswith(("https://", "http://")):
        raise invalid("url", "is required")
    if not isinstance(events, list) or not set(events) <= set(EVENTS):
        raise invalid("events", f"must be of {', '.join(EVENTS)}")
    return {"url": url, "events": events}


def text_of(moment: datetime) -> str:
    """A moment in Sezzle's form."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
