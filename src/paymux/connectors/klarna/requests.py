"""What Klarna is sent: the payments session, the hosted page, an order by customer token. Amounts in minor units."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from paymux.connectors.contract import Address, Checkout, Item, Move, OrderToPay, Refused
from paymux.connectors.klarna.answers import PaymentsSession
from paymux.money import InexactAmount, Money, fits, minor_units

_MAX_LINES = 1000

# Klarna's locales by country; every country has English, too.
_LANGUAGES = {
    "AT": ("de",), "BE": ("nl", "fr"), "CH": ("de",), "CZ": ("cs",), "DE": ("de",), "DK": ("da",), "ES": ("es",),
    "FI": ("fi", "sv"), "FR": ("fr",), "GR": ("el",), "IT": ("it",), "NL": ("nl",), "NO": ("nb",), "PL": ("pl",),
    "SE": ("sv",),
}  # fmt: skip
# "Mandatory for US and AU market", says the specification of an address's region.
_WITH_REGION = frozenset({"US", "AU"})
_NORWEGIAN = {"no": "nb", "nn": "nb"}


def minor(money: Money) -> int:
    """An amount in minor units. Raises Refused when it is no whole number of them."""
    try:
        return money.minor
    except InexactAmount as no:
        raise Refused(str(no), "inexact_amount") from no


def payments_session(order: OrderToPay, plans: str) -> dict[str, Any]:
    """The body that opens a payments session. `plans`: the account's promo codes, separated by commas."""
    codes = [code.strip() for code in plans.split(",") if code.strip()]
    body = {
        **_basics(order),
        "purchase_country": order.country,
        "locale": _locale(order.language, order.country),
        "intent": "buy_and_tokenize" if order.get_token else "buy",
        "merchant_urls": {"notification": order.events_url},
        "custom_payment_method_ids": codes or None,
        "billing_address": _address(order.billing, order),
        "shipping_address": _address(order.delivery, order) if order.delivery else None,
    }
    return {name: value for name, value in body.items() if value is not None}


def hosted_page(order: OrderToPay, payments_session_url: str, category: str) -> dict[str, Any]:
    """The body that opens the hosted page of a payments session. Klarna puts its id into our return addresses."""
    data = order.additional_data
    options = {
        "place_order_mode": "NONE" if order.get_token else "PLACE_ORDER",
        "payment_method_category": category,
        "page_title": str(data.get("pageTitle") or ""),
        "logo_url": str(data.get("logoUrl") or ""),
    }
    ways = {"success": "success", "cancel": "cancel", "back": "cancel", "failure": "failure", "error": "failure"}
    return {
        "payment_session_url": payments_session_url,
        "merchant_urls": {
            **{name: f"{order.return_to(via)}&hpp={{{{session_id}}}}" for name, via in ways.items()},
            "status_update": order.events_url,
        },
        "options": {name: value for name, value in options.items() if value},
    }


def customer_token(checkout: Checkout, session: PaymentsSession) -> dict[str, Any]:
    """The body that makes a customer token of an authorization."""
    body = {
        "purchase_country": checkout.country,
        "purchase_currency": checkout.total.currency,
        "locale": session.locale or f"en-{checkout.country}",
        "description": f"Payments to the merchant of order {checkout.reference}"[:255],
        "intended_use": "SUBSCRIPTION",
        "billing_address": session.billing_address,
    }
    return {name: value for name, value in body.items() if value is not None}


def order_of(checkout: Checkout, session: PaymentsSession) -> dict[str, Any]:
    """The body that places an order. Amount, currency and reference are ours, so that another session's can't pass (T1)."""
    body = {
        "purchase_country": checkout.country,
        "purchase_currency": checkout.total.currency,
        "locale": session.locale,
        "order_amount": minor(checkout.total),
        "order_tax_amount": session.order_tax_amount,
        "order_lines": session.order_lines,
        "merchant_reference1": checkout.reference,
        "merchant_reference2": session.merchant_reference2,
        "billing_address": session.billing_address,
        "shipping_address": session.shipping_address,
    }
    return {name: value for name, value in body.items() if value is not None}


def order_by_token(order: OrderToPay) -> dict[str, Any]:
    """The body that places an order by a customer token."""
    return _basics(order)


def labels(move: Move) -> dict[str, str]:
    """What names a capture or refund: our key, which the order echoes, and the merchant's own words."""
    return {"reference": move.key, **({"description": move.description[:255]} if move.description else {})}


def _basics(order: OrderToPay) -> dict[str, Any]:
    body: dict[str, Any] = {
        "purchase_currency": order.total.currency,
        "order_amount": minor(order.total),
        "order_tax_amount": minor(Money(order.tax, order.total.currency)),
        "order_lines": _lines(order),
        "merchant_reference1": order.reference,
        "merchant_reference2": order.id,
    }
    if order.additional_data.get("merchantData"):
        body["merchant_data"] = str(order.additional_data["merchantData"])[:6000]
    return body


def _lines(order: OrderToPay) -> list[dict[str, Any]]:
    """The lines, which sum up to the order's amount: items, then shipping, tax and discount each as a line."""
    currency = order.total.currency
    kind = "digital" if order.shipping_method == "digital" else "physical"
    extra = [
        _line(type_, name, 1, amount, amount, currency)
        for type_, name, amount in (
            ("shipping_fee", "Shipping", order.shipping),
            ("sales_tax", "Tax", order.tax),
            ("discount", "Discount", -order.discount),
        )
        if amount
    ]
    items, room = order.items, _MAX_LINES - len(extra)
    if len(items) > room:
        shown, rest = items[: room - 1], items[room - 1 :]
        total = sum((item.total for item in rest), Decimal(0))
        items = (*shown, Item(name=f"{len(rest)} further lines", quantity=1, unit_price=total, total=total))
    return [_item(kind, item, currency) for item in items] + extra


def _item(kind: str, item: Item, currency: str) -> dict[str, Any]:
    exact = fits(item.unit_price, minor_units(currency)) and item.unit_price * item.quantity == item.total
    quantity, price = (item.quantity, item.unit_price) if exact else (1, item.total)
    line = _line(kind, item.name[:255] or "Item", quantity, price, item.total, currency)
    return {**line, "reference": item.sku[:255]} if item.sku else line


def _line(kind: str, name: str, quantity: int, price: Decimal, total: Decimal, currency: str) -> dict[str, Any]:
    return {
        "type": kind,
        "name": name,
        "quantity": quantity,
        "unit_price": minor(Money(price, currency)),
        "total_amount": minor(Money(total, currency)),
    }


def _locale(language: str, country: str) -> str:
    language = _NORWEGIAN.get(language, language)
    return f"{language if language in _LANGUAGES.get(country, ()) else 'en'}-{country}"


def _address(address: Address, order: OrderToPay) -> dict[str, str] | None:
    """An address for the page to fill in; None when it lacks what makes it one, for the shopper can type it there."""
    fields = {
        "given_name": address.first_name, "family_name": address.last_name,
        "email": address.email or order.customer.email, "phone": address.phone or order.customer.phone,
        "street_address": address.street, "street_address2": address.street2, "city": address.city,
        "region": address.state or address.region, "country": address.country or order.country,
    }  # fmt: skip
    given = {name: text[:99] for name, text in fields.items() if text}
    # A longer one can't be any that Klarna knows, and half of one would be wrong.
    if 0 < len(address.postal_code) <= 10:
        given["postal_code"] = address.postal_code
    needed = {"street_address", "city", "postal_code"}
    if given.get("country") in _WITH_REGION:
        needed.add("region")
    return given if needed <= given.keys() else None
