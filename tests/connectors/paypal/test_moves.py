"""Captures, voids and refunds at PayPal, what their listing tells, and what becomes of lost answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Checkout, Moved, MoveKind, MoveStatus, Paid, Refused, Underway
from paymux.money import Money
from paymux.platform.http import Unclear
from paymux.platform.lanes import LaneClosed, Passage
from tests.connectors.conftest import Counter
from tests.connectors.paypal.conftest import Till, checkout
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY, LOST, NEVER_CAME, ONE, THREE, TWO

ALL = Decimal("100.00")


def order(status: str = "COMPLETED", **payments: Any) -> dict[str, Any]:
    """An order's answer with these payments."""
    unit = {"custom_id": "R-1001", "amount": money("100.00"), "payments": payments}
    return {"id": "5O190127TN364715T", "status": status, "purchase_units": [unit]}


def money(value: str) -> dict[str, str]:
    return {"currency_code": "USD", "value": value}


def record(id: str, status: str, value: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "status": status, "amount": money(value), **more}


async def read(scripted: Scripted, auto_capture: bool = False, **payments: Any) -> Any:
    scripted.says(200, order(**payments))
    return await scripted.connector.fetch(checkout(auto_capture=auto_capture, payment_id="A1"))


# -- captures and voids ----------------------------------------------------------------------------------------


async def test_an_authorisation_is_captured_in_parts(till: Till) -> None:
    own = await till.holds()
    first = await till.tries("capture", own, "30.00", ONE)
    second = await till.tries("capture", own, "70.00", TWO, "70.00")
    assert isinstance(first, Moved)
    assert isinstance(second, Moved)
    assert [
        exchange.sent["final_capture"] for exchange in till.exchanges if "final_capture" in (exchange.sent or {})
    ] == [False, True]
    paid = await till.paid_now(own)
    assert (paid.captured, paid.voided) == (ALL, 0)
    assert [(move.provider_id, move.amount) for move in paid.moves or ()] == [
        (first.provider_id, Decimal("30.00")), (second.provider_id, Decimal("70.00")),
    ]  # fmt: skip


@pytest.mark.parametrize("verb", ["capture", "void"])
@pytest.mark.parametrize("fault", LOST)
async def test_a_move_whose_answer_was_lost_is_repeated_and_moves_once(till: Till, verb: str, fault: str) -> None:
    own = await till.holds()
    await till.loses_track(verb, fault, own, "100.00", ONE)
    assert isinstance(await till.tries(verb, own, "100.00", ONE), Moved)
    assert till.rows() == [("authorize", ALL), (verb, ALL)]


async def test_what_is_left_after_a_capture_is_voided(till: Till) -> None:
    own = await till.holds()
    await till.tries("capture", own, "30.00", ONE)
    await till.tries("void", own, "70.00", TWO, "70.00")
    paid = await till.paid_now(own)
    assert (paid.captured, paid.voided, paid.expired) == (Decimal("30.00"), Decimal("70.00"), 0)
    with pytest.raises(Refused) as no:
        await till.tries("capture", own, "1.00", THREE)
    assert no.value.code == "AUTHORIZATION_VOIDED"


async def test_a_second_void_is_refused(till: Till) -> None:
    own = await till.holds()
    await till.tries("void", own, "100.00", ONE)
    with pytest.raises(Refused) as no:
        await till.tries("void", own, "100.00", TWO)
    assert no.value.code == "PREVIOUSLY_VOIDED"


async def test_an_authorisation_that_ran_out_has_expired_and_was_not_voided(till: Till) -> None:
    own = await till.holds()
    await till.tries("capture", own, "30.00", ONE)
    till.passes(days=29)
    paid = await till.paid_now(own)
    assert (paid.captured, paid.voided, paid.expired) == (Decimal("30.00"), 0, Decimal("70.00"))


async def test_a_void_in_paypals_dashboard_shows(till: Till) -> None:
    own = await till.holds()
    assert await till.post("/sandbox/provider-void", id=own.session) == 201
    assert (await till.paid_now(own)).voided == ALL


async def test_a_capture_that_paypal_reviews_is_underway(scripted: Scripted) -> None:
    scripted.says(201, record("C1", "PENDING", "100.00"))
    till, move = scripted.connector, Counter.move(Money(ALL, "USD"), ONE, "100.00")
    assert isinstance(await till.capture(checkout(auto_capture=False, payment_id="A1"), move), Underway)
    scripted.says(201, record("C1", "DECLINED", "100.00"))
    with pytest.raises(Refused):
        await till.capture(checkout(auto_capture=False, payment_id="A1"), move)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("COMPLETED", MoveStatus.DONE), ("PARTIALLY_REFUNDED", MoveStatus.DONE), ("REFUNDED", MoveStatus.DONE),
        ("PENDING", MoveStatus.UNDERWAY), ("DECLINED", MoveStatus.FAILED), ("FAILED", MoveStatus.FAILED),
        ("A_NEW_WORD", MoveStatus.UNDERWAY),
    ],
)  # fmt: skip
async def test_each_status_of_a_capture(scripted: Scripted, status: str, said: MoveStatus) -> None:
    held = record("A1", "PARTIALLY_CAPTURED", "100.00")
    paid = await read(scripted, authorizations=[held], captures=[record("C1", status, "40.00")])
    assert [(move.kind, move.status) for move in paid.moves] == [(MoveKind.CAPTURE, said)]
    assert paid.captured == (Decimal("40.00") if said is MoveStatus.DONE else 0)


