"""What Alma is sent: a payment with its cart and customer, and refunds. Amounts are cents of euros."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, NotRequired, TypedDict, cast

from paymux.connectors import contract
from paymux.connectors.alma.answers import REFERENCE
from paymux.connectors.amounts import Line, lines, minor
from paymux.connectors.contract import OrderToPay

_LONGEST = timedelta(minutes=2880)
_MAX_TEXT = 255


class Address(TypedDict, total=False):
    """Where the bill or the goods go, and to whom; none of it is demanded, and nothing is sent empty."""

    first_name: str
    last_name: str
    email: str
    phone: str
    line1: str
    line2: str
    postal_code: str
    city: str
    state_province: str
    country: str


class Customer(TypedDict, total=False):
    """Who buys; none of it is demanded, and nothing is sent empty."""

    first_name: str
    last_name: str
    email: str
    phone: str


class Item(TypedDict):
    """A line of the cart, prices in cents; `line_price` is quantity times `unit_price`."""

    title: str
    quantity: int
    unit_price: int
    line_price: int
    sku: NotRequired[str]


class Cart(TypedDict):
    """What is bought."""

    items: list[Item]


class Order(TypedDict):
    """What the merchant calls his order."""

    merchant_reference: str


class FeePlan(TypedDict, total=False):
    """Which of the merchant's fee plans, in his own numbers; Alma has a default for each that is left out."""

    installments_count: int
    deferred_days: int
    deferred_months: int


class Delivery(TypedDict, total=False):
    """Where the goods go, for an order that has such a place."""

    shipping_address: Address


class PaymentData(FeePlan, Delivery):
    """A payment to be made: `purchase_amount` in cents, `expires_after` in minutes, `custom_data` free and shown back."""

    purchase_amount: int
    return_url: str
    customer_cancel_url: str
    failure_return_url: str
    ipn_callback_url: str
    expires_after: int
    locale: str
    origin: Literal["online"]
    custom_data: dict[str, str]
    billing_address: Address
    cart: Cart


class NewPayment(TypedDict):
    """Opens a payment for a customer and his order."""

    payment: PaymentData
    customer: Customer
    order: Order


class Refund(TypedDict):
    """Gives back `amount` cents; `merchant_reference` is our key, by which Alma lists the refund."""

    amount: int
    merchant_reference: str
    comment: str


def new_payment(order: OrderToPay) -> NewPayment:
    """The body that opens a payment, which lives as long as the order does where Alma allows that."""
    who = order.customer
    life = min(max(order.expires_at - order.created_at, timedelta(minutes=1)), _LONGEST)
    payment: PaymentData = {
        "purchase_amount": minor(order.total),
        **_fee_plan(order),
        "return_url": order.return_to("success"),
        "customer_cancel_url": order.return_to("cancel"),
        "failure_return_url": order.return_to("failure"),
        "ipn_callback_url": order.events_url,
        "expires_after": -(-life // timedelta(minutes=1)),
        "locale": order.language,
        "origin": "online",
        "custom_data": {REFERENCE: order.reference},
        "billing_address": _address(order.billing),
        "cart": {"items": [_item(line) for line in lines(order)]},
        **(Delivery(shipping_address=_address(order.delivery)) if order.delivery else Delivery()),
    }
    known: Customer = {
        "first_name": who.first_name, "last_name": who.last_name, "email": who.email, "phone": who.phone,
    }  # fmt: skip
    # Less some optional fields it is still a customer, which a comprehension can't show.
    customer = cast(Customer, {name: value for name, value in known.items() if value})
    return {"payment": payment, "customer": customer, "order": {"merchant_reference": order.reference}}


def refund_of(move: contract.Move) -> Refund:
    """The body of a refund."""
    return {
        "amount": minor(move.amount),
        "merchant_reference": move.key,
        "comment": (move.description or f"Refund {move.reference}")[:_MAX_TEXT],
    }


def _fee_plan(order: OrderToPay) -> FeePlan:
    extra, plan = order.additional_data, FeePlan()
    if extra.get("installmentsCount") is not None:
        plan["installments_count"] = extra["installmentsCount"]
    if extra.get("deferredDays") is not None:
        plan["deferred_days"] = extra["deferredDays"]
    if extra.get("deferredMonths") is not None:
        plan["deferred_months"] = extra["deferredMonths"]
    return plan


def _item(line: Line) -> Item:
    item: Item = {
        "title": line.name[:_MAX_TEXT], "quantity": line.quantity, "unit_price": minor(line.unit),
        "line_price": minor(line.total),
    }  # fmt: skip
    if line.sku:
        item["sku"] = line.sku[:_MAX_TEXT]
    return item


def _address(place: contract.Address) -> Address:
    known: Address = {
        "first_name": place.first_name, "last_name": place.last_name, "email": place.email, "phone": place.phone,
        "line1": place.street, "line2": place.street2, "postal_code": place.postal_code, "city": place.city,
        "state_province": place.state or place.region, "country": place.country,
    }  # fmt: skip
    # Less some optional fields it is still an address, which a comprehension can't show.
    return cast(Address, {name: value for name, value in known.items() if value})
