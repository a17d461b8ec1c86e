"""What Paymob signs of a transaction in a callback: twenty values, joined without anything between them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from paymux.connectors.contract import Forged, Incoming
from paymux.connectors.signing import hmac_hex, same
from paymux.platform.database import from_json

_NUMBER, _TRUTH, _ANYTHING = r"[0-9]+", r"true|false", r".*"
# In the order in which they are signed. Nothing stands between two values, so a part of one could be moved into its
# neighbour under the same signature: their forms show where each ends. Only two ids that stand side by side they can't
# tell apart: `read_event` looks at the integration, and the core at the order.
_SIGNED = {
    "amount_cents": _NUMBER, "created_at": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.+Z-]+", "currency": r"[A-Z]{3}",
    "error_occured": _TRUTH, "has_parent_transaction": _TRUTH, "id": _NUMBER, "integration_id": _NUMBER,
    "is_3d_secure": _TRUTH, "is_auth": _TRUTH, "is_capture": _TRUTH, "is_refunded": _TRUTH,
    "is_standalone_payment": _TRUTH, "is_voided": _TRUTH, "order.id": _NUMBER, "owner": r"[0-9]*", "pending": _TRUTH,
    "source_data.pan": _ANYTHING, "source_data.sub_type": _ANYTHING, "source_data.type": _ANYTHING, "success": _TRUTH,
}  # fmt: skip


def told(event: Incoming) -> dict[str, Any]:
    """The transaction in a callback. Raises ValueError."""
    body = from_json(event.body)
    transaction = body.get("obj") if isinstance(body, dict) and body.get("type") == "TRANSACTION" else None
    if not isinstance(transaction, dict):
        raise ValueError("the callback tells of no transaction")
    return transaction


def check_callback(event: Incoming, secret: str) -> None:
    """Check the `hmac` in a callback's query, and the form of what it signs. Raises Forged."""
    try:
        transaction = told(event)
        values = {name: _text(_value(transaction, name)) for name in _SIGNED}
    except (ValueError, KeyError, TypeError) as fault:
        raise Forged("no transaction callback") from fault
    if not same(event.query.get("hmac", "").lower(), hmac_hex(secret, "".join(values.values()), "sha512")):
        raise Forged("the hmac is missing or not of these values")
    if wrong := [name for name, value in values.items() if not re.fullmatch(_SIGNED[name], value, re.DOTALL)]:
        raise Forged(f"not of the form that is signed: {', '.join(wrong)}")


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
