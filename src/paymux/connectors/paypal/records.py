"""PayPal's records as its simulator shows them: orders, authorisations, captures, refunds, events."""

from __future__ import annotations

import secrets
from datetime import datetime
from decimal import Decimal
from typing import Any

from paymux.connectors.paypal.rules import told
from paymux.sandbox.simulator import Case

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def new_id(size: int = 17) -> str:
    """An id as PayPal makes them."""
    return "".join(secrets.choice(_LETTERS) for _ in range(size))


def text_of(moment: datetime) -> str:
    """A moment in PayPal's form."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """The moment that PayPal's form names."""
    return datetime.fromisoformat(text)


def value(record: dict[str, Any]) -> Decimal:
    """A record's amount in major units."""
    return Decimal(record["amount"]["value"])


def authorization(case: Case, base: str, now: datetime, until: datetime, status: str) -> dict[str, Any]:
    """A new authorised payment of the whole order."""
    record = _payment(case, "authorizations", base, now, status, case.amount, ("capture", "void", "reauthorize"))
    return {**record, "expiration_time": text_of(until)}


def capture(case: Case, base: str, now: datetime, status: str, amount: Decimal, final: bool) -> dict[str, Any]:
    """A new captured payment."""
    return {**_payment(case, "captures", base, now, status, amount, ("refund",)), "final_capture": final}


def _payment(
    case: Case, kind: str, base: str, now: datetime, status: str, amount: Decimal, calls: tuple[str, ...]
) -> dict[str, Any]:
    id = new_id()
    own = f"{base}/v2/payments/{kind}/{id}"
    return {
        "id": id, "status": status, "amount": told(amount, case.currency), "custom_id": case.data["custom_id"],
        "seller_protection": {"status": "ELIGIBLE", "dispute_categories": ["ITEM_NOT_RECEIVED"]},
        "create_time": text_of(now), "update_time": text_of(now),
        "links": [
            {"href": own, "rel": "self", "method": "GET"},
            *({"href": f"{own}/{call}", "rel": call, "method": "POST"} for call in calls),
            {"href": f"{base}/v2/checkout/orders/{case.id}", "rel": "up", "method": "GET"},
        ],
    }  # fmt: skip


def refund(
    case: Case, base: str, now: datetime, amount: Decimal, capture_id: str, said: dict[str, Any]
) -> dict[str, Any]:
    """A new refund of a capture, with what the merchant said of it."""
    id = new_id()
    return {
        "id": id, "status": "COMPLETED", "amount": told(amount, case.currency), **said,
        "create_time": text_of(now), "update_time": text_of(now),
        "links": [
            {"href": f"{base}/v2/payments/refunds/{id}", "rel": "self", "method": "GET"},
            {"href": f"{base}/v2/payments/captures/{capture_id}", "rel": "up", "method": "GET"},
        ],
    }  # fmt: skip


def order(case: Case, base: str, page: str, *, minimal: bool = False) -> dict[str, Any]:
    """An order: all of it, or only id, status and links as PayPal answers unless it is asked for more."""
    links = [{"href": f"{base}/v2/checkout/orders/{case.id}", "rel": "self", "method": "GET"}]
    if case.status == "PAYER_ACTION_REQUIRED":
        links.append({"href": page, "rel": "payer-action", "method": "GET"})
    brief: dict[str, Any] = {"id": case.id, "status": case.status, "links": links}
    if minimal:
        return brief
    data = case.data
    payments = {name: data[name] for name in ("authorizations", "captures", "refunds") if data[name]}
    unit = {
        "reference_id": "default", "amount": _amount(case), "custom_id": data["custom_id"],
        "payee": {"email_address": "merchant@business.example", "merchant_id": "23456789ABCDE"},
        **{name: data["unit"][name] for name in ("description", "items", "shipping") if name in data["unit"]},
    }  # fmt: skip
    return {
        **brief, "intent": data["intent"], "purchase_units": [{**unit, **({"payments": payments} if payments else {})}],
        "payment_source": {"paypal": _wallet(case)}, "create_time": data["created"],
    }  # fmt: skip


def _amount(case: Case) -> dict[str, Any]:
    asked, now = case.data["unit"]["amount"], told(case.amount, case.currency)
    same = {name: asked[name] for name in now} == now
    return asked if same else now


def _wallet(case: Case) -> dict[str, Any]:
    data = case.data
    shown = {name: data["source"][name] for name in ("email_address", "name") if name in data["source"]}
    if data["payer"]:
        shown |= {"account_id": data["payer"], "account_status": "VERIFIED"}
    if data["vault"]:
        shown["attributes"] = {"vault": {"id": data["vault"], "status": "VAULTED", "customer": {"id": data["payer"]}}}
    return shown


def event(name: str, kind: str, resource: dict[str, Any], now: datetime, base: str) -> dict[str, Any]:
    """A webhook's body."""
    id = f"WH-{new_id()}-{new_id()}"
    own = f"{base}/v1/notifications/webhooks-events/{id}"
    return {
        "id": id, "event_version": "1.0", "create_time": text_of(now), "resource_type": kind, "event_type": name,
        "resource_version": "2.0", "summary": name.replace(".", " ").lower(), "resource": resource,
        "links": [
            {"href": own, "rel": "self", "method": "GET"}, {"href": f"{own}/resend", "rel": "resend", "method": "POST"},
        ],
    }  # fmt: skip
