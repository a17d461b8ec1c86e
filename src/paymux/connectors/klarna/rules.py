"""The form that Klarna demands of what merchants send, and its errors: the simulator's half that keeps nothing."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from paymux.sandbox.simulator import ErrorAnswer, reachable

# "We only support the local currency of each country."
CURRENCY_OF = {
    **dict.fromkeys(("AT", "BE", "DE", "ES", "FI", "FR", "GR", "IE", "IT", "NL", "PT", "SK"), "EUR"),
    "GB": "GBP", "SE": "SEK", "NO": "NOK", "DK": "DKK", "CH": "CHF", "PL": "PLN", "CZ": "CZK", "RO": "RON",
    "HU": "HUF", "US": "USD", "AU": "AUD", "NZ": "NZD", "CA": "CAD", "MX": "MXN",
}  # fmt: skip
_TYPES = {"physical", "discount", "shipping_fee", "sales_tax", "digital", "gift_card", "store_credit", "surcharge"}
_CATEGORIES = {"DIRECT_DEBIT", "DIRECT_BANK_TRANSFER", "PAY_NOW", "PAY_LATER", "PAY_OVER_TIME", "KLARNA"}
_ADDRESS = {"postal_code": 10, "title": 20}


class ApiError(ErrorAnswer):
    """An error answer with Klarna's own error code."""


def bad(field: str) -> ApiError:
    """A field that breaks a rule."""
    return ApiError(400, "BAD_VALUE", f"Bad value: {field}")


def check_session(body: Any) -> None:
    """A payments session's body. Raises ApiError."""
    check_order(body)
    country = text(body, "purchase_country", 2)
    if not re.fullmatch("[A-Z]{2}", country) or country not in CURRENCY_OF:
        raise bad("purchase_country")
    if body["purchase_currency"] != CURRENCY_OF[country]:
        raise bad("purchase_currency")
    locale = text(body, "locale", 5, required=False) or "en-US"
    if not re.fullmatch("[A-Za-z]{2}(-[A-Za-z]{2})*", locale):
        raise bad("locale")
    if body.get("intent", "buy") not in ("buy", "tokenize", "buy_and_tokenize"):
        raise bad("intent")
    for name in ("billing_address", "shipping_address"):
        _check_address(body, name)
    _check_urls(body, "confirmation", "notification", "push", "authorization")


def check_order(body: Any, most: int = 200_000_000) -> None:
    """Amount, lines of at most `most` each, currency and references, as sessions and orders have them. Raises ApiError."""
    if not isinstance(body, dict):
        raise ApiError(400, "BAD_REQUEST", "The body is not a JSON object")
    if not re.fullmatch("[A-Z]{3}", text(body, "purchase_currency", 3)):
        raise bad("purchase_currency")
    for name, length in (("merchant_reference1", 255), ("merchant_reference2", 255), ("merchant_data", 6000)):
        text(body, name, length, required=False)
    amount, lines = whole(body, "order_amount", least=0), body.get("order_lines")
    if not isinstance(lines, list) or not 1 <= len(lines) <= 1000:
        raise bad("order_lines")
    for n, line in enumerate(lines):
        _check_line(line, f"order_lines[{n}]", most)
    if sum(line["total_amount"] for line in lines) != amount:
        raise bad("order_amount")
    taxes = [line["total_amount"] for line in lines if line.get("type") == "sales_tax"]
    taxes += [line.get("total_tax_amount", 0) for line in lines if line.get("type") != "sales_tax"]
    if body.get("order_tax_amount") is not None and whole(body, "order_tax_amount", least=0) != sum(taxes):
        raise bad("order_tax_amount")


def check_token_order(body: Any) -> None:
    """The body of an order by customer token. Raises ApiError."""
    check_order(body, 100_000_000)
    whole(body, "order_tax_amount", least=0)
    whole(body, "order_amount", least=1)


def check_page(body: Any, base: str) -> str:
    """A hosted page's body; the payments session's id in it. Raises ApiError."""
    if not isinstance(body, dict):
        raise ApiError(400, "BAD_REQUEST", "The body is not a JSON object")
    prefix = f"{base}/payments/v1/sessions/"
    session = text(body, "payment_session_url", 2000)
    if not session.startswith(prefix):
        raise bad("payment_session_url")
    _check_urls(body, "success", "cancel", "back", "failure", "error", "status_update")
    options = body.get("options", {})
    if not isinstance(options, dict):
        raise bad("options")
    if options.get("place_order_mode", "NONE") not in ("NONE", "PLACE_ORDER", "CAPTURE_ORDER"):
        raise bad("options.place_order_mode")
    if options.get("payment_method_category", "KLARNA") not in _CATEGORIES:
        raise bad("options.payment_method_category")
    return session.removeprefix(prefix)


def check_customer_token(body: Any) -> None:
    """The body that makes a customer token. Raises ApiError."""
    for name, pattern in (
        ("purchase_country", "[A-Za-z]{2}"),
        ("purchase_currency", "[A-Za-z]{3}"),
        ("locale", "[A-Za-z]{2}(-[A-Za-z]{2})*"),
        ("description", ".{1,255}"),
        ("intended_use", "SUBSCRIPTION"),
    ):
        if not re.fullmatch(pattern, text(body, name, 255)):
            raise bad(name)
    _check_address(body, "billing_address")


def text(body: Any, name: str, length: int, *, required: bool = True) -> str:
    """A text field; empty where it is absent and may be. Raises ApiError."""
    value = body.get(name) if isinstance(body, dict) else None
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value) or len(value) > length:
        raise bad(name)
    return value


def whole(body: Any, name: str, *, least: int | None = None, most: int | None = None) -> int:
    """A whole number of minor units. Raises ApiError."""
    value = body.get(name) if isinstance(body, dict) else None
    fits = type(value) is int and (least is None or value >= least) and (most is None or value <= most)
    if not fits or type(value) is not int:
        raise bad(name)
    return value


def instant(moment: datetime) -> str:
    """A moment in Klarna's form."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _check_line(line: Any, where: str, most: int) -> None:
    try:
        text(line, "name", 255)
        text(line, "reference", 255, required=False)
        quantity, price = whole(line, "quantity", least=0), whole(line, "unit_price", most=most)
        total = whole(line, "total_amount", most=most)
        discount = whole(line, "total_discount_amount", least=0) if "total_discount_amount" in line else 0
        if "total_tax_amount" in line:
            whole(line, "total_tax_amount")
    except ApiError as no:
        raise bad(f"{where}.{no.message.removeprefix('Bad value: ')}") from no
    if line.get("type", "physical") not in _TYPES:
        raise bad(f"{where}.type")
    if total != quantity * price - discount:
        raise bad(f"{where}.total_amount")


def _check_address(body: Any, name: str) -> None:
    address = body.get(name)
    if address is None:
        return
    if not isinstance(address, dict):
        raise bad(name)
    for field, value in address.items():
        if not isinstance(value, str) or len(value) > _ADDRESS.get(field, 99):
            raise bad(f"{name}.{field}")
    if address.get("country") in ("US", "AU") and not address.get("region"):
        raise bad(f"{name}.region")


def _check_urls(body: Any, *names: str) -> None:
    urls = body.get("merchant_urls", {})
    if not isinstance(urls, dict):
        raise bad("merchant_urls")
    for name, url in urls.items():
        if name not in names or not _address(url):
            raise bad(f"merchant_urls.{name}")


def _address(url: Any) -> bool:
    """Klarna takes https only, in at most 2,000 characters."""
    return isinstance(url, str) and len(url) <= 2000 and reachable(url)
