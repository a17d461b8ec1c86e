"""What the gateway demands of a request, and the words with which it says no: for the simulator."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

# The wallets that take part, each with its currency; Alipay also in the dollars of a merchant in the United States.
WALLETS = {
    "ALIPAY_CN": ("CNY", "USD"), "ALIPAY_HK": ("HKD",), "GCASH": ("PHP",), "TNG": ("MYR",), "TRUEMONEY": ("THB",),
    "DANA": ("IDR",), "BKASH": ("BDT",),
}  # fmt: skip
# Special characters are refused; hyphen and underscore, which Alipay's own examples have, are none.
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class No(Exception):
    """The gateway's answer no: its code, a sentence, and `F` or `U`."""

    def __init__(self, code: str, message: str, status: str = "F") -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def key_of(text: str) -> RSAPrivateKey:
    """A private key from its base64."""
    key = load_der_private_key(base64.b64decode(text), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("not an RSA key")
    return key


def check_signature(key: RSAPrivateKey, header: str, time: str, message: bytes) -> None:
    """Check a request's `Signature` and `Request-Time`, as the owner of the merchant's public key can."""
    parts = dict(part.strip().partition("=")[::2] for part in header.split(","))
    try:
        datetime.fromisoformat(time)
        if parts.get("algorithm") != "RSA256" or "keyVersion" not in parts:
            raise ValueError("algorithm")
        signature = base64.b64decode(unquote(parts.get("signature", "")), validate=True)
        key.public_key().verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, binascii.Error, InvalidSignature):
        raise No("INVALID_SIGNATURE", "The signature is invalid.") from None


def check_pay(body: dict[str, Any]) -> tuple[Decimal, str]:
    """Check a cashier payment's fields; its amount in minor units and its currency."""
    if body.get("productCode") != "CASHIER_PAYMENT":
        raise No("PARAM_ILLEGAL", "productCode is illegal.")
    identifier(body, "paymentRequestId")
    wallet = _object(body, "paymentMethod").get("paymentMethodType")
    if wallet not in WALLETS:
        raise No("PAYMENT_METHOD_NOT_SUPPORTED", "The payment method is not supported.")
    order, (value, currency) = _object(body, "order"), amount(body, "paymentAmount")
    if currency not in WALLETS[wallet]:
        raise No("CURRENCY_NOT_SUPPORT", "The currency is not supported.")
    if amount(order, "orderAmount") != (value, currency):
        raise No("PARAM_ILLEGAL", "orderAmount is illegal.")
    for name, most in (("referenceOrderId", 64), ("orderDescription", 256)):
        _text(order, name, most)
    for good in order.get("goods") or []:
        _text(good, "goodsName", 256)
        if not isinstance(good.get("goodsQuantity", ""), str):
            raise No("PARAM_ILLEGAL", "goodsQuantity is illegal.")
    if _object(body, "env").get("terminalType") not in ("WEB", "WAP", "APP", "MINI_APP"):
        raise No("PARAM_ILLEGAL", "terminalType is illegal.")
    for name, most in (("paymentRedirectUrl", 2048), ("paymentNotifyUrl", 1024)):
        if not _text(body, name, most).startswith(("http://", "https://")):
            raise No("PARAM_ILLEGAL", f"{name} is illegal.")
    return value, currency


def amount(body: dict[str, Any], name: str) -> tuple[Decimal, str]:
    """An amount: minor units and currency. Both must be texts, as all of this API's fields."""
    given = _object(body, name)
    value, currency = given.get("value"), given.get("currency")
    if not isinstance(value, str) or not re.fullmatch(r"[1-9]\d{0,15}", value) or not isinstance(currency, str):
        raise No("PARAM_ILLEGAL", f"{name} is illegal.")
    return Decimal(value), currency


def identifier(body: dict[str, Any], name: str) -> str:
    """A merchant's own id for a request: at most 64 letters, digits, hyphens and underscores."""
    given = body.get(name)
    if not isinstance(given, str) or not _ID.fullmatch(given):
        raise No("PARAM_ILLEGAL", f"{name} is illegal.")
    return given


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    given = body.get(name)
    if not isinstance(given, dict):
        raise No("PARAM_ILLEGAL", f"{name} is illegal.")
    return given


def _text(body: dict[str, Any], name: str, most: int) -> str:
    given = body.get(name)
    if not isinstance(given, str) or not 0 < len(given) <= most:
        raise No("PARAM_ILLEGAL", f"{name} is illegal.")
    return given
