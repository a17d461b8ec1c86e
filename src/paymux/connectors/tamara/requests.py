"""What Tamara is sent: a checkout's body and amounts."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from paymux.connectors.amounts import Line, lines, text
from paymux.connectors.contract import Address, OrderToPay
from paymux.money import Money

MAX_DESCRIPTION = 256
_MAX_NAME, _MAX_SKU = 255, 128
# Tamara takes a phone number as digits, with or without the plus and the country.
_SEPARATORS = re.compile(r"[^\d+]")


def money_of(money: Money) -> dict[str, Any]:
    """An amount in Tamara's form. Raises Refused when it is not exact."""
    return {"amount": Decimal(text(money)), "currency": money.currency}


def checkout_of(order: OrderToPay) -> dict[str, Any]:
    """The body that opens a checkout for an order."""
    extra, currency = order.additional_data, order.total.currency
    # The delivery address counts; a pick-up has none, and Tamara demands one all the same.
    places = [place for place in (order.delivery, order.billing) if place and place.city and place.street]
    kind = "Digital" if order.shipping_method == "digital" else "Physical"
    body: dict[str, Any] = {
        "order_reference_id": order.reference,
        "total_amount": money_of(order.total),
        "description": str(extra.get("description") or f"Order {order.reference}")[:MAX_DESCRIPTION],
        "country_code": order.country,
        "payment_type": str(extra.get("paymentType") or "PAY_BY_INSTALMENTS"),
        "locale": "ar_SA" if order.language == "ar" else "en_US",
        "items": [_item(number, line, kind) for number, line in enumerate(lines(order), 1)],
        "consumer": _given(
            first_name=order.customer.first_name, last_name=order.customer.last_name, email=order.customer.email,
            phone_number=_phone(order.customer.phone or order.billing.phone),
        ),
        "billing_address": _address(order.billing, order),
        "shipping_address": _address(places[0] if places else order.billing, order),
        "tax_amount": money_of(Money(order.tax, currency)),
        "shipping_amount": money_of(Money(order.shipping, currency)),
        "merchant_url": {
            **{way: order.return_to(way) for way in ("success", "failure", "cancel")},
            "notification": order.events_url,
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


def _item(number: int, line: Line, kind: str) -> dict[str, Any]:
    return {
        "reference_id": str(number), "type": kind, "name": line.name[:_MAX_NAME],
        "sku": (line.sku or str(number))[:_MAX_SKU], "quantity": line.quantity,
        "unit_price": money_of(line.unit), "total_amount": money_of(line.total),
    }  # fmt: skip


def _address(place: Address, order: OrderToPay) -> dict[str, str]:
    who = order.customer
    return _given(
        first_name=place.first_name or who.first_name, last_name=place.last_name or who.last_name, line1=place.street,
        line2=place.street2, city=place.city, region=place.state or place.region, postal_code=place.postal_code,
        country_code=place.country or order.country, phone_number=_phone(place.phone or who.phone),
    )  # fmt: skip


def _phone(number: str) -> str:
    return _SEPARATORS.sub("", number)


def _given(**fields: str) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value}
