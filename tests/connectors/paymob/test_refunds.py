"""Giving money back: once, in parts, and what is known when the answer was lost."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Moved, NotThere, Paid, Refused, Underway
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.paymob.conftest import Scripted, Till, sample
from tests.connectors.till import ONE, TWO

DONE = {"id": 17, "success": True, "pending": False, "amount_cents": 5000, "data": {"message": "Approved"}}


async def _refunds(scripted: Scripted, till: Till, status: int, answer: Any) -> Any:
    scripted.says(status, answer)
    move = till.counter.move(Money(Decimal(50), "EGP"), ONE, "100.00", "100.00")
    return await scripted.connector.refund(scripted.checkout(payment_id="12345678"), move)


async def test_a_refund_names_the_payment_and_hundredths_as_documented(scripted: Scripted, till: Till) -> None:
    done = await _refunds(scripted, till, 201, DONE)
    assert scripted.asked == [("POST", sample("refund_request")["path"], sample("refund_request")["request"])]
    assert done == Moved(provider_id="17", raw=DONE)


async def test_parts_add_up_to_the_payment_and_no_more(till: Till) -> None:
    checkout = await till.pays()
    first = await till.moves("refund", checkout, "30.50")
    second = await till.moves("refund", checkout, "69.50", TWO, "69.50")
    assert first.provider_id != second.provider_id
    with pytest.raises(Refused, match="amount_cents: The amount is more than what is left"):
        await till.moves("refund", checkout, "0.01", TWO)
    assert till.rows() == [
        ("authorize", Decimal(100)), ("capture", Decimal(100)), ("refund", Decimal("30.5")), ("refund", Decimal("69.5")),
    ]  # fmt: skip
    said = await till.connector.fetch(checkout)
    assert isinstance(said, Paid)
    assert said.refunded == 100


async def test_a_pending_refund_is_under_way(scripted: Scripted, till: Till) -> None:
    said = DONE | {"success": False, "pending": True}
    assert await _refunds(scripted, till, 200, said) == Underway(provider_id="17", raw=said)


async def test_a_refund_that_failed_is_refused_with_the_gateways_words(scripted: Scripted, till: Till) -> None:
    failed = DONE | {"success": False, "data": {"message": "Not enough balance", "txn_response_code": "51"}}
    with pytest.raises(Refused, match="Not enough balance") as no:
        await _refunds(scripted, till, 201, failed)
    assert no.value.code == "51"


@pytest.mark.parametrize(
    "answer",
    ["<html>", {}, DONE | {"amount_cents": 4999}, {"type": "TRANSACTION", "obj": DONE}, DONE | {"success": None},
     DONE | {"success": False, "error_occured": True}],
)  # fmt: skip
async def test_an_answer_that_makes_no_sense_is_unclear(scripted: Scripted, till: Till, answer: Any) -> None:
    with pytest.raises(Unclear):
        await _refunds(scripted, till, 200, answer)


@pytest.mark.parametrize("status", [302, 408, 429, 500, 503])
async def test_a_status_that_decides_nothing_is_unclear(scripted: Scripted, till: Till, status: int) -> None:
    with pytest.raises(Unclear):
        await _refunds(scripted, till, status, {"detail": "?"})


@pytest.mark.parametrize("answer", [{"detail": "No"}, {"message": "No"}, {"amount_cents": ["No"]}])
async def test_a_refusal_in_any_of_the_documented_places_is_read(scripted: Scripted, till: Till, answer: Any) -> None:
    with pytest.raises(Refused, match="No"):
        await _refunds(scripted, till, 400, answer)


@pytest.mark.parametrize(("fault", "back"), [("error_after", Decimal(30)), ("error_before", Decimal(0))])
async def test_after_a_lost_answer_the_payment_tells_what_was_refunded(till: Till, fault: str, back: Decimal) -> None:
    checkout = await till.pays()
    await till.loses_track("refund", fault, checkout, "30.00")
    said = await till.connector.fetch(checkout)
    assert isinstance(said, Paid)
    assert said.refunded == back


async def test_an_unknown_payment_and_a_wrong_key_move_nothing(till: Till) -> None:
    checkout = await till.pays()
    with pytest.raises(NotThere):
        await till.moves("refund", replace(checkout, payment_id="17"), "1.00")
    wrong = till.counter.connector("PAYMOB_EG", secret_key="egy_sk_test_wrong")
    with pytest.raises(Refused, match="look at secret_key"):
        await wrong.refund(checkout, till.counter.move(till.money("1.00"), ONE, "100.00"))
    assert ("refund", Decimal(1)) not in till.rows()


async def test_a_refund_is_never_sent_for_what_hundredths_can_not_say(till: Till, scripted: Scripted) -> None:
    move = till.counter.move(Money(Decimal("0.005"), "EGP"), ONE, "100.00")
    with pytest.raises(Refused):
        await scripted.connector.refund(scripted.checkout(payment_id="12345678"), move)
    assert scripted.asked == []


async def test_what_was_voided_is_not_refunded_again(till: Till) -> None:
    checkout = await till.pays()
    await till.voided(checkout)
    with pytest.raises(Refused, match="can not be refunded"):
        await till.moves("refund", checkout, "1.00")
