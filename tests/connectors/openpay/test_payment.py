"""Capturing an order at Openpay, which is our confirm, also when the answer is lost, and refunds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Cancelled, Paid, Pending, Refused
from paymux.platform.http import NotSent, Unclear
from tests.connectors.openpay.conftest import PLAN, Till, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY, ONE, TWO

ORDER = f"/v1/merchant/orders/{PLAN}"


async def test_the_lodged_order_is_looked_at_and_then_captured(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_lodged", "captured")
    paid = await scripted.connector.confirm(till.checkout(), KEY)
    assert scripted.asked == [("GET", ORDER, None), ("POST", f"{ORDER}/capturepayment", sample("captured")["request"])]
    assert isinstance(paid, Paid)
    assert (paid.session, paid.payment_id, paid.total, paid.captured) == (
        PLAN, PLAN, till.money("10.34"), Decimal("10.34"),
    )  # fmt: skip


async def test_what_the_shopper_agreed_to_is_paid_once_however_often_it_is_confirmed(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    for _ in range(2):
        assert isinstance(await till.connector.confirm(checkout, KEY), Paid)
    assert till.rows() == [("authorize", Decimal(100)), ("capture", Decimal(100))]


@pytest.mark.parametrize(("outcome", "kind"), [("pending", Pending), ("decline", Pending), ("cancel", Cancelled)])
async def test_what_is_not_lodged_is_not_captured(till: Till, outcome: str, kind: type[Any]) -> None:
    checkout, _ = await till.decides(outcome)
    assert type(await till.connector.confirm(checkout, KEY)) is kind
    assert till.rows() == []


async def test_an_order_of_another_price_is_not_captured(till: Till) -> None:
    opened, checkout = await till.opens()
    await till.call("POST", "/sandbox/tamper", {"id": checkout.session, "amount": "99.99"})
    await till.counter.shopper((await till.posts(opened))[1], "approve")
    with pytest.raises(Refused) as no:
        await till.connector.confirm(checkout, KEY)
    assert no.value.code == "another_amount"
    assert till.rows() == []


@pytest.mark.parametrize("said", [(500, {}), (200, "<html>"), (200, {"orderId": PLAN, "orderStatus": "Pending"})])
async def test_while_the_order_can_not_be_read_nothing_was_sent(
    scripted: Scripted, till: Till, said: tuple[int, Any]
) -> None:
    scripted.says(*said)
    with pytest.raises(NotSent):
        await scripted.connector.confirm(till.checkout(), KEY)
    assert [method for method, _, _ in scripted.asked] == ["GET"]


async def test_a_declined_capture_is_refused_unless_the_order_shows_it(scripted: Scripted, till: Till) -> None:
    no = {"title": "Unprocessable", "detail": "The payment can not be captured"}
    scripted.replays("order_lodged")
    scripted.says(422, no)
    scripted.replays("order_lodged")
    with pytest.raises(Refused, match="can not be captured"):
        await scripted.connector.confirm(till.checkout(), KEY)
    scripted.replays("order_lodged")
    scripted.says(422, no)
    scripted.replays("order_active")
    assert isinstance(await scripted.connector.confirm(till.checkout(), KEY), Paid)


@pytest.mark.parametrize("said", ["<html>", {}, {"purchasePrice": 1034}])
async def test_an_answer_that_names_no_order_is_unclear(scripted: Scripted, till: Till, said: Any) -> None:
    scripted.replays("order_lodged")
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.confirm(till.checkout(), KEY)


@pytest.mark.parametrize(("fault", "shown"), [("error_before", False), ("error_after", True), ("malformed", True)])
async def test_a_capture_without_an_answer_is_found_or_had_no_effect(till: Till, fault: str, shown: bool) -> None:
    checkout, _ = await till.decides("approve")
    await till.counter.order_fault("confirm", fault)
    with pytest.raises(Unclear):
        await till.connector.confirm(checkout, KEY)
    found = await till.connector.recover_confirm(checkout, KEY)
    assert isinstance(found, Paid) if shown else found is None


# -- refunds ----------------------------------------------------------------------------------


async def test_parts_reduce_the_price_and_the_rest_is_a_full_refund(till: Till) -> None:
    checkout = await till.confirms()
    await till.moves("refund", checkout, "40.00", ONE)
    await till.moves("refund", checkout, "60.00", TWO, open="60.00")
    assert till.rows()[2:] == [("refund", Decimal(40)), ("refund", Decimal(60))]
    with pytest.raises(Refused, match="can not be refunded"):
        await till.moves("refund", checkout, "1.00", "another")
    assert isinstance(await till.connector.fetch(checkout), Paid)


async def test_the_documented_refund_is_what_is_sent(scripted: Scripted, till: Till) -> None:
    scripted.replays("refunded", "refunded")
    checkout = till.checkout(payment_id=PLAN)
    await scripted.connector.refund(checkout, till.counter.move(till.money("4"), ONE, "10.34"))
    await scripted.connector.refund(checkout, till.counter.move(till.money("10.34"), ONE, "10.34"))
    bodies = [sample("refunded")["request"], {"fullRefund": True}]
    assert scripted.asked == [("POST", f"{ORDER}/refund", body) for body in bodies]


@pytest.mark.parametrize("said", ["<html>", {}, {"orderId": "another"}])
async def test_a_refund_of_anything_else_is_unclear(scripted: Scripted, till: Till, said: Any) -> None:
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.refund(till.checkout(), till.counter.move(till.money("4"), ONE, "10.34"))
