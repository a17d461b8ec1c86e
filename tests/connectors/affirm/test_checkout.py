"""Opening a checkout at Affirm, the shopper's return, and how a checkout stands before it is authorised."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Address, Approved, Ask, Item, NotThere, Paid, Pending, Refused
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.affirm.conftest import Till, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY


async def test_what_is_sent_names_the_shop_the_order_and_cents(scripted: Scripted, till: Till) -> None:
    scripted.replays("checkout_created")
    order = till.counter.order("AFFIRM_US", "112.50", shipping=Decimal("10.00"), tax=Decimal("5.00"))
    shirt = Item(name="Shirt", quantity=2, unit_price=Decimal("50.00"), total=Decimal("100.00"), sku="S-1")
    order = replace(order, items=(shirt,), discount=Decimal("2.50"))
    opened = await scripted.opens(order)
    ((method, path, body),) = scripted.asked
    assert (method, path) == ("POST", "/api/v2/checkout/direct")
    assert scripted.headers[0]["country-code"] == "USA"
    assert body["merchant"] == {
        "public_api_key": "AFFIRMDEMOPUBLIC",
        "user_confirmation_url": "https://paymux.example/return/otk_1",
        "user_confirmation_url_action": "GET",
        "user_cancel_url": "https://paymux.example/return/otk_1?via=cancel",
    }
    assert body["items"] == [{"display_name": "Shirt", "sku": "S-1", "unit_price": 5000, "qty": 2}]
    assert [body[name] for name in ("total", "shipping_amount", "tax_amount", "currency", "order_id")] == [
        11250, 1000, 500, "USD", "R-1001"
    ]  # fmt: skip
    assert body["discounts"] == {"DISCOUNT": {"discount_amount": 250, "discount_display_name": "Discount"}}
    assert body["shipping"]["name"] == {"first": "Ada", "last": "Byron"}
    assert body["shipping"]["address"]["country_code"] == "USA"
    assert (opened.session, opened.url) == ("123456ABCDEF", sample("checkout_created")["answer"]["redirect_url"])


async def test_a_line_that_cents_cannot_hold_goes_as_one_at_its_total(scripted: Scripted, till: Till) -> None:
    scripted.replays("checkout_created")
    item = Item(name="Nail", quantity=3, unit_price=Decimal("33.3333"), total=Decimal("100.00"))
    order = replace(till.counter.order("AFFIRM_US"), items=(item,), delivery=None)
    await scripted.connector.create_checkout(order, KEY)
    body = scripted.asked[0][2]
    assert body["items"] == [{"display_name": "Nail", "sku": "Nail", "unit_price": 10000, "qty": 1}]
    assert body["shipping"] == body["billing"]


async def test_an_address_goes_in_the_words_of_the_global_hosts(scripted: Scripted, till: Till) -> None:
    scripted.replays("checkout_created")
    place = Address(street="4519 Rue Levy", street2="Apt 1", city="Saint-Laurent", state="QC", postal_code="H4R2P9")
    await scripted.opens(replace(till.counter.order("AFFIRM_US"), delivery=replace(place, country="CA")))
    assert scripted.asked[0][2]["shipping"]["address"] == sample("address")["address"]


async def test_a_shop_in_canada_says_so(till: Till) -> None:
    canadian = Till(till.counter, "AFFIRM_CAD")
    opened, checkout = await canadian.opens("61.00")
    await till.counter.shopper(opened.url, "approve")
    paid = await canadian.connector.confirm(checkout, KEY)
    assert isinstance(paid, Paid)
    assert paid.total == Money(Decimal(61), "CAD")
    with pytest.raises(NotThere):
        await till.connector.fetch(checkout)


async def test_an_address_that_affirm_does_not_take_is_a_clear_no(till: Till) -> None:
    nowhere = Address(first_name="Ada", last_name="Byron", street="1 High Street", country="US")
    with pytest.raises(Refused, match="city") as no:
        await till.opens(billing=nowhere, delivery=None)
    assert no.value.code == "invalid_field"


@pytest.mark.parametrize("said", ["<html>", "[]", {"checkout_id": "X"}, {"checkout_id": "X", "redirect_url": "/x"}])
async def test_an_answer_without_a_checkout_is_unclear(scripted: Scripted, till: Till, said: Any) -> None:
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("AFFIRM_US"), KEY)


async def test_wrong_keys_are_refused_and_right_ones_are_told(till: Till) -> None:
    assert "took the API keys" in await till.connector.check()
    with pytest.raises(Refused, match="valid API key"):
        await till.counter.connector("AFFIRM_US", private_key="other").check()


# -- the return -------------------------------------------------------------------------------


async def test_a_return_with_a_token_hints_at_a_confirmed_loan(till: Till) -> None:
    checkout, query = await till.decides("approve")
    assert query == {"checkout_token": checkout.session}
    assert till.connector.read_return(query, checkout) == Ask(session=checkout.session, approved=True)


@pytest.mark.parametrize("outcome", ["decline", "cancel", "error"])
async def test_a_shopper_who_leaves_comes_back_by_the_cancel_address(till: Till, outcome: str) -> None:
    checkout, query = await till.decides(outcome)
    assert till.connector.read_return(query, checkout) == Ask(left=True)


async def test_a_return_that_names_another_token_says_so_and_one_without_any_hints_at_nothing(till: Till) -> None:
    _, checkout = await till.opens()
    assert till.connector.read_return({"checkout_token": "other"}, checkout).session == "other"
    assert till.connector.read_return({"via": "success"}, checkout) == Ask()


# -- how it stands ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "kind"), [("approve", Approved), ("decline", Pending), ("cancel", Pending), ("pending", Pending)]
)
async def test_a_checkout_that_is_not_authorised_is_not_paid(till: Till, outcome: str, kind: type) -> None:
    checkout, _ = await till.decides(outcome)
    report = await till.connector.fetch(checkout)
    assert type(report) is kind
    assert report.reference == "R-1001"
    assert till.rows() == []


@pytest.mark.parametrize(
    ("word", "completed"),
    [("opened", False), ("not_approved", False), ("more_information_needed", False), ("used", True)],
)
async def test_a_word_that_is_not_known_may_come_after_the_approval(
    scripted: Scripted, till: Till, word: str, completed: bool
) -> None:
    scripted.says(200, {"checkout_status": word})
    report = await scripted.connector.fetch(till.checkout())
    assert isinstance(report, Pending)
    assert report.completed is completed


async def test_a_checkout_that_affirm_does_not_know_is_not_there(till: Till) -> None:
    with pytest.raises(NotThere):
        await till.connector.fetch(till.checkout())
