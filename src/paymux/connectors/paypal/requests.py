"""What is sent to PayPal: an order with its one purchase unit, captures and refunds, a webhook."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal, NotRequired, TypedDict, cast

from paymux.connectors.contract import Address as Place
from paymux.connectors.contract import Item, Move, OrderToPay, Refused
from paymux.money import Money, fits

# ISO 4217 gives the forint and the new Taiwan dollar decimals; PayPal takes none in these.
_WHOLE = frozenset({"HUF", "JPY", "TWD"})
_LOCALE = re.compile(r"[a-z]{2}(-[A-Z]{2})?")
_NOT_SHIPPED = frozenset({"digital", "pick-up", "pickup", "store", "store pick-up"})
_MAX_TEXT, _MAX_NOTE = 127, 255


class Amount(TypedDict):
    """An amount in major units, as a decimal string with PayPal's decimals for the currency."""

    currency_code: str
    value: str


class Breakdown(TypedDict):
    """What an order's amount consists of."""

    item_total: Amount
    shipping: NotRequired[Amount]
    tax_total: NotRequired[Amount]
    discount: NotRequired[Amount]


class AmountWithBreakdown(Amount):
    """An order's amount, and what it consists of."""

    breakdown: Breakdown


class Line(TypedDict):
    """A line of a purchase unit; the quantity is a string of digits."""

    name: str
    quantity: str
    unit_amount: Amount
    sku: NotRequired[str]


class Address(TypedDict):
    """Where goods go to."""

    address_line_1: NotRequired[str]
    address_line_2: NotRequired[str]
    admin_area_2: NotRequired[str]
    admin_area_1: NotRequired[str]
    postal_code: NotRequired[str]
    country_code: str


class FullName(TypedDict):
    """Who receives the goods."""

    full_name: str


class Shipping(TypedDict):
    """How, where and to whom goods go."""

    type: Literal["SHIPPING"]
    address: Address
    name: NotRequired[FullName]


class PurchaseUnit(TypedDict):
    """The one purchase of an order."""

    custom_id: str
    amount: Amount | AmountWithBreakdown
    items: NotRequired[list[Line]]
    description: NotRequired[str]
    shipping: NotRequired[Shipping]


class ExperienceContext(TypedDict):
    """How PayPal's page looks, and where it sends the shopper."""

    return_url: str
    cancel_url: str
    user_action: Literal["PAY_NOW"]
    shipping_preference: Literal["SET_PROVIDED_ADDRESS", "NO_SHIPPING"]
    brand_name: NotRequired[str]
    locale: NotRequired[str]


class Name(TypedDict):
    """The payer's name."""

    given_name: str
    surname: str


class Vault(TypedDict):
    """That the account is to be saved once it has paid."""

    store_in_vault: Literal["ON_SUCCESS"]
    usage_type: Literal["MERCHANT"]


class Attributes(TypedDict):
    """What else is to be done with the payer's account."""

    vault: Vault


class Wallet(TypedDict):
    """A PayPal account that is not known yet, and its page."""

    experience_context: ExperienceContext
    email_address: NotRequired[str]
    name: NotRequired[Name]
    attributes: NotRequired[Attributes]


class StoredCredential(TypedDict):
    """Who started a payment by a saved account."""

    payment_initiator: Literal["CUSTOMER", "MERCHANT"]
    usage: Literal["SUBSEQUENT"]


class SavedWallet(TypedDict):
    """A saved PayPal account."""

    vault_id: str
    stored_credential: StoredCredential


class PaymentSource(TypedDict):
    """What is to pay an order."""

    paypal: Wallet | SavedWallet


class NewOrder(TypedDict):
    """An order to be opened."""

    intent: Literal["CAPTURE", "AUTHORIZE"]
    purchase_units: list[PurchaseUnit]
    payment_source: PaymentSource


class Completion(TypedDict):
    """The capture or authorisation of an order that the shopper agreed to: always of all, so nothing is said."""


class NewCapture(TypedDict):
    """A capture of what is authorised."""

    amount: Amount
    final_capture: bool
    note_to_payer: NotRequired[str]


class NewRefund(TypedDict):
    """A refund of one capture."""

    amount: Amount
    custom_id: str
    note_to_payer: NotRequired[str]


class EventType(TypedDict):
    """A kind of event that a webhook is told of."""

    name: str


class NewWebhook(TypedDict):
    """An address to be told of events."""

    url: str
    event_types: list[EventType]


class WebhookPatch(TypedDict):
    """A correction of the events that a webhook is told of."""

    op: Literal["replace"]
    path: Literal["/event_types"]
    value: list[EventType]


class TokenRequest(TypedDict):
    """The form that asks for an access token."""

    grant_type: Literal["client_credentials"]


# All that PayPal is sent as JSON; None where a call has no body.
Body = NewOrder | Completion | NewCapture | NewRefund | NewWebhook | list[WebhookPatch] | None


def order_body(order: OrderToPay, source: Wallet | SavedWallet) -> NewOrder:
    """An order of one purchase unit. `custom_id` is our reference, which PayPal gives back and shows to no shopper."""
    unit: PurchaseUnit = {"custom_id": order.reference, "amount": amount(order.total)}
    if held := _lines(order):
        unit["amount"], unit["items"] = held
    if order.additional_data.get("description"):
        unit["description"] = str(order.additional_data["description"])[:_MAX_TEXT]
    if shipping := _shipped_to(order):
        unit["shipping"] = shipping
    return {
        "intent": "CAPTURE" if order.auto_capture else "AUTHORIZE",
        "purchase_units": [unit],
        "payment_source": {"paypal": source},
    }


