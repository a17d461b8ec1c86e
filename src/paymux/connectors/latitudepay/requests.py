"""What LatitudePay is sent: a sale and refunds. Amounts are numbers in major units, in their shortest form."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TypedDict

from paymux.connectors import amounts, contract
from paymux.connectors.contract import Move, OrderToPay
from paymux.money import Money, exact


class Amount(TypedDict):
    """An amount in major units."""

    amount: Decimal
    currency: str


class ReturnUrls(TypedDict):
    """Where the shopper comes back to, and where the result is told."""

    successUrl: str
    failUrl: str
    callbackUrl: str


class Customer(TypedDict):
    """Who buys."""

    mobileNumber: str
    firstName: str
    surname: str
    email: str


class Address(TypedDict):
    """Where the bill or the goods go; none of it may be empty."""

    addressLine1: str
    suburb: str
    cityTown: str
    postcode: str
    countryCode: str


class ArticleNumber(TypedDict, total=False):
    """The shop's own number of a product that has one."""

    sku: str


class Product(ArticleNumber):
    """A line, with the price of one."""

    name: str
    price: Amount
    quantity: int
    taxIncluded: bool


class ShippingLine(TypedDict):
    """What shipping costs, and how it goes."""

    carrier: str
    price: Amount
    taxIncluded: bool


class NewSale(TypedDict):
    """Opens a sale. Products and shipping are for information and need not sum up."""

    totalAmount: Amount
    returnUrls: ReturnUrls
    reference: str
    customer: Customer
    shippingAddress: Address
    billingAddress: Address
    products: list[Product]
    taxAmount: Amount
    shippingLines: list[ShippingLine]


class Refund(TypedDict):
    """Gives back an amount; `reference` is the merchant's for the refund."""

    amount: Amount
    reason: str
    reference: str


def sale_of(order: OrderToPay) -> NewSale:
    """The body that opens an order's sale."""
    currency, who = order.total.currency, order.customer
    billing = _address(order.billing, order.billing)
    sale: NewSale = {
        "totalAmount": _amount(order.total),
        "returnUrls": {
            # The result is signed into the return, so both ways lead to the same plain address.
            "successUrl": order.return_url,
            "failUrl": order.return_url,
            "callbackUrl": order.events_url,
        },
        "reference": order.reference,
        "customer": {
            "mobileNumber": _text(who.phone), "firstName": _text(who.first_name), "surname": _text(who.last_name),
            "email": _text(who.email),
        },
        "shippingAddress": _address(order.delivery, order.billing) if order.delivery else billing,
        "billingAddress": billing,
        "products": [_product(line) for line in amounts.lines(order)],
        "taxAmount": _amount(Money(order.tax, currency)),
        "shippingLines": [],
    }  # fmt: skip
    if order.shipping:
        price, carrier = _amount(Money(order.shipping, currency)), _text(order.shipping_method) or "shipping"
        sale["shippingLines"].append({"carrier": carrier, "price": price, "taxIncluded": False})
    return sale


def refund_of(move: Move) -> Refund:
    """The body of a refund. It has to have a reason."""
    return {
        "amount": _amount(move.amount),
        "reason": _text(move.description) or "Refund",
        "reference": _text(move.reference),
    }


def _address(given: contract.Address, otherwise: contract.Address) -> Address:
    """An address; what is missing is taken from the billing address, as none of it may be empty."""
    line, more = (given.street, given.street2) if given.street else (otherwise.street, otherwise.street2)
    city = given.city or otherwise.city
    return {
        "addressLine1": _text(", ".join(part for part in (line, more) if part)),
        "suburb": _text(given.state or given.region or otherwise.state or city),
        "cityTown": _text(city),
        "postcode": _text(given.postal_code or otherwise.postal_code),
        "countryCode": given.country or otherwise.country,
    }


def _product(line: amounts.Line) -> Product:
    sku = _text(line.sku)
    return {
        "name": _text(line.name) or "Item", "price": _amount(line.unit), "quantity": line.quantity,
        **(ArticleNumber(sku=sku) if sku else ArticleNumber()), "taxIncluded": False,
    }  # fmt: skip


def _amount(money: Money) -> Amount:
    return {"amount": exact(Decimal(amounts.text(money))), "currency": money.currency}


def _text(given: str) -> str:
    """A text without what JSON would escape beyond letters: such a text is not signed alike everywhere."""
    return re.sub(r"[\"\\\x00-\x1f\x7f\s]+", " ", given).strip()