@pytest.mark.parametrize(
    ("status", "voided", "underway"),
    [
        ("CREATED", "0", False),
        ("PARTIALLY_CAPTURED", "0", False),
        ("CAPTURED", "60.00", False),
        ("VOIDED", "60.00", False),
    ],
)
async def test_each_status_of_an_authorisation(scripted: Scripted, status: str, voided: str, underway: bool) -> None:
    paid = await read(
        scripted, authorizations=[record("A1", status, "100.00")], captures=[record("C1", "COMPLETED", "40.00")]
    )
    assert (paid.voided, paid.underway) == (Decimal(voided), underway)


async def test_an_unknown_word_for_an_authorisation_is_asked_about_again(scripted: Scripted) -> None:
    report = await read(scripted, authorizations=[record("A1", "FROZEN", "100.00")])
    assert (type(report).__name__, report.completed) == ("Pending", True)


async def test_a_capture_still_in_review_is_not_taken_for_voided(scripted: Scripted) -> None:
    paid = await read(
        scripted, authorizations=[record("A1", "CAPTURED", "100.00")], captures=[record("C1", "PENDING", "100.00")]
    )
    assert (paid.captured, paid.voided) == (0, 0)


# -- refunds ---------------------------------------------------------------------------------------------------


async def test_a_sale_is_refunded_in_parts_that_carry_our_keys(till: Till) -> None:
    own, _ = await till.confirmed()
    await till.tries("refund", own, "40.00", ONE, description="returned")
    await till.tries("refund", own, "60.00", TWO, "60.00")
    paid = await till.paid_now(own)
    refunds = [move for move in paid.moves or () if move.kind is MoveKind.REFUND]
    assert [(move.key, move.amount, move.status) for move in refunds] == [
        (ONE, Decimal("40.00"), MoveStatus.DONE), (TWO, Decimal("60.00"), MoveStatus.DONE),
    ]  # fmt: skip
    assert till.exchanges[-3].sent["note_to_payer"] == "returned"
    assert till.rows()[2:] == [("refund", Decimal("40.00")), ("refund", Decimal("60.00"))]


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_refund_with_a_fault_is_repeated_and_refunds_once(till: Till, fault: str) -> None:
    own, _ = await till.confirmed()
    await till.loses_track("refund", fault, own, "40.00", ONE)
    assert isinstance(await till.tries("refund", own, "40.00", ONE), Moved)
    assert till.rows()[2:] == [("refund", Decimal("40.00"))]


async def captured_in_three(till: Till) -> Checkout:
    own = await till.holds()
    for amount, key, open in (("20.00", ONE, "100.00"), ("30.00", TWO, "80.00"), ("50.00", THREE, "50.00")):
        await till.tries("capture", own, amount, key, open)
    return own


async def test_a_refund_is_taken_from_the_one_capture_that_holds_it(till: Till) -> None:
    own = await captured_in_three(till)
    await till.tries("refund", own, "45.00", KEY)
    assert till.rows()[4:] == [("refund", Decimal("45.00"))]


async def test_a_refund_of_more_than_any_capture_is_taken_from_several_and_is_one_operation(till: Till) -> None:
    own = await captured_in_three(till)
    assert isinstance(await till.tries("refund", own, "90.00", KEY), Moved)
    assert till.rows()[4:] == [("refund", Decimal("20.00")), ("refund", Decimal("30.00")), ("refund", Decimal("40.00"))]
    (refund,) = [move for move in (await till.paid_now(own)).moves or () if move.kind is MoveKind.REFUND]
    assert (refund.key, refund.amount, refund.status) == (KEY, Decimal("90.00"), MoveStatus.DONE)


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_refund_of_several_captures_that_broke_off_goes_on_where_it_was(till: Till, fault: str) -> None:
    own = await captured_in_three(till)
    await till.loses_track("refund", fault, own, "90.00", KEY)
    refunds = [move for move in (await till.paid_now(own)).moves or () if move.kind is MoveKind.REFUND]
    assert [move.status for move in refunds] == ([MoveStatus.UNDERWAY] if fault in LOST else [])
    assert isinstance(await till.tries("refund", own, "90.00", KEY), Moved)
    assert sum(amount for kind, amount in till.rows() if kind == "refund") == Decimal("90.00")
    assert isinstance(await till.tries("refund", own, "90.00", KEY), Moved)
    assert sum(amount for kind, amount in till.rows() if kind == "refund") == Decimal("90.00")


async def test_a_refund_of_more_than_all_captures_hold_is_refused_before_anything_is_refunded(till: Till) -> None:
    own = await captured_in_three(till)
    with pytest.raises(Refused) as no:
        await till.tries("refund", own, "100.01", KEY)
    assert no.value.code == "REFUND_AMOUNT_EXCEEDED"
    assert len(till.rows()) == 4


