"""The bodies of the contract's orders: the one form of both kinds of paying."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from paymux.connectors.contract import Address, Item, OrderToPay, Person
from paymux.money import Money, fits


def checkout_body(order: OrderToPay, code: str) -> dict[str, Any]:
    """The body of `POST /checkouts`. Raises InexactAmount."""
    urls = {via: order.return_to(via) for via in ("success", "cancel", "failure")}
    return {
        **_order(order, code),
        "save_token": order.get_token,
        "urls": urls | _events(order),
        "expires_at": _instant(order.expires_at),
    }


def charge_body(order: OrderToPay, code: str) -> dict[str, Any]:
    """The body of `POST /charges` without its token. Raises InexactAmount."""
    return {**_order(order, code), "urls": _events(order)}


def _events(order: OrderToPay) -> dict[str, str]:
    return {"events": order.events_url} if order.events_url else {}


def _order(order: OrderToPay, code: str) -> dict[str, Any]:
    currency = order.total.currency
    given = order.additional_data.get("providerData")
    return {
        "order_id": order.id,
        "reference": order.reference,
        "provider": code,
        "total": {"amount": order.total.text, "currency": currency},
        "capture": "automatic" if order.auto_capture else "manual",
        "items": [_item(item, currency) for item in order.items],
        "shipping": Money(order.shipping, currency).text,
        "tax": Money(order.tax, currency).text,
        "discount": Money(order.discount, currency).text,
        "shipping_method": order.shipping_method,
        "shipping_type": order.shipping_type,
        "customer": _person(order.customer),
        "billing_address": _address(order.billing),
        "delivery_address": _address(order.delivery) if order.delivery else None,
        "country": order.country,
        "locale": order.locale,
        "customer_present": order.customer_present,
        "created_at": _instant(order.created_at),
        "provider_data": given if isinstance(given, dict) else {},
    }


def _item(item: Item, currency: str) -> dict[str, Any]:
    total = Money(item.total, currency)
    said = {"name": item.name, "sku": item.sku, "total": total.text}
    if fits(item.unit_price, 6):
        return {**said, "quantity": item.quantity, "unit_price": _plainly(item.unit_price)}
    return {**said, "quantity": 1, "unit_price": total.text}


def _plainly(amount: Decimal) -> str:
    return format(amount, "f")


def _person(person: Person) -> dict[str, str]:
    return {
        "first_name": person.first_name,
        "last_name": person.last_name,
        "email": person.email,
        "phone": person.phone,
    }


def _address(address: Address) -> dict[str, str]:
    return {
        **_person(address),
        "street": address.street,
        "street2": address.street2,
        "city": address.city,
        "state": address.state,
        "region": address.region,
        "postal_code": address.postal_code,
        "country": address.country,
    }


def _instant(at: datetime) -> str:
    return at.isoformat()
