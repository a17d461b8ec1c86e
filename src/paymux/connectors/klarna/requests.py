"""What Klarna is sent: the payments session, the hosted page, an order by customer token. Amounts in minor units."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, NotRequired, TypedDict, cast

from paymux.connectors.contract import Address as Place
from paymux.connectors.contract import Checkout, Item, Move, OrderToPay, Refused
from paymux.connectors.klarna.answers import PaymentsSession
from paymux.money import InexactAmount, Money, fits, minor_units

_MAX_LINES, _MAX_ADDRESS, _MAX_POSTAL_CODE = 1000, 99, 10

# Klarna's locales by country; every country has English, too.
_LANGUAGES = {
    "AT": ("de",), "BE": ("nl", "fr"), "CH": ("de",), "CZ": ("cs",), "DE": ("de",), "DK": ("da",), "ES": ("es",),
    "FI": ("fi", "sv"), "FR": ("fr",), "GR": ("el",), "IT": ("it",), "NL": ("nl",), "NO": ("nb",), "PL": ("pl",),
    "SE": ("sv",),
}  # fmt: skip
# "Mandatory for US and AU market", says the specification of an address's region.
_WITH_REGION = frozenset({"US", "AU"})
_NORWEGIAN = {"no": "nb", "nn": "nb"}

LineType = Literal["physical", "digital", "shipping_fee", "sales_tax", "discount"]


class Line(TypedDict):
    """A line of what is bought, in minor units; a discount's are negative."""

    type: LineType
    name: str
    quantity: int
    unit_price: int
    total_amount: int
    reference: NotRequired[str]


class Address(TypedDict):
    """Who is billed or gets the goods, and where."""

    given_name: NotRequired[str]
    family_name: NotRequired[str]
    email: NotRequired[str]
    phone: NotRequired[str]
    street_address: str
    street_address2: NotRequired[str]
    city: str
    region: NotRequired[str]
    country: str
    postal_code: str


class Purchase(TypedDict):
    """What is bought, in minor units. Alone it is an order by customer token."""

    purchase_currency: str
    order_amount: int
    order_tax_amount: int
    order_lines: list[Line]
    merchant_reference1: str
    merchant_reference2: str
    merchant_data: NotRequired[str]


class Notified(TypedDict):
    """Where Klarna tells what becomes of a pending order."""

    notification: str


class Prefilled(TypedDict, total=False):
    """What the shopper is shown from the start: the account's plans, and addresses that he need not type."""

    custom_payment_method_ids: list[str]
    billing_address: Address
    shipping_address: Address


class NewSession(Purchase, Prefilled):
    """A payments session to be opened."""

    purchase_country: str
    locale: str
    intent: Literal["buy", "buy_and_tokenize"]
    merchant_urls: Notified


class PageUrls(TypedDict):
    """Where the hosted page sends the shopper, and where Klarna tells of its session."""

    success: str
    cancel: str
    back: str
    failure: str
    error: str
    status_update: str


class PageOptions(TypedDict):
    """Who places the order, and how the hosted page looks."""

    place_order_mode: Literal["PLACE_ORDER", "NONE"]
    payment_method_category: NotRequired[str]
    page_title: NotRequired[str]
    logo_url: NotRequired[str]


class NewPage(TypedDict):
    """A hosted page to be opened for a payments session."""

    payment_session_url: str
    merchant_urls: PageUrls
    options: PageOptions


class NewCustomerToken(TypedDict):
    """A customer token to be made of an authorization; the address as Klarna told it of the session."""

    purchase_country: str
    purchase_currency: str
    locale: str
    description: str
    intended_use: Literal["SUBSCRIPTION"]
    billing_address: NotRequired[dict[str, Any]]


class Market(TypedDict):
    """Where an order is placed, and in which words."""

    purchase_country: str
    purchase_currency: str
    locale: NotRequired[str]


class Remembered(TypedDict, total=False):
    """What the session was opened with, as Klarna tells it of the session."""

    merchant_reference2: str
    billing_address: dict[str, Any]
    shipping_address: dict[str, Any]


class NewOrder(Market, Remembered):
    """An order to be placed, in minor units; the lines as Klarna tells them of the session."""

    order_amount: int
    order_tax_amount: int
    order_lines: list[dict[str, Any]]
    merchant_reference1: str


class Labels(TypedDict):
    """What names a capture or refund: our key, which the order echoes, and the merchant's own words."""

    reference: str
    description: NotRequired[str]


class Capture(Labels):
    """A capture of a part or all, in minor units."""

    captured_amount: int


class Refund(Labels):
    """A refund of captured money, in minor units."""

    refunded_amount: int


# All that Klarna is sent; None where a call has no body.
Body = NewSession | NewPage | Purchase | NewCustomerToken | NewOrder | Capture | Refund | None


def minor(money: Money) -> int:
    """An amount in minor units. Raises Refused when it is no whole number of them."""
    try:
        return money.minor
    except InexactAmount as no:
        raise Refused(str(no), "inexact_amount") from no


def payments_session(order: OrderToPay, plans: str) -> NewSession:
    """The body that opens a payments session. `plans`: the account's promo codes, separated by commas."""
    shown: Prefilled = {}
    if codes := [code.strip() for code in plans.split(",") if code.strip()]:
        shown["custom_payment_method_ids"] = codes
    if billing := _address(order.billing, order):
        shown["billing_address"] = billing
    if order.delivery and (delivery := _address(order.delivery, order)):
        shown["shipping_address"] = delivery
    return {
        **_purchase(order),
        "purchase_country": order.country,
        "locale": _locale(order.language, order.country),
        "intent": "buy_and_tokenize" if order.get_token else "buy",
        "merchant_urls": {"notification": order.events_url},
        **shown,
    }


