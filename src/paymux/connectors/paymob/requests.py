"""What Paymob is sent: an intention to pay, a refund, the question for an order, the key that a token is granted for.

Amounts are integers in hundredths.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict, cast

from paymux.connectors.amounts import lines_that_sum_up, minor
from paymux.connectors.contract import OrderToPay

_LONGEST_NAME, _LONGEST_DESCRIPTION = 50, 255


class BillingData(TypedDict):
    """Who pays, and where he lives."""

    first_name: str
    last_name: str
    email: str
    phone_number: str
    street: NotRequired[str]
    city: NotRequired[str]
    state: NotRequired[str]
    country: NotRequired[str]
    postal_code: NotRequired[str]


class Item(TypedDict):
    """A line of an intention. `amount` is the line's whole, in hundredths; a discount's is below zero."""

    name: str
    amount: int
    quantity: int
    description: str


class NewIntention(TypedDict):
    """What opens the checkout page. `amount` is in hundredths, `expiration` in seconds, the methods are integration ids."""

    amount: int
    currency: str
    payment_methods: list[int]
    items: list[Item]
    billing_data: BillingData
    special_reference: str
    expiration: int
    notification_url: str
    redirection_url: str


class Refund(TypedDict):
    """A part or all of a payment to be given back, in hundredths."""

    transaction_id: int
    amount_cents: int


class Inquiry(TypedDict):
    """Which order's latest transaction is asked for."""

    order_id: str


class Authentication(TypedDict):
    """The key that an access token is granted for."""

    api_key: str


def intention(order: OrderToPay, reference: str, integrations: list[int], life: int) -> NewIntention:
    """An order that may be paid for `life` seconds. Raises Refused for an amount that hundredths can't hold."""
    return {
        "amount": minor(order.total),
        "currency": order.total.currency,
        "payment_methods": integrations,
        # The sum of the items' amounts has to be the total, whatever their quantity says: a discount is a line below zero,
        # and a line that costs nothing adds nothing to it.
        "items": [
            {
                "name": line.name[:_LONGEST_NAME], "amount": minor(line.total), "quantity": 1,
                "description": f"{line.quantity} x {line.name}"[:_LONGEST_DESCRIPTION],
            }
            for line in lines_that_sum_up(order)
            if line.total.amount
        ],
        "billing_data": _billing(order),
        "special_reference": reference,
        "expiration": life,
        "notification_url": order.events_url,
        "redirection_url": order.return_url,
    }  # fmt: skip


def _billing(order: OrderToPay) -> BillingData:
    who, at = order.customer, order.billing
    data: BillingData = {
        "first_name": (who.first_name or at.first_name)[:_LONGEST_NAME],
        "last_name": (who.last_name or at.last_name)[:_LONGEST_NAME],
        "email": who.email or at.email, "phone_number": who.phone or at.phone,
        "street": f"{at.street} {at.street2}".strip(), "city": at.city, "state": at.state or at.region,
        "country": at.country, "postal_code": at.postal_code,
    }  # fmt: skip
    # The first four are required of an order (provider.toml), so what this leaves away is never one of them.
    return cast(BillingData, {name: value for name, value in data.items() if value})
