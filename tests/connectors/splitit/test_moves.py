"""Captures, voids and refunds of a plan, and what it tells of them afterwards."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Moved, MoveKind, MoveStatus, Paid, ProviderMove, Refused, Underway
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.scripted import Scripted
from tests.connectors.splitit.conftest import Till, checkout
from tests.connectors.till import KEY, ONE, TWO

HUNDRED = Decimal(100)


def money(*rows: tuple[str, str]) -> list[tuple[str, Decimal]]:
    return [(kind, Decimal(amount)) for kind, amount in rows]


async def test_a_plan_that_runs_is_captured_whole(till: Till) -> None:
    own = await till.pays()
    paid = await till.paid_now(own)
    assert (paid.session, paid.reference, paid.total) == (own.session, "R-1001", Money(HUNDRED, "EUR"))
    assert (paid.captured, paid.voided, paid.refunded) == (HUNDRED, 0, 0)
    assert till.rows() == money(("authorize", "100"), ("capture", "100"))


async def test_a_deferred_plan_is_started_by_its_capture(till: Till) -> None:
    own = await till.pays(auto_capture=False)
    assert (await till.paid_now(own)).captured == 0
    assert isinstance(await till.tries("capture", own, "100.00"), Moved)
    assert (await till.paid_now(own)).captured == HUNDRED
    assert isinstance(await till.tries("capture", own, "100.00"), Moved)
    assert till.rows() == money(("authorize", "100"), ("capture", "100"))
    with pytest.raises(Refused):
        await till.tries("capture", own, "100.00", TWO)


async def test_a_void_cancels_the_plan_before_it_runs(till: Till) -> None:
    own = await till.pays(auto_capture=False)
    assert isinstance(await till.tries("void", own, "100.00"), Moved)
    paid = await till.paid_now(own)
    assert (paid.captured, paid.voided, paid.moves) == (0, HUNDRED, None)
    assert till.rows() == money(("authorize", "100"), ("void", "100"))


async def test_a_void_that_nobody_has_seen_before_is_told_all_the_same(till: Till) -> None:
    own = await till.decided(auto_capture=False)
    await till.tries("void", own, "100.00")
    assert (await till.paid_now(own)).voided == HUNDRED


async def test_refunds_are_found_again_by_our_keys(till: Till) -> None:
    own = await till.pays()
    first = await till.tries("refund", own, "40.00", ONE)
    again = await till.tries("refund", own, "40.00", ONE)
    assert isinstance(first, Moved)
    assert isinstance(again, Moved)
    assert first.provider_id == again.provider_id
    await till.tries("refund", own, "10.00", TWO, "60.00")
    paid = await till.paid_now(own)
    assert paid.refunded == 50
    assert [(move.key, move.amount, move.status) for move in paid.moves or ()] == [
        (ONE, 40, MoveStatus.DONE), (TWO, 10, MoveStatus.DONE),
    ]  # fmt: skip
    with pytest.raises(Refused, match="refundable") as no:
        await till.tries("refund", own, "50.01", KEY)
    assert no.value.code == "562"


async def test_a_plan_refunded_whole_stays_captured_and_refunded(till: Till) -> None:
    own = await till.pays()
    await till.tries("refund", own, "100.00")
    paid = await till.paid_now(own)
    assert till.case(own).status == "Canceled"
    assert (paid.captured, paid.refunded, paid.voided) == (HUNDRED, HUNDRED, 0)
    assert till.rows() == money(("authorize", "100"), ("capture", "100"), ("refund", "100"))


async def test_a_refund_in_the_merchant_portal_has_no_key(till: Till) -> None:
    own = await till.pays()
    status, _ = await till.call("POST", "/sandbox/provider-refund", {"id": own.session, "amount": "5"})
    assert status == 201
    (move,) = (await till.paid_now(own)).moves or ()
    assert (move.key, move.amount) == (None, 5)


@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
@pytest.mark.parametrize("fault", ["timeout_after", "error_after", "reset_after", "malformed"])
async def test_a_move_whose_answer_was_lost_shows_in_the_plan_and_happens_once(
    till: Till, verb: str, fault: str
) -> None:
    own = await till.pays(auto_capture=verb == "refund")
    await till.loses_track(verb, fault, own, "100.00")
    paid = await till.paid_now(own)
    assert {"capture": paid.captured, "void": paid.voided, "refund": paid.refunded}[verb] == HUNDRED
    assert isinstance(await till.tries(verb, own, "100.00"), Moved)
    assert [kind for kind, _ in till.rows()].count(verb) == 1


@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
async def test_a_move_that_never_came_shows_nowhere(till: Till, verb: str) -> None:
    own = await till.pays(auto_capture=verb == "refund")
    before = till.rows()
    await till.loses_track(verb, "error_before", own, "100.00")
    assert till.rows() == before
    await till.tries(verb, own, "100.00")
    assert till.rows() == [*before, (verb, HUNDRED)]


# -- documented and odd answers ---------------------------------------------------------------


async def test_the_documented_plan_tells_its_refunds_one_by_one(scripted: Scripted) -> None:
    scripted.replays("plan_active")
    paid = await scripted.connector.fetch(checkout())
    assert isinstance(paid, Paid)
    assert (paid.total, paid.captured, paid.refunded) == (Money(HUNDRED, "USD"), HUNDRED, 10)
    assert paid.moves == (
        ProviderMove(
            kind=MoveKind.REFUND, amount=Decimal(10), provider_id="e2f1", key="5d3c1b2a-9f8e-4d7c-8b6a-0a1b2c3d4e01"
        ),
        ProviderMove(kind=MoveKind.REFUND, amount=Decimal(5), provider_id="e2f2", status=MoveStatus.UNDERWAY),
    )


@pytest.mark.parametrize("status", ["Cleared", "Canceled"])
async def test_a_plan_of_which_something_was_collected_was_captured(scripted: Scripted, status: str) -> None:
    plan = {"InstallmentPlanNumber": "1", "Status": status, "OriginalAmount": 100, "Currency": "USD"}
    scripted.says(200, plan | {"Installments": [{"Status": "Processed", "Amount": 50}]})
    paid = await scripted.connector.fetch(checkout())
    assert isinstance(paid, Paid)
    assert (paid.captured, paid.voided) == (HUNDRED, 0)


async def test_the_documented_capture_is_read(scripted: Scripted, till: Till) -> None:
    scripted.replays("order_updated")
    move = till.counter.move(Money(HUNDRED, "USD"), ONE, "100")
    assert isinstance(await scripted.connector.capture(checkout(), move), Moved)
    assert scripted.asked == [("PUT", "/api/installmentplans/62787747637784516814/updateorder", {"Capture": True})]


@pytest.mark.parametrize("status", ["PendingCapture", "Initialized", "Canceled", "Other"])
async def test_a_capture_that_started_nothing_is_unclear(scripted: Scripted, till: Till, status: str) -> None:
    scripted.says(200, {"Status": status, "ShippingStatus": "Pending"})
    with pytest.raises(Unclear):
        await scripted.connector.capture(checkout(), till.counter.move(Money(HUNDRED, "USD"), ONE, "100"))


async def test_the_documented_refund_is_read(scripted: Scripted, till: Till) -> None:
    scripted.replays("refund_created")
    move = till.counter.move(Money(Decimal(40), "USD"), ONE, "100")
    done = await scripted.connector.refund(checkout(), move)
    assert isinstance(done, Moved)
    assert done.provider_id == "e2f1"
    sent = {"Amount": 40, "RefundStrategy": "FutureInstallmentsFirst", "ReferenceId": ONE}
    assert scripted.asked == [("POST", "/api/installmentplans/62787747637784516814/refund", sent)]


async def test_the_documented_refusal_is_read(scripted: Scripted, till: Till) -> None:
    scripted.replays("error_refund_too_much")
    with pytest.raises(Refused, match="exceeded") as no:
        await scripted.connector.refund(checkout(), till.counter.move(Money(Decimal(40), "USD"), ONE, "100"))
    assert no.value.code == "562"


@pytest.mark.parametrize(
    ("summary", "outcome"),
    [
        (None, Underway), ({"PendingAmount": 40}, Underway), ({"FailedAmount": 40}, Refused),
        ({"FailedAmount": 10, "SucceededAmount": 30}, Unclear), ({"SucceededAmount": 30}, Unclear),
    ],
)  # fmt: skip
async def test_a_refund_is_what_its_summary_says(scripted: Scripted, till: Till, summary: Any, outcome: Any) -> None:
    scripted.says(200, {"RefundId": "r", **({"Summary": summary} if summary else {})})
    asked = scripted.connector.refund(checkout(), till.counter.move(Money(Decimal(40), "USD"), ONE, "100"))
    if outcome is Underway:
        assert isinstance(await asked, Underway)
    else:
        with pytest.raises(outcome):
            await asked


@pytest.mark.parametrize("status", [409, 302, 500, 429])
async def test_any_other_status_is_unclear(scripted: Scripted, till: Till, status: int) -> None:
    scripted.says(status, {})
    with pytest.raises(Unclear):
        await scripted.connector.refund(checkout(), till.counter.move(Money(Decimal(40), "USD"), ONE, "100"))


async def test_a_plan_without_its_amount_is_unclear(scripted: Scripted) -> None:
    scripted.says(200, {"InstallmentPlanNumber": "1", "Status": "Active", "Currency": "USD"})
    with pytest.raises(Unclear):
        await scripted.connector.fetch(checkout())
