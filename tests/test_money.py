"""M1 to M3: amounts are decimals, each currency has its own exponent, and nothing is rounded away."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso4217 import Currency

from paymux.money import InexactAmount, Money, accepted_decimals, exact, fits, is_currency, minor_units, plain
from paymux.platform.database import from_json, to_json

CODES = sorted(currency.code for currency in Currency if is_currency(currency.code))
CENTURIES = 10**15
currencies = st.sampled_from(CODES)
minors = st.integers(0, CENTURIES)
decimals = st.decimals(min_value=0, max_value=10**9, places=6, allow_nan=False, allow_infinity=False)


@st.composite
def unholdable(draw: st.DrawFn) -> Money:
    """An amount with more decimals than its currency has, trailing zeros aside."""
    code = draw(currencies)
    finer = draw(st.integers(1, CENTURIES)) * 10 + draw(st.integers(1, 9))
    return Money(Decimal(finer).scaleb(-minor_units(code) - 1), code)


@pytest.mark.parametrize(
    ("code", "decimals"),
    [("AUD", 2), ("JPY", 0), ("KWD", 3), ("BHD", 3), ("HUF", 2), ("CLF", 4), ("ISK", 0), ("UYI", 0), ("EUR", 2)],
)
def test_minor_units_are_those_of_iso_4217(code: str, decimals: int) -> None:
    assert minor_units(code) == decimals
    assert accepted_decimals(code) == min(2, decimals)


@pytest.mark.parametrize("code", ["XAU", "XXX", "XTS", "aud", "AU", "AUDD", "", "ABC"])
def test_what_has_no_minor_unit_is_no_currency_to_pay_in(code: str) -> None:
    assert not is_currency(code)


def test_there_are_all_currencies() -> None:
    assert len(CODES) > 150


@given(currencies, minors)
def test_minor_units_of_every_currency_go_there_and_back(code: str, minor: int) -> None:
    money = Money.from_minor(minor, code)
    assert money.minor == minor
    assert Money.parse(money.text, code).minor == minor
    assert money.amount == Decimal(minor) / 10 ** minor_units(code)


@given(currencies, minors)
def test_the_text_of_an_amount_has_all_decimals_of_its_currency(code: str, minor: int) -> None:
    whole, _, fraction = Money.from_minor(minor, code).text.partition(".")
    assert len(fraction) == minor_units(code)
    assert int(whole + fraction) == minor
    assert whole == str(minor // 10 ** minor_units(code))


@given(unholdable())
def test_what_a_currency_cannot_hold_is_refused_and_never_rounded(money: Money) -> None:
    with pytest.raises(InexactAmount, match=money.currency):
        _ = money.minor
    with pytest.raises(InexactAmount, match=money.currency):
        _ = money.text


@given(currencies, decimals)
def test_rounding_is_half_up_to_the_minor_unit(code: str, amount: Decimal) -> None:
    scale = 10 ** minor_units(code)
    rounded = Money(amount, code).rounded()
    assert rounded * scale == int(Fraction(amount) * scale + Fraction(1, 2))
    assert Money(rounded, code).minor == rounded * scale


@given(st.decimals(min_value=-(10**20), max_value=10**20, allow_nan=False, allow_infinity=False), st.integers(0, 8))
def test_an_amount_fits_so_many_decimals_exactly_when_it_is_a_whole_number_of_them(
    amount: Decimal, places: int
) -> None:
    assert fits(amount, places) == ((Fraction(amount) * 10**places).denominator == 1)


@given(st.decimals(min_value=-(10**15), max_value=10**15, places=6, allow_nan=False, allow_infinity=False))
def test_a_plain_amount_is_the_same_number_without_exponent_or_trailing_zeros(amount: Decimal) -> None:
    text = plain(amount)
    assert Decimal(text) == amount
    assert "E" not in text
    assert not (text.endswith("0") and "." in text)
    assert exact(amount) == amount


@given(decimals)
def test_a_json_number_never_passes_through_a_binary_float(amount: Decimal) -> None:
    text = f"{amount:f}"
    read = from_json(f'{{"amount": {text}}}')["amount"]
    assert not isinstance(read, float)
    assert Decimal(read) == amount
    assert Decimal(from_json(to_json({"amount": amount}))["amount"]) == amount


@given(currencies, minors)
def test_amounts_do_not_depend_on_the_decimal_context_of_whoever_asks(code: str, minor: int) -> None:
    with localcontext(prec=50):
        wide = Money.from_minor(minor, code)
    assert wide == Money.from_minor(minor, code)
    assert str(wide.amount) == str(Money.from_minor(minor, code).amount)
