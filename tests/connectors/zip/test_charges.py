"""Charging an approved checkout or an account token, and what becomes of lost answers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors import sealing
from paymux.connectors.contract import Approved, Checkout, Declined, Moved, Paid, Pending, ProviderToken, Refused
from paymux.money import Money
from paymux.platform.http import CallFailed, NotSent, Unclear
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY, LOST, NEVER_CAME, ONE, THREE, TWO
from tests.connectors.zip.conftest import ALL, Till, checkout

CHECKOUT = {"id": "au-co_PxSeQfLlpaYn6bLMZSMv13", "uri": "u", "state": "approved", "order": {"reference": "R-1001"}}


def charge(state: str, captured: str = "0", refunded: str = "0") -> dict[str, Any]:
    return {
        "id": "au-ch_1", "reference": "R-1001", "amount": 100, "currency": "AUD", "state": state,
        "captured_amount": float(captured), "refunded_amount": float(refunded), "receipt_number": "1",
    }  # fmt: skip


@pytest.mark.parametrize("code", ["ZIP_AU", "ZIP_NZ", "ZIP_UK"])
async def test_an_approved_checkout_is_charged_whole(till: Till, code: str) -> None:
    till.code = code
    own, paid = await till.confirmed()
    assert (paid.session, paid.reference) == (own.session, "R-1001")
    assert (paid.total, paid.captured) == (Money(ALL, own.total.currency), ALL)
    assert till.rows() == [("authorize", ALL), ("capture", ALL)]


async def test_a_deferred_charge_is_authorised(till: Till) -> None:
    own = await till.holds()
    paid = await till.paid_now(own)
    assert (paid.captured, paid.voided, paid.refunded) == (0, 0, 0)
    assert till.rows() == [("authorize", ALL)]


@pytest.mark.parametrize("code", ["ZIP_NZ", "ZIP_UK"])
async def test_outside_australia_nothing_is_only_authorised(till: Till, code: str) -> None:
    till.code = code
    own = await till.decided(auto_capture=False)
    with pytest.raises(Refused):
        await till.connector.confirm(own, KEY)
    assert till.rows() == []


async def test_a_checkout_that_is_not_approved_is_not_charged(till: Till) -> None:
    _, own = await till.opens()
    report = await till.connector.confirm(own, KEY)
    assert isinstance(report, Pending)
    assert not report.completed
    assert till.rows() == []


@pytest.mark.parametrize("fault", LOST)
async def test_a_charge_whose_answer_was_lost_is_found_by_the_same_key(till: Till, fault: str) -> None:
    own = await till.decided()
    await till.counter.order_fault("confirm", fault)
    with pytest.raises(CallFailed):
        await till.connector.confirm(own, KEY)
    asked = await till.connector.fetch(own)
    assert isinstance(asked, Pending)
    assert asked.completed
    paid = await till.connector.confirm(own, KEY)
    assert isinstance(paid, Paid)
    assert till.rows() == [("authorize", ALL), ("capture", ALL)]


@pytest.mark.parametrize("fault", NEVER_CAME)
async def test_a_charge_that_never_came_leaves_the_checkout_approved(till: Till, fault: str) -> None:
    own = await till.decided()
    await till.counter.order_fault("confirm", fault)
    with pytest.raises(CallFailed):
        await till.connector.confirm(own, KEY)
    assert type(await till.connector.fetch(own)).__name__ == "Approved"
    assert till.rows() == []


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_fault_while_the_checkout_is_looked_at_means_that_nothing_was_charged(till: Till, fault: str) -> None:
    own = await till.decided()
    await till.counter.order_fault("status", fault)
    with pytest.raises(NotSent):
        await till.connector.confirm(own, KEY)
    assert till.rows() == []


@pytest.mark.parametrize("change", [{"amount": "50.00"}, {"currency": "NZD"}])
async def test_another_amount_than_was_approved_is_a_decline(till: Till, change: dict[str, str]) -> None:
    own = await till.decided()
    case = till.case(own)
    case.amount, case.currency = Decimal(change.get("amount", "100")), change.get("currency", "AUD")
    till.counter.sandbox.simulators["zip"].save(case)
    report = await till.connector.confirm(own, KEY)
    assert isinstance(report, Declined)
    assert report.code == "amount_invalid"


@pytest.mark.parametrize("get_token", [False, True])
@pytest.mark.parametrize("state", ["approved", "completed", "expired"])
async def test_nothing_is_charged_where_zip_tells_of_another_checkout(
    scripted: Scripted, state: str, *, get_token: bool
) -> None:
    scripted.says(200, {**CHECKOUT, "id": "au-co_SOMEBODYELSE", "state": state})
    with pytest.raises(Unclear, match="au-co_SOMEBODYELSE"):
        await scripted.connector.confirm(checkout(get_token=get_token), KEY)
    assert [method for method, _, _ in scripted.asked] == ["GET"]


async def test_a_documented_decline_keeps_zips_own_word(scripted: Scripted) -> None:
    scripted.says(200, CHECKOUT)
    scripted.replays("error_insufficient_funds")
    report = await scripted.connector.confirm(checkout(), KEY)
    assert isinstance(report, Declined)
    assert (report.code, report.reason) == (
        "account_insufficient_funds", "Customer does not have sufficient funds to perform the charge",
    )  # fmt: skip


@pytest.mark.parametrize("code", [400, 401, 403, 404])
async def test_any_other_refusal_of_a_charge_is_no_decline_of_the_shopper(scripted: Scripted, code: int) -> None:
    scripted.says(200, CHECKOUT)
    scripted.says(code, {"error": {"code": "x", "message": "m", "details": [{"name": "f", "message": "bad"}]}})
    with pytest.raises(Refused) as no:
        await scripted.connector.confirm(checkout(), KEY)
    assert (no.value.code, no.value.reason) == ("x", "m: f bad")


@pytest.mark.parametrize("code", [400, 402, 404])
async def test_a_no_of_a_checkout_that_was_charged_before_is_unclear(scripted: Scripted, code: int) -> None:
    """Zip may have forgotten the key of the charge that completed it: the no is not that charge's."""
    scripted.says(200, {**CHECKOUT, "state": "completed"})
    scripted.says(code, {"error": {"code": "invalid_state", "message": "The checkout is not approved"}})
    with pytest.raises(Unclear, match="completed before"):
        await scripted.connector.confirm(checkout(), KEY)


