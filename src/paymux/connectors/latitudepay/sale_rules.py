"""The form that LatitudePay demands of what merchants send, and its errors: the simulator's half that keeps nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from decimal import Decimal
from typing import Any

BRANDS = {
    "application/com.latitudepay.ecom-v3.0+json": "AUD",
    "application/com.latitudepay.ecom-v3.1+json": "AUD",
    "application/com.genoapay.ecom-v3.0+json": "NZD",
    "application/com.genoapay.ecom-v3.1+json": "NZD",
}
# The sandbox's merchant account takes sales from and to these amounts.
LEAST, MOST = 20, 1500
_KEY_OR_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"|[^\s{}\[\]:,"]+')


class ApiError(Exception):
    """An error answer, `{"error": message}`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def signature_of(text: str, secret: str) -> str:
    """The signature of a text that has been stripped down to keys and values: white space goes, too."""
    encoded = base64.b64encode("".join(text.split()).encode())
    return hmac.digest(secret.encode(), encoded, hashlib.sha256).hex()


def keys_and_values(body: bytes) -> str:
    """Step 2 of the signing page: a JSON text without its formatting, its keys and values just as they stand."""
    found = _KEY_OR_VALUE.finditer(body.decode("utf-8", "replace"))
    return "".join(match[0] if match[1] is None else match[1] for match in found)


def check_sale(body: Any, currency: str) -> tuple[Decimal, str]:
    """An online sale has what LatitudePay demands; its amount and reference. Raises ApiError."""
    amount = money(body, "totalAmount", currency)
    if amount < LEAST:
        raise ApiError(400, f"Total amount is below minimum purchase value of {LEAST}.00")
    if amount > MOST:
        raise ApiError(400, f"Total amount is above maximum purchase value of {MOST}.00")
    for name in ("successUrl", "failUrl", "callbackUrl"):
        if not text(body, "returnUrls", name).startswith(("https://", "http://")):
            raise ApiError(400, f"returnUrls.{name} must be a URL")
    for name in ("mobileNumber", "firstName", "surname", "email"):
        text(body, "customer", name)
    for address in ("shippingAddress", "billingAddress"):
        for name in ("addressLine1", "suburb", "cityTown", "postcode", "countryCode"):
            text(body, address, name)
    products, shipping = body.get("products"), body.get("shippingLines")
    if not isinstance(products, list) or not products or not isinstance(shipping, list):
        raise ApiError(400, "products and shippingLines must be lists, products with at least one")
    for product in products:
        text(product, "name")
        _priced(product, currency)
        if type(product.get("quantity")) is not int or product["quantity"] < 1:
            raise ApiError(400, "products.quantity must be a positive whole number")
    for line in shipping:
        text(line, "carrier")
        _priced(line, currency)
    money(body, "taxAmount", currency)
    return amount, text(body, "reference")


def _priced(line: Any, currency: str) -> None:
    money(line, "price", currency)
    if not isinstance(line.get("taxIncluded"), bool):
        raise ApiError(400, "taxIncluded must be a boolean")


def money(body: Any, name: str, currency: str) -> Decimal:
    """A money object, `{amount, currency}`, of at most two decimals and not negative. Raises ApiError."""
    given = body.get(name) if isinstance(body, dict) else None
    if not isinstance(given, dict) or type(given.get("amount")) not in (int, Decimal):
        raise ApiError(400, f"{name}.amount must be a number")
    amount = Decimal(given["amount"])
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -2 or amount < 0:
        raise ApiError(400, f"{name}.amount must have at most two decimals and must not be negative")
    if given.get("currency") != currency:
        raise ApiError(400, f"{name}.currency must be {currency}")
    return amount


def text(body: Any, *path: str) -> str:
    """A text field that must not be empty. Raises ApiError."""
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    if not isinstance(body, str) or not body.strip():
        raise ApiError(400, f"{'.'.join(path)} is required")
    return body
