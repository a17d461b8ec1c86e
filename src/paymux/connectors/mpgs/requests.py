"""What Mastercard Gateway is sent. Amounts are decimal strings in major units."""

from __future__ import annotations

from datetime import UTC
from typing import Literal, NotRequired, TypedDict

from paymux.connectors import amounts, contract

_LONGEST_NAME, _LONGEST_REFERENCE, _LONGEST_DESCRIPTION = 39, 40, 127


class PaymentLink(TypedDict):
    """Until when a link can be paid; without it three months."""

    expiryDateTime: str


class Merchant(TypedDict):
    """Who sells, as the page shows it."""

    name: str
    url: str


class Interaction(TypedDict):
    """What the page does with the payment, and where the shopper comes back to."""

    operation: Literal["PURCHASE", "AUTHORIZE"]
    returnUrl: str
    cancelUrl: str
    merchant: Merchant


class Order(TypedDict):
    """The order to be paid. `id` is ours and unique in the profile, `reference` the merchant's."""

    id: str
    reference: str
    amount: str
    currency: str
    description: str
    notificationUrl: str


class Customer(TypedDict):
    """The shopper, as far as he is known."""

    email: NotRequired[str]
    firstName: NotRequired[str]
    lastName: NotRequired[str]


class Checkout(TypedDict):
    """What makes a payment link for an order."""

    apiOperation: Literal["INITIATE_CHECKOUT"]
    checkoutMode: Literal["PAYMENT_LINK"]
    paymentLink: PaymentLink
    interaction: Interaction
    order: Order
    customer: Customer


class Amount(TypedDict):
    """What a capture or refund moves."""

    reference: str
    amount: str
    currency: str


class Target(TypedDict):
    """What a void undoes: another transaction, whole."""

    reference: str
    targetTransactionId: str


class Movement(TypedDict):
    """A capture or refund."""

    apiOperation: Literal["CAPTURE", "REFUND"]
    transaction: Amount


class Void(TypedDict):
    """A void of the authorisation."""

    apiOperation: Literal["VOID"]
    transaction: Target


def checkout(order: contract.OrderToPay, merchant: Merchant) -> Checkout:
    """The body of a payment link. Raises Refused for an amount that its currency can't hold."""
    items = ", ".join(f"{item.name} ({item.quantity})" for item in order.items)
    return {
        "apiOperation": "INITIATE_CHECKOUT",
        "checkoutMode": "PAYMENT_LINK",
        "paymentLink": {"expiryDateTime": order.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")},
        "interaction": {
            "operation": "PURCHASE" if order.auto_capture else "AUTHORIZE",
            "returnUrl": order.return_to("success"),
            "cancelUrl": order.return_to("cancel"),
            "merchant": {"name": merchant["name"][:_LONGEST_NAME], "url": merchant["url"]},
        },
        "order": {
            "id": order.id,
            "reference": order.reference,
            "amount": amounts.text(order.total),
            "currency": order.total.currency,
            "description": items[:_LONGEST_DESCRIPTION] or f"Order {order.reference}",
            "notificationUrl": order.events_url,
        },
        "customer": _customer(order.customer),
    }


def movement(operation: Literal["CAPTURE", "REFUND"], move: contract.Move) -> Movement:
    """The body of a capture or refund. Raises Refused for an amount that its currency can't hold."""
    return {
        "apiOperation": operation,
        "transaction": {
            "reference": _reference(move),
            "amount": amounts.text(move.amount),
            "currency": move.amount.currency,
        },
    }


def void(payment: str, move: contract.Move) -> Void:
    """The body of a void of the authorisation with this transaction ID."""
    return {"apiOperation": "VOID", "transaction": {"reference": _reference(move), "targetTransactionId": payment}}


def _reference(move: contract.Move) -> str:
    return move.reference[:_LONGEST_REFERENCE]


def _customer(person: contract.Person) -> Customer:
    customer: Customer = {}
    if person.email:
        customer["email"] = person.email
    if person.first_name:
        customer["firstName"] = person.first_name[:50]
    if person.last_name:
        customer["lastName"] = person.last_name[:50]
    return customer