async def test_a_refund_that_is_refused_after_a_first_part_is_unclear(scripted: Scripted) -> None:
    up = [{"rel": "up", "href": "https://api-m.paypal.com/v2/payments/captures/C1"}]
    captures = [record("C1", "COMPLETED", "20.00"), record("C2", "COMPLETED", "30.00")]
    scripted.says(200, order(authorizations=[record("A1", "CAPTURED", "50.00")], captures=captures))
    scripted.says(201, record("R1", "COMPLETED", "20.00", custom_id=f"R-1001.{KEY}_45.00", links=up))
    scripted.says(422, {"name": "UNPROCESSABLE_ENTITY", "details": [{"issue": "TRANSACTION_DISPUTED"}]})
    move = Counter.move(Money(Decimal("45.00"), "USD"), KEY, "50.00")
    with pytest.raises(Unclear):
        await scripted.connector.refund(checkout(auto_capture=False, payment_id="A1"), move)


class ClosesAfter:
    """The way to the provider, which is closed after so many calls."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    @asynccontextmanager
    async def passage(self, name: str) -> AsyncIterator[Passage]:
        self.left -= 1
        if self.left < 0:
            raise LaneClosed(f"{name} is closed")
        yield Passage()


async def test_a_refund_whose_second_part_never_left_is_unclear(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = [{"rel": "up", "href": "https://api-m.paypal.com/v2/payments/captures/C1"}]
    captures = [record("C1", "COMPLETED", "20.00"), record("C2", "COMPLETED", "30.00")]
    scripted.says(200, order(authorizations=[record("A1", "CAPTURED", "50.00")], captures=captures))
    scripted.says(201, record("R1", "COMPLETED", "20.00", custom_id=f"R-1001.{KEY}_45.00", links=up))
    token_order_and_first_part = 3
    monkeypatch.setattr(scripted.connector.http.client, "_lanes", ClosesAfter(token_order_and_first_part))
    move = Counter.move(Money(Decimal("45.00"), "USD"), KEY, "50.00")
    with pytest.raises(Unclear):
        await scripted.connector.refund(checkout(auto_capture=False, payment_id="A1"), move)
    assert not scripted.answers, "the first part did move"


async def test_a_refund_in_paypals_dashboard_is_not_ours(till: Till) -> None:
    own, _ = await till.confirmed()
    assert await till.post("/sandbox/provider-refund", id=own.session, amount="15.00") == 201
    (refund,) = [move for move in (await till.paid_now(own)).moves or () if move.kind is MoveKind.REFUND]
    assert (refund.key, refund.amount) == (None, Decimal("15.00"))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("COMPLETED", MoveStatus.DONE), ("PENDING", MoveStatus.UNDERWAY), ("FAILED", MoveStatus.FAILED),
        ("CANCELLED", MoveStatus.FAILED), ("A_NEW_WORD", MoveStatus.UNDERWAY),
    ],
)  # fmt: skip
async def test_each_status_of_a_refund(scripted: Scripted, status: str, said: MoveStatus) -> None:
    refund = record("R1", status, "40.00", custom_id=f"R-1001.{ONE}")
    paid = await read(scripted, True, captures=[record("A1", "PARTIALLY_REFUNDED", "100.00")], refunds=[refund])
    assert [(move.key, move.status) for move in paid.moves[1:]] == [(ONE, said)]


# -- trust -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"amount": "50.00"}, {"currency": "EUR"}, {"reference": "R-9"}])
async def test_the_report_says_what_paypal_says_and_not_what_was_expected(till: Till, change: dict[str, str]) -> None:
    opened, own = await till.opens()
    assert await till.post("/sandbox/tamper", id=own.session, **change) == 201
    await till.counter.shopper(opened.url, "approve")
    paid = await till.connector.confirm(own, KEY)
    assert isinstance(paid, Paid)
    assert paid.total is not None
    said = {"amount": str(paid.total.amount), "currency": paid.total.currency, "reference": paid.reference}
    assert change.items() <= said.items()


async def test_an_order_with_a_second_purchase_unit_is_not_believed(scripted: Scripted) -> None:
    answer = order(captures=[record("C1", "COMPLETED", "100.00")])
    answer["purchase_units"].append(answer["purchase_units"][0])
    scripted.says(200, answer)
    with pytest.raises(Unclear):
        await scripted.connector.fetch(checkout())


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("CREATED", "Pending"), ("SAVED", "Pending"), ("PAYER_ACTION_REQUIRED", "Pending"), ("APPROVED", "Approved"),
        ("VOIDED", "Cancelled"), ("COMPLETED", "Pending"), ("A_NEW_WORD", "Pending"),
    ],
)  # fmt: skip
async def test_each_status_of_an_unpaid_order(scripted: Scripted, status: str, kind: str) -> None:
    scripted.says(200, order(status))
    assert type(await scripted.connector.fetch(checkout())).__name__ == kind
