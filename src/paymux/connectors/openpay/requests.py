"""What Openpay is sent. Prices are whole cents."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from paymux.connectors import amounts, contract


class _SecondLine(TypedDict):
    line2: NotRequired[str]


class Address(_SecondLine):
    """Where the shopper lives, or the goods go; all but the second line is required."""

    line1: str
    suburb: str
    state: str
    postCode: str


class _Phone(TypedDict):
    phoneNumber: NotRequired[str]


class CustomerDetails(_Phone):
    """The shopper."""

    firstName: str
    familyName: str
    email: str
    residentialAddress: Address
    deliveryAddress: Address


class Online(TypedDict):
    """A web shop's order: a plan that waits for its capture."""

    callbackUrl: str
    cancelUrl: str
    failUrl: str
    planCreationType: Literal["Pending"]
    customerDetails: CustomerDetails


class CustomerJourney(TypedDict):
    """By which way the shopper buys."""

    origin: Literal["Online"]
    online: Online


class CartItem(TypedDict):
    """A line, its quantity as text."""

    itemName: str
    itemCode: str
    itemQty: str
    itemRetailUnitPrice: int
    itemRetailCharge: int


class NewOrder(TypedDict):
    """What opens an order."""

    customerJourney: CustomerJourney
    goodsDescription: str
    purchasePrice: int
    retailerOrderNo: str
    cart: list[CartItem]


class Capture(TypedDict):
    """What captures an order, whole."""

    retailerOrderNo: str


class WholeRefund(TypedDict):
    """What gives back all that is left."""

    fullRefund: Literal[True]


class PartRefund(TypedDict):
    """What gives a part back, by which the price is reduced."""

    fullRefund: Literal[False]
    reducePriceBy: int


def new_order(order: contract.OrderToPay) -> NewOrder:
    """The body of a new order. Raises Refused for an amount that is no whole number of cents.

    The return's status tells how the shopper comes back, so that all three addresses are the same.
    """
    return {
        "customerJourney": {
            "origin": "Online",
            "online": {
                "callbackUrl": order.return_url,
                "cancelUrl": order.return_url,
                "failUrl": order.return_url,
                "planCreationType": "Pending",
                "customerDetails": _customer(order),
            },
        },
        "goodsDescription": f"Order {order.reference}",
        "purchasePrice": amounts.minor(order.total),
        "retailerOrderNo": order.reference,
        "cart": [
            {"itemName": line.name or "Item", "itemCode": line.sku or line.name or "Item", "itemQty": str(line.quantity),
             "itemRetailUnitPrice": amounts.minor(line.unit), "itemRetailCharge": amounts.minor(line.total)}
            for line in amounts.lines(order)
        ],
    }  # fmt: skip


def _customer(order: contract.OrderToPay) -> CustomerDetails:
    number = order.customer.phone or order.billing.phone
    phone: _Phone = {"phoneNumber": number} if number else {}
    return {
        "firstName": order.customer.first_name,
        "familyName": order.customer.last_name,
        "email": order.customer.email,
        **phone,
        "residentialAddress": _address(order.billing),
        "deliveryAddress": _address(order.delivery or order.billing),
    }


def _address(address: contract.Address) -> Address:
    second: _SecondLine = {"line2": address.street2} if address.street2 else {}
    return {
        "line1": address.street,
        **second,
        "suburb": address.city,
        "state": address.state or address.region or address.city,
        "postCode": address.postal_code,
    }
