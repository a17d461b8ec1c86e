"""What PayTabs is sent: a payment page, a follow-up, a question. Amounts are numbers in major units.

The profile that each request names is put in by the sender.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Literal, NotRequired, TypedDict, cast

from paymux.connectors import amounts
from paymux.connectors.contract import Address, Move, OrderToPay


class Details(TypedDict, total=False):
    """The shopper or where the goods go, as far as it is known: the page asks for the rest."""

    name: str
    email: str
    phone: str
    street1: str
    city: str
    state: str
    country: str
    zip: str


class Cart(TypedDict):
    """What a transaction is for. `cart_amount` is in major units, `ecom` a purchase on the web."""

    tran_class: Literal["ecom"]
    cart_id: str
    cart_currency: str
    cart_amount: Decimal
    cart_description: str


_Return = TypedDict("_Return", {"return": str})
"""Where the page sends the shopper: PayTabs' name for it is no identifier here."""


class NewPage(Cart, _Return):
    """A payment page that takes the money or, with `auth`, holds it."""

    tran_type: Literal["sale", "auth"]
    paypage_lang: Literal["ar", "en"]
    payment_methods: list[str]
    customer_details: Details
    hide_shipping: bool
    callback: str
    shipping_details: NotRequired[Details]


FollowUpType = Literal["capture", "void", "release", "refund"]
"""PayTabs' words for what follows a payment."""


class FollowUp(Cart):
    """A capture, void, release or refund of the transaction that `tran_ref` names."""

    tran_type: FollowUpType
    tran_ref: str


class ByTransaction(TypedDict):
    """A question for one transaction."""

    tran_ref: str


class ByCart(TypedDict):
    """A question for all the transactions of a cart."""

    cart_id: str


Query = ByTransaction | ByCart
"""Either question."""

Request = NewPage | FollowUp | Query
"""Whatever PayTabs is sent."""


def page(order: OrderToPay, method: str) -> NewPage:
    """The page of an order, which offers one of PayTabs' methods or `all` of them. Raises Refused for an inexact amount."""
    items = ", ".join(f"{item.name} ({item.quantity})" for item in order.items)
    body: NewPage = {
        "tran_type": "sale" if order.auto_capture else "auth",
        "tran_class": "ecom",
        "cart_id": order.reference,
        "cart_currency": order.total.currency,
        "cart_amount": Decimal(amounts.text(order.total)),
        "cart_description": items[:128] or f"Order {order.reference}",
        "paypage_lang": "ar" if order.language == "ar" else "en",
        "payment_methods": [method],
        "customer_details": _details(_payer(order)),
        "hide_shipping": order.delivery is None,
        "return": order.return_url,
        "callback": order.events_url,
    }
    if order.delivery:
        body["shipping_details"] = _details(order.delivery)
    return body


def follow_up(word: FollowUpType, target: str, cart_id: str, move: Move) -> FollowUp:
    """A follow-up, which its description finds again by our key. Raises Refused for an inexact amount."""
    return {
        "tran_type": word,
        "tran_class": "ecom",
        "tran_ref": target,
        "cart_id": cart_id,
        "cart_currency": move.amount.currency,
        "cart_amount": Decimal(amounts.text(move.amount)),
        "cart_description": f"{word.capitalize()} {move.key}",
    }


def _payer(order: OrderToPay) -> Address:
    """The billing address, with what the order says of the customer himself."""
    who, at = order.customer, order.billing
    return replace(
        at, first_name=who.first_name or at.first_name, last_name=who.last_name or at.last_name,
        email=who.email or at.email, phone=who.phone or at.phone,
    )  # fmt: skip


def _details(given: Address) -> Details:
    details: Details = {
        "name": f"{given.first_name} {given.last_name}".strip(),
        "email": given.email,
        "phone": given.phone,
        "street1": f"{given.street} {given.street2}".strip(),
        "city": given.city,
        "state": given.state or given.region,
        "country": given.country,
        "zip": given.postal_code,
    }
    # Every field may be left away, and the empty ones are.
    return cast(Details, {name: value for name, value in details.items() if value})
