"""What Affirm is sent: checkouts, authorisations, captures, voids and refunds. Amounts are integers in cents."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict, cast

from paymux.connectors.amounts import lines, minor
from paymux.connectors.contract import Address as Place
from paymux.connectors.contract import OrderToPay, Person
from paymux.money import Money

_COUNTRIES = {"US": "USA", "CA": "CAN", "GB": "GBR"}


class Merchant(TypedDict):
    """Who sells, and where the shopper is sent to."""

    public_api_key: str
    user_confirmation_url: str
    user_confirmation_url_action: Literal["GET"]
    user_cancel_url: str


class Item(TypedDict):
    """A line of what is bought."""

    display_name: str
    sku: str
    unit_price: int
    qty: int


class Name(TypedDict):
    """Who is billed or gets the goods."""

    first: str
    last: str


class Address(TypedDict):
    """Where that is, in the words of the global hosts; the country in three letters."""

    street1: str
    street2: NotRequired[str]
    city: str
    region1_code: str
    postal_code: str
    country_code: str


class Contact(TypedDict):
    """Who is billed or gets the goods, where, and how he is reached."""

    name: Name
    address: Address
    phone_number: NotRequired[str]
    email: NotRequired[str]


class Discount(TypedDict):
    """What is taken off the order."""

    discount_amount: int
    discount_display_name: str


class NewCheckout(TypedDict):
    """A checkout to be opened; discounts by their codes."""

    merchant: Merchant
    items: list[Item]
    billing: Contact
    shipping: Contact
    order_id: str
    currency: str
    shipping_amount: int
    tax_amount: int
    total: int
    discounts: NotRequired[dict[str, Discount]]


class NewTransaction(TypedDict):
    """The authorisation of a loan that the shopper confirmed; a transaction is named by its checkout's id."""

    transaction_id: str
    order_id: str
    reference_id: str


class NewEvent(TypedDict):
    """A capture, void or refund of a transaction; without an amount it is of all that there is."""

    reference_id: str
    amount: NotRequired[int]


# All that Affirm is sent; None where a call has no body.
Body = NewCheckout | NewTransaction | NewEvent | None


def checkout_of(order: OrderToPay, public_key: str) -> NewCheckout:
    """The body that opens a checkout for an order. Raises Refused when an amount is not exact."""
    currency = order.total.currency
    body: NewCheckout = {
        "merchant": {
            "public_api_key": public_key,
            "user_confirmation_url": order.return_url, "user_confirmation_url_action": "GET",
            "user_cancel_url": order.return_to("cancel"),
        },
        "items": [
            {
                "display_name": line.name, "sku": line.sku or line.name, "unit_price": minor(line.unit),
                "qty": line.quantity,
            }
            for line in lines(order)
        ],
        "billing": _contact(order.billing, order.customer),
        "shipping": _contact(order.delivery if _complete(order.delivery) else order.billing, order.customer),
        "order_id": order.reference,
        "currency": currency,
        "shipping_amount": minor(Money(order.shipping, currency)),
        "tax_amount": minor(Money(order.tax, currency)),
        "total": minor(order.total),
    }  # fmt: skip
    if order.discount:
        off = minor(Money(order.discount, currency))
        body["discounts"] = {"DISCOUNT": {"discount_amount": off, "discount_display_name": "Discount"}}
    return body


def _complete(place: Place | None) -> bool:
    return place is not None and bool(place.street and place.city and place.postal_code and place.country)


def _contact(place: Place | None, who: Person) -> Contact:
    to = place or Place()
    contact: Contact = {
        "name": {"first": to.first_name or who.first_name, "last": to.last_name or who.last_name},
        "address": _address(to),
    }
    if phone := to.phone or who.phone:
        contact["phone_number"] = phone
    if email := to.email or who.email:
        contact["email"] = email
    return contact


def _address(to: Place) -> Address:
    full: Address = {
        "street1": to.street, "street2": to.street2, "city": to.city, "region1_code": to.state or to.region,
        "postal_code": to.postal_code, "country_code": _COUNTRIES.get(to.country, to.country),
    }  # fmt: skip
    # Leaving out what is empty loses the type; what Affirm demands of an address, the merchant is asked for.
    return cast(Address, {name: text for name, text in full.items() if text})
