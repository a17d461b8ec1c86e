"""What is sent to Tabby, named as in its OpenAPI file. Every amount is a decimal string in major units."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal, NotRequired, TypedDict

from paymux.connectors import contract
from paymux.connectors.amounts import Line, lines, text
from paymux.money import Money

MAX_TEXT = 255
_CATEGORY = "Other"
# Tabby takes a phone number as digits, with or without the plus and the country.
_SEPARATORS = re.compile(r"[^\d+]")


class Buyer(TypedDict):
    """The shopper."""

    name: str
    email: str
    phone: str


class ShippingAddress(TypedDict):
    """Where the goods go."""

    city: str
    address: str
    zip: str


class OrderItem(TypedDict):
    """Some pieces of one kind; `reference_id` is the merchant's own number of it."""

    title: str
    quantity: int
    unit_price: str
    category: str
    reference_id: NotRequired[str]


class Order(TypedDict):
    """What is bought, under our reference."""

    reference_id: str
    updated_at: str
    tax_amount: str
    shipping_amount: str
    discount_amount: str
    items: list[OrderItem]


class BuyerHistory(TypedDict):
    """What the merchant knows of the shopper. How many orders he placed before is passed on as the merchant tells it."""

    registered_since: str
    loyalty_level: object


class Payment(TypedDict):
    """The payment that a session makes. The orders before it are passed on as the merchant tells them."""

    amount: str
    currency: str
    buyer: Buyer
    shipping_address: ShippingAddress
    order: Order
    buyer_history: BuyerHistory
    order_history: object


class MerchantUrls(TypedDict):
    """Where the shopper comes back to."""

    success: str
    cancel: str
    failure: str


class Session(TypedDict):
    """A checkout session to open."""

    payment: Payment
    lang: Literal["ar", "en"]
    merchant_code: str
    merchant_urls: MerchantUrls


class Capture(TypedDict):
    """A part of an authorised payment, or all of it, to capture; `reference_id` is the idempotency key."""

    amount: str
    reference_id: str


class Refund(TypedDict):
    """A part of what was captured, or all of it, to give back; `reference_id` is the idempotency key."""

    amount: str
    reference_id: str
    reason: NotRequired[str]


class WebhookHeader(TypedDict):
    """A header that Tabby sends with each webhook: its name and its value."""

    title: str
    value: str


class WebhookRegistration(TypedDict):
    """A URL to send webhooks to."""

    url: str
    header: WebhookHeader


class WebhookUpdate(WebhookRegistration):
    """A registered URL, corrected."""

    id: str


def session(order: contract.OrderToPay, merchant_code: str) -> Session:
    """The body that opens a session. Raises Refused for an amount that its currency can't hold."""
    return {
        "payment": _payment(order),
        "lang": "ar" if order.language == "ar" else "en",
        "merchant_code": merchant_code,
        "merchant_urls": {
            "success": order.return_to("success"),
            "cancel": order.return_to("cancel"),
            "failure": order.return_to("failure"),
        },
    }


def _payment(order: contract.OrderToPay) -> Payment:
    extra, currency = order.additional_data, order.total.currency
    category = str(extra.get("category") or _CATEGORY)[:MAX_TEXT]
    return {
        "amount": text(order.total),
        "currency": currency,
        "buyer": {
            "name": f"{order.customer.first_name} {order.customer.last_name}".strip()[:MAX_TEXT],
            "email": order.customer.email,
            "phone": _SEPARATORS.sub("", order.customer.phone or order.billing.phone),
        },
        "shipping_address": _shipping_address(order),
        "order": {
            "reference_id": order.reference,
            "updated_at": _moment(order.created_at),
            "tax_amount": text(Money(order.tax, currency)),
            "shipping_amount": text(Money(order.shipping, currency)),
            "discount_amount": text(Money(order.discount, currency)),
            "items": [_item(line, category) for line in lines(order)],
        },
        # Whom the merchant says nothing of is a new customer.
        "buyer_history": {
            "registered_since": str(extra.get("registeredSince") or _moment(order.created_at)),
            "loyalty_level": extra.get("loyaltyLevel") or 0,
        },
        "order_history": extra.get("orderHistory") or [],
    }


def _shipping_address(order: contract.OrderToPay) -> ShippingAddress:
    """The delivery address counts; a pick-up has none, and Tabby demands one all the same."""
    places = [place for place in (order.delivery, order.billing) if place and place.city and place.street]
    place = places[0] if places else order.billing
    return {
        "city": place.city[:MAX_TEXT],
        "address": ", ".join(part for part in (place.street, place.street2) if part)[:MAX_TEXT],
        "zip": place.postal_code[:MAX_TEXT],
    }


def _item(line: Line, category: str) -> OrderItem:
    item: OrderItem = {
        "title": line.name[:MAX_TEXT], "quantity": line.quantity, "unit_price": text(line.unit), "category": category,
    }  # fmt: skip
    if line.sku:
        item["reference_id"] = line.sku[:MAX_TEXT]
    return item


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
