"""The form that Tamara demands of what merchants send, and its errors: the simulator's half that keeps nothing.

Tamara's documentation has few error codes; those of the sandbox are its own.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from paymux.sandbox.simulator import ErrorAnswer

_COUNTRIES = {"SA": "SAR", "AE": "AED", "BH": "BHD", "KW": "KWD", "OM": "OMR"}
_DECIMALS = {"SAR": 2, "AED": 2, "BHD": 3, "KWD": 3, "OMR": 3}
_PAYMENT_TYPES = ("PAY_BY_INSTALMENTS", "PAY_NOW")


class ApiError(ErrorAnswer):
    """An error answer in Tamara's form: a message and a list of errors."""

    @property
    def body(self) -> dict[str, Any]:
        """The answer's body."""
        return {"message": self.message, "errors": [{"error_code": self.code, "description": self.message}]}


def check_checkout(body: Any) -> tuple[Decimal, str]:
    """A checkout's body has what Tamara demands, in one currency; its amount and currency. Raises ApiError."""
    amount, currency = amount_of(body, "total_amount")
    if _COUNTRIES.get(text(body, "country_code")) != currency or not amount:
        raise ApiError(400, "country_currency_invalid", "the country and the currency do not fit, or nothing is to pay")
    text(body, "order_reference_id")
    text(body, "description", 256)
    _one_of(body, "payment_type", _PAYMENT_TYPES)
    if "locale" in body:
        _one_of(body, "locale", ("ar_SA", "en_US"))
    if "instalments" in body and not (type(body["instalments"]) is int and 2 <= body["instalments"] <= 24):
        raise _fault("instalments")
    for name in ("tax_amount", "shipping_amount"):
        _same_currency(body, name, currency)
    if "discount" in body:
        text(_object(body, "discount"), "name")
        _same_currency(body["discount"], "amount", currency)
    _check_people(body)
    _check_items(body, currency)
    return amount, currency


def _check_people(body: Any) -> None:
    consumer, urls = _object(body, "consumer"), _object(body, "merchant_url")
    for name in ("first_name", "last_name"):
        text(consumer, name)
    if not re.fullmatch(r"\+?\d{7,15}", text(consumer, "phone_number")):
        raise _fault("phone_number")
    for owner in ("shipping_address", "billing_address"):
        if owner == "shipping_address" or owner in body:
            for name in ("first_name", "last_name", "line1", "city"):
                text(_object(body, owner), name)
            if not re.fullmatch("[A-Z]{2}", text(body[owner], "country_code")):
                raise _fault(f"{owner}.country_code")
    for name in ("success", "failure", "cancel", "notification"):
        # The URL of the notifications may be left out; the others may not.
        if (name != "notification" or name in urls) and not re.fullmatch(r"https?://\S+", text(urls, name)):
            raise _fault(f"merchant_url.{name}")


def _check_items(body: Any, currency: str) -> None:
    items = body.get("items")
    if not isinstance(items, list) or not items:
        raise _fault("items")
    for item in items:
        for name, length in (("reference_id", 255), ("type", 255), ("name", 255), ("sku", 128)):
            text(item, name, length)
        if type(item.get("quantity")) is not int or item["quantity"] < 1:
            raise _fault("items.quantity")
        _same_currency(item, "total_amount", currency)
        if "unit_price" in item:
            _same_currency(item, "unit_price", currency)


def amount_of(body: Any, name: str) -> tuple[Decimal, str]:
    """A Money field of a body: amount in major units and currency. Raises ApiError."""
    said = _object(body, name)
    amount, currency = said.get("amount"), said.get("currency")
    if currency not in _DECIMALS:
        raise _fault(f"{name}.currency")
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal):
        raise _fault(f"{name}.amount")
    value = Decimal(amount)
    if value < 0 or value != round(value, _DECIMALS[currency]):
        raise _fault(f"{name}.amount")
    return value, currency


def text(body: Any, name: str, length: int = 2048) -> str:
    """A text field that must be there. Raises ApiError."""
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str) or not 0 < len(value) <= length:
        raise _fault(name)
    return value


def money(amount: Decimal, currency: str) -> dict[str, Any]:
    """An amount in Tamara's form."""
    return {"amount": round(amount, _DECIMALS[currency]), "currency": currency}


def text_of(moment: datetime) -> str:
    """A moment in Tamara's form."""
    return moment.isoformat(timespec="seconds")


def _object(body: Any, name: str) -> dict[str, Any]:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, dict):
        raise _fault(name)
    return value


def _one_of(body: Any, name: str, words: tuple[str, ...]) -> None:
    if body.get(name) not in words:
        raise _fault(name)


def _same_currency(body: Any, name: str, currency: str) -> None:
    if amount_of(body, name)[1] != currency:
        raise _fault(f"{name}.currency")


def _fault(field: str) -> ApiError:
    return ApiError(400, "validation_error", f"{field} is missing or invalid")
