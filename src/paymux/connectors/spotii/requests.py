"""What is sent to Spotii. Every amount is a string in major units."""

from __future__ import annotations

from typing import TypedDict

from paymux.connectors import amounts, contract
from paymux.money import Money


class Keys(TypedDict):
    """What an access token is granted for."""

    public_key: str
    private_key: str


class Customer(TypedDict):
    """The shopper."""

    first_name: str
    last_name: str
    email: str
    phone: str


class Address(TypedDict):
    """Where the bill or the goods go. The city is the fourth line."""

    first_name: str
    last_name: str
    line1: str
    line2: str
    line4: str
    state: str
    postcode: str
    country: str
    phone: str


class Line(TypedDict):
    """Some pieces of one kind; `price` is that of one."""

    title: str
    sku: str
    quantity: int
    price: str
    currency: str


class Order(TypedDict):
    """What is bought. Lines carry the items alone; tax, shipping and discount are named beside them."""

    tax_amount: str
    shipping_amount: str
    discount: str
    customer: Customer
    billing_address: Address
    shipping_address: Address
    lines: list[Line]


class Checkout(TypedDict):
    """A checkout to open; `reference` names its order in every later call."""

    reference: str
    display_reference: str
    description: str
    total: str
    currency: str
    confirm_callback_url: str
    reject_callback_url: str
    order: Order


class Refund(TypedDict):
    """A part of a captured order, or all of it, to give back."""

    total: str
    currency: str


def checkout(order: contract.OrderToPay) -> Checkout:
    """The body that opens a checkout. Raises Refused for an amount that its currency can't hold."""
    return {
        "reference": order.reference,
        "display_reference": order.reference,
        "description": f"Order {order.reference}",
        "total": amounts.text(order.total),
        "currency": order.total.currency,
        "confirm_callback_url": order.return_to("success"),
        "reject_callback_url": order.return_to("failure"),
        "order": _order(order),
    }


def _order(order: contract.OrderToPay) -> Order:
    currency = order.total.currency
    return {
        "tax_amount": amounts.text(Money(order.tax, currency)),
        "shipping_amount": amounts.text(Money(order.shipping, currency)),
        "discount": amounts.text(Money(order.discount, currency)),
        "customer": {
            "first_name": order.customer.first_name,
            "last_name": order.customer.last_name,
            "email": order.customer.email,
            "phone": order.customer.phone or order.billing.phone,
        },
        "billing_address": _address(order.billing, order.country),
        "shipping_address": _address(order.delivery or order.billing, order.country),
        "lines": [
            {"title": line.name or "Item", "sku": line.sku, "quantity": line.quantity, "price": amounts.text(line.unit),
             "currency": currency}
            for line in amounts.lines(order)
        ],
    }  # fmt: skip


def _address(address: contract.Address, country: str) -> Address:
    return {
        "first_name": address.first_name, "last_name": address.last_name, "line1": address.street,
        "line2": address.street2, "line4": address.city, "state": address.state or address.region,
        "postcode": address.postal_code, "country": address.country or country, "phone": address.phone,
    }  # fmt: skip
