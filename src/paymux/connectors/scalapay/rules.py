"""The form that Scalapay demands of what merchants send, and its errors: the simulator's half that keeps nothing."""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from decimal import Decimal
from typing import Any

from paymux.sandbox.simulator import reachable

_PRODUCTS = ("", "pay-in-3", "pay-in-4", "later")


class ApiError(Exception):
    """An error answer with Scalapay's own code."""

    def __init__(self, status: int, code: str, message: Any) -> None:
        super().__init__(str(message))
        self.status, self.code, self.message = status, code, message

    @property
    def body(self) -> Any:
        """The answer's body; that of a 401 is a bare string."""
        if self.status == 401:
            return "Unauthorized"
        return {
            "errorCode": self.code, "errorId": f"error-{secrets.token_hex(6)}", "message": self.message,
            "httpStatusCode": self.status,
        }  # fmt: skip


def invalid(*field: str, why: str = "is required") -> ApiError:
    """A field that breaks a rule."""
    error = {
        "field": list(field), "location": "body", "messages": [f'"{field[-1]}" {why}'], "types": ["any.invalid"]
    }  # fmt: skip
    return ApiError(400, "api_validationerror", {"status": 400, "statusText": "Bad Request", "errors": [error]})


def check_order(body: Any) -> Decimal:
    """A new order's amount in euros. Raises ApiError."""
    total = amount_of(body, "totalAmount")
    consumer = part_of(body, "consumer")
    for name in ("phoneNumber", "givenNames", "surname", "email"):
        string(consumer, "consumer", name)
    shipping = part_of(body, "shipping")
    for name in ("phoneNumber", "countryCode", "name", "postcode", "suburb", "line1"):
        string(shipping, "shipping", name)
    merchant = part_of(body, "merchant")
    for name in ("redirectConfirmUrl", "redirectCancelUrl"):
        if not reachable(string(merchant, "merchant", name)):
            raise invalid("merchant", name, why="must be a valid uri")
    items = body.get("items")
    if not isinstance(items, list) or not items:
        raise invalid("items")
    for item in items:
        for name in ("category", "name", "sku"):
            string(item, "items", name)
        if type(item.get("quantity")) is not int:
            raise invalid("items", "quantity", why="must be an integer")
        amount_of(item, "price", least=Decimal(0))
    for name in ("taxAmount", "shippingAmount"):
        if body.get(name) is not None:
            amount_of(body, name, least=Decimal(0))
    for discount in body.get("discounts") or []:
        amount_of(discount, "amount")
    if body.get("product", "") not in _PRODUCTS:
        raise invalid("product", why=f"must be one of {list(_PRODUCTS)}")
    return total


def amount_of(body: Any, name: str, least: Decimal = Decimal("0.01"), currency: str = "EUR") -> Decimal:
    """An amount in the order's currency. Raises ApiError."""
    said = part_of(body, name)
    amount = said.get("amount")
    if not isinstance(amount, str) or not re.fullmatch(r"\d{1,9}(\.\d{1,2})?", amount) or Decimal(amount) < least:
        raise invalid(name, "amount", why="must be an amount")
    if said.get("currency") != currency:
        raise invalid(name, "currency", why=f"must be {currency}")
    return Decimal(amount)


def part_of(body: Any, name: str) -> dict[str, Any]:
    """An object in a body. Raises ApiError."""
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, dict):
        raise invalid(name)
    return value


def string(body: Any, *path: str) -> str:
    """A text that has to be there. Raises ApiError."""
    value = body.get(path[-1]) if isinstance(body, dict) else None
    if not isinstance(value, str) or not value:
        raise invalid(*path, why="is not allowed to be empty")
    return value


def money(amount: Decimal, currency: str) -> dict[str, str]:
    """An amount in Scalapay's form."""
    return {"amount": f"{amount:.2f}", "currency": currency}


def text_of(moment: datetime) -> str:
    """A moment in Scalapay's form."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
