"""Orders at Order Management as the simulator keeps them: plain dictionaries in minor units, and what may be done to them."""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any

from paymux.connectors.klarna.rules import ApiError, instant, text, whole

AUTHORISATION_LIFE = timedelta(days=28)
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def new_order(asked: dict[str, Any], now: datetime, *, auto_capture: bool, fraud: str) -> dict[str, Any]:
    """An order just placed from a session's or a token order's body."""
    copied = ("purchase_country", "purchase_currency", "locale", "order_lines", "merchant_reference1",
              "merchant_reference2", "merchant_data", "billing_address", "shipping_address")  # fmt: skip
    return {
        **{name: asked[name] for name in copied if asked.get(name) is not None},
        "order_id": str(uuid.uuid4()),
        "klarna_reference": "".join(secrets.choice(_LETTERS) for _ in range(8)),
        "status": "AUTHORIZED",
        "fraud_status": fraud,
        "order_amount": asked["order_amount"],
        "original_order_amount": asked["order_amount"],
        "captured_amount": 0,
        "refunded_amount": 0,
        "remaining_authorized_amount": asked["order_amount"],
        "created_at": instant(now),
        "expires_at": instant(now + AUTHORISATION_LIFE),
        "captures": [],
        "refunds": [],
        "initial_payment_method": {"type": "PAY_IN_X", "description": "Pay in 3", "number_of_installments": 3},
        "auto_capture": auto_capture,
    }


def shown(order: dict[str, Any]) -> dict[str, Any]:
    """An order as Klarna answers it."""
    return {name: value for name, value in order.items() if name != "auto_capture"}


def age(order: dict[str, Any], now: datetime) -> bool:
    """Let an order expire whose time has come. True when it just did."""
    capturable = order["status"] in ("AUTHORIZED", "PART_CAPTURED")
    if not capturable or now < datetime.fromisoformat(order["expires_at"]):
        return False
    order["status"], order["remaining_authorized_amount"] = "EXPIRED", 0
    return True


def capture(order: dict[str, Any], body: Any, now: datetime) -> dict[str, Any]:
    """Capture a part or all; the capture. Raises ApiError."""
    amount = whole(body, "captured_amount", least=0, most=200_000_000)
    said = {name: text(body, name, 255, required=False) for name in ("reference", "description")}
    if order["fraud_status"] != "ACCEPTED" or order["status"] not in ("AUTHORIZED", "PART_CAPTURED"):
        raise ApiError(403, "CAPTURE_NOT_ALLOWED", f"Capture not allowed. Order is {order['status'].lower()}")
    if not 0 < amount <= order["remaining_authorized_amount"]:
        raise ApiError(403, "CAPTURE_NOT_ALLOWED", "Captured amount is higher than the remaining authorized amount.")
    made = {
        "capture_id": str(uuid.uuid4()),
        "klarna_reference": f"{order['klarna_reference']}-{len(order['captures']) + 1}",
        "captured_amount": amount,
        "captured_at": instant(now),
        "refunded_amount": 0,
        **{name: value for name, value in said.items() if value},
    }
    order["captures"].append(made)
    order["captured_amount"] += amount
    order["remaining_authorized_amount"] -= amount
    order["status"] = "PART_CAPTURED" if order["remaining_authorized_amount"] else "CAPTURED"
    return made


def refund(order: dict[str, Any], body: Any, now: datetime) -> dict[str, Any]:
    """Refund captured money; the refund. Raises ApiError."""
    amount = whole(body, "refunded_amount", least=0, most=200_000_000)
    said = {name: text(body, name, 255, required=False) for name in ("reference", "description")}
    if not 0 < amount <= order["captured_amount"] - order["refunded_amount"]:
        raise ApiError(403, "REFUND_NOT_ALLOWED", "Refunded amount is higher than the captured amount that is left.")
    made = {
        "refund_id": str(uuid.uuid4()),
        "refunded_amount": amount,
        "refunded_at": instant(now),
        **{name: value for name, value in said.items() if value},
    }
    order["refunds"].append(made)
    order["refunded_amount"] += amount
    return made


def cancel(order: dict[str, Any]) -> int:
    """Cancel an order that has no captures; what was open. Raises ApiError."""
    if order["captures"] or order["status"] != "AUTHORIZED":
        raise ApiError(403, "CANCEL_NOT_ALLOWED", "Order cannot be cancelled: it has captures or is closed.")
    amount: int = order["remaining_authorized_amount"]
    order["status"], order["remaining_authorized_amount"] = "CANCELLED", 0
    return amount


def release(order: dict[str, Any]) -> int:
    """Release what is left after captures; how much it was. Raises ApiError."""
    if not order["captures"] or order["status"] == "CANCELLED":
        raise ApiError(403, "NOT_ALLOWED", "Can not release when order is cancelled or has no captures.")
    amount: int = order["remaining_authorized_amount"]
    order["remaining_authorized_amount"] = 0
    if order["status"] == "PART_CAPTURED":
        order["status"] = "CAPTURED"
    return amount
