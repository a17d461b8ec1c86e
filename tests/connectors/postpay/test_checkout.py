"""Opening a checkout at Postpay, and the shopper's return."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Ask, Item, Refused
from paymux.platform.http import Unclear
from tests.connectors.postpay.conftest import Till, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY, ONE


async def test_what_is_sent_names_the_order_and_hundredths(scripted: Scripted, till: Till) -> None:
    scripted.replays("checkout_created")
    order = till.counter.order("POSTPAY", "112.50", shipping=Decimal("10.00"), tax=Decimal("5.00"))
    shirt = Item(name="Shirt", quantity=2, unit_price=Decimal("50.00"), total=Decimal("100.00"), sku="S-1")
    order = replace(order, items=(shirt,), discount=Decimal("2.50"), additional_data={"num_instalments": 3})
    opened = await scripted.opens(order)
    ((method, path, body),) = scripted.asked
    assert (method, path) == ("POST", "/checkouts")
    assert scripted.headers[0]["Accept"] == "application/vnd.postpay+json; version=v1"
    assert [body[name] for name in ("order_id", "total_amount", "tax_amount", "currency", "num_instalments")] == [
        "R-1001-0b9f3a52-6a0e", 11250, 500, "AED", 3
    ]  # fmt: skip
    assert body["items"] == [{"reference": "S-1", "name": "Shirt", "unit_price": 5000, "qty": 2}]
    assert body["discounts"] == [{"code": "DISCOUNT", "name": "Discount", "amount": 250}]
    assert body["shipping"]["amount"] == 1000
    assert body["shipping"]["address"]["line1"] == "1 High Street"
    assert body["merchant"] == {
        "confirmation_url": "https://paymux.example/return/otk_1?via=success",
        "cancel_url": "https://paymux.example/return/otk_1?via=cancel",
    }
    assert (opened.session, opened.url) == (body["order_id"], sample("checkout_created")["answer"]["redirect_url"])


async def test_a_line_that_hundredths_cannot_hold_goes_as_one_at_its_total(scripted: Scripted, till: Till) -> None:
    scripted.replays("checkout_created")
    item = Item(name="Nail", quantity=3, unit_price=Decimal("33.3333"), total=Decimal("100.00"))
    order = replace(till.counter.order("POSTPAY"), items=(item,), shipping_method="digital")
    await scripted.connector.create_checkout(order, KEY)
    body = scripted.asked[0][2]
    assert body["items"] == [{"reference": "Nail", "name": "Nail", "unit_price": 10000, "qty": 1}]
    assert body["shipping"] is None


async def test_each_try_to_open_a_checkout_has_an_order_id_of_its_own(till: Till) -> None:
    order = till.counter.order("POSTPAY")
    opened = [await till.connector.create_checkout(order, key) for key in (KEY, "1c000000-0000-4000")]
    assert [one.session for one in opened] == ["R-1001-0b9f3a52-6a0e", "R-1001-1c000000-0000"]
    with pytest.raises(Refused, match="used already"):
        await till.connector.create_checkout(order, KEY)


async def test_an_error_is_a_clear_no_with_postpays_code(scripted: Scripted, till: Till) -> None:
    scripted.replays("error")
    with pytest.raises(Refused) as no:
        await scripted.connector.create_checkout(till.counter.order("POSTPAY"), ONE)
    assert no.value.code == "test"


@pytest.mark.parametrize("said", ["<html>", "[]", {"token": "X"}, {"token": "X", "redirect_url": "/x"}])
async def test_an_answer_without_a_checkout_is_unclear(scripted: Scripted, till: Till, said: Any) -> None:
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("POSTPAY"), KEY)


async def test_wrong_keys_are_refused_and_right_ones_are_told(till: Till) -> None:
    assert await till.connector.check() == "read the list of orders"
    with pytest.raises(Refused, match="Invalid credentials"):
        await till.counter.connector("POSTPAY", secret_key="other").check()


# -- the return -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "status", "hint"),
    [
        ("approve", "APPROVED", {"approved": True}), ("decline", "DENIED", {"left": True}),
        ("cancel", "CANCELLED", {"left": True}), ("pending", "PENDING", {"approved": True}),
    ],
)  # fmt: skip
async def test_the_return_is_a_hint_that_names_the_order(
    till: Till, outcome: str, status: str, hint: dict[str, bool]
) -> None:
    checkout, query = await till.decides(outcome)
    assert query["status"] == status
    assert till.connector.read_return(query, checkout) == Ask(session=checkout.session, **hint)


@pytest.mark.parametrize(
    ("name", "hint"), [("return_approved", {"approved": True}), ("return_cancelled", {"left": True})]
)
async def test_a_documented_return_is_read(till: Till, name: str, hint: dict[str, bool]) -> None:
    checkout = till.checkout()
    assert till.connector.read_return(sample(name)["query"], checkout) == Ask(session=checkout.session, **hint)


async def test_a_return_that_says_nothing_hints_at_nothing(till: Till) -> None:
    assert till.connector.read_return({}, till.checkout()) == Ask()
    assert till.connector.read_return({"status": "DENIED", "via": "success"}, till.checkout()) == Ask(left=True)
