"""What PayJustNow is sent. Amounts are whole cents."""

from __future__ import annotations

from typing import NotRequired, TypedDict, cast

from paymux.connectors import contract
from paymux.connectors.amounts import lines, minor


class Item(TypedDict):
    """A line."""

    name: str
    sku: str
    quantity: int
    priceCents: int


class Customer(TypedDict):
    """The shopper; version 1 requires all four fields."""

    firstName: str
    lastName: str
    email: str
    phoneNumber: str


class Address(TypedDict):
    """Where the invoice or the goods go; nothing of it is sent empty."""

    addressLine1: NotRequired[str]
    addressLine2: NotRequired[str]
    city: NotRequired[str]
    province: NotRequired[str]
    postalCode: NotRequired[str]


class _Addresses(TypedDict):
    billingAddress: NotRequired[Address]
    shippingAddress: NotRequired[Address]


class Order(_Addresses):
    """What is to be paid, by whom, and where he comes back to. An address without a street is left out."""

    merchantOrderReference: str
    orderAmountCents: int
    orderItems: list[Item]
    customer: Customer
    confirmRedirectUrl: str
    cancelRedirectUrl: str


class NewCheckout(TypedDict):
    """What opens a checkout."""

    requestId: str
    payjustnow: Order


class NamedCheckout(TypedDict):
    """Which checkout is asked about, or is to be cancelled."""

    checkoutToken: str


class Refund(TypedDict):
    """What gives a part or all back, once per `requestId`."""

    requestId: str
    checkoutToken: str
    merchantRefundReference: str
    refundAmountCents: int
    refundDescription: str


def new_checkout(order: contract.OrderToPay, key: str) -> NewCheckout:
    """The body of a new checkout. Raises Refused for an amount that is no whole number of cents."""
    return {"requestId": key, "payjustnow": _order(order)}


def _order(order: contract.OrderToPay) -> Order:
    who = order.customer
    return {
        "merchantOrderReference": order.reference,
        "orderAmountCents": minor(order.total),
        "orderItems": [
            {"name": line.name or "Item", "sku": line.sku or line.name or "Item", "quantity": line.quantity,
             "priceCents": minor(line.unit)}
            for line in lines(order)
        ],
        "customer": {
            "firstName": who.first_name, "lastName": who.last_name, "email": who.email, "phoneNumber": who.phone,
        },
        **_addresses(order),
        "confirmRedirectUrl": order.return_to("success"),
        "cancelRedirectUrl": order.return_to("cancel"),
    }  # fmt: skip


def _addresses(order: contract.OrderToPay) -> _Addresses:
    shipping = order.delivery or order.billing
    addresses: _Addresses = {}
    if order.billing.street:
        addresses["billingAddress"] = _address(order.billing)
    if shipping.street:
        addresses["shippingAddress"] = _address(shipping)
    return addresses


def _address(address: contract.Address) -> Address:
    written: Address = {
        "addressLine1": address.street, "addressLine2": address.street2, "city": address.city,
        "province": address.state or address.region, "postalCode": address.postal_code,
    }  # fmt: skip
    # Leaving fields away keeps it an address, as none of them is required.
    return cast(Address, {name: value for name, value in written.items() if value})
