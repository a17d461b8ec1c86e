"""What is sent to PayPal: an order with its one purchase unit, amounts of captures and refunds."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from paymux.connectors.contract import Address, Item, Move, OrderToPay, Refused
from paymux.money import Money, fits

# ISO 4217 gives the forint and the new Taiwan dollar decimals; PayPal takes none in these.
_WHOLE = frozenset({"HUF", "JPY", "TWD"})
_LOCALE = re.compile(r"[a-z]{2}(-[A-Z]{2})?")
_NOT_SHIPPED = frozenset({"digital", "pick-up", "pickup", "store", "store pick-up"})
_MAX_TEXT, _MAX_NOTE = 127, 255


def order_body(order: OrderToPay, source: dict[str, Any]) -> dict[str, Any]:
    """An order of one purchase unit. `custom_id` is our reference, which PayPal gives back and shows to no shopper."""
    unit: dict[str, Any] = {"custom_id": order.reference, "amount": amount(order.total), **_lines(order)}
    if order.additional_data.get("description"):
        unit["description"] = str(order.additional_data["description"])[:_MAX_TEXT]
    address = _shipped_to(order)
    if address:
        unit["shipping"] = address
    return {
        "intent": "CAPTURE" if order.auto_capture else "AUTHORIZE",
        "purchase_units": [unit],
        "payment_source": {"paypal": source},
    }


def wallet(order: OrderToPay) -> dict[str, Any]:
    """The PayPal account that is to pay, not known yet: how its page looks, and whether it is to be saved."""
    brand = order.additional_data.get("brandName")
    context = {
        "return_url": order.return_to("success"), "cancel_url": order.return_to("cancel"), "user_action": "PAY_NOW",
        "shipping_preference": "SET_PROVIDED_ADDRESS" if _shipped_to(order) else "NO_SHIPPING",
    }  # fmt: skip
    if brand:
        context["brand_name"] = str(brand)[:_MAX_TEXT]
    locale = "-".join(order.locale.replace("_", "-").split("-")[:2])
    if _LOCALE.fullmatch(locale):
        context["locale"] = locale
    source: dict[str, Any] = {"experience_context": context}
    if order.customer.email:
        source["email_address"] = order.customer.email
    name = {"given_name": order.customer.first_name[:140], "surname": order.customer.last_name[:140]}
    if all(name.values()):
        source["name"] = name
    if order.get_token:
        source["attributes"] = {"vault": {"store_in_vault": "ON_SUCCESS", "usage_type": "MERCHANT"}}
    return source


def saved(order: OrderToPay, vault_id: str) -> dict[str, Any]:
    """A saved PayPal account that is to pay, and who started it: the shopper, or the merchant without him."""
    who = "CUSTOMER" if order.customer_present else "MERCHANT"
    return {"vault_id": vault_id, "stored_credential": {"payment_initiator": who, "usage": "SUBSEQUENT"}}


def capture_body(move: Move) -> dict[str, Any]:
    """A capture; the one that takes all that is left is the last."""
    return {"amount": amount(move.amount), "final_capture": move.whole, **_note(move)}


def refund_body(move: Move, part: Decimal, reference: str) -> dict[str, Any]:
    """A refund of one capture, marked as ours; the mark tells the whole where it is only a part of the operation."""
    whole = move.amount.amount
    mark = f"{reference}.{move.key}" + (f"_{text(move.amount)}" if part != whole else "")
    return {"amount": amount(Money(part, move.amount.currency)), "custom_id": mark, **_note(move)}


def amount(money: Money) -> dict[str, str]:
    """Money in PayPal's form. Raises Refused when it is not exact."""
    return {"currency_code": money.currency, "value": text(money)}


def text(money: Money) -> str:
    """A decimal string with PayPal's decimals for the currency. Raises Refused when it is not exact."""
    decimals = _decimals(money.currency)
    if not fits(money.amount, decimals):
        raise Refused(f"PayPal takes no {money.amount} {money.currency}: too many decimals", "inexact_amount")
    return f"{money.amount:.{decimals}f}"


def _decimals(currency: str) -> int:
    return 0 if currency in _WHOLE else 2


def _lines(order: OrderToPay) -> dict[str, Any]:
    """The breakdown and the lines; none at all where PayPal's form can't hold one of them, for only the total counts."""
    currency = order.total.currency
    parts = {
        "item_total": sum((item.total for item in order.items), Decimal(0)), "shipping": order.shipping,
        "tax_total": order.tax, "discount": order.discount,
    }  # fmt: skip
    held = [*parts.values(), *(item.total for item in order.items)]
    if not all(fits(value, _decimals(currency)) for value in held):
        return {}
    breakdown = {name: amount(Money(value, currency)) for name, value in parts.items() if value or name == "item_total"}
    return {
        "amount": {**amount(order.total), "breakdown": breakdown},
        "items": [_line(item, currency) for item in order.items],
    }


def _line(item: Item, currency: str) -> dict[str, Any]:
    exact = fits(item.unit_price, _decimals(currency)) and item.unit_price * item.quantity == item.total
    quantity, unit = (item.quantity, item.unit_price) if exact else (1, item.total)
    line = {"name": item.name[:_MAX_TEXT], "quantity": str(quantity), "unit_amount": amount(Money(unit, currency))}
    return {**line, "sku": item.sku[:_MAX_TEXT]} if item.sku else line


def _shipped_to(order: OrderToPay) -> dict[str, Any] | None:
    """Name and address that goods go to; None where nothing is shipped, or the address is not whole."""
    to = order.delivery
    if to is None or order.shipping_method in _NOT_SHIPPED or not (to.street and to.city and to.country):
        return None
    name = (
        f"{to.first_name} {to.last_name}".strip() or f"{order.customer.first_name} {order.customer.last_name}".strip()
    )
    shipping: dict[str, Any] = {"type": "SHIPPING", "address": _address(to)}
    return {**shipping, "name": {"full_name": name[:300]}} if name else shipping


def _address(to: Address) -> dict[str, str]:
    fields = {
        "address_line_1": to.street[:300], "address_line_2": to.street2[:300], "admin_area_2": to.city[:120],
        "admin_area_1": (to.state or to.region)[:300], "postal_code": to.postal_code[:60], "country_code": to.country,
    }  # fmt: skip
    return {name: value for name, value in fields.items() if value}


def _note(move: Move) -> dict[str, str]:
    return {"note_to_payer": move.description[:_MAX_NOTE]} if move.description else {}
