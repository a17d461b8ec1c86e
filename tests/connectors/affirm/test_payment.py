"""Authorising at Affirm, also when the answer is lost, and captures, voids and refunds in whole and in parts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from paymux.connectors.contract import Cancelled, Declined, Expired, MoveKind, NotThere, Paid, Pending, Refused
from paymux.platform.http import NotSent, Unclear
from tests.connectors.affirm.conftest import Till, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY, ONE, THREE, TWO

HELD = ("authorize", Decimal(100))


async def test_the_documented_authorisation_is_what_is_sent_and_read(scripted: Scripted, till: Till) -> None:
    scripted.says(200, {"checkout_status": "confirmed"})
    scripted.replays("transaction_authorized")
    paid = await scripted.connector.confirm(till.checkout(), KEY)
    assert scripted.asked[1][:2] == ("POST", "/api/v1/transactions")
    assert scripted.asked[1][2] == {
        "transaction_id": "A1B2C3D4E5F6G7H8", "order_id": "JKLM4321", "reference_id": KEY,
    }  # fmt: skip
    assert scripted.headers[1]["Idempotency-Key"] == KEY
    assert isinstance(paid, Paid)
    assert (paid.session, paid.reference, paid.payment_id) == ("A1B2C3D4E5F6G7H8", "JKLM4321", "A1B2-C3D4")
    assert (paid.total, paid.captured) == (till.money("61.00"), Decimal(0))
    assert paid.authorised_until is not None
    assert paid.authorised_until.year == 2019


@pytest.mark.parametrize("outcome", ["pending", "decline", "cancel"])
async def test_a_loan_that_the_shopper_has_not_confirmed_is_not_authorised(till: Till, outcome: str) -> None:
    checkout, _ = await till.decides(outcome)
    assert isinstance(await till.connector.confirm(checkout, KEY), Pending)
    assert till.rows() == []


async def test_a_checkout_of_an_unknown_word_is_tried_and_a_refusal_told(scripted: Scripted, till: Till) -> None:
    scripted.says(200, {"checkout_status": "used"})
    scripted.says(400, {"status_code": 400, "type": "invalid_request", "code": "checkout-token", "message": "Used."})
    with pytest.raises(Refused, match="Used") as no:
        await scripted.connector.confirm(till.checkout(), KEY)
    assert no.value.code == "checkout-token"


async def test_a_checkout_that_cannot_be_looked_at_is_surely_not_authorised(scripted: Scripted, till: Till) -> None:
    scripted.says(500, "{}")
    with pytest.raises(NotSent):
        await scripted.connector.confirm(till.checkout(), KEY)
    assert len(scripted.asked) == 1


@pytest.mark.parametrize("fault", ["error_before", "error_after", "malformed"])
async def test_an_authorisation_without_an_answer_is_sent_again_and_holds_once(till: Till, fault: str) -> None:
    checkout, _ = await till.decides("approve")
    await till.counter.order_fault("confirm", fault)
    with pytest.raises(Unclear):
        await till.connector.confirm(checkout, KEY)
    assert isinstance(await till.connector.confirm(checkout, KEY), Paid)
    assert till.rows() == [HELD]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("declined", Declined), ("canceled", Cancelled), ("confirmation_expired", Expired), ("created", Pending),
        ("confirmed", Pending), ("on_hold", Pending), ("disputed", Paid), ("voided", Paid),
    ],
)  # fmt: skip
async def test_every_documented_status_is_known_and_any_other_is_pending(
    scripted: Scripted, till: Till, status: str, kind: type
) -> None:
    scripted.says(200, {**sample("transaction_authorized")["answer"], "status": status, "events": []})
    report = await scripted.connector.fetch(till.checkout(payment_id="A1B2-C3D4"))
    assert type(report) is kind
    assert scripted.asked[0][1] == "/api/v1/transactions/A1B2-C3D4?expand=events"


async def test_a_transaction_without_its_events_is_unclear(scripted: Scripted, till: Till) -> None:
    scripted.replays("transaction_authorized", "error_not_found")
    known = till.checkout(payment_id="A1B2-C3D4")
    with pytest.raises(Unclear):
        await scripted.connector.fetch(known)
    with pytest.raises(NotThere):
        await scripted.connector.fetch(known)


async def test_a_documented_event_is_a_movement_with_its_reference(scripted: Scripted, till: Till) -> None:
    events = [sample("event_capture")["answer"], {"id": "V1", "type": "void"}, {"id": "U1", "type": "update"}]
    scripted.says(200, {**sample("transaction_authorized")["answer"], "amount": 7000, "events": events})
    paid = await scripted.connector.fetch(till.checkout(payment_id="A1B2-C3D4"))
    assert isinstance(paid, Paid)
    assert (paid.captured, paid.voided, paid.refunded) == (Decimal(61), Decimal(9), Decimal(0))
    assert [(move.kind, move.amount, move.key) for move in paid.moves or ()] == [
        (MoveKind.CAPTURE, Decimal(61), "6dH0LrrgUaMD7Llc"), (MoveKind.VOID, Decimal(9), None),
    ]  # fmt: skip


# -- captures, voids, refunds -----------------------------------------------------------------


async def test_the_documented_capture_is_read_and_a_whole_one_names_no_amount(scripted: Scripted, till: Till) -> None:
    scripted.replays("capture_created")
    known = till.checkout(payment_id="6dH0LrrgUaMD7Llc")
    done = await scripted.connector.capture(known, till.counter.move(till.money("61.00"), ONE, "61.00"))
    assert done.provider_id == "O5DZHKL942503649"
    assert scripted.asked == [("POST", "/api/v1/transactions/6dH0LrrgUaMD7Llc/capture", {"reference_id": ONE})]
    assert scripted.headers[0]["Idempotency-Key"] == ONE


async def test_a_capture_of_another_amount_than_asked_is_unclear(scripted: Scripted, till: Till) -> None:
    scripted.replays("capture_created")
    known = till.checkout(payment_id="6dH0LrrgUaMD7Llc")
    with pytest.raises(Unclear):
        await scripted.connector.capture(known, till.counter.move(till.money("60.00"), ONE, "61.00"))
    assert scripted.asked[0][2] == {"reference_id": ONE, "amount": 6000}


async def test_parts_are_captured_and_the_rest_is_voided(till: Till) -> None:
    checkout = await till.confirms()
    await till.moves("capture", checkout, "40.00", ONE)
    await till.moves("capture", checkout, "25.00", TWO, open="60.00", captured="40.00", first=False)
    await till.moves("void", checkout, "35.00", THREE, open="35.00", captured="65.00")
    assert till.rows() == [
        HELD, ("capture", Decimal(40)), ("capture", Decimal(25)), ("void", Decimal(35)),
    ]  # fmt: skip
    paid = await till.paid_now(checkout)
    assert (paid.captured, paid.voided, paid.expired) == (Decimal(65), Decimal(35), Decimal(0))
    assert [move.key for move in paid.moves or ()] == [ONE, TWO, THREE]


async def test_without_split_capture_a_whole_order_is_captured_and_a_part_refused(till: Till) -> None:
    checkout = await till.confirms()
    await till.call("POST", "/sandbox/split-capture", {"id": checkout.session, "enabled": False})
    with pytest.raises(Refused, match="unequal to authorization hold amount"):
        await till.moves("capture", checkout, "40.00", ONE)
    await till.moves("capture", checkout, "100.00", TWO)
    assert till.rows() == [HELD, ("capture", Decimal(100))]


async def test_more_than_was_authorised_is_refused(till: Till, scripted: Scripted) -> None:
    checkout = await till.confirms()
    with pytest.raises(Refused, match="greater than the total capturable balance"):
        await till.moves("capture", checkout, "100.01", ONE)


@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
async def test_a_conflict_about_the_key_is_unclear_for_its_first_request_may_still_run(
    scripted: Scripted, till: Till, verb: str
) -> None:
    scripted.replays("error_in_progress")
    move = till.counter.move(till.money("61.00"), ONE, "61.00")
    with pytest.raises(Unclear, match="answer 409"):
        await getattr(scripted.connector, verb)(till.checkout(payment_id="A1B2-C3D4"), move)


async def test_a_confirm_whose_first_request_may_still_run_is_unclear(scripted: Scripted, till: Till) -> None:
    scripted.says(200, {"checkout_status": "confirmed"})
    scripted.replays("error_in_progress")
    with pytest.raises(Unclear, match="answer 409"):
        await scripted.connector.confirm(till.checkout(), KEY)


@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
@pytest.mark.parametrize("words", ["", "The transaction has been voided."])
async def test_any_other_conflict_is_a_no_in_affirms_own_words(
    scripted: Scripted, till: Till, words: str, verb: str
) -> None:
    documented = scripted.replays("error_over_capture", **({"message": words} if words else {}))
    move = till.counter.move(till.money("61.00"), ONE, "61.00")
    with pytest.raises(Refused) as no:
        await getattr(scripted.connector, verb)(till.checkout(payment_id="A1B2-C3D4"), move)
    assert (no.value.reason, no.value.code) == (words or documented["answer"]["message"], "conflict")


async def test_a_confirm_that_is_in_conflict_is_a_no(scripted: Scripted, till: Till) -> None:
    scripted.says(200, {"checkout_status": "confirmed"})
    scripted.says(409, {"code": "conflict", "message": "The checkout can't be authorized."})
    with pytest.raises(Refused, match="can't be authorized"):
        await scripted.connector.confirm(till.checkout(), KEY)


@pytest.mark.parametrize("fault", ["error_before", "error_after", "malformed"])
@pytest.mark.parametrize("kind", ["capture", "void", "refund"])
async def test_a_movement_without_an_answer_is_sent_again_and_made_once(till: Till, kind: str, fault: str) -> None:
    checkout = await till.confirms()
    if kind == "refund":
        await till.moves("capture", checkout, "100.00", TWO)
    before = len(till.rows())
    await till.loses_track(kind, fault, checkout, "100.00")
    await till.moves(kind, checkout, "100.00")
    assert till.rows()[before:] == [(kind, Decimal(100))]


async def test_parts_are_refunded_until_nothing_is_left(till: Till) -> None:
    checkout = await till.confirms()
    await till.moves("capture", checkout, "100.00", THREE)
    await till.moves("refund", checkout, "40.00", ONE)
    await till.call("POST", "/sandbox/provider-refund", {"id": checkout.session, "amount": "10"})
    with pytest.raises(Refused, match="greater than the remaining"):
        await till.moves("refund", checkout, "50.01", TWO, open="60.00")
    paid = await till.paid_now(checkout)
    assert paid.refunded == 50
    assert [(move.key, move.amount) for move in paid.moves or ()] == [
        (THREE, Decimal(100)), (ONE, Decimal(40)), (None, Decimal(10)),
    ]  # fmt: skip


async def test_what_is_not_captured_in_time_has_expired(till: Till) -> None:
    checkout = await till.confirms()
    await till.moves("capture", checkout, "40.00", ONE)
    till.passes(days=31)
    paid = await till.paid_now(checkout)
    assert (paid.captured, paid.expired) == (Decimal(40), Decimal(60))
    with pytest.raises(Refused, match="auth_expired"):
        await till.moves("capture", replace(checkout), "60.00", TWO, open="60.00", first=False)
