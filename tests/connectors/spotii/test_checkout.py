"""Opening a checkout at Spotii, its access token, the shopper's return, and how an order that is not captured stands."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Address, Approved, Ask, Item, NotThere, OrderToPay, Paid, Pending, Refused
from paymux.platform.http import NotSent, Unclear
from tests.connectors.spotii.conftest import KEYS, REFERENCE, Scripted, Till, sample
from tests.connectors.till import KEY


def documented(till: Till) -> OrderToPay:
    """The order of Spotii's example, as the shop gives it."""
    order: OrderToPay = till.counter.order("SPOTII", "100.00")
    customer = replace(
        order.customer, first_name="Veronica", last_name="Costello", email="roni_cost@example.com", phone="(555) 229-3326"
    )  # fmt: skip
    home = Address(
        first_name="Veronica", last_name="Costello", street="6146 Honey Bluff Parkway", city="Calder", state="MI",
        postal_code="49628-7978", country="US", phone="(555) 229-3326",
    )  # fmt: skip
    shirt = Item(
        name="Proteus Fitness Jackshirt", quantity=1, unit_price=Decimal(100), total=Decimal(100), sku="MJ12-L-Orange"
    )
    return replace(order, reference=REFERENCE, customer=customer, billing=home, delivery=home, items=(shirt,))


async def test_the_documented_checkout_is_what_is_sent(scripted: Scripted, till: Till) -> None:
    scripted.replays("checkout_opened")
    opened = await scripted.opens(documented(till))
    ((method, path, body),) = scripted.asked
    assert (method, path) == ("POST", "/api/v1.0/checkouts/")
    expected = sample("checkout_opened")["request"]
    assert body.keys() == expected.keys()
    for name in ("total", "currency", "reference"):
        assert body[name] == expected[name]
    order, wanted = body["order"], expected["order"]
    assert order["customer"] == wanted["customer"]
    known = {name: value for name, value in wanted["billing_address"].items() if name != "line3"}
    assert known.items() <= order["billing_address"].items()
    assert known.items() <= order["shipping_address"].items()
    ((line,), (told,)) = order["lines"], wanted["lines"]
    assert {name: line[name] for name in ("title", "sku", "price", "currency")}.items() <= told.items()
    assert body["confirm_callback_url"] == "https://paymux.example/return/otk_1?via=success"
    assert body["reject_callback_url"] == "https://paymux.example/return/otk_1?via=failure"
    assert (opened.session, opened.url) == (REFERENCE, sample("checkout_opened")["answer"]["checkout_url"])


async def test_tax_shipping_and_discount_are_named_beside_the_lines(scripted: Scripted, till: Till) -> None:
    scripted.replays("checkout_opened")
    order = replace(
        documented(till), total=till.money("112.50"), tax=Decimal(5), shipping=Decimal(10), discount=Decimal("2.5")
    )
    await scripted.connector.create_checkout(order, KEY)
    told = scripted.asked[0][2]["order"]
    assert (told["tax_amount"], told["shipping_amount"], told["discount"]) == ("5.00", "10.00", "2.50")
    assert [line["price"] for line in told["lines"]] == ["100.00"]


async def test_a_token_is_fetched_with_both_keys_for_each_call(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_open", "order_open")
    for _ in range(2):
        await scripted.connector.fetch(till.checkout())
    assert scripted.granted == [("POST", "/auth/api/v1.0/merchant/authentication/", KEYS)] * 2


async def test_a_small_order_is_refused_in_spotiis_words(scripted: Scripted, till: Till) -> None:
    scripted.replays("checkout_refused")
    with pytest.raises(Refused, match="total: Total is less than allowed") as no:
        await scripted.connector.create_checkout(documented(till), KEY)
    assert no.value.code == "400"


@pytest.mark.parametrize("said", ["<html>", "[]", {}, {"checkout_url": "javascript:alert(1)", "reference": REFERENCE}])
async def test_an_answer_without_an_address_is_unclear(scripted: Scripted, till: Till, said: Any) -> None:
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(documented(till), KEY)


@pytest.mark.parametrize("grant", [(200, "<html>"), (200, json.dumps({"token": ""})), (500, "{}")])
async def test_without_a_token_nothing_is_sent(scripted: Scripted, till: Till, grant: tuple[int, str]) -> None:
    scripted.grant = grant
    with pytest.raises(NotSent):
        await scripted.connector.create_checkout(documented(till), KEY)
    assert scripted.asked == []


async def test_wrong_keys_are_refused_and_right_ones_are_told(till: Till) -> None:
    assert "access token" in await till.connector.check()
    with pytest.raises(Refused) as no:
        await till.counter.connector("SPOTII", private_key="other").check()
    assert no.value.code == "401"


# -- the return -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "hint"),
    [
        ("approve", Ask(approved=True)), ("pending", Ask(approved=True)), ("decline", Ask(left=True)),
        ("cancel", Ask(left=True)), ("error", Ask(left=True)),
    ],
)  # fmt: skip
async def test_the_return_tells_by_its_address_alone(till: Till, outcome: str, hint: Ask) -> None:
    checkout, query = await till.decides(outcome)
    assert till.connector.read_return(query, checkout) == hint


async def test_a_return_that_says_nothing_is_only_a_reason_to_ask(till: Till) -> None:
    assert till.connector.read_return({"status": "SUCCESS"}, till.checkout()) == Ask()


# -- how an order stands ----------------------------------------------------------------------


async def test_the_documented_order_waits_for_our_capture(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_agreed", "order_open")
    assert isinstance(await scripted.connector.fetch(till.checkout()), Approved)
    assert isinstance(await scripted.connector.fetch(till.checkout()), Pending)
    assert scripted.asked == [("GET", f"/api/v1.0/orders/{REFERENCE}/", None)] * 2


@pytest.mark.parametrize("outcome", ["decline", "cancel", "error", "pending"])
async def test_an_order_that_is_not_agreed_to_has_no_word_for_it(till: Till, outcome: str) -> None:
    checkout, _ = await till.decides(outcome)
    assert isinstance(await till.connector.fetch(checkout), Pending)
    assert till.rows() == []


async def test_a_captured_order_is_never_told_as_ended(till: Till) -> None:
    checkout = await till.confirms()
    till.passes(days=30)
    report = await till.connector.fetch(checkout)
    assert isinstance(report, Paid), "its capture was answered"
    assert (report.total, report.captured, report.refunded) == (checkout.total, None, None)
    assert isinstance(await till.connector.fetch(replace(checkout, payment_id=None)), Approved)


async def test_an_unknown_order_is_not_there(till: Till) -> None:
    with pytest.raises(NotThere):
        await till.connector.fetch(till.checkout())
