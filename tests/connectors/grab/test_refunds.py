"""Refunds: in parts, repeated, lost and found, made by Grab itself, and without their token."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from paymux.connectors.contract import Moved, MoveKind, MoveStatus, Paid, Refused, Underway
from paymux.platform.http import Unclear
from tests.connectors.grab.conftest import Till
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY, ONE


async def test_two_parts_are_refunded_and_no_more(till: Till) -> None:
    checkout = await till.pays()
    assert isinstance(await till.tries("refund", checkout, "30.00", ONE), Moved)
    assert isinstance(await till.tries("refund", checkout, "70.00", "7d0b5c1e-4e0e-4a53-9b77-0d6b7a1c2e03"), Moved)
    with pytest.raises(Refused) as no:
        await till.tries("refund", checkout, "0.01", "7d0b5c1e-4e0e-4a53-9b77-0d6b7a1c2e04")
    assert no.value.code == "exceed_payment_amount"
    assert [amount for kind, amount, _ in till.counter.ledger() if kind == "refund"] == [Decimal(30), Decimal(70)]


async def test_a_repeated_refund_moves_nothing_twice(till: Till) -> None:
    checkout = await till.pays()
    first, again = await till.tries("refund", checkout, "40.00"), await till.tries("refund", checkout, "40.00")
    assert first.provider_id == again.provider_id
    assert len([row for row in till.counter.ledger() if row[0] == "refund"]) == 1


async def test_a_refund_whose_answer_was_lost_is_found_by_its_id(till: Till) -> None:
    checkout = await till.pays()
    assert await till.connector.find_move(checkout, MoveKind.REFUND, ONE, None) is None
    await till.loses_track("refund", "reset_after", checkout, "25.00")
    found = await till.connector.find_move(checkout, MoveKind.REFUND, ONE, None)
    assert found is not None
    assert (found.key, found.status) == (ONE, MoveStatus.DONE)


async def test_a_refund_needs_the_token_of_its_payment(till: Till) -> None:
    checkout = await till.pays()
    for state in ({}, {"access_token": "AAAA"}):
        with pytest.raises(Refused) as no:
            await till.tries("refund", replace(checkout, state=state), "1.00")
        assert no.value.code == "no_access_token"
    till.passes(days=366)
    with pytest.raises(Refused) as no:
        await till.tries("refund", checkout, "1.00")
    assert no.value.code == "invalid_token"


async def test_a_refund_is_told_by_its_webhook_with_our_key_or_without(till: Till) -> None:
    checkout = await till.pays()
    await till.tries("refund", checkout, "40.00", KEY)
    assert await till.post("/sandbox/provider-refund", id=checkout.session, amount="10.00") == 201
    ours, theirs = [till.connector.read_event(event) for event in (await till.events(4))[2:]]
    for reading, key, amount in ((ours, KEY, 40), (theirs, None, 10)):
        assert reading.payment_id == checkout.payment_id
        assert isinstance(reading.report, Paid)
        assert reading.report.moves is not None
        (move,) = reading.report.moves
        assert (move.kind, move.key, move.amount, move.status) == (
            MoveKind.REFUND, key, Decimal(amount), MoveStatus.DONE
        )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {"txID": "t", "txStatus": "success"}, Moved), (200, {"txID": "t", "txStatus": "processing"}, Underway),
        (200, {"txStatus": "odd"}, Underway), (200, {"txStatus": "failed", "reason": "unknown"}, Refused),
        (409, {"reason": "concurrent_refunds_not_supported"}, Refused), (503, {}, Unclear),
    ],
)  # fmt: skip
async def test_what_becomes_of_a_refund(
    scripted: Scripted, till: Till, status: int, body: dict[str, str], kind: type
) -> None:
    checkout = await till.pays()
    scripted.says(status, body)
    till.counter.connector = lambda name: scripted.connector
    if kind in (Moved, Underway):
        assert isinstance(await till.tries("refund", checkout, "1.00"), kind)
        assert scripted.asked[0][2]["originTxID"] == checkout.payment_id
        return
    with pytest.raises(kind):
        await till.tries("refund", checkout, "1.00")


@pytest.mark.parametrize(
    ("word", "status"),
    [("success", MoveStatus.DONE), ("processing", MoveStatus.UNDERWAY), ("failed", MoveStatus.FAILED)],
)
async def test_every_word_of_a_refund(scripted: Scripted, till: Till, word: str, status: MoveStatus) -> None:
    checkout = await till.pays()
    scripted.says(200, {"txID": "t", "txStatus": word, "reason": "refunding"})
    found = await scripted.connector.find_move(checkout, MoveKind.REFUND, KEY, None)
    assert found is not None
    assert found.status is status
    scripted.says(200, {"txStatus": "failed", "reason": "no_record_found"})
    assert await scripted.connector.find_move(checkout, MoveKind.REFUND, KEY, None) is None
