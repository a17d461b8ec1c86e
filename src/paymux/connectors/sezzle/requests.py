"""What Sezzle is sent: sessions, customers' orders, captures, releases and refunds, subscriptions, keys.

Amounts are integers in minor units.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict, cast

from paymux.connectors import amounts, contract
from paymux.money import Money

Intent = Literal["AUTH", "CAPTURE"]
"""What the shopper's consent does: hold the money, or take it at once."""

EventName = Literal["order.authorized", "order.captured", "order.refunded"]
"""The events of an order that we subscribe to."""


class Price(TypedDict):
    """Money in minor units. By itself it is the body of a release or a refund."""

    amount_in_cents: int
    currency: str


class Capture(TypedDict):
    """A part or all of an authorisation to be taken."""

    capture_amount: Price


class Url(TypedDict):
    """Where the shopper comes back to, and how."""

    href: str
    method: Literal["GET"]


class Address(TypedDict):
    """An address, which is taken whole or not at all."""

    street: str
    city: str
    state: str
    postal_code: str
    country_code: str
    name: NotRequired[str]
    street2: NotRequired[str]
    phone: NotRequired[str]


class Customer(TypedDict):
    """The shopper, as far as he is known, and whether he is asked to let the shop charge him later."""

    tokenize: bool
    email: NotRequired[str]
    first_name: NotRequired[str]
    last_name: NotRequired[str]
    phone: NotRequired[str]
    billing_address: NotRequired[Address]
    shipping_address: NotRequired[Address]


class Item(TypedDict):
    """A line of the order; `price` is for one piece."""

    name: str
    sku: str
    quantity: int
    price: Price


class Discount(TypedDict):
    """What is taken off the order's lines."""

    name: str
    amount: Price


class CustomerOrder(TypedDict):
    """An order that a customer, who agreed before, pays without being asked."""

    intent: Intent
    reference_id: str
    order_amount: Price


class NewOrder(CustomerOrder):
    """An order that the shopper is asked to pay."""

    description: str
    items: list[Item]
    shipping_amount: Price
    tax_amount: Price
    discounts: NotRequired[list[Discount]]


class NewSession(TypedDict):
    """What opens the checkout."""

    complete_url: Url
    cancel_url: Url
    customer: Customer
    order: NewOrder


class NewWebhook(TypedDict):
    """A URL that is to be told of events."""

    url: str
    events: list[EventName]


class Authentication(TypedDict):
    """The keys that an access token is granted for."""

    public_key: str
    private_key: str


def session(order: contract.OrderToPay) -> NewSession:
    """A session with its order. Raises Refused for an amount that is not exact in minor units."""
    return {
        "complete_url": {"href": order.return_to("success"), "method": "GET"},
        "cancel_url": {"href": order.return_to("cancel"), "method": "GET"},
        "customer": _customer(order),
        "order": _order(order),
    }


def customer_order(order: contract.OrderToPay) -> CustomerOrder:
    """An order by a customer. Raises Refused for an amount that is not exact in minor units."""
    return {"intent": _intent(order), "reference_id": order.reference, "order_amount": price(order.total)}


def price(money: Money) -> Price:
    """Money in Sezzle's form. Raises Refused when it is not exact."""
    return {"amount_in_cents": amounts.minor(money), "currency": money.currency}


def _order(order: contract.OrderToPay) -> NewOrder:
    currency = order.total.currency
    wanted: NewOrder = {
        "intent": _intent(order), "reference_id": order.reference, "description": f"Order {order.reference}",
        "items": [
            {"name": line.name, "sku": line.sku or line.name, "quantity": line.quantity, "price": price(line.unit)}
            for line in amounts.lines(order)
        ],
        "shipping_amount": price(Money(order.shipping, currency)), "tax_amount": price(Money(order.tax, currency)),
        "order_amount": price(order.total),
    }  # fmt: skip
    if order.discount:
        wanted["discounts"] = [{"name": "Discount", "amount": price(Money(order.discount, currency))}]
    return wanted


def _customer(order: contract.OrderToPay) -> Customer:
    who = order.customer
    known: Customer = {
        "tokenize": order.get_token, "email": who.email, "first_name": who.first_name, "last_name": who.last_name,
        "phone": who.phone,
    }  # fmt: skip
    # Every text of it may be left away, and the empty ones are.
    customer = cast(Customer, {name: value for name, value in known.items() if value != ""})
    if billing := _address(order.billing):
        customer["billing_address"] = billing
    if order.delivery is not None and (shipping := _address(order.delivery)):
        customer["shipping_address"] = shipping
    return customer


def _address(place: contract.Address) -> Address | None:
    """An address, where it has everything that Sezzle demands of one."""
    address: Address = {
        "street": place.street, "city": place.city, "state": place.state or place.region,
        "postal_code": place.postal_code, "country_code": place.country,
    }  # fmt: skip
    if not all(address.values()):
        return None
    if name := f"{place.first_name} {place.last_name}".strip():
        address["name"] = name
    if place.street2:
        address["street2"] = place.street2
    if place.phone:
        address["phone"] = place.phone
    return address


def _intent(order: contract.OrderToPay) -> Intent:
    return "CAPTURE" if order.auto_capture else "AUTH"
