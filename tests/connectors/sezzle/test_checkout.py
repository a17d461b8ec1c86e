"""Opening a session, the shopper's way through it, and what asking says of an order that is not paid."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Ask, Declined, Expired, Item, NotThere, Paid, Pending, Redirect, Refused
from paymux.money import Money
from paymux.platform.http import NotSent, Unclear
from tests.connectors.sezzle.conftest import ORDER, Scripted, Till, checkout, sample
from tests.connectors.till import KEY


async def test_a_session_says_who_buys_what_for_how_much(scripted: Scripted, till: Till) -> None:
    scripted.replays("session_created")
    order = till.counter.order(
        "SEZZLE", "99.90", shipping=Decimal("5.00"), tax=Decimal("3.00"), discount=Decimal("1.50"),
        items=(
            Item(name="Shirt", quantity=3, unit_price=Decimal("30.00"), total=Decimal("90.00"), sku="S-1"),
            Item(name="Pins", quantity=3, unit_price=Decimal("1.133333"), total=Decimal("3.40")),
        ),
    )  # fmt: skip
    opened = await scripted.connector.create_checkout(order, KEY)
    assert isinstance(opened, Redirect)
    assert (opened.url, opened.session) == (f"https://checkout.sezzle.com/?id={ORDER}", ORDER)
    assert opened.state == {"tokenize": "7ec98824-67cc-469c-86ab-f9e047f9cf1a"}
    keys = {"public_key": "sz_pub_example", "private_key": "sz_pr_example"}
    assert scripted.granted == [("POST", "/v2/authentication", keys)]
    ((method, path, sent),) = scripted.asked
    assert (method, path) == ("POST", "/v2/session")
    assert scripted.headers[0]["Authorization"] == "Bearer example-token"
    assert sent["complete_url"] == {"href": order.return_to("success"), "method": "GET"}
    assert sent["cancel_url"] == {"href": order.return_to("cancel"), "method": "GET"}

    def usd(cents: int) -> dict[str, Any]:
        return {"amount_in_cents": cents, "currency": "USD"}

    assert sent["order"] == {
        "intent": "CAPTURE", "reference_id": "R-1001", "description": "Order R-1001",
        "items": [
            {"name": "Shirt", "sku": "S-1", "quantity": 3, "price": usd(3000)},
            {"name": "Pins", "sku": "Pins", "quantity": 1, "price": usd(340)},
        ],
        "shipping_amount": usd(500), "tax_amount": usd(300), "order_amount": usd(9990),
        "discounts": [{"name": "Discount", "amount": usd(150)}],
    }  # fmt: skip
    assert (sent["customer"]["tokenize"], sent["customer"]["email"]) == (False, "ada@shop.example")
    assert sent["customer"]["billing_address"]["state"] == "NSW"


async def test_an_address_without_all_that_sezzle_demands_is_left_out(scripted: Scripted, till: Till) -> None:
    scripted.replays("session_created")
    order = till.counter.order("SEZZLE")
    bare = replace(order, billing=replace(order.billing, state="", region=""), delivery=None)
    await scripted.connector.create_checkout(bare, KEY)
    assert {"billing_address", "shipping_address"}.isdisjoint(scripted.asked[0][2]["customer"])


@pytest.mark.parametrize(("auto_capture", "intent"), [(True, "CAPTURE"), (False, "AUTH")])
async def test_the_intent_says_when_the_money_is_taken(
    scripted: Scripted, till: Till, auto_capture: bool, intent: str
) -> None:
    scripted.replays("session_created")
    await scripted.connector.create_checkout(till.counter.order("SEZZLE", auto_capture=auto_capture), KEY)
    assert scripted.asked[0][2]["order"]["intent"] == intent


async def test_an_error_is_told_in_sezzles_words(scripted: Scripted, till: Till) -> None:
    scripted.replays("error")
    with pytest.raises(Refused) as refused:
        await scripted.connector.create_checkout(till.counter.order("SEZZLE"), KEY)
    assert (refused.value.code, refused.value.reason) == ("unauthed_checkout_url", "The URL is not authorized")


@pytest.mark.parametrize(("status", "body"), [(502, "<html>"), (201, "{}"), (201, "[]"), (409, "[]"), (302, "")])
async def test_an_answer_that_says_neither_yes_nor_no_is_unclear(
    scripted: Scripted, till: Till, status: int, body: str
) -> None:
    scripted.says(status, body)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.counter.order("SEZZLE"), KEY)


async def test_without_access_nothing_has_left(scripted: Scripted, till: Till) -> None:
    scripted.grant = (503, "")
    with pytest.raises(NotSent):
        await scripted.connector.create_checkout(till.counter.order("SEZZLE"), KEY)
    scripted.grant = (401, [{"code": "unauthorized", "message": "no"}])
    with pytest.raises(Refused):
        await scripted.connector.create_checkout(till.counter.order("SEZZLE"), KEY)


async def test_an_access_token_that_has_run_out_is_replaced(till: Till) -> None:
    _, checkout = await till.opens()
    till.passes(minutes=121)
    assert isinstance(await till.connector.fetch(checkout), Pending)


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ({"via": "success"}, Ask(completed=True)),
        ({"via": "success", "customer-uuid": "c-666", "order_uuid": "o-666"}, Ask(completed=True)),
        ({"via": "cancel"}, Ask(left=True)),
        ({}, Ask()),
    ],
)
async def test_a_return_is_only_a_hint(scripted: Scripted, query: dict[str, str], hint: Ask) -> None:
    assert scripted.connector.read_return(query, checkout()) == hint


async def test_a_sale_is_captured_as_soon_as_the_shopper_agrees(till: Till) -> None:
    checkout, back = await till.decides("approve")
    assert back == {"via": "success"}
    paid = await till.paid_now(checkout)
    assert (paid.total, paid.captured, paid.voided, paid.refunded) == (Money(Decimal(100), "USD"), 100, 0, 0)
    assert (paid.session, paid.reference, paid.payment_id) == (checkout.session, "R-1001", checkout.session)
    assert till.rows() == [("authorize", Decimal(100)), ("capture", Decimal(100))]


async def test_an_authorisation_holds_for_half_an_hour(till: Till) -> None:
    checkout = await till.holds()
    paid = await till.paid_now(checkout)
    assert (paid.captured, paid.moves, paid.expired) == (0, (), 0)
    assert paid.authorised_until is not None
    till.passes(minutes=31)
    gone = await till.paid_now(checkout)
    assert (gone.captured, gone.expired) == (0, 100)
    assert till.rows() == [("authorize", Decimal(100)), ("void", Decimal(100))]


@pytest.mark.parametrize(
    ("outcome", "via", "expected"),
    [("decline", "cancel", Declined), ("cancel", "cancel", Pending), ("error", "cancel", Pending), ("pending", "success", Pending)],
)  # fmt: skip
async def test_a_shopper_who_does_not_pay_moves_nothing(till: Till, outcome: str, via: str, expected: type) -> None:
    checkout, back = await till.decides(outcome)
    assert back == {"via": via}
    assert type(await till.connector.fetch(checkout)) is expected
    assert till.rows() == []


async def test_a_checkout_is_deleted_once(till: Till) -> None:
    opened, checkout = await till.opens()
    await till.connector.cancel_checkout(checkout)
    await till.connector.cancel_checkout(checkout)
    await till.counter.shopper(opened.url, "approve")
    assert isinstance(await till.connector.fetch(checkout), Expired)
    assert till.rows() == []


async def test_an_order_that_was_paid_keeps_its_checkout(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    with pytest.raises(Refused):
        await till.connector.cancel_checkout(checkout)
    assert isinstance(await till.connector.fetch(checkout), Paid)


async def test_an_order_that_sezzle_does_not_know_is_not_there(till: Till) -> None:
    _, checkout = await till.opens()
    with pytest.raises(NotThere):
        await till.connector.fetch(replace(checkout, session="o-666"))


@pytest.mark.parametrize(
    ("status", "expected", "completed"),
    [
        ("active", Pending, False), ("completed", Pending, True), ("complete", Pending, True), ("deleted", Expired, None),
        ("denied", Declined, None), ("a_new_word", Pending, True),
    ],
)  # fmt: skip
async def test_each_status_of_a_checkout_without_approval(
    scripted: Scripted, status: str, expected: type, completed: bool | None
) -> None:
    scripted.replays("order_active", checkout_status=status)
    said = await scripted.connector.fetch(checkout())
    assert type(said) is expected
    assert (said.session, said.reference) == (ORDER, "ord_12345")
    assert getattr(said, "completed", None) == completed


async def test_an_authorisation_that_is_not_approved_is_no_payment(scripted: Scripted) -> None:
    scripted.shows("completed", approved=False)
    assert isinstance(await scripted.connector.fetch(checkout()), Pending)


async def test_an_approved_order_without_its_amount_makes_no_sense(scripted: Scripted) -> None:
    scripted.shows(authorization_amount=None)
    with pytest.raises(Unclear):
        await scripted.connector.fetch(checkout())


async def test_an_order_names_what_sezzle_says_and_not_what_we_expect(scripted: Scripted) -> None:
    scripted.replays("order_authorized", uuid="o-666", reference_id="R-666", authorization={
        "approved": True, "authorization_amount": {"amount_in_cents": 1, "currency": "CAD"},
    })  # fmt: skip
    paid = await scripted.connector.fetch(checkout())
    assert isinstance(paid, Paid)
    assert (paid.session, paid.reference, paid.total) == ("o-666", "R-666", Money(Decimal("0.01"), "CAD"))


async def test_a_sale_that_lists_no_captures_vouches_by_its_intent(scripted: Scripted) -> None:
    scripted.shows(intent="CAPTURE", captures=None, releases=None, refunds=None)
    paid = await scripted.connector.fetch(checkout())
    assert isinstance(paid, Paid)
    assert (paid.captured, paid.expired) == (None, 0)


async def test_the_check_needs_both_keys(till: Till) -> None:
    assert await till.connector.check() == "read the webhooks of the account: 0 registered"
    with pytest.raises(Refused) as refused:
        await till.counter.connector("SEZZLE", private_key="wrong").check()
    assert refused.value.code == "unauthorized"


def test_the_samples_are_all_sourced() -> None:
    for name in ("session_created", "order_authorized", "order_active", "customer_order", "released", "error"):
        assert sample(name)["status"] in (200, 201, 422)
