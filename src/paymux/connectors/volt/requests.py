"""What is sent to Volt. Amounts are minor units."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal, NotRequired, TypedDict

from paymux.connectors import amounts
from paymux.connectors.contract import OrderToPay


class Grant(TypedDict):
    """What an access token is granted for: the keys of an application and of a customer."""

    grant_type: Literal["password"]
    client_id: str
    client_secret: str
    username: str
    password: str


class Details(TypedDict):
    """What a payment system has to know beside the payment: what is paid for."""

    type: Literal["GOODS"]


class Market(TypedDict):
    """A payment system by its name, with its details in the member of its own."""

    paymentSystem: Literal["OPEN_BANKING_UK", "OPEN_BANKING_EU"]
    openBankingUK: NotRequired[Details]
    openBankingEU: NotRequired[Details]


class Payer(TypedDict):
    """The shopper. Volt knows him again by the reference; it advises to hash what is personal."""

    reference: str
    firstName: NotRequired[str]
    lastName: NotRequired[str]
    email: NotRequired[str]


class Url(TypedDict):
    """An address, where Volt has room for more than that."""

    url: str


class ReturnUrls(TypedDict):
    """Where the shopper comes back to, by what became of the payment."""

    success: Url
    failure: Url
    pending: Url
    cancel: Url


class Return(TypedDict):
    """How the shopper comes back."""

    urls: ReturnUrls


# Where notifications and the shopper go: `return` is no name for a field of a class.
Communication = TypedDict("Communication", {"notifications": Url, "return": Return})


class NewPayment(Market):
    """A payment to open."""

    currency: str
    amount: int
    internalReference: str
    payer: Payer
    communication: Communication


class Refund(TypedDict):
    """A part of a payment, or all of it, to give back; notifications bring `externalReference` back."""

    amount: int
    externalReference: str


_MARKETS: Mapping[str, Market] = {
    "GBP": {"paymentSystem": "OPEN_BANKING_UK", "openBankingUK": {"type": "GOODS"}},
    "EUR": {"paymentSystem": "OPEN_BANKING_EU", "openBankingEU": {"type": "GOODS"}},
}


def new_payment(order: OrderToPay) -> NewPayment:
    """The body that opens a payment. Raises Refused for an amount that its currency can't hold."""
    return {
        "currency": order.total.currency,
        "amount": amounts.minor(order.total),
        "internalReference": order.reference,
        **_MARKETS[order.total.currency],
        "payer": _payer(order),
        "communication": {
            "notifications": {"url": order.events_url},
            "return": {
                "urls": {
                    "success": {"url": order.return_to("success")},
                    "failure": {"url": order.return_to("failure")},
                    "pending": {"url": order.return_to("pending")},
                    "cancel": {"url": order.return_to("cancel")},
                }
            },
        },
    }


def _payer(order: OrderToPay) -> Payer:
    who = order.customer
    payer: Payer = {"reference": hashlib.sha256((who.email or order.id).lower().encode()).hexdigest()[:32]}
    if who.first_name:
        payer["firstName"] = who.first_name
    if who.last_name:
        payer["lastName"] = who.last_name
    if who.email:
        payer["email"] = who.email
    return payer
