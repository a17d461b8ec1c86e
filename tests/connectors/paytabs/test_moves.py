"""Captures, voids, releases and refunds; how one is found again by its key."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Moved, MoveKind, MoveStatus, Refused, Underway
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.paytabs.conftest import Till, key, sample, transaction
from tests.connectors.scripted import Scripted


def money(*rows: tuple[str, str]) -> list[tuple[str, Decimal, str]]:
    return [(kind, Decimal(amount), "AED") for kind, amount in rows]


async def test_an_authorisation_is_captured_in_parts_and_the_rest_released(till: Till) -> None:
    checkout = await till.pays(auto_capture=False)
    await till.captures(checkout, "30.00", "100.00", 1)
    await till.captures(checkout, "20.00", "70.00", 2)
    done = await till.connector.void(checkout, till.follow_up("50.00", "50.00", "50.00", 3))
    assert isinstance(done, Moved)
    assert till.counter.ledger() == money(("authorize", "100"), ("capture", "30"), ("capture", "20"), ("void", "50"))


async def test_a_whole_authorisation_is_voided_and_a_part_released(till: Till, scripted: Scripted) -> None:
    checkout = replace((await till.opens(auto_capture=False))[1], payment_id="TST1")
    for amount, word in (("100.00", "void"), ("40.00", "release")):
        scripted.says(200, transaction(tran_ref="TST2", tran_type=word.capitalize()))
        await scripted.connector.void(checkout, till.follow_up(amount, "100.00"))
        body = scripted.asked[-1][2]
        assert (body["tran_type"], body["tran_ref"], body["cart_amount"]) == (word, "TST1", float(amount))


async def test_a_follow_up_has_a_cart_of_its_own_and_our_key_in_its_description(till: Till, scripted: Scripted) -> None:
    checkout = replace((await till.opens())[1], payment_id="TST1")
    scripted.says(200, transaction(tran_ref="TST2", tran_type="Refund"))
    done = await scripted.connector.refund(checkout, till.follow_up("10.50", number=9))
    assert isinstance(done, Moved)
    assert done.provider_id == "TST2"
    assert scripted.asked[-1][2] == {
        "profile_id": 987654, "tran_type": "refund", "tran_class": "ecom", "tran_ref": "TST1",
        "cart_id": "R-1001~000000096a0e", "cart_currency": "AED", "cart_amount": 10.5,
        "cart_description": f"Refund {key(9)}",
    }  # fmt: skip


async def test_two_refunds_of_the_same_amount_within_two_minutes_are_two(till: Till) -> None:
    checkout = await till.pays()
    for number, left in ((1, "100.00"), (2, "60.00")):
        await till.connector.refund(checkout, till.follow_up("40.00", left, "100.00", number))
    assert till.counter.ledger()[2:] == money(("refund", "40"), ("refund", "40"))
    with pytest.raises(Refused) as no:
        await till.connector.refund(checkout, till.follow_up("40.00", "20.00", "100.00", 3))
    assert no.value.code == "309"


async def test_a_refund_names_the_capture_whose_turn_it_is_and_never_spans_two(till: Till) -> None:
    checkout = await till.pays(auto_capture=False)
    await till.captures(checkout, "30.00", "100.00", 1)
    till.passes(seconds=5)
    await till.captures(checkout, "70.00", "70.00", 2)
    with pytest.raises(Refused) as no:
        await till.connector.refund(checkout, till.follow_up("31.00", "100.00", "100.00", 3))
    assert (no.value.code, "at most 30.00" in no.value.reason) == ("one_capture", True)
    for amount, left, number in (("10.00", "100.00", 4), ("20.00", "90.00", 5), ("70.00", "70.00", 6)):
        await till.connector.refund(checkout, till.follow_up(amount, left, "100.00", number))
    assert till.counter.ledger()[3:] == money(("refund", "10"), ("refund", "20"), ("refund", "70"))
    with pytest.raises(Refused) as no:
        await till.connector.refund(checkout, till.follow_up("1.00", "0", "100.00", 7))
    assert no.value.code == "no_capture"


@pytest.mark.parametrize(("status", "kind"), [("P", Underway), ("H", Underway), ("Z", Underway), ("A", Moved)])
async def test_a_follow_up_that_is_not_decided_is_under_way(
    till: Till, scripted: Scripted, status: str, kind: type
) -> None:
    scripted.says(200, transaction(tran_ref="TST2", tran_type="Refund", status=status))
    done = await scripted.connector.refund((await till.opens())[1], till.follow_up("10.00"))
    assert isinstance(done, kind)
    assert done.provider_id == "TST2"


@pytest.mark.parametrize("failed", sample("failures")["failures"])
async def test_a_follow_up_that_is_not_taken_is_refused(till: Till, scripted: Scripted, failed: dict[str, Any]) -> None:
    scripted.says(failed["status"], failed["answer"])
    with pytest.raises(Refused) as no:
        await scripted.connector.refund((await till.opens())[1], till.follow_up("10.00"))
    assert no.value.code == str(failed["answer"]["code"])


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("<html>", 200),
        ({"tran_ref": "TST2"}, 200),
        (transaction(tran_type="Capture"), 200),
        ({"code": 400, "message": "Internal system error"}, 200),
        (transaction(tran_type="Refund", payment_result={"response_status": "E", "response_code": "400"}), 200),
        ({}, 500),
        ({}, 302),
    ],
)
async def test_an_answer_that_is_no_yes_or_no_is_unclear(
    till: Till, scripted: Scripted, answer: Any, status: int
) -> None:
    scripted.says(status, answer)
    with pytest.raises(Unclear):
        await scripted.connector.refund((await till.opens())[1], till.follow_up("10.00"))


async def test_an_amount_that_the_currency_can_not_hold_is_refused_before_it_is_sent(
    till: Till, scripted: Scripted
) -> None:
    move = replace(till.follow_up("10.00"), amount=Money(Decimal("10.001"), "AED"))
    with pytest.raises(Refused):
        await scripted.connector.refund((await till.opens())[1], move)
    assert scripted.asked == []


# -- found again ----------------------------------------------------------------------------------


async def test_each_follow_up_is_found_by_its_key_and_no_other_one(till: Till) -> None:
    checkout = await till.pays(auto_capture=False)
    await till.captures(checkout, "30.00", "100.00", 1)
    await till.captures(checkout, "20.00", "70.00", 2)
    await till.connector.void(checkout, till.follow_up("50.00", "50.00", "50.00", 3))
    await till.connector.refund(checkout, till.follow_up("10.00", "50.00", "50.00", 4))
    for kind, number, amount in (
        (MoveKind.CAPTURE, 1, "30"), (MoveKind.CAPTURE, 2, "20"), (MoveKind.VOID, 3, "50"), (MoveKind.REFUND, 4, "10"),
    ):  # fmt: skip
        found = await till.connector.find_move(checkout, kind, key(number), None)
        assert found is not None
        assert (found.kind, found.amount, found.key) == (kind, Decimal(amount), key(number))
        assert found.status is MoveStatus.DONE
    for kind in (MoveKind.CAPTURE, MoveKind.VOID, MoveKind.REFUND):
        assert await till.connector.find_move(checkout, kind, key(8), None) is None


@pytest.mark.parametrize(
    ("status", "kind"), [("D", MoveStatus.FAILED), ("P", MoveStatus.UNDERWAY), ("Z", MoveStatus.UNDERWAY)]
)
async def test_a_found_follow_up_says_how_it_went(
    till: Till, scripted: Scripted, status: str, kind: MoveStatus
) -> None:
    said = transaction(tran_ref="TST2", tran_type="Refund", cart_description=f"Refund {key(1)}", status=status)
    scripted.says(200, [said])
    found = await scripted.connector.find_move((await till.opens())[1], MoveKind.REFUND, key(1), None)
    assert found is not None
    assert (found.status, found.reason) == (kind, f"as {status}")


async def test_a_refused_or_unreadable_list_tells_of_no_follow_up(till: Till, scripted: Scripted) -> None:
    checkout = (await till.opens())[1]
    scripted.says(400, {"code": 2, "message": "Invalid request"})
    assert await scripted.connector.find_move(checkout, MoveKind.REFUND, key(1), None) is None
    scripted.says(200, [{"tran_ref": 7, "payment_result": {}}])
    with pytest.raises(Unclear):
        await scripted.connector.find_move(checkout, MoveKind.REFUND, key(1), None)
