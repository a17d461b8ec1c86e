"""Order lines towards providers: they multiply and sum exactly, or go as quantity 1 at their total (M3)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paymux.connectors.amounts import line, lines_that_sum_up, minor, text
from paymux.connectors.contract import Item, Refused
from paymux.money import Money
from tests.connectors.conftest import Counter


@given(quantity=st.integers(1, 1000), price=st.decimals(0, 10_000, places=6))
def test_a_line_multiplies_exactly_whatever_the_price(quantity: int, price: Decimal) -> None:
    total = Money(quantity * price, "AUD").rounded()
    shown = line(Item(name="Shirt", quantity=quantity, unit_price=price, total=total), "AUD")
    assert shown.quantity * shown.unit.amount == shown.total.amount == total
    assert minor(shown.unit) * shown.quantity == minor(shown.total)


def test_shipping_tax_and_discount_are_lines_of_their_own() -> None:
    order = Counter.order(_counter(), "AFTERPAY_AU", "144.89")
    item = Item(name="Shirt", quantity=1, unit_price=Decimal(130), total=Decimal(130))
    order = replace(
        order, items=(item,), shipping=Decimal("7.99"), tax=Decimal("8.90"), discount=Decimal(2)
    )  # fmt: skip
    assert sum(shown.total.amount for shown in lines_that_sum_up(order)) == order.total.amount
    assert [shown.name for shown in lines_that_sum_up(order)] == ["Shirt", "Shipping", "Tax", "Discount"]


@pytest.mark.parametrize("form", [text, minor])
def test_what_the_currency_can_not_hold_is_refused_not_rounded(form: object) -> None:
    with pytest.raises(Refused) as no:
        form(Money(Decimal("10.001"), "AUD"))  # type: ignore[operator]
    assert no.value.code == "inexact_amount"


def _counter() -> Counter:
    from paymux.connectors.registry import all_providers

    return Counter(all_providers()["afterpay"], None, "", None, type("Nobody", (), {"url": "https://x.example"})())  # type: ignore[arg-type]
