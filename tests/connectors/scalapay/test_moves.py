"""Capturing and delaying what the shopper authorised; captures, voids and refunds afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Approved, Declined, Expired, Moved, Paid, Pending, Refused
from paymux.money import Money
from paymux.platform.http import NotSent, Unclear
from tests.connectors.scalapay.conftest import Scripted, Till, checkout
from tests.connectors.till import KEY, ONE, THREE, TWO

HUNDRED = Decimal(100)
LOST = ["timeout_after", "error_after", "reset_after", "malformed"]


def money(*rows: tuple[str, str]) -> list[tuple[str, Decimal]]:
    return [(kind, Decimal(amount)) for kind, amount in rows]


# -- the confirm ------------------------------------------------------------------------------


async def test_a_confirm_captures_the_whole_order(till: Till) -> None:
    own, paid = await till.confirmed()
    assert till.exchanges[-1].sent == {"token": own.session, "merchantReference": "R-1001"}
    assert (paid.session, paid.payment_id, paid.reference) == (own.session, own.session, "R-1001")
    assert (paid.total, paid.captured) == (Money(HUNDRED, "EUR"), HUNDRED)
    now = await till.paid_now(own)
    assert (now.total, now.captured, now.voided, now.refunded) == (paid.total, HUNDRED, 0, None)
    assert till.rows() == money(("authorize", "100"), ("capture", "100"))


async def test_a_deferred_order_is_delayed_for_five_days(till: Till) -> None:
    own, paid = await till.confirmed(auto_capture=False)
    sent = {"authorizationExpiryMilliseconds": 432_000_000, "merchantReference": "R-1001"}
    assert (till.exchanges[-1].url, till.exchanges[-1].sent) == (
        f"{till.counter.base_url}/scalapay/v2/payments/{own.session}/delay",
        sent,
    )
    assert (paid.captured, paid.total) == (0, Money(HUNDRED, "EUR"))
    assert paid.authorised_until is not None
    assert abs(paid.authorised_until - datetime.now(UTC) - timedelta(days=5)) < timedelta(minutes=1)
    assert (await till.paid_now(replace(own, payment_id=None))).captured == 0
    assert till.rows() == money(("authorize", "100"))


@pytest.mark.parametrize("outcome", ["decline", "cancel", "pending", "error"])
async def test_a_confirm_before_the_shopper_agreed_sends_nothing_but_a_question(till: Till, outcome: str) -> None:
    own = await till.decided(outcome)
    assert isinstance(await till.connector.confirm(own, KEY), Pending)
    assert till.exchanges[-1].method == "GET"
    assert await till.settles("approve") == 200
    assert isinstance(await till.connector.confirm(own, KEY), Paid)


@pytest.mark.parametrize(("outcome", "end"), [("approve", Expired), ("decline", Declined)])
async def test_a_confirm_that_comes_too_late_has_ended(till: Till, outcome: str, end: type) -> None:
    own = await till.decided(outcome)
    till.passes(minutes=41)
    assert isinstance(await till.connector.confirm(own, KEY), end)
    assert till.rows() == []


async def test_a_confirm_of_an_order_that_nobody_knows_has_ended(scripted: Scripted) -> None:
    scripted.replays("error_invalid_token")
    assert isinstance(await scripted.connector.confirm(checkout(), KEY), Expired)


async def test_a_second_confirm_finds_the_payment_of_the_first(till: Till) -> None:
    own, _ = await till.confirmed()
    again = await till.connector.confirm(replace(own, payment_id=None), TWO)
    assert isinstance(again, Paid)
    assert again.captured == HUNDRED
    assert till.rows() == money(("authorize", "100"), ("capture", "100"))


@pytest.mark.parametrize("auto_capture", [True, False])
@pytest.mark.parametrize("fault", LOST)
async def test_a_confirm_whose_answer_was_lost_is_sent_again_and_acts_once(
    till: Till, fault: str, auto_capture: bool
) -> None:
    own = await till.decided(auto_capture=auto_capture)
    await till.counter.order_fault("confirm", fault)
    with pytest.raises(Unclear):
        await till.connector.confirm(own, KEY)
    assert isinstance(await till.connector.confirm(own, KEY), Paid)
    assert [kind for kind, _ in till.rows()] == ["authorize", "capture"][: 1 + auto_capture]


async def test_a_confirm_whose_look_failed_never_left(till: Till) -> None:
    own = await till.decided()
    await till.counter.order_fault("status", "error_before")
    with pytest.raises(NotSent):
        await till.connector.confirm(own, KEY)
    assert isinstance(await till.connector.fetch(own), Approved)


async def test_the_documented_capture_confirms(scripted: Scripted) -> None:
    scripted.authorised()
    scripted.replays("order_captured")
    paid = await scripted.connector.confirm(checkout(), KEY)
    assert isinstance(paid, Paid)
    assert (paid.payment_id, paid.captured) == ("71KH916VPE", HUNDRED)


async def test_the_documented_delay_confirms(scripted: Scripted) -> None:
    scripted.authorised("40,70")
    scripted.replays("order_delayed")
    paid = await scripted.connector.confirm(checkout(auto_capture=False), KEY)
    assert isinstance(paid, Paid)
    assert (paid.total, paid.captured) == (Money(Decimal("40.70"), "EUR"), 0)
    assert paid.authorised_until == datetime(2024, 12, 25, 23, 2, 13, tzinfo=UTC)


@pytest.mark.parametrize("body", ["<html>", {"token": "1"}, {"token": "1", "status": "DECLINED"}])
async def test_a_capture_that_says_anything_else_is_unclear(scripted: Scripted, body: Any) -> None:
    scripted.authorised()
    scripted.says(200, body)
    with pytest.raises(Unclear):
        await scripted.connector.confirm(checkout(), KEY)


async def test_a_capture_that_scalapay_refuses_is_refused(scripted: Scripted) -> None:
    scripted.authorised()
    scripted.replays("error_validation")
    with pytest.raises(Refused):
        await scripted.connector.confirm(checkout(), KEY)


# -- what an order tells ----------------------------------------------------------------------


async def test_the_documented_charged_order_was_captured_whole(scripted: Scripted) -> None:
    scripted.replays("order_charged")
    paid = await scripted.connector.fetch(checkout())
    assert isinstance(paid, Paid)
    assert (paid.session, paid.reference) == ("71KH916VPE", "merchantOrder-1234-updated")
    assert (paid.total, paid.captured) == (Money(Decimal(190), "EUR"), 190)


async def test_an_authorised_order_without_its_amount_is_unclear(scripted: Scripted) -> None:
    scripted.says(200, {"token": "1", "status": "charged"})
    with pytest.raises(Unclear):
        await scripted.connector.fetch(checkout())


async def test_a_delayed_order_that_ran_out_was_voided(till: Till) -> None:
    own = await till.holds()
    till.passes(days=5, minutes=1)
    paid = await till.paid_now(own)
    assert (paid.captured, paid.voided) == (0, HUNDRED)
    assert till.rows() == money(("authorize", "100"), ("void", "100"))
    with pytest.raises(Refused):
        await till.tries("capture", own, "100.00")


# -- captures, voids, refunds -----------------------------------------------------------------


async def test_a_delayed_order_is_captured_once(till: Till) -> None:
    own = await till.holds()
    assert isinstance(await till.tries("capture", own, "100.00"), Moved)
    assert till.exchanges[-1].sent["amount"] == {"amount": "100.00", "currency": "EUR"}
    assert isinstance(await till.tries("capture", own, "100.00"), Moved)
    assert (await till.paid_now(own)).captured == HUNDRED
    assert till.rows() == money(("authorize", "100"), ("capture", "100"))
    with pytest.raises(Refused):
        await till.tries("void", own, "100.00", TWO)


async def test_a_delayed_order_is_voided(till: Till) -> None:
    own = await till.holds()
    assert isinstance(await till.tries("void", own, "100.00"), Moved)
    paid = await till.paid_now(own)
    assert (paid.captured, paid.voided) == (0, HUNDRED)
    assert till.rows() == money(("authorize", "100"), ("void", "100"))


async def test_refunds_add_up_to_the_order_and_no_further(till: Till) -> None:
    own, _ = await till.confirmed()
    first = await till.tries("refund", own, "40.00", ONE)
    again = await till.tries("refund", own, "40.00", ONE)
    other = await till.tries("refund", own, "60.00", TWO)
    assert isinstance(first, Moved)
    assert isinstance(again, Moved)
    assert isinstance(other, Moved)
    assert first.provider_id == again.provider_id != other.provider_id
    with pytest.raises(Refused):
        await till.tries("refund", own, "0.01", THREE)
    paid = await till.paid_now(own)
    assert (paid.total, paid.captured, paid.refunded) == (Money(HUNDRED, "EUR"), HUNDRED, None)
    assert till.rows()[2:] == money(("refund", "40"), ("refund", "60"))


@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
@pytest.mark.parametrize("fault", LOST)
async def test_a_move_whose_answer_was_lost_is_sent_again_and_happens_once(till: Till, verb: str, fault: str) -> None:
    own = (await till.confirmed())[0] if verb == "refund" else await till.holds()
    await till.loses_track(verb, fault, own, "100.00")
    assert isinstance(await till.tries(verb, own, "100.00"), Moved)
    assert [kind for kind, _ in till.rows()].count(verb) == 1


@pytest.mark.parametrize("name", ["order_captured", "order_voided", "refund_created"])
async def test_each_documented_answer_is_read(scripted: Scripted, till: Till, name: str) -> None:
    verb = {"order_captured": "capture", "order_voided": "void", "refund_created": "refund"}[name]
    scripted.replays(name)
    move = till.counter.move(Money(Decimal(190), "EUR"), ONE, "190")
    assert isinstance(await getattr(scripted.connector, verb)(checkout(), move), Moved)


async def test_a_refund_of_another_amount_is_unclear(scripted: Scripted, till: Till) -> None:
    scripted.replays("refund_created")
    with pytest.raises(Unclear):
        await scripted.connector.refund(checkout(), till.counter.move(Money(HUNDRED, "EUR"), ONE, "190"))


@pytest.mark.parametrize("status", [409, 302, 500, 429])
async def test_any_other_status_is_unclear(scripted: Scripted, till: Till, status: int) -> None:
    scripted.says(status, {})
    with pytest.raises(Unclear):
        await scripted.connector.refund(checkout(), till.counter.move(Money(HUNDRED, "EUR"), ONE, "100"))
