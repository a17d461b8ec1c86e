"""Confirming at Laybuy, also when the answer is lost, the confirmed order as it is told, and refunds."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from paymux.connectors.contract import Declined, MoveKind, NotThere, Paid, Pending, Refused
from paymux.platform.http import Unclear
from tests.connectors.laybuy.conftest import TOKEN, Till, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY, ONE, TWO


async def test_the_documented_confirm_is_what_is_sent(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_confirmed")
    paid = await scripted.connector.confirm(till.checkout(), KEY)
    assert scripted.asked == [("POST", "/order/confirm", sample("order_confirmed")["request"])]
    assert isinstance(paid, Paid)
    assert (paid.payment_id, paid.total) == ("100049", None)


async def test_what_the_shopper_agreed_to_is_paid_once_however_often_it_is_confirmed(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    first = await till.connector.confirm(checkout, KEY)
    assert await till.connector.confirm(checkout, KEY) == first
    assert till.rows() == [("authorize", Decimal(100)), ("capture", Decimal(100))]


async def test_a_confirm_before_the_shopper_agreed_has_no_effect(till: Till) -> None:
    opened, checkout = await till.opens()
    assert isinstance(await till.connector.confirm(checkout, KEY), Pending)
    await till.counter.shopper(opened.url, "approve")
    assert isinstance(await till.connector.confirm(checkout, KEY), Paid)


async def test_a_confirm_after_a_refusal_tells_the_refusal(till: Till) -> None:
    checkout, _ = await till.decides("decline")
    report = await till.connector.confirm(checkout, KEY)
    assert isinstance(report, Declined)
    assert report.code == "DECLINED"


@pytest.mark.parametrize("changed", [{"amount": "50"}, {"currency": "AUD"}])
async def test_an_order_of_another_amount_or_currency_is_not_confirmed(till: Till, changed: dict[str, str]) -> None:
    opened, checkout = await till.opens()
    await till.call("POST", "/sandbox/tamper", {"id": checkout.session, **changed})
    await till.counter.shopper(opened.url, "approve")
    report = await till.connector.confirm(checkout, KEY)
    assert isinstance(report, Pending)
    assert "does not match" in report.reason
    assert till.rows() == []


@pytest.mark.parametrize("fault", ["error_before", "error_after", "malformed"])
async def test_a_confirm_without_an_answer_is_recovered_and_pays_once(till: Till, fault: str) -> None:
    checkout, _ = await till.decides("approve")
    await till.counter.order_fault("confirm", fault)
    with pytest.raises(Unclear):
        await till.connector.confirm(checkout, KEY)
    assert isinstance(await till.connector.recover_confirm(checkout, KEY), Paid)
    assert till.rows() == [("authorize", Decimal(100)), ("capture", Decimal(100))]


async def test_long_after_a_lost_answer_the_order_is_found_though_a_repeat_is_an_error(till: Till) -> None:
    checkout = replace(await till.confirms(), payment_id=None)
    till.passes(hours=48)
    assert isinstance(await till.connector.confirm(checkout, KEY), Paid)
    assert isinstance(await till.connector.recover_confirm(checkout, KEY), Paid)
    assert len(till.rows()) == 2


async def test_an_answer_that_names_no_order_is_unclear(scripted: Scripted, till: Till) -> None:
    scripted.says(200, {"result": "SUCCESS"})
    with pytest.raises(Unclear):
        await scripted.connector.confirm(till.checkout(), KEY)


# -- the order --------------------------------------------------------------------------------


async def test_the_documented_order_is_told_with_its_refunds(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_found")
    paid = await scripted.connector.fetch(till.checkout())
    assert isinstance(paid, Paid)
    assert (paid.session, paid.reference, paid.payment_id) == (TOKEN, "1728950142", "100049")
    assert (paid.total, paid.captured, paid.refunded) == (till.money("164.59"), Decimal("164.59"), Decimal(55))
    ((move),) = paid.moves or ()
    assert (move.kind, move.amount, move.provider_id, move.key) == (MoveKind.REFUND, Decimal(55), "366", "ABC1234")


async def test_an_order_is_asked_for_by_its_id_once_that_is_known(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_found_by_id", "order_not_found")
    known = till.checkout(payment_id="e930a4ad-5465-4468-9f9e-7120f8173f88")
    paid = await scripted.connector.fetch(known)
    assert isinstance(paid, Paid)
    assert scripted.asked == [("GET", "/order/e930a4ad-5465-4468-9f9e-7120f8173f88", None)]
    assert paid.total == till.money("154.98")
    with pytest.raises(NotThere):
        await scripted.connector.fetch(known)


async def test_another_order_of_the_same_reference_is_told_as_what_it_is(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_found")
    paid = await scripted.connector.fetch(replace(till.checkout(), session="ours"))
    assert paid.session == TOKEN


# -- refunds ----------------------------------------------------------------------------------


async def test_parts_are_refunded_each_once_and_listed_under_our_keys(till: Till) -> None:
    checkout = await till.confirms()
    first = await till.moves("refund", checkout, "40.00", ONE)
    assert await till.moves("refund", checkout, "40.00", ONE) == first
    await till.moves("refund", checkout, "60.00", TWO, open="60.00")
    with pytest.raises(Refused, match="more than what is left"):
        await till.moves("refund", checkout, "0.01", "another")
    assert till.rows()[2:] == [("refund", Decimal(40)), ("refund", Decimal(60))]
    paid = await till.paid_now(checkout)
    assert [(move.key, move.amount) for move in paid.moves or ()] == [(ONE, Decimal(40)), (TWO, Decimal(60))]
    assert paid.refunded == 100


async def test_a_refund_in_laybuys_own_pages_has_no_key_of_ours(till: Till) -> None:
    checkout = await till.confirms()
    await till.call("POST", "/sandbox/provider-refund", {"id": checkout.session, "amount": "30"})
    ((move),) = (await till.paid_now(checkout)).moves or ()
    assert (move.key, move.amount) == (None, Decimal(30))


async def test_the_documented_refund_is_what_is_sent(scripted: Scripted, till: Till) -> None:
    scripted.replays("refund_created", "refund_refused")
    documented = sample("refund_created")["request"]
    checkout = till.checkout(payment_id=documented["orderId"])
    move = till.counter.move(till.money("35.95"), ONE, "100", description=documented["note"])
    done = await scripted.connector.refund(checkout, move)
    assert scripted.asked == [("POST", "/order/refund", documented | {"refundReference": ONE})]
    assert done.provider_id == ONE
    with pytest.raises(Refused, match="Failed to find order"):
        await scripted.connector.refund(checkout, move)


async def test_an_older_orders_number_is_sent_as_a_number(scripted: Scripted, till: Till) -> None:
    scripted.says(200, {"result": "SUCCESS", "refundId": 366, "merchantReference": "1"})
    done = await scripted.connector.refund(
        till.checkout(payment_id="100049"), till.counter.move(till.money("1"), ONE, "1")
    )
    assert scripted.asked[0][2]["orderId"] == 100049
    assert done.provider_id == "366"


@pytest.mark.parametrize("fault", ["error_before", "error_after", "malformed"])
async def test_a_refund_without_an_answer_is_sent_again_and_made_once(till: Till, fault: str) -> None:
    checkout = await till.confirms()
    await till.loses_track("refund", fault, checkout, "40.00", ONE)
    await till.moves("refund", checkout, "40.00", ONE)
    assert till.rows()[2:] == [("refund", Decimal(40))]
