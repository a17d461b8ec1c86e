"""The bodies that the contract has paymux send: orders, in one form for both kinds of paying, and moves."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypedDict

from paymux.connectors import contract
from paymux.connectors.amounts import text
from paymux.money import Money, fits


class Amount(TypedDict):
    """Money: a decimal string in major units with all the currency's decimals."""

    amount: str
    currency: str


class Person(TypedDict):
    """Who buys; what is not known is empty."""

    first_name: str
    last_name: str
    email: str
    phone: str


class Address(Person):
    """Who is billed or gets the goods, and where; what is not known is empty."""

    street: str
    street2: str
    city: str
    state: str
    region: str
    postal_code: str
    country: str


class Item(TypedDict):
    """A line: decimal strings in major units of the order's currency, the unit price with up to 6 decimals."""

    name: str
    sku: str
    total: str
    quantity: int
    unit_price: str


class Order(TypedDict):
    """What both kinds of paying tell; amounts of parts are decimal strings in major units of the total's currency."""

    order_id: str
    reference: str
    provider: str
    total: Amount
    capture: Literal["automatic", "manual"]
    items: list[Item]
    shipping: str
    tax: str
    discount: str
    shipping_method: str
    shipping_type: str
    customer: Person
    billing_address: Address
    delivery_address: Address | None
    country: str
    locale: str
    customer_present: bool | None
    created_at: str
    provider_data: dict[str, Any]


class EventsUrl(TypedDict, total=False):
    """Where the service sends its events; absent where none are wanted."""

    events: str


class Urls(EventsUrl):
    """Where the shopper is sent to, too."""

    success: str
    cancel: str
    failure: str


class NewCheckout(Order):
    """A checkout to be opened."""

    save_token: bool
    urls: Urls
    expires_at: str


class TrialCheckout(NewCheckout):
    """A checkout that a check opens; nobody will ever pay it."""

    test: Literal[True]


class NewCharge(Order):
    """An order that a token pays."""

    urls: EventsUrl
    token: str


class NewMove(TypedDict):
    """A capture, void or refund."""

    amount: Amount
    reference: str
    description: str


def checkout_body(order: contract.OrderToPay, code: str) -> NewCheckout:
    """The body of `POST /checkouts`. Raises Refused when an amount is not exact."""
    urls: Urls = {
        "success": order.return_to("success"), "cancel": order.return_to("cancel"),
        "failure": order.return_to("failure"), **_events(order),
    }  # fmt: skip
    return {
        **_order(order, code),
        "save_token": order.get_token,
        "urls": urls,
        "expires_at": _instant(order.expires_at),
    }


def charge_body(order: contract.OrderToPay, code: str, token: str) -> NewCharge:
    """The body of `POST /charges`. Raises Refused when an amount is not exact."""
    return {**_order(order, code), "urls": _events(order), "token": token}


def move_body(move: contract.Move) -> NewMove:
    """The body of a capture, void or refund. Raises Refused when the amount is not exact."""
    return {"amount": _amount(move.amount), "reference": move.reference, "description": move.description}


def _amount(money: Money) -> Amount:
    return {"amount": text(money), "currency": money.currency}


def _events(order: contract.OrderToPay) -> EventsUrl:
    return {"events": order.events_url} if order.events_url else {}


def _order(order: contract.OrderToPay, code: str) -> Order:
    currency = order.total.currency
    given = order.additional_data.get("providerData")
    return {
        "order_id": order.id,
        "reference": order.reference,
        "provider": code,
        "total": _amount(order.total),
        "capture": "automatic" if order.auto_capture else "manual",
        "items": [_item(item, currency) for item in order.items],
        "shipping": text(Money(order.shipping, currency)),
        "tax": text(Money(order.tax, currency)),
        "discount": text(Money(order.discount, currency)),
        "shipping_method": order.shipping_method,
        "shipping_type": order.shipping_type,
        "customer": _person(order.customer),
        "billing_address": _address(order.billing),
        "delivery_address": _address(order.delivery) if order.delivery else None,
        "country": order.country,
        "locale": order.locale,
        "customer_present": order.customer_present,
        "created_at": _instant(order.created_at),
        "provider_data": given if isinstance(given, dict) else {},
    }


def _item(item: contract.Item, currency: str) -> Item:
    total = text(Money(item.total, currency))
    quantity, price = (item.quantity, _plainly(item.unit_price)) if fits(item.unit_price, 6) else (1, total)
    return {"name": item.name, "sku": item.sku, "total": total, "quantity": quantity, "unit_price": price}


def _plainly(amount: Decimal) -> str:
    return format(amount, "f")


def _person(person: contract.Person) -> Person:
    return {
        "first_name": person.first_name,
        "last_name": person.last_name,
        "email": person.email,
        "phone": person.phone,
    }


def _address(address: contract.Address) -> Address:
    return {
        **_person(address),
        "street": address.street,
        "street2": address.street2,
        "city": address.city,
        "state": address.state,
        "region": address.region,
        "postal_code": address.postal_code,
        "country": address.country,
    }


def _instant(at: datetime) -> str:
    return at.isoformat()
