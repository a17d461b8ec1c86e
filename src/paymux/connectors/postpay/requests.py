"""What Postpay is sent: a checkout and a refund. Amounts are integers in hundredths."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from paymux.connectors import contract
from paymux.connectors.amounts import lines, minor
from paymux.money import Money


class Address(TypedDict):
    """Where somebody lives; what is not known goes as an empty text."""

    first_name: str
    last_name: str
    phone: str
    line1: str
    line2: str
    city: str
    state: str
    country: str
    postal_code: str


class Shipping(TypedDict):
    """How the goods are sent, and for how many hundredths."""

    id: str
    name: str
    amount: int
    address: Address


class Customer(TypedDict):
    """The shopper, who has no account at the shop that we know of."""

    email: str
    first_name: str
    last_name: str
    account: Literal["guest"]


class Item(TypedDict):
    """A line of the order; `unit_price` in hundredths."""

    reference: str
    name: str
    unit_price: int
    qty: int


class Discount(TypedDict):
    """What is taken off the order's lines, in hundredths."""

    code: str
    name: str
    amount: int


class Merchant(TypedDict):
    """Where the shopper comes back to."""

    confirmation_url: str
    cancel_url: str


class NewCheckout(TypedDict):
    """An order to agree to; amounts in hundredths, `shipping` null where nothing is sent."""

    order_id: str
    total_amount: int
    tax_amount: int
    currency: str
    shipping: Shipping | None
    billing_address: Address
    customer: Customer
    items: list[Item]
    merchant: Merchant
    discounts: NotRequired[list[Discount]]
    num_instalments: NotRequired[int]


class Refund(TypedDict):
    """A part or all of a captured order to be given back, in hundredths, under a name of ours."""

    refund_id: str
    amount: int
    description: str


def checkout(order: contract.OrderToPay, name: str) -> NewCheckout:
    """A checkout called `name`. Raises Refused for an amount that hundredths can't hold."""
    currency, who = order.total.currency, order.customer
    to = order.delivery if order.delivery and order.delivery.street and order.delivery.city else order.billing
    body: NewCheckout = {
        "order_id": name,
        "total_amount": minor(order.total),
        "tax_amount": minor(Money(order.tax, currency)),
        "currency": currency,
        "shipping": {
            "id": order.shipping_method or "delivery", "name": order.shipping_type or "normal",
            "amount": minor(Money(order.shipping, currency)), "address": _address(to, who),
        },
        "billing_address": _address(order.billing, who),
        "customer": {
            "email": who.email, "first_name": who.first_name, "last_name": who.last_name, "account": "guest",
        },
        "items": [
            {
                "reference": line.sku or line.name, "name": line.name, "unit_price": minor(line.unit),
                "qty": line.quantity,
            }
            for line in lines(order)
        ],
        "merchant": {"confirmation_url": order.return_to("success"), "cancel_url": order.return_to("cancel")},
    }  # fmt: skip
    if order.shipping_method == "digital":
        body["shipping"] = None
    if order.discount:
        off = minor(Money(order.discount, currency))
        body["discounts"] = [{"code": "DISCOUNT", "name": "Discount", "amount": off}]
    if order.additional_data.get("num_instalments") is not None:
        body["num_instalments"] = int(order.additional_data["num_instalments"])
    return body


def _address(address: contract.Address, who: contract.Person) -> Address:
    return {
        "first_name": address.first_name or who.first_name, "last_name": address.last_name or who.last_name,
        "phone": address.phone or who.phone, "line1": address.street, "line2": address.street2, "city": address.city,
        "state": address.state or address.region, "country": address.country, "postal_code": address.postal_code,
    }  # fmt: skip