def hosted_page(order: OrderToPay, payments_session_url: str, category: str) -> NewPage:
    """The body that opens the hosted page of a payments session. Klarna puts its id into our return addresses."""
    options: PageOptions = {"place_order_mode": "NONE" if order.get_token else "PLACE_ORDER"}
    if category:
        options["payment_method_category"] = category
    if order.additional_data.get("pageTitle"):
        options["page_title"] = str(order.additional_data["pageTitle"])
    if order.additional_data.get("logoUrl"):
        options["logo_url"] = str(order.additional_data["logoUrl"])
    success, cancel, failure = (
        f"{order.return_to(via)}&hpp={{{{session_id}}}}" for via in ("success", "cancel", "failure")
    )
    urls: PageUrls = {
        "success": success, "cancel": cancel, "back": cancel, "failure": failure, "error": failure,
        "status_update": order.events_url,
    }  # fmt: skip
    return {"payment_session_url": payments_session_url, "merchant_urls": urls, "options": options}


def customer_token(checkout: Checkout, session: PaymentsSession) -> NewCustomerToken:
    """The body that makes a customer token of an authorization."""
    body: NewCustomerToken = {
        "purchase_country": checkout.country,
        "purchase_currency": checkout.total.currency,
        "locale": session.locale or f"en-{checkout.country}",
        "description": f"Payments to the merchant of order {checkout.reference}"[:255],
        "intended_use": "SUBSCRIPTION",
    }
    if session.billing_address is not None:
        body["billing_address"] = session.billing_address
    return body


def order_of(checkout: Checkout, session: PaymentsSession) -> NewOrder:
    """The body that places an order. Amount, currency and reference are ours, so that another session's can't pass (T1)."""
    market: Market = {"purchase_country": checkout.country, "purchase_currency": checkout.total.currency}
    if session.locale is not None:
        market["locale"] = session.locale
    kept: Remembered = {}
    if session.merchant_reference2 is not None:
        kept["merchant_reference2"] = session.merchant_reference2
    if session.billing_address is not None:
        kept["billing_address"] = session.billing_address
    if session.shipping_address is not None:
        kept["shipping_address"] = session.shipping_address
    return {
        **market,
        "order_amount": minor(checkout.total),
        "order_tax_amount": session.order_tax_amount,
        "order_lines": session.order_lines,
        "merchant_reference1": checkout.reference,
        **kept,
    }


def order_by_token(order: OrderToPay) -> Purchase:
    """The body that places an order by a customer token."""
    return _purchase(order)


def capture(move: Move) -> Capture:
    """The body that captures. Our key goes as the reference, which the order's captures echo."""
    return {"captured_amount": minor(move.amount), **_labels(move)}


def refund(move: Move) -> Refund:
    """The body that refunds. Our key goes as the reference, which the order's refunds echo."""
    return {"refunded_amount": minor(move.amount), **_labels(move)}


def _labels(move: Move) -> Labels:
    labels: Labels = {"reference": move.key}
    if move.description:
        labels["description"] = move.description[:255]
    return labels


def _purchase(order: OrderToPay) -> Purchase:
    body: Purchase = {
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


def _lines(order: OrderToPay) -> list[Line]:
    """The lines, which sum up to the order's amount: items, then shipping, tax and discount each as a line."""
    currency = order.total.currency
    kind: LineType = "digital" if order.shipping_method == "digital" else "physical"
    more: tuple[tuple[LineType, str, Decimal], ...] = (
        ("shipping_fee", "Shipping", order.shipping), ("sales_tax", "Tax", order.tax),
        ("discount", "Discount", -order.discount),
    )  # fmt: skip
    extra = [_line(type_, name, 1, amount, amount, currency) for type_, name, amount in more if amount]
    items, room = order.items, _MAX_LINES - len(extra)
    if len(items) > room:
        shown, rest = items[: room - 1], items[room - 1 :]
        total = sum((item.total for item in rest), Decimal(0))
        items = (*shown, Item(name=f"{len(rest)} further lines", quantity=1, unit_price=total, total=total))
    return [_item(kind, item, currency) for item in items] + extra


def _item(kind: LineType, item: Item, currency: str) -> Line:
    exact = fits(item.unit_price, minor_units(currency)) and item.unit_price * item.quantity == item.total
    quantity, price = (item.quantity, item.unit_price) if exact else (1, item.total)
    line = _line(kind, item.name[:255] or "Item", quantity, price, item.total, currency)
    if item.sku:
        line["reference"] = item.sku[:255]
    return line


def _line(kind: LineType, name: str, quantity: int, price: Decimal, total: Decimal, currency: str) -> Line:
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


def _address(place: Place, order: OrderToPay) -> Address | None:
    """An address for the page to fill in; None when it lacks what makes it one, for the shopper can type it there."""
    longest = _MAX_ADDRESS
    full: Address = {
        "given_name": place.first_name[:longest], "family_name": place.last_name[:longest],
        "email": (place.email or order.customer.email)[:longest],
        "phone": (place.phone or order.customer.phone)[:longest],
        "street_address": place.street[:longest], "street_address2": place.street2[:longest],
        "city": place.city[:longest], "region": (place.state or place.region)[:longest],
        "country": (place.country or order.country)[:longest],
        # A longer one can't be any that Klarna knows, and half of one would be wrong.
        "postal_code": place.postal_code if len(place.postal_code) <= _MAX_POSTAL_CODE else "",
    }  # fmt: skip
    # Leaving out what is empty loses the type; whether all that an address needs is left is looked at next.
    given = cast(Address, {name: text for name, text in full.items() if text})
    needed = {"street_address", "city", "postal_code"}
    if given.get("country") in _WITH_REGION:
        needed.add("region")
    return given if needed <= given.keys() else None
