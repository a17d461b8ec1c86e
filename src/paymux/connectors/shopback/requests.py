"""What ShopBack is sent: an order, a refund, the credentials to log in with. Amounts are JSON numbers in major units."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NotRequired, TypedDict, cast

from paymux.connectors import amounts, contract
from paymux.money import Money

_EXPRESS = frozenset({"express", "same_day"})
_PICKED_UP = frozenset({"pick-up", "store", "store pick-up"})

ShippingMethod = Literal["NORMAL", "EXPRESS", "PICKUP", "MERCHANT_SPECIFIED"]
"""ShopBack's words for how an order is delivered; it has FREE, too."""


class Address(TypedDict, total=False):
    """An address, as far as it is known."""

    line1: str
    line2: str
    city: str
    state: str
    postcode: str
    countryCode: str


class Item(TypedDict):
    """A line of the order; `price` in major units."""

    name: str
    sku: NotRequired[str]
    quantity: int
    price: Decimal


class Details(TypedDict, total=False):
    """What an order tells of the shopper, and which store and voucher it is for, as far as they are known."""

    consumerEmail: str
    consumerPhoneNumber: str
    consumerFirstName: str
    consumerLastName: str
    storeUuid: str
    voucherCode: str


class NewOrder(Details):
    """An order to be paid. Amounts in major units; `originalAmount` is the total before its discount."""

    totalAmount: Decimal
    originalAmount: Decimal
    discount: Decimal
    taxAmount: Decimal
    shippingAmount: Decimal
    currency: str
    merchantOrderId: str
    shippingMethod: ShippingMethod
    billingAddress: Address
    shippingAddress: Address
    items: list[Item]
    callbackUrl: str
    returnToShopUrl: str
    closeUrl: str


class Refund(TypedDict):
    """A part or all of a payment to be given back, in major units."""

    amount: Decimal
    description: str


class Login(TypedDict):
    """The merchant ID and its secret, which an access token is granted for."""

    username: str
    password: str


def number(money: Money) -> Decimal:
    """Major units, for a JSON number. Raises Refused when the currency can't hold it."""
    return Decimal(amounts.text(money))


def new_order(order: contract.OrderToPay, store: str) -> NewOrder:
    """An order for one of the merchant's stores; without its name, for the latest. Raises Refused for an inexact amount."""
    currency, who, discount = order.total.currency, order.customer, order.discount
    details: Details = {
        "consumerEmail": who.email, "consumerPhoneNumber": who.phone or order.billing.phone,
        "consumerFirstName": who.first_name, "consumerLastName": who.last_name, "storeUuid": store,
        "voucherCode": str(order.additional_data.get("voucherCode", "")),
    }  # fmt: skip
    return {
        "totalAmount": number(order.total),
        "originalAmount": number(Money(order.total.amount + discount, currency)),
        "discount": number(Money(discount, currency)),
        "taxAmount": number(Money(order.tax, currency)),
        "shippingAmount": number(Money(order.shipping, currency)),
        "currency": currency,
        "merchantOrderId": order.reference,
        "shippingMethod": _shipping(order),
        "billingAddress": _address(order.billing),
        "shippingAddress": _address(order.delivery or order.billing),
        "items": [_item(line) for line in amounts.lines(order)],
        "callbackUrl": order.events_url,
        "returnToShopUrl": order.return_to("success"),
        "closeUrl": order.return_to("failure"),
        # Every one of these may be left away, and the empty ones are.
        **cast(Details, {name: value for name, value in details.items() if value}),
    }


def _item(line: amounts.Line) -> Item:
    item: Item = {
        "name": line.name or "Item", "sku": line.sku, "quantity": line.quantity, "price": number(line.unit),
    }  # fmt: skip
    if not line.sku:
        del item["sku"]
    return item


def _shipping(order: contract.OrderToPay) -> ShippingMethod:
    if order.shipping_method in _PICKED_UP:
        return "PICKUP"
    if order.shipping_type in _EXPRESS:
        return "EXPRESS"
    return "NORMAL" if order.shipping_type in ("", "normal") else "MERCHANT_SPECIFIED"


def _address(place: contract.Address) -> Address:
    address: Address = {
        "line1": place.street, "line2": place.street2, "city": place.city, "state": place.state or place.region,
        "postcode": place.postal_code, "countryCode": place.country,
    }  # fmt: skip
    # Every field may be left away, and the empty ones are.
    return cast(Address, {name: value for name, value in address.items() if value})
