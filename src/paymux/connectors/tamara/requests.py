"""What Tamara is sent: checkouts, authorisations, captures, cancels and refunds. Amounts are numbers in major units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, NotRequired, TypedDict, TypeVar, cast

from paymux.connectors.amounts import Line, lines, text
from paymux.connectors.contract import Address as Place
from paymux.connectors.contract import OrderToPay
from paymux.money import Money

MAX_DESCRIPTION = 256
_MAX_NAME, _MAX_SKU = 255, 128
# Tamara takes a phone number as digits, with or without the plus and the country.
_SEPARATORS = re.compile(r"[^\d+]")


ItemType = Literal["Digital", "Physical"]


class Amount(TypedDict):
    """An amount, in major units."""

    amount: Decimal
    currency: str


class Item(TypedDict):
    """A line of what is bought."""

    reference_id: str
    type: ItemType
    name: str
    sku: str
    quantity: int
    unit_price: Amount
    total_amount: Amount


class Consumer(TypedDict):
    """Who buys."""

    first_name: str
    last_name: str
    email: NotRequired[str]
    phone_number: str


class Address(TypedDict):
    """Who is billed or gets the goods, and where."""

    first_name: str
    last_name: str
    line1: str
    line2: NotRequired[str]
    city: str
    region: NotRequired[str]
    postal_code: NotRequired[str]
    country_code: str
    phone_number: NotRequired[str]


class MerchantUrl(TypedDict):
    """Where the shopper is sent to, and where Tamara tells what becomes of the order."""

    success: str
    failure: str
    cancel: str
    notification: str


class Discount(TypedDict):
    """What is taken off the order."""

    name: str
    amount: Amount


class NewCheckout(TypedDict):
    """A checkout to be opened. Type, instalments and risk assessment are the merchant's own words."""

    order_reference_id: str
    total_amount: Amount
    description: str
    country_code: str
    payment_type: str
    locale: Literal["ar_SA", "en_US"]
    items: list[Item]
    consumer: Consumer
    billing_address: Address
    shipping_address: Address
    tax_amount: Amount
    shipping_amount: Amount
    merchant_url: MerchantUrl
    platform: Literal["paymux"]
    discount: NotRequired[Discount]
    instalments: NotRequired[object]
    risk_assessment: NotRequired[object]


class Authorise(TypedDict):
    """The authorisation of an order that the shopper agreed to."""

    order_id: str


class ShippingInfo(TypedDict):
    """When and by whom goods were shipped; the moment in ISO 8601."""

    shipped_at: str
    shipping_company: str


class Capture(TypedDict):
    """The capture of an order."""

    order_id: str
    total_amount: Amount
    shipping_info: ShippingInfo


class Cancel(TypedDict):
    """The cancel of an order."""

    total_amount: Amount


class Refund(TypedDict):
    """A refund of captured money; its id is our key."""

    total_amount: Amount
    comment: str
    merchant_refund_id: str


# All that Tamara is sent; None where a call has no body.
Body = NewCheckout | Authorise | Capture | Cancel | Refund | None
_Full = TypeVar("_Full", bound=Mapping[str, object])


def money_of(money: Money) -> Amount:
    """An amount in Tamara's form. Raises Refused when it is not exact."""
    return {"amount": Decimal(text(money)), "currency": money.currency}


def checkout_of(order: OrderToPay) -> NewCheckout:
    """The body that opens a checkout for an order."""
    extra, currency = order.additional_data, order.total.currency
    # The delivery address counts; a pick-up has none, and Tamara demands one all the same.
    places = [place for place in (order.delivery, order.billing) if place and place.city and place.street]
    kind: ItemType = "Digital" if order.shipping_method == "digital" else "Physical"
    body: NewCheckout = {
        "order_reference_id": order.reference,
        "total_amount": money_of(order.total),
        "description": str(extra.get("description") or f"Order {order.reference}")[:MAX_DESCRIPTION],
        "country_code": order.country,
        "payment_type": str(extra.get("paymentType") or "PAY_BY_INSTALMENTS"),
        "locale": "ar_SA" if order.language == "ar" else "en_US",
        "items": [_item(number, line, kind) for number, line in enumerate(lines(order), 1)],
        "consumer": _consumer(order),
        "billing_address": _address(order.billing, order),
        "shipping_address": _address(places[0] if places else order.billing, order),
        "tax_amount": money_of(Money(order.tax, currency)),
        "shipping_amount": money_of(Money(order.shipping, currency)),
        "merchant_url": {
            "success": order.return_to("success"), "failure": order.return_to("failure"),
            "cancel": order.return_to("cancel"), "notification": order.events_url,
        },
        "platform": "paymux",
    }  # fmt: skip
    if order.discount:
        body["discount"] = {"name": "Discount", "amount": money_of(Money(order.discount, currency))}
    if extra.get("instalments"):
        body["instalments"] = extra["instalments"]
    if extra.get("riskAssessment"):
        body["risk_assessment"] = extra["riskAssessment"]
    return body


def _item(number: int, line: Line, kind: ItemType) -> Item:
    return {
        "reference_id": str(number), "type": kind, "name": line.name[:_MAX_NAME],
        "sku": (line.sku or str(number))[:_MAX_SKU], "quantity": line.quantity,
        "unit_price": money_of(line.unit), "total_amount": money_of(line.total),
    }  # fmt: skip


def _consumer(order: OrderToPay) -> Consumer:
    who = order.customer
    full: Consumer = {
        "first_name": who.first_name, "last_name": who.last_name, "email": who.email,
        "phone_number": _phone(who.phone or order.billing.phone),
    }  # fmt: skip
    return _given(full)


def _address(place: Place, order: OrderToPay) -> Address:
    who = order.customer
    full: Address = {
        "first_name": place.first_name or who.first_name, "last_name": place.last_name or who.last_name,
        "line1": place.street, "line2": place.street2, "city": place.city, "region": place.state or place.region,
        "postal_code": place.postal_code, "country_code": place.country or order.country,
        "phone_number": _phone(place.phone or who.phone),
    }  # fmt: skip
    return _given(full)


def _phone(number: str) -> str:
    return _SEPARATORS.sub("", number)


def _given(full: _Full) -> _Full:
    # Leaving out what is empty loses the type; what Tamara demands, the merchant is asked for.
    return cast(_Full, {name: value for name, value in full.items() if value})
