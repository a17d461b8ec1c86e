"""The form that Affirm demands of what merchants send, and its errors: the simulator's half that keeps nothing."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from paymux.sandbox.simulator import reachable

_MONEY = {"USA": "USD", "CAN": "CAD", "GBR": "GBP"}


class ApiError(Exception):
    """An error answer in Affirm's form."""

    def __init__(self, status: int, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.field = status, code, message, field

    @property
    def body(self) -> dict[str, Any]:
        """The answer's body."""
        said = {"status_code": self.status, "type": "invalid_request", "code": self.code, "message": self.message}
        return said | ({"field": self.field} if self.field else {})


def invalid(field: str, why: str = "is required") -> ApiError:
    """A field that breaks a rule."""
    return ApiError(400, "invalid_field", f"{field} {why}.", field)


def country_of(request: web.Request) -> str:
    """The country that a call is for. Raises ApiError."""
    country = request.headers.get("country-code", "")
    if country not in _MONEY:
        raise invalid("country-code", "must be one of USA, CAN, GBR")
    return country


def check_checkout(body: dict[str, Any], public_key: str, country: str) -> int:
    """A new checkout's total in cents. Raises ApiError."""
    merchant = part_of(body, "merchant")
    if merchant.get("public_api_key", public_key) != public_key:
        raise ApiError(401, "unauthorized", "The public API key is not valid.", "merchant.public_api_key")
    for name in ("user_confirmation_url", "user_cancel_url"):
        if not reachable(merchant.get(name)):
            raise invalid(f"merchant.{name}", "must be an absolute URL")
    if merchant.get("user_confirmation_url_action", "POST") not in ("POST", "GET"):
        raise invalid("merchant.user_confirmation_url_action", "must be POST or GET")
    items = body.get("items")
    if not isinstance(items, list) or not items:
        raise invalid("items")
    for item in items:
        for name in ("display_name", "sku"):
            text_within(item, name, 1, 1_000)
        whole(item, "unit_price")
        positive(item, "qty")
    _check_contact(body, "shipping")
    if body.get("billing") is not None:
        _check_contact(body, "billing")
    for discount in (body.get("discounts") or {}).values():
        positive(discount, "discount_amount")
        text_within(discount, "discount_display_name", 1, 1_000)
    if body.get("order_id") is not None:
        text_within(body, "order_id", 1, 128)
    for name in ("shipping_amount", "tax_amount"):
        if body.get(name) is not None:
            whole(body, name)
    if body.get("currency", "USD") != _MONEY[country]:
        raise invalid("currency", f"must be {_MONEY[country]}")
    body.setdefault("currency", "USD")
    return positive(body, "total")


def _check_contact(body: dict[str, Any], part: str) -> None:
    contact = part_of(body, part)
    name = part_of(contact, "name")
    if not (name.get("full") or (name.get("first") and name.get("last"))):
        raise invalid(f"{part}.name")
    address = part_of(contact, "address")
    for line in ("street1", "city", "region1_code", "postal_code"):
        text_within(address, line, 1, 1_000)
    # Three letters are documented; what becomes of a country that Affirm doesn't serve is not.
    if address.get("country_code") in ("US", "CA", "GB"):
        raise invalid(f"{part}.address.country_code", "must have three letters")


def part_of(body: Any, name: str) -> dict[str, Any]:
    """An object in a body. Raises ApiError."""
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, dict):
        raise invalid(name)
    return value


def text_within(body: Any, name: str, least: int, most: int) -> str:
    """A text of a length. Raises ApiError."""
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise invalid(name, f"must be a string with a length between {least} and {most}")
    return value


def whole(body: Any, name: str) -> int:
    """An integer that is not negative. Raises ApiError."""
    value = body.get(name) if isinstance(body, dict) else None
    if type(value) is not int or value < 0:
        raise invalid(name, "must be a non-negative integer")
    return value


def positive(body: Any, name: str) -> int:
    """An integer of at least 1. Raises ApiError."""
    value = whole(body, name)
    if value < 1:
        raise invalid(name, "must be at least 1")
    return value