async def test_a_conflict_is_unclear_and_never_a_refusal(scripted: Scripted) -> None:
    scripted.says(200, CHECKOUT)
    scripted.says(409, {"error": {"code": "conflict", "message": "m"}})
    with pytest.raises(Unclear):
        await scripted.connector.confirm(checkout(), KEY)


@pytest.mark.parametrize(
    ("state", "captured", "voided"),
    [
        ("authorised", "0", "0"), ("authorised", "30", "0"), ("approved", "0", "0"), ("captured", "100", "0"),
        ("captured", "80", "20"), ("refunded", "100", "0"), ("cancelled", "0", "100"), ("cancelled", "30", "70"),
    ],
)  # fmt: skip
async def test_each_state_of_a_charge(scripted: Scripted, state: str, captured: str, voided: str) -> None:
    scripted.says(200, charge(state, captured))
    paid = await scripted.connector.fetch(checkout(payment_id="au-ch_1"))
    assert isinstance(paid, Paid)
    assert (paid.captured, paid.voided, paid.session) == (Decimal(captured), Decimal(voided), None)


@pytest.mark.parametrize(("state", "kind"), [("declined", "Declined"), ("a_new_word", "Pending")])
async def test_a_charge_that_is_none(scripted: Scripted, state: str, kind: str) -> None:
    scripted.says(200, charge(state))
    assert type(await scripted.connector.fetch(checkout(payment_id="au-ch_1"))).__name__ == kind


# -- captures, voids, refunds ----------------------------------------------------------------------------------


async def test_a_charge_is_captured_in_parts_the_last_of_which_says_so(till: Till) -> None:
    own = await till.holds()
    await till.tries("capture", own, "30.00", ONE)
    assert (await till.paid_now(own)).voided == 0
    await till.tries("capture", own, "70.00", TWO, "70.00", captured="30.00")
    assert (await till.paid_now(own)).captured == ALL
    assert till.rows() == [("authorize", ALL), ("capture", Decimal("30.00")), ("capture", Decimal("70.00"))]


@pytest.mark.parametrize("verb", ["capture", "void"])
@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_move_with_a_fault_is_repeated_and_moves_once(till: Till, verb: str, fault: str) -> None:
    own = await till.holds()
    await till.loses_track(verb, fault, own, "100.00", ONE)
    assert isinstance(await till.tries(verb, own, "100.00", ONE), Moved)
    assert till.rows() == [("authorize", ALL), (verb, ALL)]


