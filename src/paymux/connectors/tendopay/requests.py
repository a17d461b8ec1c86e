"""What is sent to TendoPay, before it is signed. Amounts are whole pesos."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict, cast

from paymux.connectors.contract import Address, OrderToPay, Refused
from paymux.money import Money

# What PHP's trim() takes away at both ends.
BLANKS = " \t\n\r\0\x0b"
_LONGEST_DESCRIPTION = 50


class Grant(TypedDict):
    """What an access token is granted for."""

    grant_type: Literal["client_credentials"]
    client_id: str
    client_secret: str


class Order(TypedDict):
    """An order to open. Of addresses only what is known is sent."""

    tp_amount: int
    tp_currency: str
    tp_merchant_order_id: str
    tp_redirect_url: str
    tp_description: str
    tp_billing_city: NotRequired[str]
    tp_billing_address1: NotRequired[str]
    tp_billing_postcode: NotRequired[str]
    tp_shipping_city: NotRequired[str]
    tp_shipping_address1: NotRequired[str]
    tp_shipping_postcode: NotRequired[str]


class Transaction(TypedDict):
    """A transaction to show, or to cancel."""

    tp_transaction_id: str


def new_order(order: OrderToPay) -> Order:
    """The fields that open an order. Raises Refused for centavos."""
    bill, parcel = order.billing, order.delivery or Address()
    fields: Order = {
        "tp_amount": _pesos(order.total),
        "tp_currency": order.total.currency,
        "tp_merchant_order_id": order.reference.strip(BLANKS),
        "tp_redirect_url": order.return_url.strip(BLANKS),
        "tp_description": f"Order {order.reference}"[:_LONGEST_DESCRIPTION].strip(BLANKS),
        "tp_billing_city": bill.city.strip(BLANKS),
        "tp_billing_address1": bill.street.strip(BLANKS),
        "tp_billing_postcode": bill.postal_code.strip(BLANKS),
        "tp_shipping_city": parcel.city.strip(BLANKS),
        "tp_shipping_address1": parcel.street.strip(BLANKS),
        "tp_shipping_postcode": parcel.postal_code.strip(BLANKS),
    }
    # Taking away what is empty, which only the addresses can be, loses the type.
    return cast(Order, {name: value for name, value in fields.items() if value != ""})


def _pesos(money: Money) -> int:
    """A whole number of pesos. Raises Refused for centavos, which TendoPay's documentation does not allow."""
    if money.amount != money.amount.to_integral_value():
        raise Refused(f"TendoPay takes whole amounts only, not {money.amount}", "inexact_amount")
    return int(money.amount)
