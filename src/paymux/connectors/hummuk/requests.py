"""What humm in the United Kingdom is sent: a checkout, questions about it, refunds. Amounts are numbers in pounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, TypedDict

from paymux.connectors.amounts import text
from paymux.connectors.contract import Checkout, Move, OrderToPay, Refused
from paymux.money import Money

_DIGITS_OF_A_MOBILE = 10
_NATIONAL = 11


class TokenRefresh(TypedDict):
    """The form that asks for an access token."""

    grant_type: Literal["refresh_token"]
    client_id: str
    client_secret: str
    refresh_token: str


class Customer(TypedDict):
    """Who buys; the mobile number has ten digits, without the country's code."""

    name: str
    email: str
    mobileNumber: str


class Order(TypedDict):
    """What is bought for `orderInvoiceAmt` pounds, and on which day."""

    orderInvoiceID: str
    orderDescription: str
    orderInvoiceAmt: Decimal
    orderDate: str


class NewCheckout(TypedDict):
    """Opens a checkout."""

    accountId: str
    checkout_returnURL: str
    customerInfo: Customer
    orderDetails: Order


class OfCheckout(TypedDict):
    """Asks for the state of a checkout."""

    trackingId: str
    accountId: str


class Refund(OfCheckout):
    """Gives back `amountToRefund` pounds."""

    amountToRefund: Decimal


Call = NewCheckout | OfCheckout | Refund
"""The bodies of the calls proper."""


def refresh_of(credentials: Mapping[str, str]) -> TokenRefresh:
    """The form that asks for an access token with an account's credentials."""
    return {
        "grant_type": "refresh_token",
        "client_id": credentials["client_id"],
        "client_secret": credentials["client_secret"],
        "refresh_token": credentials["refresh_token"],
    }


def checkout_of(order: OrderToPay, account: str) -> NewCheckout:
    """The body that opens an order's checkout. Raises Refused where its shopper has no British mobile number."""
    who = order.customer
    return {
        "accountId": account,
        "checkout_returnURL": order.return_url,
        "customerInfo": {
            "name": f"{who.first_name} {who.last_name}".strip(),
            "email": who.email,
            "mobileNumber": _mobile(who.phone or order.billing.phone),
        },
        "orderDetails": {
            "orderInvoiceID": order.reference,
            "orderDescription": f"Order {order.reference}",
            "orderInvoiceAmt": _number(order.total),
            "orderDate": order.created_at.date().isoformat(),
        },
    }


def refund_of(checkout: Checkout, move: Move, account: str) -> Refund:
    """The body of a refund."""
    return {"trackingId": checkout.session, "accountId": account, "amountToRefund": _number(move.amount)}


def _number(money: Money) -> Decimal:
    """An exact number in pounds. Raises Refused when the currency can't hold it."""
    return Decimal(text(money))


def _mobile(phone: str) -> str:
    """A British mobile number as humm demands it: ten digits, without the country's code. Raises Refused."""
    digits = re.sub(r"\D", "", phone)
    for country in ("0044", "44"):
        if digits.startswith(country) and len(digits) >= len(country) + _DIGITS_OF_A_MOBILE:
            digits = digits.removeprefix(country)
            break
    if len(digits) == _NATIONAL:
        digits = digits.removeprefix("0")
    if len(digits) != _DIGITS_OF_A_MOBILE:
        raise Refused(
            "customer.phoneNumber has to be a British mobile number: ten digits after +44", "invalid_mobile_number"
        )
    return digits
