"""What Klarna is sent when a checkout is opened: amounts, lines, locale, addresses, options."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from paymux.connectors.contract import (
    Item,
    Paid,
    Redirect,
    Refused,
)
from paymux.connectors.klarna import requests
from paymux.money import Money
from tests.connectors.klarna.conftest import Till, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY

# Every country with its own currency, as Klarna's page of purchase countries and currencies lists them.
COUNTRIES = {
    "AT": "EUR", "BE": "EUR", "CH": "CHF", "CZ": "CZK", "DE": "EUR", "DK": "DKK", "ES": "EUR", "FI": "EUR",
    "FR": "EUR", "GB": "GBP", "GR": "EUR", "HU": "HUF", "IE": "EUR", "IT": "EUR", "NL": "EUR", "NO": "NOK",
    "PL": "PLN", "PT": "EUR", "RO": "RON", "SE": "SEK", "SK": "EUR",
}  # fmt: skip


@pytest.mark.parametrize(("country", "currency"), COUNTRIES.items())
async def test_each_european_country_pays_in_its_own_currency(till: Till, country: str, currency: str) -> None:
    assert country in till.counter.provider.facts.codes["KLARNA"].countries
    await till.pays(country=country, total=Money(Decimal("100.00"), currency), locale="de_DE")
    assert till.counter.ledger() == [("authorize", Decimal("100.00"), currency)]
    assert till.sent("/payments/v1/sessions")["locale"] in (f"de-{country}", f"en-{country}")


async def test_another_currency_than_the_countrys_own_is_refused_by_klarna(till: Till) -> None:
    order = till.counter.order("KLARNA", country="SE", total=Money(Decimal("100.00"), "EUR"))
    with pytest.raises(Refused) as no:
        await till.connector.create_checkout(order, KEY)
    assert (no.value.code, no.value.reason) == ("BAD_VALUE", "Bad value: purchase_currency")


# -- amounts and lines ------------------------------------------------------------------------------


async def test_tax_in_the_united_states_is_a_sales_tax_line_and_the_orders_tax_amount(till: Till) -> None:
    till.code = "KLARNA_US"
    item = Item(name="Shirt", quantity=2, unit_price=Decimal("45.00"), total=Decimal("90.00"), sku="S-1")
    parts = {"shipping": Decimal("7.50"), "tax": Decimal("8.25"), "discount": Decimal("5.75")}
    await till.pays("100.00", items=(item,), **parts)
    body = till.sent("/payments/v1/sessions")
    assert (body["purchase_country"], body["purchase_currency"]) == ("US", "USD")
    assert (body["order_amount"], body["order_tax_amount"]) == (10000, 825)
    assert [
        (line["type"], line["quantity"], line["unit_price"], line["total_amount"]) for line in body["order_lines"]
    ] == [
        ("physical", 2, 4500, 9000),
        ("shipping_fee", 1, 750, 750),
        ("sales_tax", 1, 825, 825),
        ("discount", 1, -575, -575),
    ]


async def test_a_line_whose_unit_price_is_no_whole_cent_goes_at_its_total(till: Till) -> None:
    item = Item(name="Nail", quantity=3, unit_price=Decimal("0.3333"), total=Decimal("1.00"), sku="")
    await till.opens("1.00", items=(item,))
    line = till.sent("/payments/v1/sessions")["order_lines"][0]
    assert line == {"type": "physical", "name": "Nail", "quantity": 1, "unit_price": 100, "total_amount": 100}


async def test_more_than_a_thousand_lines_still_come_to_the_same_sum(till: Till) -> None:
    items = tuple(Item(name=f"Nail {n}", quantity=1, unit_price=Decimal(1), total=Decimal(1)) for n in range(1005))
    await till.opens("1006.00", items=items, shipping=Decimal(1))
    lines = till.sent("/payments/v1/sessions")["order_lines"]
    assert len(lines) == 1000
    assert sum(line["total_amount"] for line in lines) == 100_600


async def test_what_is_shipped_nowhere_is_digital(till: Till) -> None:
    await till.opens(shipping_method="digital")
    assert till.sent("/payments/v1/sessions")["order_lines"][0]["type"] == "digital"


@pytest.mark.parametrize(
    ("amount", "currency", "minor"), [("1000", "JPY", 1000), ("10.12", "EUR", 1012), ("10.12", "KWD", 10120)]
)
def test_minor_units_are_the_currencys_own(amount: str, currency: str, minor: int) -> None:
    assert requests.minor(Money(Decimal(amount), currency)) == minor


async def test_a_currency_without_minor_units_is_sent_and_read_back_as_it_is(scripted: Scripted, till: Till) -> None:
    item = Item(name="Shirt", quantity=2, unit_price=Decimal(500), total=Decimal(1000), sku="S-1")
    scripted.says(200, sample("payments_session_created")["answer"])
    scripted.says(201, sample("page_created")["answer"])
    order = till.counter.order("KLARNA", "1000", items=(item,), total=Money(Decimal(1000), "JPY"))
    opened = await scripted.connector.create_checkout(order, KEY)
    body = scripted.asked[0][2]
    assert (body["order_amount"], body["order_lines"][0]["unit_price"]) == (1000, 500)
    amounts = dict.fromkeys(("order_amount", "original_order_amount", "remaining_authorized_amount"), 1000)
    scripted.says(200, sample("page_completed")["answer"])
    scripted.says(200, {**sample("order_authorized")["answer"], "purchase_currency": "JPY", **amounts})
    assert isinstance(opened, Redirect)
    paid = await scripted.connector.fetch(till.counter.checkout(order, opened))
    assert isinstance(paid, Paid)
    assert paid.total == Money(Decimal(1000), "JPY")


async def test_an_amount_that_has_too_many_decimals_is_refused_before_anything_is_sent(till: Till) -> None:
    order = till.counter.order("KLARNA", "10.00", total=Money(Decimal("10.001"), "EUR"))
    with pytest.raises(Refused) as no:
        await till.connector.create_checkout(order, KEY)
    assert no.value.code == "inexact_amount"
    assert till.exchanges == []


# -- the rest of the request ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "country", "sent"),
    [("de_DE", "DE", "de-DE"), ("de_DE_formal", "AT", "de-AT"), ("en_AU", "DE", "en-DE"), ("nn_NO", "NO", "nb-NO"),
     ("ja", "DE", "en-DE"), ("sv-SE", "FI", "sv-FI")],
)  # fmt: skip
async def test_the_locale_is_one_that_klarna_has_for_the_country(
    till: Till, locale: str, country: str, sent: str
) -> None:
    await till.opens(locale=locale, country=country, total=Money(Decimal("100.00"), COUNTRIES[country]))
    assert till.sent("/payments/v1/sessions")["locale"] == sent


async def test_an_address_that_klarna_would_refuse_is_left_out(till: Till) -> None:
    order = till.counter.order("KLARNA")
    await till.opens(billing=replace(order.billing, postal_code="much too long"), delivery=None)
    assert not {"billing_address", "shipping_address"} & till.sent("/payments/v1/sessions").keys()


@pytest.mark.parametrize("code", ["KLARNA_US", "KLARNA_AU"])
async def test_an_address_without_its_mandatory_region_is_left_to_the_shopper(till: Till, code: str) -> None:
    till.code = code
    order = till.counter.order(code)
    await till.opens(billing=replace(order.billing, state="", region=""))
    body = till.sent("/payments/v1/sessions")
    assert "billing_address" not in body
    assert body["shipping_address"]["region"] == "NSW"


async def test_additional_data_names_page_and_order_and_overrides_nothing(till: Till) -> None:
    more = {"merchantData": "data", "pageTitle": "Shop", "logoUrl": "https://shop.example/l.png", "order_amount": 1}
    await till.opens(additional_data=more)
    body, page = till.sent("/payments/v1/sessions"), till.sent("/hpp/v1/sessions")
    assert (body["merchant_data"], body["order_amount"]) == ("data", 10000)
    assert page["options"] == {
        "place_order_mode": "PLACE_ORDER", "page_title": "Shop", "logo_url": "https://shop.example/l.png",
    }  # fmt: skip


async def test_pay_in_three_shows_its_category_and_the_accounts_promo_codes(till: Till) -> None:
    till.code = "KLARNA_3_INSTALMENTS"
    order = till.counter.order(till.code, country="GB", total=Money(Decimal("100.00"), "GBP"))
    connector = till.counter.connector(till.code, custom_payment_method_ids="p1, p2")
    await connector.create_checkout(order, KEY)
    assert till.sent("/payments/v1/sessions")["custom_payment_method_ids"] == ["p1", "p2"]
    assert till.sent("/hpp/v1/sessions")["options"]["payment_method_category"] == "PAY_LATER"