async def test_what_is_left_after_a_capture_is_cancelled(till: Till) -> None:
    own = await till.holds()
    await till.tries("capture", own, "30.00", ONE)
    await till.tries("void", own, "70.00", TWO, "70.00", captured="30.00")
    paid = await till.paid_now(own)
    assert (paid.captured, paid.voided) == (Decimal("30.00"), Decimal("70.00"))
    with pytest.raises(Refused) as no:
        await till.tries("capture", own, "1.00", THREE)
    assert no.value.code == "invalid_state"


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_refund_with_a_fault_is_repeated_and_refunds_once(till: Till, fault: str) -> None:
    own, _ = await till.confirmed()
    await till.loses_track("refund", fault, own, "40.00", ONE)
    assert isinstance(await till.tries("refund", own, "40.00", ONE), Moved)
    await till.tries("refund", own, "60.00", TWO, description="returned")
    assert till.rows()[2:] == [("refund", Decimal("40.00")), ("refund", Decimal("60.00"))]
    assert (await till.paid_now(own)).refunded == ALL


async def test_a_refund_of_more_than_was_captured_is_refused(till: Till) -> None:
    own, _ = await till.confirmed()
    with pytest.raises(Refused) as no:
        await till.tries("refund", own, "100.01", ONE)
    assert no.value.code == "amount_invalid"


async def test_an_answer_that_does_not_show_the_capture_is_unclear(scripted: Scripted, till: Till) -> None:
    scripted.says(201, charge("authorised"))
    move = till.counter.move(Money(Decimal(30), "AUD"), ONE, "100")
    with pytest.raises(Unclear):
        await scripted.connector.capture(checkout(payment_id="au-ch_1"), move)
    scripted.says(201, charge("authorised"))
    with pytest.raises(Unclear):
        await scripted.connector.void(checkout(payment_id="au-ch_1"), move)


# -- tokens ----------------------------------------------------------------------------------------------------


async def test_a_token_is_made_of_the_approved_checkout_and_then_charged(till: Till) -> None:
    _, paid = await till.confirmed(get_token=True)
    assert isinstance(paid.token, ProviderToken)
    assert paid.session is None, "neither the charge nor its account's token names the checkout"
    assert till.rows() == [("authorize", ALL), ("capture", ALL)]


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_fault_while_a_token_is_made_means_that_nothing_was_charged(till: Till, fault: str) -> None:
    own = await till.decided(get_token=True)
    await till.counter.order_fault("confirm", fault)
    with pytest.raises(NotSent):
        await till.connector.confirm(own, KEY)
    assert till.rows() == []
    paid = await confirmed(till, own)
    assert paid.token is not None
    assert till.rows() == [("authorize", ALL), ("capture", ALL)]


@pytest.mark.parametrize("completed", [True, False], ids=["completes the checkout", "leaves the checkout"])
@pytest.mark.parametrize("again", [True, False], ids=["the token again", "no token again"])
@pytest.mark.parametrize("later", [0, 20], ids=["at once", "when the checkout has expired"])
@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_whatever_zip_does_with_tokens_and_checkouts_a_charge_with_a_lost_answer_is_repeated_as_it_was(
    till: Till, fault: str, later: int, *, again: bool, completed: bool
) -> None:
    till.simulator.makes_tokens_again, till.simulator.completed_by_token = again, completed
    own = await till.decided(get_token=True)
    approval = await till.connector.confirm(own, KEY)
    assert isinstance(approval, Approved)
    own = till.with_state(own, approval)
    await till.counter.order_fault("charge_token", fault)
    with pytest.raises(CallFailed):
        await till.connector.confirm(own, KEY)
    till.passes(minutes=later)
    asked = await till.connector.fetch(own)
    assert isinstance(asked, Approved | Pending)
    paid = await till.connector.confirm(own, KEY)
    assert isinstance(paid, Paid)
    assert paid.token is not None
    assert till.rows() == [("authorize", ALL), ("capture", ALL)]
    sent = [one.sent["authority"]["type"] for one in till.exchanges if one.url.endswith("/charges")]
    assert set(sent) == {"account_token"}


