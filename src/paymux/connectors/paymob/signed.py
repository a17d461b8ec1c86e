"""What Paymob signs: the same twenty values of a transaction in a callback and in the shopper's return. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from paymux.connectors.contract import Forged, Incoming
from paymux.connectors.signing import hmac_hex, same
from paymux.platform.database import from_json

_SIGNED = (
    "amount_cents", "created_at", "currency", "error_occured", "has_parent_transaction", "id", "integration_id",
    "is_3d_secure", "is_auth", "is_capture", "is_refunded", "is_standalone_payment", "is_voided", "order.id", "owner",
    "pending", "source_data.pan", "source_data.sub_type", "source_data.type", "success",
)  # fmt: skip


def told(event: Incoming) -> dict[str, Any]:
    """The transaction in a callback. Raises ValueError."""
    body = from_json(event.body)
    transaction = body.get("obj") if isinstance(body, dict) and body.get("type") == "TRANSACTION" else None
    if not isinstance(transaction, dict):
        raise ValueError("the callback tells of no transaction")
    return transaction


def check_callback(event: Incoming, secret: str) -> None:
    """Check the `hmac` in a callback's query. Raises Forged."""
    try:
        transaction = told(event)
        _check(event.query.get("hmac", ""), lambda name: _value(transaction, name), secret)
    except (ValueError, KeyError, TypeError) as fault:
        raise Forged("no transaction callback") from fault


def order_of(query: Mapping[str, str]) -> str | None:
    """The order that a return names: its documentation calls the field `order_id`, the official plugin reads `order`."""
    return query.get("order") or query.get("order_id") or None


def check_return(query: Mapping[str, str], secret: str) -> None:
    """Check the `hmac` of a return, whose fields stand beside each other. Raises Forged."""
    _check(query["hmac"], lambda name: order_of(query) if name == "order.id" else query.get(name), secret)


def _check(signature: str, value: Callable[[str], Any], secret: str) -> None:
    text = "".join(_text(value(name)) for name in _SIGNED)
    if not same(signature.lower(), hmac_hex(secret, text, "sha512")):
        raise Forged("the hmac is missing or not of these values")


def _value(transaction: Mapping[str, Any], path: str) -> Any:
    """A field by its path. Raises KeyError and TypeError where there is none."""
    name, _, inner = path.partition(".")
    return transaction[name][inner] if inner else transaction[name]


def _text(value: Any) -> str:
    """A value as it is signed. Raises TypeError for what is no single value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, str | int | Decimal):
        return str(value)
    raise TypeError("a signed field is no single value")
