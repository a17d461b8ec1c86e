"""What is sent to Zip: checkouts with their lines, tokens, charges, captures and refunds. Amounts in major units."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal, NotRequired, TypedDict, cast

from paymux.connectors.amounts import lines_that_sum_up, text
from paymux.connectors.contract import Address as Place
from paymux.connectors.contract import Checkout, Move, OrderToPay
from paymux.money import Money

_PICKED_UP = frozenset({"pick-up", "pickup", "store", "store pick-up", "digital"})
_MAX_PHONE, _MAX_SKU = 20, 49

AuthorityType = Literal["checkout_id", "account_token"]
ItemType = Literal["sku", "shipping", "tax", "discount"]
_EXTRA: dict[str, ItemType] = {"Shipping": "shipping", "Tax": "tax", "Discount": "discount"}


class Address(TypedDict):
    """Who is billed or gets the goods, and where."""

    first_name: NotRequired[str]
    last_name: NotRequired[str]
    line1: str
    line2: NotRequired[str]
    city: str
    state: str
    postal_code: str
    country: str


class Person(TypedDict):
    """Who buys."""

    first_name: str
    last_name: str
    email: str
    phone: NotRequired[str]


class Shopper(Person):
    """Who buys, and where he is billed."""

    billing_address: Address


class Shipping(TypedDict):
    """Whether the goods are fetched, else where they go to."""

    pickup: bool
    address: NotRequired[Address]


class Item(TypedDict):
    """A line: the amount of one of it; a discount's is negative."""

    name: str
    amount: Decimal
    quantity: int
    type: ItemType
    product_code: NotRequired[str]


class Order(TypedDict):
    """What is bought; its lines come to its amount."""

    reference: str
    amount: Decimal
    currency: str
    shipping: Shipping
    items: list[Item]


class Config(TypedDict):
    """The one address that every shopper comes back to."""

    redirect_uri: str


class Tokenisation(TypedDict):
    """That a token will be made of the checkout."""

    required: Literal[True]


class Features(TypedDict):
    """What a checkout is for, other than one charge."""

    tokenisation: Tokenisation


class NewCheckout(TypedDict):
    """A checkout to be opened."""

    type: Literal["standard"]
    shopper: Shopper
    order: Order
    config: Config
    features: NotRequired[Features]


class Authority(TypedDict):
    """What the shopper agreed to: a checkout, or an account's token that was made of one."""

    type: AuthorityType
    value: str


class NewToken(TypedDict):
    """An account's token, to be made of an approved checkout."""

    authority: Authority


class NewCharge(TypedDict):
    """A charge of the whole amount, captured at once or only authorised."""

    authority: Authority
    reference: str
    amount: Decimal
    currency: str
    capture: bool


class Capture(TypedDict):
    """A capture; one that is not partial is the last."""

    amount: Decimal
    is_partial_capture: bool


class NewRefund(TypedDict):
    """A refund of captured money; Zip demands a reason."""

    charge_id: str
    amount: Decimal
    currency: str
    reason: str


# All that Zip is sent; None where a call has no body.
Body = NewCheckout | NewToken | NewCharge | Capture | NewRefund | None


def number(money: Money) -> Decimal:
    """An exact number in major units. Raises Refused when the currency can't hold it."""
    return Decimal(text(money))


def charge_body(total: Money, reference: str, capture: bool, kind: AuthorityType, value: str) -> NewCharge:
    """A charge of the whole amount. `kind` says what authorises it: `checkout_id` or `account_token`."""
    return {
        "authority": {"type": kind, "value": value}, "reference": reference, "amount": number(total),
        "currency": total.currency, "capture": capture,
    }  # fmt: skip


def capture_body(move: Move) -> Capture:
    """A capture; all that is left is the last one."""
    return {"amount": number(move.amount), "is_partial_capture": not move.whole}


def refund_body(checkout: Checkout, move: Move) -> NewRefund:
    """A refund of a part or all of a charge."""
    return {
        "charge_id": checkout.payment, "amount": number(move.amount), "currency": move.amount.currency,
        "reason": move.description or move.reference,
    }  # fmt: skip


def checkout_body(order: OrderToPay) -> NewCheckout:
    """A checkout with its shopper, lines and the one address to come back to."""
    who = order.customer
    person: Person = {"first_name": who.first_name, "last_name": who.last_name, "email": who.email}
    phone = re.sub(r"[^\d\s]", "", who.phone or order.billing.phone).strip()[: _MAX_PHONE - 1]
    if phone:
        person["phone"] = f"+{phone}" if who.phone.startswith("+") else phone
    body: NewCheckout = {
        "type": "standard",
        "shopper": {**person, "billing_address": _address(order.billing)},
        "order": {
            "reference": order.reference, "amount": number(order.total), "currency": order.total.currency,
            "shipping": _shipping(order), "items": _items(order),
        },
        "config": {"redirect_uri": order.return_url},
    }  # fmt: skip
    if order.get_token:
        body["features"] = {"tokenisation": {"required": True}}
    return body


def _items(order: OrderToPay) -> list[Item]:
    """The lines, then shipping, tax and discount as lines of their own kind."""
    items: list[Item] = []
    for place, line in enumerate(lines_that_sum_up(order)):
        kind: ItemType = "sku" if place < len(order.items) else _EXTRA[line.name]
        item: Item = {"name": line.name, "amount": number(line.unit), "quantity": line.quantity, "type": kind}
        if line.sku:
            item["product_code"] = line.sku[:_MAX_SKU]
        items.append(item)
    return items


def _shipping(order: OrderToPay) -> Shipping:
    to = order.delivery
    if to is None or order.shipping_method in _PICKED_UP or not (to.street and to.city and to.postal_code):
        return {"pickup": True}
    return {"pickup": False, "address": _address(to)}


def _address(place: Place) -> Address:
    """An address; where a country has no states its city stands for one, as Zip demands a state."""
    state = place.state or place.region or place.city
    full: Address = {
        "first_name": place.first_name[:200], "last_name": place.last_name[:200], "line1": place.street[:200],
        "line2": place.street2[:200], "city": place.city[:50], "state": state[:50],
        "postal_code": place.postal_code[:15], "country": place.country,
    }  # fmt: skip
    # Leaving out what is empty loses the type; what Zip demands of an address, the merchant is asked for.
    return cast(Address, {name: value for name, value in full.items() if value})
