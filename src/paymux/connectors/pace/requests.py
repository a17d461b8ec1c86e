"""What Pace is sent. The total is a number in major units, the price of a line an integer in minor ones."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypedDict

from paymux.connectors import amounts, contract


class Item(TypedDict):
    """A line, its price in minor units; what we know nothing of is sent empty."""

    itemId: str
    itemType: Literal["simple"]
    name: str
    quantity: int
    unitPrice: int
    brand: str
    tags: list[str]
    imageUrl: str
    productUrl: str


class RedirectUrls(TypedDict):
    """Where the shopper comes back to."""

    success: str
    failed: str


class Address(TypedDict):
    """Where the invoice or the goods go, and to whom."""

    firstName: str
    lastName: str
    email: str
    phone: str
    addr1: str
    addr2: str
    city: str
    state: str
    region: str
    postalCode: str
    countryIsoCode: str


class NewTransaction(TypedDict):
    """What opens a transaction. `amountFloat` is the total in major units, exact whatever its name says."""

    items: list[Item]
    currency: str
    amountFloat: Decimal
    referenceID: str
    webhookUrl: str
    redirectUrls: RedirectUrls
    billingAddress: Address
    shippingAddress: Address


def new_transaction(order: contract.OrderToPay) -> NewTransaction:
    """The body of a new transaction. Raises Refused for an amount that its currency can't hold."""
    who = order.customer
    return {
        "items": [
            {
                "itemId": line.sku or line.name, "itemType": "simple", "name": line.name, "quantity": line.quantity,
                "unitPrice": amounts.minor(line.unit), "brand": "", "tags": [], "imageUrl": "", "productUrl": "",
            }
            for line in amounts.lines(order)
        ],
        "currency": order.total.currency,
        "amountFloat": Decimal(amounts.text(order.total)),
        "referenceID": order.reference,
        "webhookUrl": order.events_url,
        "redirectUrls": {"success": order.return_to("success"), "failed": order.return_to("failure")},
        "billingAddress": _address(order.billing, who),
        "shippingAddress": _address(order.delivery or order.billing, who),
    }  # fmt: skip


def _address(address: contract.Address, who: contract.Person) -> Address:
    return {
        "firstName": address.first_name or who.first_name, "lastName": address.last_name or who.last_name,
        "email": address.email or who.email, "phone": address.phone or who.phone, "addr1": address.street,
        "addr2": address.street2, "city": address.city, "state": address.state, "region": address.region,
        "postalCode": address.postal_code, "countryIsoCode": address.country,
    }  # fmt: skip
