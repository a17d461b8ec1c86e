"""What humm is sent: the form that the shopper's browser posts, and refunds. Amounts are decimal strings in major units."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, TypedDict, cast

from paymux.connectors import amounts
from paymux.connectors.contract import Address, Checkout, Move, OrderToPay

_LONGEST_TIMEOUT = 1440
# How many characters humm allows a text; any other one 200.
_LENGTHS = {"x_customer_first_name": 50, "x_customer_last_name": 50, "x_customer_email": 65, "x_customer_phone": 12}
_LENGTH = 200
# What is of no use in parts: left out where it is too long.
_WHOLE = frozenset({"x_customer_email", "x_customer_phone"})


class Billing(TypedDict, total=False):
    """Where the bill goes."""

    x_customer_billing_address1: str
    x_customer_billing_address2: str
    x_customer_billing_city: str
    x_customer_billing_country: str
    x_customer_billing_state: str
    x_customer_billing_zip: str


class Shipping(TypedDict, total=False):
    """Where the goods go."""

    x_customer_shipping_address1: str
    x_customer_shipping_address2: str
    x_customer_shipping_city: str
    x_customer_shipping_country: str
    x_customer_shipping_state: str
    x_customer_shipping_zip: str


class Texts(Billing, Shipping, total=False):
    """What is known of the shopper and the shop; none of it is demanded, and nothing is sent empty."""

    x_customer_first_name: str
    x_customer_last_name: str
    x_customer_email: str
    x_customer_phone: str
    x_shop_name: str


class Form(Texts):
    """Opens a checkout over `x_amount`; its timeout is in minutes."""

    x_account_id: str
    x_amount: str
    x_currency: str
    x_reference: str
    x_shop_country: str
    x_test: Literal["true", "false"]
    x_transaction_timeout: str
    x_url_callback: str
    x_url_cancel: str
    x_url_complete: str


class SignedForm(Form):
    """The form as the browser posts it."""

    x_signature: str


class Refund(TypedDict):
    """Gives back `x_amount` of a purchase."""

    x_merchant_number: str
    x_purchase_number: str
    x_amount: str
    x_reason: str


class SignedRefund(Refund):
    """A refund as it is sent; its signature's name has no prefix."""

    signature: str


def form_of(order: OrderToPay, credentials: Mapping[str, str], country: str, *, live: bool) -> Form:
    """The form that opens a checkout in a country's shop, unsigned."""
    who = order.customer
    texts: Texts = {
        **_billing(order.billing),
        **(_shipping(order.delivery) if order.delivery else Shipping()),
        "x_customer_first_name": who.first_name, "x_customer_last_name": who.last_name,
        "x_customer_email": who.email, "x_customer_phone": who.phone,
        "x_shop_name": credentials["shop_name"],
    }  # fmt: skip
    return {
        "x_account_id": credentials["merchant_id"],
        "x_amount": amounts.text(order.total),
        "x_currency": order.total.currency,
        "x_reference": order.reference,
        "x_shop_country": country,
        "x_test": "false" if live else "true",
        "x_transaction_timeout": str(_minutes(order.expires_at - order.created_at)),
        "x_url_callback": order.events_url,
        "x_url_cancel": order.return_to("cancel"),
        "x_url_complete": order.return_url,
        **_fitting(texts),
    }


def refund_of(checkout: Checkout, move: Move, merchant: str) -> Refund:
    """A refund, unsigned. It has to have a reason."""
    return {
        "x_merchant_number": merchant,
        "x_purchase_number": checkout.payment,
        "x_amount": amounts.text(move.amount),
        "x_reason": _line(move.description) or "Refund",
    }


def _minutes(life: timedelta) -> int:
    """The order's life in whole minutes, as long as humm allows: nobody pays after our own deadline."""
    return max(1, min(_LONGEST_TIMEOUT, life // timedelta(minutes=1)))


def _billing(given: Address) -> Billing:
    return {
        "x_customer_billing_address1": given.street,
        "x_customer_billing_address2": given.street2,
        "x_customer_billing_city": given.city,
        "x_customer_billing_country": given.country,
        "x_customer_billing_state": given.state or given.region,
        "x_customer_billing_zip": given.postal_code,
    }


def _shipping(given: Address) -> Shipping:
    return {
        "x_customer_shipping_address1": given.street,
        "x_customer_shipping_address2": given.street2,
        "x_customer_shipping_city": given.city,
        "x_customer_shipping_country": given.country,
        "x_customer_shipping_state": given.state or given.region,
        "x_customer_shipping_zip": given.postal_code,
    }


def _fitting(texts: Texts) -> Texts:
    """The texts in one line each and as long as they may be; what is empty then is left out."""
    cut = {}
    # A form's fields are texts all, and less some of these it is still a form: neither shows in a walk through them.
    for name, text in cast(Mapping[str, str], texts).items():
        line, longest = _line(text), _LENGTHS.get(name, _LENGTH)
        cut[name] = "" if name in _WHOLE and len(line) > longest else line[:longest].rstrip()
    return cast(Texts, {name: text for name, text in cut.items() if text})


def _line(text: str) -> str:
    return " ".join(text.split())