async def test_a_token_that_was_made_but_whose_answer_was_lost_leaves_the_checkout_to_be_charged(till: Till) -> None:
    till.simulator.makes_tokens_again = False
    own = await till.decided(get_token=True)
    await till.counter.order_fault("confirm", "error_after")
    with pytest.raises(NotSent):
        await till.connector.confirm(own, KEY)
    paid = await confirmed(till, own)
    assert (paid.token, paid.token_failure) == (
        None, "Zip made no account token: invalid_state",
    )  # fmt: skip
    assert till.rows() == [("authorize", ALL), ("capture", ALL)]


async def test_the_token_is_kept_sealed_for_its_own_checkout_and_api_key(till: Till) -> None:
    own = await till.decided(get_token=True)
    approval = await till.connector.confirm(own, KEY)
    assert isinstance(approval, Approved)
    own = till.with_state(own, approval)
    made = next(one for one in till.exchanges if one.url.endswith("/tokens"))
    assert made.answer.json()["value"] not in str(own.state)
    with pytest.raises(Refused, match="was not asked to charge") as no:
        await till.connector.confirm(replace(own, session="au-co_another"), KEY)
    assert no.value.code == "token_unreadable"
    assert till.rows() == []


@pytest.mark.parametrize(("api_key", "awaited"), [("key", True), ("another key", False)])
async def test_an_order_whose_token_cannot_be_read_is_not_told_to_be_completed(
    scripted: Scripted, api_key: str, *, awaited: bool
) -> None:
    own = checkout()
    kept = {"account_token": sealing.seal(api_key, "zip account token", own.session, "a token")}
    scripted.says(200, {**CHECKOUT, "state": "expired"})
    report = await scripted.connector.fetch(replace(own, state=kept))
    assert isinstance(report, Pending)
    assert report.completed is awaited


async def confirmed(till: Till, own: Checkout) -> Paid:
    """A confirm with what it needed to know kept in between, as the core does it."""
    approval = await till.connector.confirm(own, KEY)
    assert isinstance(approval, Approved)
    paid = await till.connector.confirm(till.with_state(own, approval), KEY)
    assert isinstance(paid, Paid)
    return paid


async def test_where_zip_makes_no_token_the_checkout_is_charged_and_says_why(scripted: Scripted) -> None:
    why = "Zip made no account token: account_locked"
    scripted.says(200, CHECKOUT)
    scripted.says(402, {"error": {"code": "account_locked", "message": "The account is locked"}})
    approval = await scripted.connector.confirm(checkout(get_token=True), KEY)
    assert isinstance(approval, Approved)
    own = checkout(get_token=True, state=approval.state)
    for state in (
        "approved",
        "completed",
    ):  # the answer may be lost, and Zip may make a token now: the checkout all the same
        scripted.says(200, {**CHECKOUT, "state": state})
        scripted.says(201, charge("captured", "100"))
        paid = await scripted.connector.confirm(own, KEY)
        assert isinstance(paid, Paid)
        assert (paid.token, paid.token_failure) == (None, why)
        assert scripted.asked[-1][2]["authority"]["type"] == "checkout_id"
        assert scripted.headers[-1]["Idempotency-Key"] == KEY


async def test_nothing_is_charged_where_nobody_kept_by_what_it_was_charged_before(scripted: Scripted) -> None:
    scripted.says(200, {**CHECKOUT, "state": "completed"})
    with pytest.raises(Unclear, match="nobody kept"):
        await scripted.connector.confirm(checkout(get_token=True), KEY)


@pytest.mark.parametrize("auto_capture", [True, False])
async def test_a_token_pays_another_order_at_once_and_once(till: Till, auto_capture: bool) -> None:
    _, first = await till.confirmed(get_token=True)
    assert first.token is not None
    order = till.counter.order("ZIP_AU", "64.10", auto_capture=auto_capture, reference="R-2")
    charged = await till.connector.charge_token(order, first.token.value, ONE)
    again = await till.connector.charge_token(order, first.token.value, ONE)
    assert isinstance(charged, Paid)
    assert isinstance(again, Paid)
    assert charged.session == charged.payment_id == again.payment_id
    assert (charged.reference, charged.total) == ("R-2", Money(Decimal("64.10"), "AUD"))


async def test_a_token_that_zip_does_not_know_is_refused(till: Till) -> None:
    with pytest.raises(Refused) as no:
        await till.connector.charge_token(till.counter.order("ZIP_AU"), "unknown", ONE)
    assert no.value.code == "account_inoperative"
