"""A result is no outcome yet: what the gateway's code makes of a SUCCESS and of a FAILURE."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Moved, MoveStatus, Paid, Pending, Refused, Report, Underway
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.mpgs.conftest import Till, row, sample
from tests.connectors.mpgs.test_checkout import checkout
from tests.connectors.scripted import Scripted
from tests.connectors.till import ONE

APPROVED = ["APPROVED", "APPROVED_AUTO", "APPROVED_PENDING_SETTLEMENT"]
UNDECIDED = ["PENDING", "SUBMITTED", "A_NEW_CODE", ""]
REFUSED = [
    "DECLINED", "DECLINED_DO_NOT_CONTACT", "DECLINED_PAYMENT_PLAN", "INSUFFICIENT_FUNDS", "EXPIRED_CARD", "REFERRED", "BLOCKED",
    "NOT_SUPPORTED", "LOCK_FAILURE", "DUPLICATE_BATCH",
]  # fmt: skip
UNCERTAIN = ["TIMED_OUT", "ACQUIRER_SYSTEM_ERROR", "SYSTEM_ERROR", "UNSPECIFIED_FAILURE", "UNKNOWN", "A_NEW_CODE", ""]
MOVES = ["CAPTURE", "REFUND", "VOID_AUTHORIZATION", "VOID_CAPTURE", "VOID_PAYMENT"]
KINDS = ["PAYMENT", "AUTHORIZATION"]


async def said(scripted: Scripted, *rows: dict[str, Any], **order: Any) -> Report:
    """What is read from an order with these transactions."""
    scripted.says(200, {"id": "ord_1", "reference": "R-1001", "result": "SUCCESS", "transaction": rows} | order)
    return await scripted.connector.fetch(checkout())


async def listed(scripted: Scripted, kind: str, result: str, code: str) -> MoveStatus:
    """What a movement of an authorised order counts as."""
    report = await said(scripted, row("AUTHORIZATION"), row(kind, result, ONE, code=code))
    assert isinstance(report, Paid)
    assert report.moves is not None
    (move,) = report.moves
    assert move.key == ONE
    return move.status


# -- the payment ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", APPROVED)
async def test_a_payment_that_is_approved_is_paid(scripted: Scripted, kind: str, code: str) -> None:
    report = await said(scripted, row(kind, code=code))
    assert isinstance(report, Paid)
    assert (report.total, report.underway, report.review) == (Money(Decimal(100), "USD"), False, "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", UNDECIDED)
async def test_a_payment_that_is_processed_and_not_approved_is_not_paid_yet(
    scripted: Scripted, kind: str, code: str
) -> None:
    report = await said(scripted, row(kind, code=code))
    assert isinstance(report, Pending)
    assert report.completed


@pytest.mark.parametrize(("kind", "captured"), [("PAYMENT", 60), ("AUTHORIZATION", 0)])
async def test_of_a_payment_that_is_approved_in_part_that_part_is_told(
    scripted: Scripted, kind: str, captured: int
) -> None:
    totals = {"totalAuthorizedAmount": 60.00, "totalCapturedAmount": captured}
    report = await said(scripted, row(kind, code="PARTIALLY_APPROVED"), **totals)
    assert isinstance(report, Paid)
    assert (report.total, report.captured) == (Money(Decimal(60), "USD"), Decimal(captured))


@pytest.mark.parametrize("told", [0, 100, 160])
async def test_a_payment_that_is_approved_in_part_is_never_the_whole(scripted: Scripted, told: int) -> None:
    report = await said(scripted, row("PAYMENT", code="PARTIALLY_APPROVED"), totalAuthorizedAmount=told)
    assert isinstance(report, Pending)
    assert report.completed


async def test_a_part_that_is_not_named_is_unclear(scripted: Scripted) -> None:
    with pytest.raises(Unclear):
        await said(scripted, row("PAYMENT", code="PARTIALLY_APPROVED"))


async def test_the_payment_that_is_whole_counts_and_what_was_approved_in_part_beside_it_is_for_a_person(
    scripted: Scripted,
) -> None:
    rows = row("PAYMENT", code="PARTIALLY_APPROVED"), row("PAYMENT", id="2")
    report = await said(scripted, *rows, totalAuthorizedAmount=160)
    assert isinstance(report, Paid)
    assert (report.payment_id, report.total, report.captured) == ("2", Money(Decimal(100), "USD"), Decimal(100))
    assert "2 payments" in report.review


# -- captures, voids and refunds --------------------------------------------------------------


@pytest.mark.parametrize("kind", MOVES)
async def test_only_what_is_approved_is_done_and_only_a_decline_failed(scripted: Scripted, kind: str) -> None:
    for code in APPROVED:
        assert await listed(scripted, kind, "SUCCESS", code) is MoveStatus.DONE
    for code in (*UNDECIDED, "PARTIALLY_APPROVED", "DECLINED"):
        assert await listed(scripted, kind, "SUCCESS", code) is MoveStatus.UNDERWAY
    for code in REFUSED:
        assert await listed(scripted, kind, "FAILURE", code) is MoveStatus.FAILED
    for code in (*UNCERTAIN, "APPROVED"):
        assert await listed(scripted, kind, "FAILURE", code) is MoveStatus.UNDERWAY


async def test_a_capture_that_is_not_approved_is_not_captured(scripted: Scripted) -> None:
    report = await said(scripted, row("AUTHORIZATION"), row("CAPTURE", id=ONE, code="SUBMITTED"))
    assert isinstance(report, Paid)
    assert report.captured == 0


async def _asks(till: Till, scripted: Scripted, verb: str, result: str, code: str) -> Any:
    scripted.says(201, row(verb.upper(), result, ONE, code=code))
    return await getattr(scripted.connector, verb)(checkout(payment_id="1"), till.move("100"))


@pytest.mark.parametrize("verb", ["capture", "refund", "void"])
async def test_what_an_answer_tells(till: Till, scripted: Scripted, verb: str) -> None:
    for code in APPROVED:
        assert isinstance(await _asks(till, scripted, verb, "SUCCESS", code), Moved)
    for code in UNDECIDED:
        assert isinstance(await _asks(till, scripted, verb, "SUCCESS", code), Underway)
    for code in REFUSED:
        with pytest.raises(Refused) as no:
            await _asks(till, scripted, verb, "FAILURE", code)
        assert no.value.code == code
    for result, code in (*(("FAILURE", code) for code in UNCERTAIN), ("SUCCESS", "PARTIALLY_APPROVED")):
        with pytest.raises(Unclear):
            await _asks(till, scripted, verb, result, code)


async def test_the_documented_answer_to_a_void_is_done(till: Till, scripted: Scripted) -> None:
    scripted.says(201, sample("void")["answer"])
    assert isinstance(await scripted.connector.void(checkout(payment_id="1"), till.move("100")), Moved)


async def test_the_simulator_tells_the_outcome_where_the_gateway_does(till: Till) -> None:
    held = await till.pays(auto_capture=False)
    done = await till.moves("void", held, "100")
    documented = sample("void")["answer"]
    assert done.raw is not None
    assert {name: done.raw[name] for name in ("result", "response")} == {
        name: documented[name] for name in ("result", "response")
    }
    assert done.raw["transaction"].keys() >= {"id", "type", "amount", "currency"}
    for total in ("totalAuthorizedAmount", "totalCapturedAmount", "totalRefundedAmount"):
        assert done.raw["order"][total] == documented["order"][total]


@pytest.mark.parametrize("cause", ["SERVER_BUSY", "SERVER_FAILED"])
@pytest.mark.parametrize("status", [400, 500, 503])
async def test_an_error_of_the_gateways_own_is_no_refusal(
    till: Till, scripted: Scripted, cause: str, status: int
) -> None:
    scripted.says(status, {"error": {"cause": cause, "explanation": "later"}, "result": "ERROR"})
    with pytest.raises(Unclear):
        await scripted.connector.refund(checkout(), till.move("1"))


# -- at the simulator -------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["TIMED_OUT", "ACQUIRER_SYSTEM_ERROR", "SYSTEM_ERROR", "UNSPECIFIED_FAILURE"])
@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
async def test_what_the_bank_has_not_answered_comes_out_later(till: Till, verb: str, code: str) -> None:
    held = await till.pays(auto_capture=verb == "refund")
    await till.bank_says(held, code)
    with pytest.raises(Unclear):
        await till.tries(verb, held, "100", captured="100" if verb == "refund" else "0")
    before = till.rows()
    report = await till.connector.fetch(held)
    assert isinstance(report, Paid)
    assert [(move.key, move.status) for move in report.moves or ()] == [(ONE, MoveStatus.UNDERWAY)]
    await till.bank_says(held, "APPROVED", transaction=ONE)
    report = await till.connector.fetch(held)
    assert isinstance(report, Paid)
    assert [(move.key, move.status) for move in report.moves or ()] == [(ONE, MoveStatus.DONE)]
    assert till.rows() == [*before, (verb, Decimal(100))]


async def test_a_shopper_whose_card_was_approved_in_part_has_not_paid_the_order(till: Till) -> None:
    opened, held = await till.opens()
    await till.bank_says(held, "PARTIALLY_APPROVED", amount="60.00")
    await till.counter.shopper(opened.url, "approve")
    report = await till.connector.fetch(held)
    assert isinstance(report, Paid)
    assert (report.total, report.captured) == (Money(Decimal(60), "USD"), Decimal(60))
    assert till.rows() == [("authorize", Decimal(60)), ("capture", Decimal(60))]