def wallet(order: OrderToPay) -> Wallet:
    """The PayPal account that is to pay, not known yet: how its page looks, and whether it is to be saved."""
    brand = order.additional_data.get("brandName")
    context: ExperienceContext = {
        "return_url": order.return_to("success"), "cancel_url": order.return_to("cancel"), "user_action": "PAY_NOW",
        "shipping_preference": "SET_PROVIDED_ADDRESS" if _shipped_to(order) else "NO_SHIPPING",
    }  # fmt: skip
    if brand:
        context["brand_name"] = str(brand)[:_MAX_TEXT]
    locale = "-".join(order.locale.replace("_", "-").split("-")[:2])
    if _LOCALE.fullmatch(locale):
        context["locale"] = locale
    source: Wallet = {"experience_context": context}
    if order.customer.email:
        source["email_address"] = order.customer.email
    if order.customer.first_name and order.customer.last_name:
        source["name"] = {"given_name": order.customer.first_name[:140], "surname": order.customer.last_name[:140]}
    if order.get_token:
        source["attributes"] = {"vault": {"store_in_vault": "ON_SUCCESS", "usage_type": "MERCHANT"}}
    return source


def saved(order: OrderToPay, vault_id: str) -> SavedWallet:
    """A saved PayPal account that is to pay, and who started it: the shopper, or the merchant without him."""
    return {
        "vault_id": vault_id,
        "stored_credential": {
            "payment_initiator": "CUSTOMER" if order.customer_present else "MERCHANT",
            "usage": "SUBSEQUENT",
        },
    }


def capture_body(move: Move) -> NewCapture:
    """A capture; the one that takes all that is left is the last."""
    capture: NewCapture = {"amount": amount(move.amount), "final_capture": move.whole}
    if move.description:
        capture["note_to_payer"] = move.description[:_MAX_NOTE]
    return capture


def refund_body(move: Move, part: Decimal, reference: str) -> NewRefund:
    """A refund of one capture, marked as ours; the mark tells the whole where it is only a part of the operation."""
    whole = move.amount.amount
    mark = f"{reference}.{move.key}" + (f"_{text(move.amount)}" if part != whole else "")
    refund: NewRefund = {"amount": amount(Money(part, move.amount.currency)), "custom_id": mark}
    if move.description:
        refund["note_to_payer"] = move.description[:_MAX_NOTE]
    return refund


def amount(money: Money) -> Amount:
    """Money in PayPal's form. Raises Refused when it is not exact."""
    return {"currency_code": money.currency, "value": text(money)}


def text(money: Money) -> str:
    """A decimal string with PayPal's decimals for the currency. Raises Refused when it is not exact."""
    decimals = _decimals(money.currency)
    if not fits(money.amount, decimals):
        raise Refused(f"PayPal takes no {money.amount} {money.currency}: too many decimals", "inexact_amount")
    return f"{money.amount:.{decimals}f}"


def _decimals(currency: str) -> int:
    return 0 if currency in _WHOLE else 2


def _lines(order: OrderToPay) -> tuple[AmountWithBreakdown, list[Line]] | None:
    """The breakdown and the lines; none at all where PayPal's form can't hold one of them, for only the total counts."""
    currency = order.total.currency
    items = sum((item.total for item in order.items), Decimal(0))
    held = [items, order.shipping, order.tax, order.discount, *(item.total for item in order.items)]
    if not all(fits(value, _decimals(currency)) for value in held):
        return None
    breakdown: Breakdown = {"item_total": amount(Money(items, currency))}
    if order.shipping:
        breakdown["shipping"] = amount(Money(order.shipping, currency))
    if order.tax:
        breakdown["tax_total"] = amount(Money(order.tax, currency))
    if order.discount:
        breakdown["discount"] = amount(Money(order.discount, currency))
    return {**amount(order.total), "breakdown": breakdown}, [_line(item, currency) for item in order.items]


def _line(item: Item, currency: str) -> Line:
    exact = fits(item.unit_price, _decimals(currency)) and item.unit_price * item.quantity == item.total
    quantity, unit = (item.quantity, item.unit_price) if exact else (1, item.total)
    line: Line = {
        "name": item.name[:_MAX_TEXT],
        "quantity": str(quantity),
        "unit_amount": amount(Money(unit, currency)),
    }
    if item.sku:
        line["sku"] = item.sku[:_MAX_TEXT]
    return line


def _shipped_to(order: OrderToPay) -> Shipping | None:
    """Name and address that goods go to; None where nothing is shipped, or the address is not whole."""
    to = order.delivery
    if to is None or order.shipping_method in _NOT_SHIPPED or not (to.street and to.city and to.country):
        return None
    name = (
        f"{to.first_name} {to.last_name}".strip() or f"{order.customer.first_name} {order.customer.last_name}".strip()
    )
    shipping: Shipping = {"type": "SHIPPING", "address": _address(to)}
    if name:
        shipping["name"] = {"full_name": name[:300]}
    return shipping


def _address(to: Place) -> Address:
    full: Address = {
        "address_line_1": to.street[:300], "address_line_2": to.street2[:300], "admin_area_2": to.city[:120],
        "admin_area_1": (to.state or to.region)[:300], "postal_code": to.postal_code[:60], "country_code": to.country,
    }  # fmt: skip
    # Leaving out what is empty loses the type; the one field that PayPal demands, the country, was looked at before.
    return cast(Address, {name: value for name, value in full.items() if value})
