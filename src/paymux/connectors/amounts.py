"""Amounts and order lines in the forms that providers want them: exact, or refused (M3)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from paymux.connectors.contract import Item, OrderToPay, Refused
from paymux.money import InexactAmount, Money, fits, minor_units


def text(money: Money) -> str:
    """A decimal string in major units with all the currency's decimals. Raises Refused when it is not exact."""
    try:
        return money.text
    except InexactAmount as no:
        raise Refused(str(no), "inexact_amount") from no


def minor(money: Money) -> int:
    """Whole minor units. Raises Refused when it is not exact."""
    try:
        return money.minor
    except InexactAmount as no:
        raise Refused(str(no), "inexact_amount") from no


@dataclass(frozen=True, slots=True)
class Line:
    """An order line that multiplies exactly: quantity x `unit` = `total`."""

    name: str
    quantity: int
    unit: Money
    total: Money
    sku: str = ""


def line(item: Item, currency: str) -> Line:
    """An item as a line; one whose unit price the currency can't hold goes as quantity 1 at its total (M3)."""
    exact = fits(item.unit_price, minor_units(currency)) and item.unit_price * item.quantity == item.total
    total = Money(item.total, currency)
    if not exact:
        return Line(item.name, 1, total, total, item.sku)
    return Line(item.name, item.quantity, Money(item.unit_price, currency), total, item.sku)


def lines(order: OrderToPay) -> list[Line]:
    """The order's items as lines."""
    return [line(item, order.total.currency) for item in order.items]


def lines_that_sum_up(order: OrderToPay) -> list[Line]:
    """Items, then shipping, tax and discount as lines of their own: together they are the order's total (M3)."""
    currency = order.total.currency
    more = (("Shipping", order.shipping), ("Tax", order.tax), ("Discount", -order.discount))
    return lines(order) + [_extra(name, amount, currency) for name, amount in more if amount]


def _extra(name: str, amount: Decimal, currency: str) -> Line:
    money = Money(amount, currency)
    return Line(name, 1, money, money)
