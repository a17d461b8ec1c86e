"""What is sent to Zip: checkouts with their lines, and charges."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from paymux.connectors.amounts import lines_that_sum_up, text
from paymux.connectors.contract import Address, OrderToPay
from paymux.money import Money

_PICKED_UP = frozenset({"pick-up", "pickup", "store", "store pick-up", "digital"})
_EXTRA = {"Shipping": "shipping", "Tax": "tax", "Discount": "discount"}
_MAX_PHONE, _MAX_SKU = 20, 49


def number(money: Money) -> Decimal:
    """An exact number in major units. Raises Refused when the currency can't hold it."""
    return Decimal(text(money))


def charge_body(total: Money, reference: str, capture: bool, kind: str, value: str) -> dict[str, Any]:
    """A charge of the whole amount. `kind` says what authorises it: `checkout_id` or `account_token`."""
    return {
        "authority": {"type": kind, "value": value}, "reference": reference, "amount": number(total),
        "currency": total.currency, "capture": capture,
    }  # fmt: skip


def checkout_body(order: OrderToPay) -> dict[str, Any]:
    """A checkout with its shopper, lines and the one address to come back to."""
    who = order.customer
    shopper = {"first_name": who.first_name, "last_name": who.last_name, "email": who.email}
    phone = re.sub(r"[^\d\s]", "", who.phone or order.billing.phone).strip()[: _MAX_PHONE - 1]
    if phone:
        shopper["phone"] = f"+{phone}" if who.phone.startswith("+") else phone
    body: dict[str, Any] = {
        "type": "standard",
        "shopper": {**shopper, "billing_address": _address(order.billing)},
        "order": {
            "reference": order.reference, "amount": number(order.total), "currency": order.total.currency,
            "shipping": _shipping(order), "items": _items(order),
        },
        "config": {"redirect_uri": order.return_url},
    }  # fmt: skip
    if order.get_token:
        body["features"] = {"tokenisation": {"required": True}}
    return body


def _items(order: OrderToPay) -> list[dict[str, Any]]:
    """The lines, then shipping, tax and discount as lines of their own kind."""
    items = []
    for place, line in enumerate(lines_that_sum_up(order)):
        kind = "sku" if place < len(order.items) else _EXTRA[line.name]
        item = {"name": line.name, "amount": number(line.unit), "quantity": line.quantity, "type": kind}
        items.append({**item, "product_code": line.sku[:_MAX_SKU]} if line.sku else item)
    return items


def _shipping(order: OrderToPay) -> dict[str, Any]:
    to = order.delivery
    if to is None or order.shipping_method in _PICKED_UP or not (to.street and to.city and to.postal_code):
        return {"pickup": True}
    return {"pickup": False, "address": _address(to)}


def _address(address: Address) -> dict[str, str]:
    """An address; where a country has no states its city stands for one, as Zip demands a state."""
    state = address.state or address.region or address.city
    fields = {
        "first_name": address.first_name[:200], "last_name": address.last_name[:200], "line1": address.street[:200],
        "line2": address.street2[:200], "city": address.city[:50], "state": state[:50],
        "postal_code": address.postal_code[:15], "country": address.country,
    }  # fmt: skip
    return {name: value for name, value in fields.items() if value}
