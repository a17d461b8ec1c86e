"""What Afterpay is sent: checkouts, confirms, captures, voids and refunds. Amounts are decimal strings in major units."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NotRequired, TypedDict, TypeVar, cast

from paymux.connectors import contract
from paymux.connectors.amounts import text
from paymux.money import Money, fits, minor_units

_MAX_ITEMS = 100


class Amount(TypedDict):
    """Money: a decimal string in major units with all the currency's decimals."""

    amount: str
    currency: str


class Consumer(TypedDict):
    """Who buys."""

    givenNames: NotRequired[str]
    surname: NotRequired[str]
    email: str
    phoneNumber: NotRequired[str]


class Merchant(TypedDict):
    """Where the shopper is sent to."""

    redirectConfirmUrl: str
    redirectCancelUrl: str


class Item(TypedDict):
    """A line: the price of one of it."""

    name: str
    quantity: int
    price: Amount
    sku: NotRequired[str]


class Contact(TypedDict):
    """Who is billed or gets the goods, and where."""

    name: str
    line1: str
    line2: NotRequired[str]
    area1: NotRequired[str]
    region: NotRequired[str]
    postcode: str
    countryCode: str
    phoneNumber: NotRequired[str]


class Discount(TypedDict):
    """What is taken off the order."""

    displayName: str
    amount: Amount


class NewCheckout(TypedDict):
    """A checkout to be opened."""

    amount: Amount
    consumer: Consumer
    merchant: Merchant
    merchantReference: str
    purchaseCountry: str
    items: list[Item]
    taxAmount: Amount
    shippingAmount: Amount
    billing: NotRequired[Contact]
    shipping: NotRequired[Contact]
    discounts: NotRequired[list[Discount]]
    description: NotRequired[str]


class FullCapture(TypedDict):
    """The confirm of a checkout that captures at once, in full."""

    token: str
    merchantReference: str


class Auth(FullCapture):
    """The confirm of a checkout that only authorises."""

    requestId: str


class Void(TypedDict):
    """What is given back of what was not captured."""

    requestId: str
    amount: Amount


class Capture(Void):
    """A capture of a part or all of what is authorised; its event carries the reference."""

    paymentEventMerchantReference: str


class Refund(Void):
    """A refund of captured money: one per `requestId` and `merchantReference` together."""

    merchantReference: str
    refundMerchantReference: str


# All that Afterpay is sent; None where a call has no body.
Body = NewCheckout | FullCapture | Auth | Void | Capture | Refund | None
_Full = TypeVar("_Full", bound=Mapping[str, object])


def checkout_of(order: contract.OrderToPay) -> NewCheckout:
    """The body that opens a checkout for an order. Raises Refused when an amount is not exact."""
    currency, who = order.total.currency, order.customer
    consumer: Consumer = {
        "givenNames": who.first_name[:128], "surname": who.last_name[:128], "email": who.email,
        "phoneNumber": who.phone[:32],
    }  # fmt: skip
    body: NewCheckout = {
        "amount": amount(order.total),
        "consumer": _given(consumer),
        # Afterpay says itself which way the shopper came, so both ways lead to the same plain address.
        "merchant": {"redirectConfirmUrl": order.return_url, "redirectCancelUrl": order.return_url},
        "merchantReference": order.reference,
        "purchaseCountry": order.country,
        "items": _items(order.items, currency),
        "taxAmount": amount(Money(order.tax, currency)),
        "shippingAmount": amount(Money(order.shipping, currency)),
    }
    if billing := _contact(order.billing):
        body["billing"] = billing
    if order.delivery and (shipping := _contact(order.delivery)):
        body["shipping"] = shipping
    if order.discount:
        body["discounts"] = [{"displayName": "Discount", "amount": amount(Money(order.discount, currency))}]
    if order.additional_data.get("description"):
        body["description"] = str(order.additional_data["description"])[:256]
    return body


def amount(money: Money) -> Amount:
    """An amount in Afterpay's form. Raises Refused when it is not exact."""
    return {"amount": text(money), "currency": money.currency}


def _contact(place: contract.Address) -> Contact | None:
    """An address as Afterpay wants it; None when it lacks what Afterpay demands of one (an address is optional)."""
    full: Contact = {
        "name": f"{place.first_name} {place.last_name}".strip()[:255], "line1": place.street[:128],
        "line2": place.street2[:128], "area1": place.city[:128], "region": (place.state or place.region)[:128],
        "postcode": place.postal_code[:128], "countryCode": place.country, "phoneNumber": place.phone[:32],
    }  # fmt: skip
    demanded = full["name"] and full["line1"] and full["postcode"] and full["countryCode"]
    return _given(full) if demanded else None


def _items(items: tuple[contract.Item, ...], currency: str) -> list[Item]:
    """The lines, at most 100: what is more goes together as the last one."""
    if len(items) > _MAX_ITEMS:
        shown, rest = items[: _MAX_ITEMS - 1], items[_MAX_ITEMS - 1 :]
        total = sum((item.total for item in rest), Decimal(0))
        items = (*shown, contract.Item(name=f"{len(rest)} further lines", quantity=1, unit_price=total, total=total))
    return [_item(item, currency) for item in items]


def _item(item: contract.Item, currency: str) -> Item:
    exact = fits(item.unit_price, minor_units(currency)) and item.unit_price * item.quantity == item.total
    quantity, price = (item.quantity, item.unit_price) if exact else (1, item.total)
    line: Item = {"name": item.name[:255], "quantity": quantity, "price": amount(Money(price, currency))}
    if item.sku:
        line["sku"] = item.sku[:128]
    return line


def _given(full: _Full) -> _Full:
    # Leaving out what is empty loses the type; the shopper's e-mail, which Afterpay demands, the merchant is asked for.
    return cast(_Full, {name: value for name, value in full.items() if value})
