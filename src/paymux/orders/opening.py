"""From an order's row to what a connector is given: the order to pay, its checkout, the token to charge."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from paymux.accounts import service as accounts
from paymux.accounts.model import ProviderAccount
from paymux.connectors.contract import Address, Checkout, Item, OrderToPay, Person
from paymux.connectors.facts import ProviderFacts
from paymux.orders.core import Core, facts_of
from paymux.orders.customer import REQUEST
from paymux.orders.deadlines import deadline_of
from paymux.orders.model import ZERO, Order
from paymux.orders.schemas import CreateOrder
from paymux.platform.database import from_json


def provider_reference(facts: ProviderFacts, reference: str, order_id: str) -> str:
    """What the provider is told: the merchant's reference where its rule allows, else our id."""
    rule = facts.reference
    if len(reference) <= rule.max_length and re.fullmatch(rule.pattern, reference):
        return reference
    return order_id


def request_of(core: Core, order: Order) -> CreateOrder:
    """The merchant's own body of `POST /orders`, decrypted."""
    kept = from_json(core.keyring.unseal(order.request_sealed, REQUEST))
    return CreateOrder.model_validate(kept["body"])


def token_of(core: Core, order: Order) -> str:
    """The provider's token that this order is to be paid with."""
    token: str = from_json(core.keyring.unseal(order.request_sealed, REQUEST))["provider_token"]
    return token


def order_to_pay(core: Core, order: Order, account: ProviderAccount) -> OrderToPay:
    """What `create_checkout` and `charge_token` are given; the account is the order's own."""
    body = request_of(core, order)
    customer = Person(
        first_name=body.customer.first_name, last_name=body.customer.last_name, email=body.customer.email,
        phone=body.customer.phone_number,
    )  # fmt: skip
    return OrderToPay(
        id=order.id, reference=order.provider_reference, total=order.total,
        items=tuple(
            Item(name=i.name, quantity=i.quantity, unit_price=i.unit_price, total=i.total_amount, sku=i.sku or "")
            for i in body.order_items
        ),
        shipping=body.shipping_amount or ZERO, tax=body.tax_amount or ZERO, discount=body.discount_amount or ZERO,
        customer=customer, billing=_address(body.billing_address),
        delivery=_address(body.shipping_address) if body.shipping_address else None,
        country=order.country, locale=order.locale, auto_capture=order.auto_capture, get_token=order.get_token,
        customer_present=body.customer_present, shipping_method=body.shipping_method or "",
        shipping_type=body.shipping_type or "", additional_data=_data(order, body.additional_data or {}),
        return_url=f"{core.settings.base_url}/return/{order.order_token}",
        events_url=accounts.event_url(core.settings, account),
        created_at=order.created_at, expires_at=deadline_of(order),
    )  # fmt: skip


def _data(order: Order, given: Mapping[str, Any]) -> dict[str, Any]:
    """The merchant's `additionalData`; what the provider wants as an integer is one, also where it was sent as 3.0."""
    known = facts_of(order).additional_data
    return {
        name: int(value) if name in known and known[name].type == "integer" else value for name, value in given.items()
    }


def token_to_charge(core: Core, order: Order, account: ProviderAccount) -> tuple[OrderToPay, str]:
    """What `charge_token` is given."""
    return order_to_pay(core, order, account), token_of(core, order)


def _address(given: Any) -> Address:
    return Address(
        first_name=given.first_name or "", last_name=given.last_name or "", email=given.email or "",
        phone=given.phone_number or "", street=given.street_address or "", street2=given.street_address2 or "",
        city=given.city or "", state=given.state or "", region=given.region or "",
        postal_code=given.postal_code or "", country=given.country or "",
    )  # fmt: skip


def checkout_of(order: Order) -> Checkout:
    """The checkout that this order opened, as stored (T1)."""
    return Checkout(
        session=order.session or "", reference=order.provider_reference, total=order.total,
        auto_capture=order.auto_capture, get_token=order.get_token, country=order.country, locale=order.locale,
        expires_at=order.checkout_expires_at or order.created_at + timedelta(hours=24), order_id=order.id,
        state=order.connector_state, payment_id=order.payment_id,
    )  # fmt: skip
