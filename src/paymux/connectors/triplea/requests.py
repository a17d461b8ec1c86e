"""What is sent to TripleA. The order's amount is a string in major units, those of its cart are numbers of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NotRequired, TypedDict

from paymux.connectors import amounts
from paymux.connectors.contract import Address, OrderToPay


class Grant(TypedDict):
    """The form that an access token is granted for."""

    client_id: str
    client_secret: str
    grant_type: Literal["client_credentials"]


class Item(TypedDict):
    """Some pieces of one kind; `amount` is that of one."""

    sku: str
    label: str
    quantity: int
    amount: Decimal


class Cart(TypedDict):
    """What is bought. The only discount that it knows is one on the shipping."""

    items: list[Item]
    shipping_cost: Decimal
    tax_cost: Decimal
    shipping_discount: Decimal


class WebhookData(TypedDict):
    """What webhooks bring back to us: our reference."""

    order_txid: str


class PaymentRequest(TypedDict):
    """A payment to request, with a hosted form. Of the payer only what is known is sent."""

    type: Literal["triplea"]
    api_id: str
    crypto_currency: Literal["BTC", "testBTC"]
    order_currency: str
    order_amount: str
    notify_url: str
    notify_secret: str
    payer_id: str
    payer_name: NotRequired[str]
    payer_email: NotRequired[str]
    payer_address: NotRequired[str]
    success_url: str
    cancel_url: str
    cart: Cart
    webhook_data: WebhookData


def payment_request(order: OrderToPay, *, api_id: str, notify_secret: str, live: bool) -> PaymentRequest:
    """The body that requests a payment. Raises Refused for an amount that its currency can't hold."""
    who = order.customer
    body: PaymentRequest = {
        "type": "triplea",
        "api_id": api_id,
        "crypto_currency": "BTC" if live else "testBTC",
        "order_currency": order.total.currency,
        "order_amount": amounts.text(order.total),
        "notify_url": order.events_url,
        "notify_secret": notify_secret,
        "payer_id": f"guest_{order.id}",
        "payer_name": f"{who.first_name} {who.last_name}".strip(),
        "payer_email": who.email,
        "payer_address": _address(order.billing),
        "success_url": order.return_to("success"),
        "cancel_url": order.return_to("cancel"),
        "cart": _cart(order),
        "webhook_data": {"order_txid": order.reference},
    }
    if not body["payer_name"]:
        del body["payer_name"]
    if not body["payer_email"]:
        del body["payer_email"]
    if not body["payer_address"]:
        del body["payer_address"]
    return body


def _cart(order: OrderToPay) -> Cart:
    return {
        "items": [
            {"sku": line.sku or "no_sku", "label": line.name, "quantity": line.quantity, "amount": line.unit.amount}
            for line in amounts.lines(order)
        ],
        "shipping_cost": order.shipping, "tax_cost": order.tax, "shipping_discount": Decimal(0),
    }  # fmt: skip


def _address(place: Address) -> str:
    parts = (place.street, place.street2, place.city, place.state or place.region, place.country, place.postal_code)
    return ", ".join(part for part in parts if part)
