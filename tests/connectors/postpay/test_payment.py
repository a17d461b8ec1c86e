"""Capturing at Postpay what the shopper agreed to, also when the answer is lost, and refunds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Approved, Cancelled, Declined, NotThere, Paid, Pending, Refused
from paymux.platform.http import Unclear
from tests.connectors.postpay.conftest import Till, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY, ONE, TWO

SALE = [("authorize", Decimal(100)), ("capture", Decimal(100))]
CAPTURED = sample("order_captured")["answer"]


def page(*orders: dict[str, Any], more: bool = False) -> dict[str, Any]:
    """A page of the list of orders."""
    following = "https://api.postpay.io/orders?page=6" if more else None
    return {"count": 1000, "next": following, "previous": None, "results": list(orders)}


async def test_a_captured_order_is_paid_whole(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_captured")
    paid = await scripted.connector.confirm(till.checkout(), KEY)
    assert scripted.asked == [("POST", "/orders/R-1001-0b9f3a52-6a0e/capture", None)]
    assert isinstance(paid, Paid)
    assert (paid.session, paid.payment_id) == ("R-1001-0b9f3a52-6a0e", "R-1001-0b9f3a52-6a0e")
    assert (paid.total, paid.captured) == (till.money("100.00"), Decimal(100))


async def test_what_the_shopper_agreed_to_is_captured_once(till: Till) -> None:
    checkout = await till.confirms()
    assert isinstance(await till.connector.confirm(checkout, KEY), Pending)
    assert till.rows() == SALE


@pytest.mark.parametrize("outcome", ["decline", "cancel", "pending"])
async def test_an_order_that_the_shopper_did_not_agree_to_is_not_captured(till: Till, outcome: str) -> None:
    checkout, _ = await till.decides(outcome)
    report = await till.connector.confirm(checkout, KEY)
    assert isinstance(report, Pending)
    assert report.completed is False
    assert "invalid_status" in report.reason
    assert till.rows() == []


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("captured", Paid), ("approved", Approved), ("denied", Declined), ("cancelled", Cancelled), ("on_hold", Pending),
        ("CAPTURED", Paid), ("", Pending),
    ],
)  # fmt: skip
async def test_every_word_that_a_source_names_is_known_and_any_other_is_pending(
    scripted: Scripted, till: Till, word: str, kind: type
) -> None:
    scripted.says(200, page({**CAPTURED, "status": word}))
    report = await scripted.connector.fetch(till.checkout())
    assert type(report) is kind
    assert report.session == "R-1001-0b9f3a52-6a0e"


@pytest.mark.parametrize(
    ("outcome", "kind"), [("approve", Approved), ("decline", Declined), ("cancel", Cancelled), ("pending", Pending)]
)
async def test_an_order_that_is_not_captured_is_not_paid(till: Till, outcome: str, kind: type) -> None:
    checkout, _ = await till.decides(outcome)
    assert type(await till.connector.fetch(checkout)) is kind
    assert till.rows() == []


async def test_an_order_that_is_not_among_the_first_ones_is_asked_about_again(scripted: Scripted, till: Till) -> None:
    for _ in range(4):
        scripted.says(200, page(more=True))
    assert isinstance(await scripted.connector.fetch(till.checkout()), Pending)
    assert [path for _, path, _ in scripted.asked] == [f"/orders?page={n}&page_size=50" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize(("status", "kind"), [(401, Refused), (403, Refused), (404, NotThere)])
async def test_wrong_credentials_or_an_unknown_order_are_no_state_of_the_order(
    scripted: Scripted, till: Till, status: int, kind: type[Refused]
) -> None:
    scripted.says(status, sample("error")["answer"])
    with pytest.raises(kind):
        await scripted.connector.confirm(till.checkout(), KEY)


@pytest.mark.parametrize("said", ["<html>", "[]", {"status": "captured"}, {**CAPTURED, "total_amount": "much"}])
async def test_an_answer_that_makes_no_sense_is_unclear(scripted: Scripted, till: Till, said: Any) -> None:
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.confirm(till.checkout(), KEY)


# -- a lost answer ----------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["error_after", "malformed"])
async def test_a_capture_whose_answer_was_lost_is_found_in_the_list(till: Till, fault: str) -> None:
    checkout, _ = await till.decides("approve")
    await till.counter.order_fault("confirm", fault)
    with pytest.raises(Unclear):
        await till.connector.confirm(checkout, KEY)
    assert isinstance(await till.connector.recover_confirm(checkout, KEY), Paid)
    assert till.rows() == SALE


async def test_a_capture_that_never_arrived_surely_had_no_effect(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    await till.counter.order_fault("confirm", "error_before")
    with pytest.raises(Unclear):
        await till.connector.confirm(checkout, KEY)
    assert await till.connector.recover_confirm(checkout, KEY) is None
    assert isinstance(await till.connector.confirm(checkout, KEY), Paid)


async def test_the_list_is_read_page_by_page(scripted: Scripted, till: Till) -> None:
    scripted.says(200, page({**CAPTURED, "order_id": "R-1001"}, more=True))
    scripted.says(200, page(CAPTURED, more=True))
    assert isinstance(await scripted.connector.recover_confirm(till.checkout(), KEY), Paid)
    assert [path for _, path, _ in scripted.asked] == [
        "/orders?status=captured&page=1&page_size=50", "/orders?status=captured&page=2&page_size=50",
    ]  # fmt: skip


async def test_in_a_list_too_long_to_read_the_outcome_stays_unknown(scripted: Scripted, till: Till) -> None:
    for _ in range(20):
        scripted.says(200, page(more=True))
    with pytest.raises(Unclear, match="first 1000"):
        await scripted.connector.recover_confirm(till.checkout(), KEY)


# -- refunds ----------------------------------------------------------------------------------


async def test_a_refund_is_sent_as_documented(scripted: Scripted, till: Till) -> None:
    documented = sample("refund_request")["request"]
    scripted.says(201, documented)
    move = till.counter.move(till.money("20.50"), ONE, "100.00", description=documented["description"])
    done = await scripted.connector.refund(till.checkout(), move)
    assert scripted.asked == [("POST", "/orders/R-1001-0b9f3a52-6a0e/refunds", documented | {"refund_id": ONE})]
    assert done.provider_id == ONE


async def test_a_refund_of_another_amount_is_unclear(scripted: Scripted, till: Till) -> None:
    scripted.says(201, {"amount": 1})
    with pytest.raises(Unclear):
        await scripted.connector.refund(till.checkout(), till.counter.move(till.money("20.50"), ONE, "100.00"))


async def test_parts_are_refunded_until_nothing_is_left(till: Till) -> None:
    checkout = await till.confirms()
    await till.moves("refund", checkout, "40.00", ONE)
    with pytest.raises(Refused, match="above what is left"):
        await till.moves("refund", checkout, "60.01", TWO, open="60.00")
    await till.moves("refund", checkout, "60.00", TWO, open="60.00")
    assert till.rows() == [*SALE, ("refund", Decimal(40)), ("refund", Decimal(60))]


async def test_a_refund_without_an_answer_is_unclear(till: Till) -> None:
    checkout = await till.confirms()
    await till.loses_track("refund", "error_after", checkout, "40.00")
    assert till.rows() == [*SALE, ("refund", Decimal(40))]
