"""What GoCardless is sent: a billing request with its hosted flow, payments and refunds. Amounts in minor units.

Each goes under the name of its resource. `metadata` is free, at most three notes, and comes back with the resource.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NotRequired, TypedDict, cast

from paymux.connectors import amounts
from paymux.connectors.contract import Checkout, Move, OrderToPay
from paymux.money import Money

Consent = Literal["one_off", "single"]
Created = Literal["billing_requests", "payments", "refunds"]
"""The names of the resources that are created once per key."""

# Where the schemes ask how often the payer agrees to be charged.
_CONSENT: dict[str, Consent] = {"USD": "one_off", "CAD": "single"}
_LANGUAGES = frozenset({"en", "fr", "de", "pt", "es", "it", "nl", "da", "nb", "sl", "sv"})


class MandateRequest(TypedDict):
    """The mandate that the payer is to give, in the scheme of its currency; `description` is shown to him."""

    currency: str
    description: str
    consent_type: NotRequired[Consent]


class NewBillingRequest(TypedDict):
    """Asks the payer for a mandate. It names no amount but in its notes."""

    mandate_request: MandateRequest
    metadata: dict[str, str]


class Customer(TypedDict, total=False):
    """What is known of the payer beforehand; nothing is sent empty."""

    given_name: str
    family_name: str
    email: str
    address_line1: str
    address_line2: str
    city: str
    postal_code: str
    region: str
    country_code: str


class ToBillingRequest(TypedDict):
    """What a flow belongs to."""

    billing_request: str


class NewFlow(TypedDict):
    """Opens the hosted pages of a billing request."""

    redirect_uri: str
    exit_uri: str
    lock_currency: bool
    prefilled_customer: Customer
    links: ToBillingRequest
    language: NotRequired[str]


class Flow(TypedDict):
    """A flow under its resource's name."""

    billing_request_flows: NewFlow


class ToMandate(TypedDict):
    """What a payment is charged to."""

    mandate: str


class NewPayment(TypedDict):
    """Charges a mandate: `amount` in minor units."""

    amount: int
    currency: str
    description: str
    retry_if_possible: bool
    links: ToMandate
    metadata: dict[str, str]


class ToPayment(TypedDict):
    """What a refund is of."""

    payment: str


class NewRefund(TypedDict):
    """Gives back `amount`; `total_amount_confirmation` is the sum of all refunds with it. Both in minor units."""

    amount: int
    total_amount_confirmation: int
    links: ToPayment
    metadata: dict[str, str]


NewResource = NewBillingRequest | NewPayment | NewRefund
"""What is created once per key."""


class Action(TypedDict):
    """Does something with a resource that needs no more to be said."""

    data: dict[str, str]


def billing_request_of(order: OrderToPay) -> NewBillingRequest:
    """A billing request for an order. The payer reads the amount in its description."""
    told = f"{amounts.text(order.total)} {order.total.currency}"
    mandate: MandateRequest = {
        "currency": order.total.currency,
        "description": f"{told} for order {order.reference}"[:100],
    }
    if consent := _CONSENT.get(order.total.currency):
        mandate["consent_type"] = consent
    return {"mandate_request": mandate, "metadata": {"order": order.reference, "amount": told}}


def flow_of(order: OrderToPay, billing_request: str) -> Flow:
    """The hosted flow, filled with what we know of the payer; he can correct all of it but the currency."""
    who, where = order.customer, order.billing
    known: Customer = {
        "given_name": who.first_name, "family_name": who.last_name, "email": who.email, "address_line1": where.street,
        "address_line2": where.street2, "city": where.city, "postal_code": where.postal_code,
        "region": where.region or where.state, "country_code": where.country,
    }  # fmt: skip
    flow: NewFlow = {
        "redirect_uri": order.return_to("success"), "exit_uri": order.return_to("cancel"), "lock_currency": True,
        # Less some optional fields it is still a customer, which a comprehension can't show.
        "prefilled_customer": cast(Customer, {name: text for name, text in known.items() if text}),
        "links": {"billing_request": billing_request},
    }  # fmt: skip
    if order.language in _LANGUAGES:
        flow["language"] = order.language
    return {"billing_request_flows": flow}


def payment_of(checkout: Checkout, mandate: str) -> NewPayment:
    """The payment of a checkout, against the mandate that its shopper gave."""
    return {
        "amount": amounts.minor(checkout.total), "currency": checkout.total.currency,
        "description": f"Order {checkout.reference}"[:100], "retry_if_possible": False,
        "links": {"mandate": mandate},
        "metadata": {"order": checkout.reference, "billing_request": checkout.session},
    }  # fmt: skip


def refund_of(checkout: Checkout, move: Move) -> NewRefund:
    """A refund with the sum of all that were made of the payment, itself included."""
    before = max(move.captured - move.open, Decimal(0))
    so_far = Money(before + move.amount.amount, move.amount.currency)
    return {
        "amount": amounts.minor(move.amount), "total_amount_confirmation": amounts.minor(so_far),
        "links": {"payment": checkout.payment}, "metadata": {"key": move.key, "order": checkout.reference},
    }  # fmt: skip
