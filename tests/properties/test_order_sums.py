"""M1, M2: the sum rule of `POST /orders` is exact for every order that can be written down."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from paymux.money import accepted_decimals, minor_units
from paymux.orders.rules import Faults, check_amounts, read_order

WHO = {"firstName": "Ada", "lastName": "Byron", "email": "ada@shop.example", "phoneNumber": "+61400000000"}
currencies = st.sampled_from(("AUD", "EUR", "JPY", "KWD", "SEK", "ISK"))


def amounts(currency: str, most: int = 10**6) -> st.SearchStrategy[Decimal]:
    """Amounts that a merchant may send in a currency."""
    places = accepted_decimals(currency)
    return st.integers(0, most * 10**places).map(lambda minor: Decimal(minor).scaleb(-places))


@st.composite
def items(draw: st.DrawFn, currency: str) -> dict[str, Any]:
    """A line whose total is quantity x unit price, rounded half up to the minor unit, where a merchant may send that."""
    quantity = draw(st.integers(1, 1_000))
    price = Decimal(draw(st.integers(0, 10**5))).scaleb(-draw(st.integers(0, 6)))
    total = (price * quantity).quantize(Decimal(1).scaleb(-minor_units(currency)), rounding=ROUND_HALF_UP)
    if total.as_tuple().exponent == -3:
        # Only two of a dinar's three decimals may be sent.
        price = total = Decimal(int(total))
        quantity = 1
    return {"name": "Shirt", "quantity": quantity, "unitPrice": price, "totalAmount": total}


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    """A sound order."""
    currency = draw(currencies)
    lines = draw(st.lists(items(currency), min_size=1, max_size=5))
    shipping, tax = draw(st.none() | amounts(currency)), draw(st.none() | amounts(currency))
    gross = sum((line["totalAmount"] for line in lines), Decimal(0)) + (shipping or 0) + (tax or 0)
    discount = draw(st.none() | amounts(currency).filter(lambda amount: amount <= gross))
    body = {
        "orderReference": "A-1", "bnplProvider": "PLANPAY_AU", "purchaseCountry": "AU", "purchaseCurrency": currency,
        "locale": "en_AU", "orderItems": lines, "customer": WHO, "billingAddress": WHO, "shippingAmount": shipping,
        "taxAmount": tax, "discountAmount": discount, "orderAmount": gross - (discount or 0),
    }  # fmt: skip
    return {name: value for name, value in body.items() if value is not None}


def faults_of(body: dict[str, Any]) -> list[tuple[str, str]]:
    faults = Faults()
    check_amounts(read_order(body, faults), faults)
    return faults.found


@given(orders())
def test_a_sum_that_is_right_to_the_cent_is_accepted(body: dict[str, Any]) -> None:
    assert faults_of(body) == []


@given(orders(), st.integers(-500, 500).filter(bool))
def test_a_sum_that_is_off_by_the_least_is_refused_and_the_right_one_named(body: dict[str, Any], off: int) -> None:
    right = body["orderAmount"]
    wrong = right + Decimal(off).scaleb(-accepted_decimals(body["purchaseCurrency"]))
    assume(wrong >= 0)
    [(code, message)] = faults_of(body | {"orderAmount": wrong})
    assert code == "amount_mismatch"
    assert message.startswith("orderAmount must equal")
    assert Decimal(message.rpartition("(")[2].rstrip(")")) == right


@given(orders(), st.data())
def test_a_line_that_is_off_is_refused_by_its_number(body: dict[str, Any], data: st.DataObject) -> None:
    n = data.draw(st.integers(0, len(body["orderItems"]) - 1))
    step = Decimal(1).scaleb(-accepted_decimals(body["purchaseCurrency"]))
    lines = [dict(line) for line in body["orderItems"]]
    lines[n]["totalAmount"] += step
    found = faults_of(body | {"orderItems": lines, "orderAmount": body["orderAmount"] + step})
    assert [code for code, _ in found] == ["amount_mismatch"]
    assert found[0][1].startswith(f"orderItems.{n}.totalAmount must equal quantity x unitPrice")


@given(orders(), st.sampled_from(("orderAmount", "shippingAmount", "taxAmount", "discountAmount")), st.integers(1, 9))
def test_more_decimals_than_the_currency_takes_are_refused_by_the_field(
    body: dict[str, Any], name: str, digit: int
) -> None:
    places = accepted_decimals(body["purchaseCurrency"])
    finer = body.get(name, Decimal(0)) + Decimal(digit).scaleb(-places - 1)
    found = faults_of(body | {name: finer})
    assert any(message.startswith(f"{name} must have at most") for _, message in found)
