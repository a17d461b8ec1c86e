"""Capturing an order at Spotii, which is our confirm, and refunds: neither is looked up, so neither is guessed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Paid, Pending, Refused
from paymux.platform.http import NotSent, Unclear
from tests.connectors.spotii.conftest import REFERENCE, Scripted, Till, sample
from tests.connectors.till import KEY, ONE, TWO


async def test_the_documented_order_is_looked_at_and_then_captured(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_agreed", "captured")
    paid = await scripted.connector.confirm(till.checkout(), KEY)
    path = f"/api/v1.0/orders/{REFERENCE}/"
    assert scripted.asked == [("GET", path, None), ("POST", f"{path}capture/", sample("captured")["request"])]
    assert isinstance(paid, Paid)
    assert (paid.payment_id, paid.total, paid.captured) == (REFERENCE, till.money("100.00"), Decimal(100))


async def test_a_capture_that_names_no_amount_is_of_the_whole_order(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_agreed")
    scripted.says(200, {"status": "SUCCESS"})
    paid = await scripted.connector.confirm(till.checkout(), KEY)
    assert isinstance(paid, Paid)
    assert paid.total == till.money("100.00")


async def test_what_the_shopper_agreed_to_is_paid(till: Till) -> None:
    await till.confirms()
    assert till.rows() == [("authorize", Decimal(300)), ("capture", Decimal(300))]


async def test_a_confirm_before_the_shopper_agreed_captures_nothing_and_a_later_one_does(till: Till) -> None:
    opened, checkout = await till.opens()
    report = await till.connector.confirm(checkout, KEY)
    assert isinstance(report, Pending)
    assert not report.completed
    await till.counter.shopper(opened.url, "approve")
    assert isinstance(await till.connector.confirm(checkout, KEY), Paid)


@pytest.mark.parametrize("changed", [{"amount": "299.99"}, {"currency": "SAR"}])
async def test_an_order_of_another_amount_or_currency_is_not_captured(till: Till, changed: dict[str, str]) -> None:
    opened, checkout = await till.opens()
    ((_, case),) = till.counter.sandbox.store.cases(till.counter.reference)
    await till.call("POST", "/sandbox/tamper", {"id": case.id, **changed})
    await till.counter.shopper(opened.url, "approve")
    with pytest.raises(Refused) as no:
        await till.connector.confirm(checkout, KEY)
    assert no.value.code == "another_amount"
    assert till.rows() == []


@pytest.mark.parametrize("missing", ["total", "currency"])
async def test_an_order_that_does_not_name_its_amount_is_not_captured(
    scripted: Scripted, till: Till, missing: str
) -> None:
    order = sample("order_agreed")["answer"]
    scripted.says(200, {name: value for name, value in order.items() if name != missing})
    with pytest.raises(Refused):
        await scripted.connector.confirm(till.checkout(), KEY)
    assert [method for method, _, _ in scripted.asked] == ["GET"]


@pytest.mark.parametrize("said", [(500, {}), (200, "<html>"), (200, {"total": "much"})])
async def test_while_the_order_can_not_be_read_nothing_was_sent(
    scripted: Scripted, till: Till, said: tuple[int, Any]
) -> None:
    scripted.says(*said)
    with pytest.raises(NotSent):
        await scripted.connector.confirm(till.checkout(), KEY)
    assert [method for method, _, _ in scripted.asked] == ["GET"]


async def test_an_order_that_spotii_does_not_know_yet_is_confirmed_later(scripted: Scripted, till: Till) -> None:
    scripted.says(404, {"detail": "Not found."})
    assert isinstance(await scripted.connector.confirm(till.checkout(), KEY), Pending)


async def test_an_order_that_can_not_be_captured_any_more_is_refused(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    till.passes(days=8)
    with pytest.raises(Refused, match="can not be captured") as no:
        await till.connector.confirm(checkout, KEY)
    assert no.value.code == "402"
    assert till.rows() == []


@pytest.mark.parametrize(
    "said",
    ["<html>", {}, {"status": "FAILED"}, {"status": "SUBMITTED"}, {"status": "SUCCESS", "amount": "99.00"},
     {"status": "SUCCESS", "amount": "100.00", "currency": "SAR"}, {"status": "SUCCESS", "amount": "NaN"}],
)  # fmt: skip
async def test_any_answer_but_the_documented_success_leaves_the_capture_unknown(
    scripted: Scripted, till: Till, said: Any
) -> None:
    scripted.replays("order_agreed")
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.confirm(till.checkout(), KEY)


@pytest.mark.parametrize("fault", ["error_before", "error_after", "malformed"])
async def test_a_capture_without_an_answer_is_unknown(till: Till, fault: str) -> None:
    checkout, _ = await till.decides("approve")
    await till.counter.order_fault("confirm", fault)
    with pytest.raises(Unclear):
        await till.connector.confirm(checkout, KEY)


# -- refunds ----------------------------------------------------------------------------------


async def test_parts_are_refunded_until_nothing_is_left(till: Till) -> None:
    checkout = await till.confirms()
    await till.moves("refund", checkout, "120.00", ONE)
    await till.moves("refund", checkout, "180.00", TWO, open="180.00")
    with pytest.raises(Refused, match="more than what is left"):
        await till.moves("refund", checkout, "0.01", "another")
    assert till.rows()[2:] == [("refund", Decimal(120)), ("refund", Decimal(180))]


async def test_the_documented_refund_is_what_is_sent(scripted: Scripted, till: Till) -> None:
    scripted.replays("refunded")
    done = await scripted.connector.refund(till.checkout(), till.counter.move(till.money("100"), ONE, "100"))
    assert scripted.asked == [("POST", f"/api/v1.0/orders/{REFERENCE}/refund/", sample("refunded")["request"])]
    assert ONE in (done.provider_id or "")


@pytest.mark.parametrize("said", ["<html>", {"status": "PENDING"}, {"status": "SUCCESS", "amount": "1.00"}])
async def test_a_refund_of_anything_else_is_unclear(scripted: Scripted, till: Till, said: Any) -> None:
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.refund(till.checkout(), till.counter.move(till.money("100"), ONE, "100"))


async def test_an_order_that_is_not_captured_is_not_refunded(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    with pytest.raises(Refused) as no:
        await till.moves("refund", checkout, "1.00")
    assert no.value.code == "402"
