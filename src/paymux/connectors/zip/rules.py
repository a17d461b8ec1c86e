"""The form that Zip demands of what merchants send, and its errors: the simulator's half that keeps nothing."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from paymux.sandbox.simulator import reachable

_ADDRESS = {"line1": 200, "city": 50, "state": 50, "postal_code": 15, "country": 2}
_TYPES = frozenset({"sku", "tax", "shipping", "discount", "store_credit"})
_REGIONS = {"AU": ("AUD", "au"), "NZ": ("NZD", "nz"), "GB": ("GBP", "uk")}


class ApiError(Exception):
    """An error answer with Zip's own code."""

    def __init__(self, status: int, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.field = status, code, message, field

    @property
    def body(self) -> dict[str, Any]:
        """The answer's body."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.field:
            error["details"] = [{"name": self.field, "message": self.message}]
        return {"error": error}


def invalid(field: str, message: str = "is required") -> ApiError:
    """A field that breaks a rule."""
    return ApiError(400, "request_invalid", message, field)


def check_checkout(body: Any) -> tuple[Decimal, str, str]:
    """A checkout's body: amount, currency and region. Raises ApiError."""
    shopper, order, config = (_object(body, name) for name in ("shopper", "order", "config"))
    for name in ("first_name", "last_name", "email"):
        string(shopper, name)
    if shopper.get("phone") is not None and not re.fullmatch(r"\+?[\d\s]{1,20}", str(shopper["phone"])):
        raise invalid("shopper.phone", "has to be a phone number")
    country = check_address(_object(shopper, "billing_address"))
    amount, currency = number(order, "amount"), string(order, "currency", 3)
    if country not in _REGIONS:
        raise invalid("shopper.billing_address.country", "is not supported for this merchant")
    if currency != _REGIONS[country][0]:
        raise invalid("order.currency", "is not supported for this merchant")
    string(order, "reference", 200, required=False)
    shipping = _object(order, "shipping")
    if not shipping.get("pickup"):
        check_address(_object(shipping, "address"))
    total = sum((_item(item) for item in order.get("items") or []), Decimal(0))
    if order.get("items") and total != amount:
        raise invalid("order.items", "do not come to the order's amount")
    if not reachable(string(config, "redirect_uri")):
        raise invalid("config.redirect_uri", "has to be an https address")
    return amount, currency, _REGIONS[country][1]


def check_address(address: Any) -> str:
    """An address; its country. Raises ApiError."""
    for name, length in _ADDRESS.items():
        string(address, name, length)
    return str(address["country"]).upper()


def _item(item: Any) -> Decimal:
    string(item, "name")
    if item.get("type") not in _TYPES:
        raise invalid("order.items.type", "has to be one of " + ", ".join(sorted(_TYPES)))
    string(item, "product_code", 200, required=False)
    quantity = item.get("quantity", 1)
    if isinstance(quantity, bool) or not isinstance(quantity, int | Decimal) or quantity <= 0:
        raise invalid("order.items.quantity", "has to be greater than 0")
    return number(item, "amount", signed=True) * Decimal(quantity)


def number(body: Any, name: str, *, signed: bool = False) -> Decimal:
    """A number in major units with at most two decimals. Raises ApiError."""
    value = body.get(name) if isinstance(body, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise invalid(name, "has to be a number")
    amount = Decimal(value)
    if (amount < 0 and not signed) or amount != round(amount, 2):
        raise invalid(name, "has to be an amount")
    return amount


def string(body: Any, name: str, length: int = 2000, *, required: bool = True) -> str:
    """A text field of a body; empty where it is absent and may be. Raises ApiError."""
    value = body.get(name) if isinstance(body, dict) else None
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value) or len(value) > length:
        raise invalid(name)
    return value


def _object(body: Any, name: str) -> dict[str, Any]:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, dict):
        raise invalid(name)
    return value
