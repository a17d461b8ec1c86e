"""What Scalapay is sent: an order, its capture, delay or void, a refund. Amounts are decimal strings in major units."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from paymux.connectors import contract
from paymux.connectors.amounts import lines, text
from paymux.money import Money


class Amount(TypedDict):
    """Money: a decimal string in major units, and its currency."""

    amount: str
    currency: str


class Consumer(TypedDict):
    """The shopper."""

    givenNames: str
    surname: str
    email: str
    phoneNumber: str


class Address(TypedDict):
    """Who gets the bill or the goods, and where."""

    name: str
    line1: str
    suburb: str
    postcode: str
    countryCode: str
    phoneNumber: str


class Item(TypedDict):
    """A line of the order; `price` is for one piece."""

    name: str
    category: str
    quantity: int
    sku: str
    price: Amount


class Merchant(TypedDict):
    """Where the shopper comes back to."""

    redirectConfirmUrl: str
    redirectCancelUrl: str


class Discount(TypedDict):
    """What is taken off the order's lines."""

    displayName: str
    amount: Amount


class NewOrder(TypedDict):
    """An order to authorise; `product` is one of Scalapay's, where the merchant names it."""

    totalAmount: Amount
    consumer: Consumer
    billing: Address
    shipping: Address
    items: list[Item]
    merchant: Merchant
    merchantReference: str
    taxAmount: Amount
    shippingAmount: Amount
    type: Literal["online"]
    discounts: NotRequired[list[Discount]]
    product: NotRequired[str]


class Capture(TypedDict):
    """An authorised order to be taken, whole; a delayed one is named by its amount, too."""

    token: str
    merchantReference: str
    amount: NotRequired[Amount]


class Delay(TypedDict):
    """An authorised order to be held for so many milliseconds."""

    merchantReference: str
    authorizationExpiryMilliseconds: int


class Void(TypedDict):
    """An authorised order to be given up."""

    merchantReference: str


class Refund(TypedDict):
    """A part or all of a captured order to be given back."""

    refundAmount: Amount
    merchantRefundReference: str


def amount(money: Money) -> Amount:
    """Money in Scalapay's form. Raises Refused when it is not exact."""
    return {"amount": text(money), "currency": money.currency}


def new_order(order: contract.OrderToPay) -> NewOrder:
    """The order with its lines. Raises Refused for an amount that the currency can't hold."""
    currency, who, more = order.total.currency, order.customer, order.additional_data
    body: NewOrder = {
        "totalAmount": amount(order.total),
        "consumer": {
            "givenNames": who.first_name, "surname": who.last_name, "email": who.email, "phoneNumber": who.phone,
        },
        "billing": _address(order.billing, who),
        "shipping": _address(order.delivery if _complete(order.delivery) else order.billing, who),
        "items": [
            {
                "name": line.name, "category": str(more.get("category") or "other"), "quantity": line.quantity,
                "sku": line.sku or _sku(line.name, number), "price": amount(line.unit),
            }
            for number, line in enumerate(lines(order), 1)
        ],
        # Scalapay adds its own fields to whatever query is there.
        "merchant": {
            "redirectConfirmUrl": order.return_to("success"), "redirectCancelUrl": order.return_to("cancel"),
        },
        "merchantReference": order.reference,
        "taxAmount": amount(Money(order.tax, currency)),
        "shippingAmount": amount(Money(order.shipping, currency)),
        "type": "online",
    }  # fmt: skip
    if order.discount:
        body["discounts"] = [{"displayName": "Discount", "amount": amount(Money(order.discount, currency))}]
    if more.get("product"):
        body["product"] = str(more["product"])
    return body


def _sku(name: str, number: int) -> str:
    """A sku that is never empty, for Scalapay demands one: made from the line's name, else from its place."""
    return "-".join(name.lower().split()) or str(number)


def _complete(address: contract.Address | None) -> bool:
    return address is not None and bool(address.street and address.city and address.postal_code and address.country)


def _address(address: contract.Address | None, who: contract.Person) -> Address:
    to = address or contract.Address()
    name = f"{to.first_name} {to.last_name}".strip() or f"{who.first_name} {who.last_name}".strip()
    return {
        "name": name, "line1": ", ".join(part for part in (to.street, to.street2) if part), "suburb": to.city,
        "postcode": to.postal_code, "countryCode": to.country, "phoneNumber": to.phone or who.phone,
    }  # fmt: skip
