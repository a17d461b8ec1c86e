"""The form that Afterpay demands of what merchants send, and its errors: the simulator's half that keeps nothing."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from paymux.sandbox.simulator import ErrorAnswer

_CURRENCIES = {"AUD", "NZD", "USD", "CAD", "GBP"}


class ApiError(ErrorAnswer):
    """An error answer with Afterpay's own error code."""


def check_checkout(body: Any, currency: str) -> None:
    """A checkout's body has what Afterpay demands, all of it in one currency. Raises ApiError."""
    merchant, consumer = body.get("merchant"), body.get("consumer")
    for owner, names in ((merchant, ("redirectConfirmUrl", "redirectCancelUrl")), (consumer, ("email",))):
        if not isinstance(owner, dict):
            raise ApiError(422, "invalid_object", "merchant and consumer are required")
        for name in names:
            string(owner, name, 2048 if name.endswith("Url") else 128)
    for name, length in (("givenNames", 128), ("surname", 128), ("phoneNumber", 32)):
        string(consumer, name, length, required=False)
    for name, length in (("merchantReference", 128), ("description", 256), ("purchaseCountry", 2)):
        string(body, name, length, required=False)
    for name in ("billing", "shipping"):
        if body.get(name) is not None:
            for part, length in (("name", 255), ("line1", 128), ("postcode", 128), ("countryCode", 2)):
                string(body[name], part, length)
    items, discounts = body.get("items") or [], body.get("discounts") or []
    if len(items) > 100:
        raise ApiError(422, "invalid_object", "items size must be between 0 and 100")
    sums = [amount_of(body, name) for name in ("taxAmount", "shippingAmount") if body.get(name) is not None]
    for item in items:
        string(item, "name", 255)
        string(item, "sku", 128, required=False)
        if type(item.get("quantity")) is not int:
            raise ApiError(422, "invalid_object", "items.quantity must be an integer")
        sums.append(amount_of(item, "price"))
    for discount in discounts:
        string(discount, "displayName", 128)
        sums.append(amount_of(discount, "amount"))
    if any(other != currency for _, other in sums):
        raise ApiError(422, "unsupported_currency", "All Money objects must have the merchant account's currency")


def string(body: Any, name: str, length: int = 2048, *, required: bool = True) -> str:
    """A text field of a body; empty where it is absent and may be. Raises ApiError."""
    value = body.get(name) if isinstance(body, dict) else None
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value) or len(value) > length:
        raise ApiError(422, "invalid_object", f"{name} is required and at most {length} characters")
    return value


def amount_of(body: Any, name: str) -> tuple[Decimal, str]:
    """A Money field of a body: amount in major units and currency. Raises ApiError."""
    said = body.get(name) if isinstance(body, dict) else None
    if not isinstance(said, dict):
        raise ApiError(422, "invalid_object", f"{name} is required")
    amount, currency = said.get("amount"), said.get("currency")
    if not isinstance(amount, str) or not re.fullmatch(r"\d{1,9}(\.\d{1,2})?", amount):
        raise ApiError(422, "invalid_object", f"{name}.amount must be a valid ISO 4217 format value")
    if currency not in _CURRENCIES:
        raise ApiError(422, "invalid_object", f"{name}.currency not supported for this merchant")
    return Decimal(amount), currency


def money(amount: Decimal, currency: str) -> dict[str, str]:
    """An amount in Afterpay's form."""
    return {"amount": f"{amount:.2f}", "currency": currency}


def text_of(moment: datetime) -> str:
    """A moment in Afterpay's form."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """The moment that Afterpay's form names."""
    return datetime.fromisoformat(text)
