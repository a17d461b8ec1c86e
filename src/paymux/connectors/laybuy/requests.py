"""What Laybuy is sent. Amounts are JSON numbers in major units."""

from __future__ import annotations

from decimal import Decimal
from typing import NotRequired, TypedDict, cast

from paymux.connectors import amounts, contract
from paymux.money import Money, exact

_COUNTRIES = {"NZ": "New Zealand", "AU": "Australia", "GB": "United Kingdom"}


class Customer(TypedDict):
    """The shopper; Laybuy demands all of it."""

    firstName: str
    lastName: str
    email: str
    phone: str


class Address(TypedDict):
    """Where the invoice or the goods go, the country by its English name; nothing of it is sent empty."""

    name: NotRequired[str]
    address1: NotRequired[str]
    address2: NotRequired[str]
    city: NotRequired[str]
    postcode: NotRequired[str]
    country: NotRequired[str]
    phone: NotRequired[str]


class Item(TypedDict):
    """A line. Quantity times price is its part of the amount; a discount's price is less than nothing."""

    id: str
    description: str
    quantity: int
    price: Decimal


class _Tax(TypedDict):
    tax: NotRequired[Decimal]


class NewOrder(_Tax):
    """What opens an order. `tax` is part of the amount, and of no order without one."""

    amount: Decimal
    currency: str
    returnUrl: str
    merchantReference: str
    customer: Customer
    billingAddress: Address
    shippingAddress: Address
    items: list[Item]


class Confirmation(TypedDict):
    """What makes an agreed order a paid one; Laybuy checks amount and currency."""

    token: str
    amount: Decimal
    currency: str


class Refund(TypedDict):
    """What gives a part or all of an order back, once per `refundReference`. An id that is no number is sent as it is."""

    orderId: int | str
    amount: Decimal
    refundReference: str
    note: str


def new_order(order: contract.OrderToPay) -> NewOrder:
    """The body of a new order. Raises Refused for an amount that its currency can't hold."""
    items: list[Item] = [
        {"id": line.sku or line.name, "description": line.name or "Item", "quantity": line.quantity,
         "price": number(line.unit)}
        for line in amounts.lines_that_sum_up(order)
    ]  # fmt: skip
    tax: _Tax = {"tax": number(Money(order.tax, order.total.currency))} if order.tax else {}
    return {
        "amount": number(order.total),
        "currency": order.total.currency,
        **tax,
        "returnUrl": order.return_url,
        "merchantReference": order.reference,
        "customer": {
            "firstName": order.customer.first_name,
            "lastName": order.customer.last_name,
            "email": order.customer.email,
            "phone": order.customer.phone,
        },
        "billingAddress": _address(order.billing, order.country),
        "shippingAddress": _address(order.delivery or order.billing, order.country),
        "items": items,
    }


def number(money: Money) -> Decimal:
    """An amount as a JSON number. Raises Refused when its currency can't hold it."""
    return exact(Decimal(amounts.text(money)))


def _address(address: contract.Address, country: str) -> Address:
    where = address.country or country
    said: Address = {
        "name": f"{address.first_name} {address.last_name}".strip(), "address1": address.street,
        "address2": address.street2, "city": address.city, "postcode": address.postal_code,
        "country": _COUNTRIES.get(where, where), "phone": address.phone,
    }  # fmt: skip
    # Leaving fields away keeps it an address, as none of them is required.
    return cast(Address, {name: value for name, value in said.items() if value})
