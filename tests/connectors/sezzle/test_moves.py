"""Captures, releases and refunds, each once per key; later orders by a customer who agreed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from paymux.connectors.contract import Declined, Moved, MoveKind, Paid, ProviderToken, Refused
from paymux.platform.http import Unclear
from tests.connectors.sezzle.conftest import ORDER, Scripted, Till, checkout, sample
from tests.connectors.till import KEY, ONE, THREE, TWO

FIVE = {"amount_in_cents": 5000, "currency": "USD"}


@pytest.mark.parametrize(
    ("verb", "path", "body"),
    [("capture", "capture", {"capture_amount": FIVE}), ("void", "release", FIVE), ("refund", "refund", FIVE)],
)
async def test_a_move_names_its_order_its_amount_and_its_key(
    scripted: Scripted, till: Till, verb: str, path: str, body: object
) -> None:
    scripted.replays("released")
    done = await getattr(scripted.connector, verb)(checkout(), till.move("50.00"))
    assert isinstance(done, Moved)
    assert done.provider_id == "6c9db5d4-d09a-4224-860a-b5438ac32ca8"
    assert scripted.asked[0] == ("POST", f"/v2/order/{ORDER}/{path}", body)
    assert scripted.headers[0]["Sezzle-Request-Id"] == ONE


async def test_an_order_is_captured_in_parts_released_and_refunded(till: Till) -> None:
    checkout = await till.holds()
    first = await till.moves("capture", checkout, "30.00", ONE)
    released = await till.moves("void", checkout, "50.00", TWO, "70.00")
    await till.moves("capture", checkout, "20.00", THREE, "20.00")
    refunded = await till.moves("refund", checkout, "10.00", KEY, "50.00")
    paid = await till.paid_now(checkout)
    assert (paid.captured, paid.voided, paid.refunded, paid.expired) == (50, 50, 10, 0)
    found = {(move.kind, move.amount, move.provider_id) for move in paid.moves or ()}
    assert (MoveKind.CAPTURE, Decimal(30), first.provider_id) in found
    assert (MoveKind.VOID, Decimal(50), released.provider_id) in found
    assert (MoveKind.REFUND, Decimal(10), refunded.provider_id) in found
    assert len(found) == 4


async def test_a_release_of_everything_deletes_the_checkout_and_leaves_nothing(till: Till) -> None:
    checkout = await till.holds()
    await till.moves("void", checkout, "100.00", ONE)
    paid = await till.paid_now(checkout)
    assert (paid.captured, paid.voided, paid.expired) == (0, 100, 0)


@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
async def test_a_move_whose_answer_was_lost_is_made_once(till: Till, verb: str) -> None:
    checkout = await till.decided() if verb == "refund" else await till.holds()
    before = len(till.rows())
    await till.loses_track(verb, "error_after", checkout, "40.00", ONE)
    again = await till.moves(verb, checkout, "40.00", ONE)
    assert till.rows()[before:] == [(verb, Decimal(40))]
    assert again.provider_id in {move.provider_id for move in (await till.paid_now(checkout)).moves or ()}


@pytest.mark.parametrize(("verb", "amount"), [("capture", "100.01"), ("void", "100.01"), ("refund", "0.01")])
async def test_more_than_is_left_is_refused(till: Till, verb: str, amount: str) -> None:
    checkout = await till.holds()
    with pytest.raises(Refused) as refused:
        await till.moves(verb, checkout, amount, ONE, "200.00")
    assert refused.value.code == "invalid"
    assert till.rows() == [("authorize", Decimal(100))]


async def test_what_the_dashboard_refunds_is_listed(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    assert await till.post("/sandbox/provider-refund", id=checkout.session, amount="25.00") == 200
    paid = await till.paid_now(checkout)
    assert [(move.kind, move.amount) for move in paid.moves or ()][1:] == [(MoveKind.REFUND, Decimal(25))]


async def test_a_shopper_who_agrees_becomes_a_customer_who_can_be_charged(till: Till) -> None:
    checkout, back = await till.decides("approve", get_token=True)
    paid = await till.paid_now(checkout)
    assert isinstance(paid.token, ProviderToken)
    assert back["customer-uuid"] == paid.token.value
    assert paid.token.expires_at is not None
    order = till.counter.order("SEZZLE", "40.00", auto_capture=False)
    charged = await till.connector.charge_token(order, paid.token.value, ONE)
    assert isinstance(charged, Paid)
    assert (charged.total.amount if charged.total else None, charged.captured) == (40, 0)
    assert charged.session not in (None, checkout.session)
    assert till.rows()[2:] == [("authorize", Decimal(40))]


async def test_a_charge_whose_answer_was_lost_is_made_once(till: Till) -> None:
    checkout, _ = await till.decides("approve", get_token=True)
    token = (await till.paid_now(checkout)).token
    assert token is not None
    await till.counter.order_fault("charge_token", "error_after")
    order = till.counter.order("SEZZLE", "40.00")
    with pytest.raises(Unclear):
        await till.connector.charge_token(order, token.value, ONE)
    again = await till.connector.charge_token(order, token.value, ONE)
    assert isinstance(again, Paid)
    assert again.captured == 40
    assert till.rows()[2:] == [("authorize", Decimal(40)), ("capture", Decimal(40))]


async def test_an_order_that_sezzle_does_not_approve_of_is_answered_as_a_success_and_declined(till: Till) -> None:
    checkout, _ = await till.decides("approve", get_token=True)
    token = (await till.paid_now(checkout)).token
    assert token is not None
    await till.post("/sandbox/customer-is-refused", id=checkout.session)
    said = await till.connector.charge_token(till.counter.order("SEZZLE", "40.00"), token.value, ONE)
    assert isinstance(said, Declined)
    assert said.code == "not_approved"
    assert len(till.rows()) == 2


async def test_the_documented_order_of_a_customer_is_held_until_it_expires(scripted: Scripted, till: Till) -> None:
    scripted.replays("customer_order")
    order = till.counter.order("SEZZLE", "50.00", reference="annual_sub_123", auto_capture=False)
    paid = await scripted.connector.charge_token(order, "c-1", ONE)
    assert isinstance(paid, Paid)
    assert (paid.payment_id, paid.captured) == ("6c9db5d4-d09a-4224-860a-b5438ac32ca8", 0)
    assert paid.authorised_until == datetime(2020, 4, 23, 16, 13, 44, tzinfo=UTC)
    assert scripted.asked[0] == ("POST", "/v2/customer/c-1/order", sample("customer_order")["request"])
    assert scripted.headers[0]["Sezzle-Request-Id"] == ONE


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (200, {"token": "t-1"}, "the shopper did not agree to be charged later"),
        (404, [{"code": "not_found", "message": "No such token"}], "No such token"),
        (502, "", None),
    ],
)
async def test_a_payment_does_not_wait_for_its_token(
    scripted: Scripted, status: int, body: object, failure: str | None
) -> None:
    scripted.shows()
    scripted.says(status, body)
    paid = await scripted.connector.fetch(checkout(get_token=True, state={"tokenize": "t-1"}))
    assert isinstance(paid, Paid)
    assert (paid.token, paid.token_failure) == (None, failure)
    assert scripted.asked[-1][:2] == ("GET", "/v2/token/t-1/session")
