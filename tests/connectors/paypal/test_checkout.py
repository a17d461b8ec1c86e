"""Opening an order at PayPal, and what is known of it before it is paid."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Approved, Ask, Item, NotThere, Pending, Redirect, Refused
from paymux.money import Money
from paymux.platform.http import CallFailed, NotSent, Unclear
from tests.connectors.paypal.conftest import Till, checkout, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY, NEVER_CAME, ONE


def lines(*items: tuple[str, int, str]) -> tuple[Item, ...]:
    """Lines of (name, quantity, total)."""
    return tuple(
        Item(name=name, quantity=quantity, unit_price=Decimal(total) / quantity, total=Decimal(total))
        for name, quantity, total in items
    )


async def test_an_order_leads_the_shopper_to_paypal_and_moves_nothing(till: Till) -> None:
    order = till.order()
    opened, _ = await till.opens()
    (exchange,) = till.exchanges
    unit, context = exchange.sent["purchase_units"][0], exchange.sent["payment_source"]["paypal"]["experience_context"]
    assert (exchange.sent["intent"], unit["custom_id"]) == ("CAPTURE", order.reference)
    assert unit["amount"]["value"] == "100.00"
    assert (context["return_url"], context["cancel_url"]) == (order.return_to("success"), order.return_to("cancel"))
    assert (context["locale"], context["user_action"]) == ("en-AU", "PAY_NOW")
    assert exchange.headers["PayPal-Request-Id"] == KEY
    assert opened.url.endswith(f"/checkout/paypal/{opened.session}")
    assert till.rows() == []


async def test_the_same_key_opens_the_same_order_again(till: Till) -> None:
    first, _ = await till.opens()
    again, _ = await till.opens()
    assert again.session == first.session
    other = await till.connector.create_checkout(till.counter.order("PAYPAL"), ONE)
    assert isinstance(other, Redirect)
    assert other.session != first.session


async def test_an_order_to_be_captured_later_is_authorised(till: Till) -> None:
    await till.opens(auto_capture=False)
    assert till.exchanges[0].sent["intent"] == "AUTHORIZE"


async def test_shipping_tax_and_discount_come_to_the_amount(till: Till) -> None:
    items = lines(("Shirt", 3, "30.00"), ("Shoes", 1, "70.00"))
    await till.opens("107.75", items=items, shipping=Decimal("7.50"), tax=Decimal("5.25"), discount=Decimal("5.00"))
    breakdown = till.exchanges[0].sent["purchase_units"][0]["amount"]["breakdown"]
    assert {name: part["value"] for name, part in breakdown.items()} == {
        "item_total": "100.00", "shipping": "7.50", "tax_total": "5.25", "discount": "5.00",
    }  # fmt: skip


async def test_a_line_that_does_not_multiply_exactly_goes_as_one_at_its_total(till: Till) -> None:
    await till.opens(items=lines(("Shirt", 3, "100.00")))
    (line,) = till.exchanges[0].sent["purchase_units"][0]["items"]
    assert (line["quantity"], line["unit_amount"]["value"]) == ("1", "100.00")


@pytest.mark.parametrize("currency", ["HUF", "JPY", "TWD"])
async def test_a_currency_that_paypal_takes_without_decimals_is_sent_without(till: Till, currency: str) -> None:
    total = Money(Decimal("9000.00"), currency)
    order = replace(till.counter.order("PAYPAL", "9000"), total=total)
    await till.connector.create_checkout(order, KEY)
    assert till.exchanges[0].sent["purchase_units"][0]["amount"]["value"] == "9000"


async def test_forints_with_decimals_in_their_lines_go_as_the_total_alone(till: Till) -> None:
    items = lines(("Shirt", 1, "4500.50"), ("Shoes", 1, "4499.50"))
    order = replace(till.counter.order("PAYPAL", "9000"), total=Money(Decimal(9000), "HUF"), items=items)
    await till.connector.create_checkout(order, KEY)
    unit = till.exchanges[0].sent["purchase_units"][0]
    assert unit["amount"] == {"currency_code": "HUF", "value": "9000"}
    assert "items" not in unit


async def test_an_amount_that_paypal_cannot_hold_is_refused_before_anything_is_sent(till: Till) -> None:
    order = replace(till.counter.order("PAYPAL", "9000.50"), total=Money(Decimal("9000.50"), "HUF"))
    with pytest.raises(Refused) as no:
        await till.connector.create_checkout(order, KEY)
    assert no.value.code == "inexact_amount"
    assert till.exchanges == []


@pytest.mark.parametrize("method", ["digital", "pick-up", "store pick-up"])
async def test_what_is_not_shipped_names_no_address(till: Till, method: str) -> None:
    await till.opens(shipping_method=method)
    sent = till.exchanges[0].sent
    assert "shipping" not in sent["purchase_units"][0]
    assert sent["payment_source"]["paypal"]["experience_context"]["shipping_preference"] == "NO_SHIPPING"


async def test_what_is_shipped_goes_to_the_address_that_the_shop_has(till: Till) -> None:
    order = till.order()
    await till.opens()
    shipping = till.exchanges[0].sent["purchase_units"][0]["shipping"]
    assert shipping["name"] == {"full_name": "Ada Byron"}
    assert shipping["address"]["postal_code"] == "2000"
    assert order.delivery is not None
    assert shipping["address"]["country_code"] == order.delivery.country


@pytest.mark.parametrize(
    ("locale", "sent"), [("de_DE_formal", "de-DE"), ("ja", "ja"), ("en-GB", "en-GB"), ("zh_Hant_TW", None)]
)
async def test_the_locale_goes_in_paypals_form_or_not_at_all(till: Till, locale: str, sent: str | None) -> None:
    await till.opens(locale=locale)
    context = till.exchanges[0].sent["payment_source"]["paypal"]["experience_context"]
    assert context.get("locale") == sent


async def test_additional_data_names_the_shop_and_the_purchase(till: Till) -> None:
    await till.opens(additional_data={"brandName": "Shop", "description": "D" * 200})
    sent = till.exchanges[0].sent
    assert sent["payment_source"]["paypal"]["experience_context"]["brand_name"] == "Shop"
    assert sent["purchase_units"][0]["description"] == "D" * 127


async def test_wrong_credentials_are_a_clear_no(till: Till) -> None:
    with pytest.raises(Refused) as no:
        await till.counter.connector("PAYPAL", client_secret="wrong").create_checkout(till.counter.order("PAYPAL"), KEY)
    assert no.value.code == "invalid_client"
    assert await till.connector.check() == "PayPal granted an access token; the app has 0 webhooks"


async def test_a_token_server_that_is_down_means_that_nothing_was_sent(till: Till) -> None:
    connector = till.connector
    connector.account.hosts["api"] = "http://127.0.0.1:9"  # type: ignore[index]
    with pytest.raises(NotSent):
        await connector.create_checkout(till.counter.order("PAYPAL"), KEY)


@pytest.mark.parametrize("outcome", ["cancel", "error"])
async def test_a_shopper_who_turned_back_may_come_again_until_the_order_expires(till: Till, outcome: str) -> None:
    opened, own = await till.opens()
    query = await till.counter.shopper(opened.url, outcome)
    assert till.connector.read_return(query, own) == Ask(session=own.session, left=True)
    report = await till.connector.fetch(own)
    assert isinstance(report, Pending)
    assert not report.completed
    await till.counter.shopper(opened.url, "approve")
    assert isinstance(await till.connector.fetch(own), Approved)


async def test_an_order_that_nobody_agreed_to_is_gone_after_three_hours(till: Till) -> None:
    _, own = await till.opens()
    till.passes(hours=3)
    with pytest.raises(NotThere):
        await till.connector.fetch(own)


async def test_an_access_token_that_ran_out_is_replaced(till: Till) -> None:
    _, own = await till.opens()
    await till.connector.fetch(own)
    till.counter.sandbox.store.keep_note("paypal", "tokens", {})
    assert isinstance(await till.connector.fetch(own), Pending)
    assert [exchange.answer.status for exchange in till.exchanges][-2:] == [401, 200]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("return_success", Ask(session="5O190127TN364715T", approved=True)),
        ("return_cancelled", Ask(session="5O190127TN364715T", left=True)),
    ],
)
async def test_a_return_is_only_a_hint(till: Till, name: str, expected: Ask) -> None:
    assert till.connector.read_return(sample(name)["query"], checkout()) == expected


@pytest.mark.parametrize("query", [{}, {"via": "success"}, {"PayerID": "X"}, {"via": "success", "token": "OTHER"}])
async def test_a_return_without_a_payer_leads_to_asking(till: Till, query: dict[str, str]) -> None:
    said = till.connector.read_return(query, checkout())
    assert isinstance(said, Ask)
    assert not said.approved


@pytest.mark.parametrize("fault", NEVER_CAME)
async def test_a_create_that_never_came_opens_one_order_when_it_is_repeated(till: Till, fault: str) -> None:
    await till.counter.order_fault("create", fault)
    with pytest.raises(CallFailed):
        await till.opens()
    opened, _ = await till.opens()
    assert opened.session


@pytest.mark.parametrize(
    "answer", [{}, {"id": "1", "status": "CREATED"}, {"id": "", "status": "CREATED", "links": []}, [], "nonsense"]
)
async def test_an_answer_to_create_that_opens_nothing_is_unclear(scripted: Scripted, till: Till, answer: Any) -> None:
    scripted.says(201, answer)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("PAYPAL"), KEY)
