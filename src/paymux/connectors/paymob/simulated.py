"""The rules of Paymob's simulator: what an intention must have, how errors look, what is signed. From the documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_REQUIRED = "This field is required."
_LONGEST_LIFE = 3_110_400


class ApiError(Exception):
    """An error answer of Paymob's."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(str(body))
        self.status, self.body = status, body


def failed(path: str, sentence: str) -> ApiError:
    """The error of one field: its path, and below it a list of sentences."""
    body: Any = [sentence]
    for name in reversed(path.split(".")):
        body = {name: body}
    return ApiError(400, body)


def check_intention(body: Mapping[str, Any]) -> int:
    """Check a new intention; its amount in cents. Raises ApiError."""
    for name in ("amount", "currency", "payment_methods", "billing_data"):
        if not body.get(name):
            raise failed(name, _REQUIRED)
    amount = _integer(body["amount"], "amount")
    if body["currency"] != "EGP":
        raise failed("integrations", "Unsupported currency")
    if not isinstance(body["payment_methods"], list) or not all(type(one) is int for one in body["payment_methods"]):
        raise failed("payment_methods", "A valid integer is required.")
    _check_billing(body["billing_data"])
    _check_items(body.get("items", []), amount)
    reference = body.get("special_reference")
    if not isinstance(reference, str) or not reference or len(reference) > 64:
        raise failed("special_reference", _REQUIRED)
    life = body.get("expiration")
    if type(life) is not int or not 0 < life <= _LONGEST_LIFE:
        raise failed("expiration", "A valid integer is required.")
    for name in ("notification_url", "redirection_url"):
        if not str(body.get(name, "")).startswith(("https://", "http://")):
            raise failed(name, "Enter a valid URL.")
    return amount


def _integer(value: Any, path: str) -> int:
    """A whole number above 0; as text, too, as Paymob's own client writes it. Raises ApiError."""
    if type(value) is int and value > 0:
        return value
    if isinstance(value, str) and value.isdecimal() and int(value) > 0:
        return int(value)
    raise failed(path, "A valid integer is required.")


def _check_billing(billing: Any) -> None:
    for name in ("first_name", "last_name", "email", "phone_number"):
        value = billing.get(name) if isinstance(billing, dict) else None
        if not isinstance(value, str) or not value:
            raise failed(f"billing_data.{name}", _REQUIRED)
        if name.endswith("_name") and len(value) > 50:
            raise failed(f"billing_data.{name}", "Ensure this field has no more than 50 characters.")
    if "@" not in billing["email"]:
        raise failed("billing_data.email", "Enter a valid email address.")


def _check_items(items: Any, amount: int) -> None:
    for item in items:
        for name in ("name", "amount"):
            if item.get(name) in (None, ""):
                raise failed(f"items.{name}", _REQUIRED)
        if len(item["name"]) > 50 or len(item.get("description") or "") > 255:
            raise failed("items.name", "Ensure this field has no more than 50 characters.")
    if items and sum(_line_amount(item["amount"]) for item in items) != amount:
        raise ApiError(406, {"code": "unmatched_item_prices"})


def _line_amount(value: Any) -> int:
    """What a line adds to the amount: below zero for a discount, as Paymob's plugin sends it. Raises ApiError."""
    if isinstance(value, str) and value.removeprefix("-").isdecimal():
        return int(value)
    if type(value) is not int:
        raise failed("items.amount", "A valid integer is required.")
    return value


def signed_text(row: Mapping[str, Any], order: Any) -> str:
    """The text that is signed of a transaction: twenty values in the order of their names, truths in small letters."""
    source = row.get("source_data") or {kind: row[f"source_data.{kind}"] for kind in ("pan", "sub_type", "type")}
    values = [
        row["amount_cents"], row["created_at"], row["currency"], row["error_occured"], row["has_parent_transaction"],
        row["id"], row["integration_id"], row["is_3d_secure"], row["is_auth"], row["is_capture"], row["is_refunded"],
        row["is_standalone_payment"], row["is_voided"], order, row["owner"], row["pending"], source["pan"],
        source["sub_type"], source["type"], row["success"],
    ]  # fmt: skip
    return "".join(_written(value) for value in values)


def shown(row: Mapping[str, Any]) -> dict[str, str]:
    """A transaction as the query of the shopper's return: its plain fields, and those inside others by their paths."""
    plain = {name: _written(value) for name, value in row.items() if not isinstance(value, dict) and value is not None}
    inner = {f"source_data.{name}": str(value) for name, value in row["source_data"].items()}
    return plain | inner | {
        "order": str(row["order"]["id"]), "merchant_order_id": row["order"]["merchant_order_id"],
        "data.message": row["data"]["message"], "txn_response_code": row["data"]["txn_response_code"],
    }  # fmt: skip


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
