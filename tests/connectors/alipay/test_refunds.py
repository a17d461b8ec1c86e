"""Refunds: in parts, repeated, lost and found, made by Alipay itself."""

from __future__ import annotations

from decimal import Decimal

import pytest

from paymux.connectors.contract import Moved, MoveKind, MoveStatus, NotThere, Refused, Underway
from paymux.platform.http import Unclear
from tests.connectors.alipay.conftest import Gateway, Till, sample
from tests.connectors.till import KEY, ONE


async def test_two_parts_are_refunded_and_listed_by_their_keys(till: Till) -> None:
    checkout = await till.pays()
    assert isinstance(await till.tries("refund", checkout, "30.00", KEY), Moved)
    assert isinstance(await till.tries("refund", checkout, "70.00", ONE), Moved)
    moves = (await till.paid_now(checkout)).moves
    assert moves is not None
    assert [(move.key, move.amount, move.status) for move in moves] == [
        (KEY, Decimal(30), MoveStatus.DONE),
        (ONE, Decimal(70), MoveStatus.DONE),
    ]
    with pytest.raises(Refused) as no:
        await till.tries("refund", checkout, "0.01", "7d0b5c1e-4e0e-4a53-9b77-0d6b7a1c2e03")
    assert no.value.code == "REFUND_AMOUNT_EXCEED"


async def test_a_repeated_refund_moves_nothing_twice(till: Till) -> None:
    checkout = await till.pays()
    first, again = await till.tries("refund", checkout, "40.00"), await till.tries("refund", checkout, "40.00")
    assert isinstance(first, Moved)
    assert first.provider_id == again.provider_id
    assert [row for row in till.counter.ledger() if row[0] == "refund"] == [("refund", Decimal(40), "CNY")]
    with pytest.raises(Refused):
        await till.tries("refund", checkout, "41.00")


async def test_a_refund_whose_answer_was_lost_is_found_by_its_key(till: Till) -> None:
    checkout = await till.pays()
    assert await till.connector.find_move(checkout, MoveKind.REFUND, ONE, None) is None
    await till.loses_track("refund", "reset_after", checkout, "25.00")
    found = await till.connector.find_move(checkout, MoveKind.REFUND, ONE, None)
    assert found is not None
    assert (found.amount, found.key, found.status) == (Decimal(25), ONE, MoveStatus.DONE)


async def test_a_refund_that_alipay_made_itself_has_no_key(till: Till) -> None:
    checkout = await till.pays()
    await till.post("/sandbox/provider-refund", id=checkout.session, amount="10.00")
    moves = (await till.paid_now(checkout)).moves
    assert moves is not None
    assert [(move.key, move.amount) for move in moves] == [(None, Decimal(10))]


async def test_an_unpaid_payment_is_not_refunded(till: Till) -> None:
    _, checkout = await till.opens()
    with pytest.raises(Refused):
        await till.tries("refund", checkout, "1.00")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        ("U", "REFUND_IN_PROCESS", Underway), ("U", "UNKNOWN_EXCEPTION", Unclear), ("F", "RISK_REJECT", Refused),
        ("F", "ORDER_NOT_EXIST", NotThere), ("S", "SUCCESS", Unclear),
    ],
)  # fmt: skip
async def test_what_becomes_of_a_refund_is_told_by_the_result(
    gateway: Gateway, till: Till, status: str, code: str, kind: type
) -> None:
    checkout = await till.pays()
    gateway.says(200, {"result": {"resultStatus": status, "resultCode": code}})
    till.counter.connector = lambda name: gateway.connector
    if kind is Underway:
        assert isinstance(await till.tries("refund", checkout, "1.00"), Underway)
        return
    with pytest.raises(kind):
        await till.tries("refund", checkout, "1.00")


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("SUCCESS", MoveStatus.DONE), ("PROCESSING", MoveStatus.UNDERWAY), ("FAIL", MoveStatus.FAILED),
        ("ODD", MoveStatus.UNDERWAY),
    ],
)  # fmt: skip
async def test_the_documented_refunds_are_read(gateway: Gateway, till: Till, word: str, status: MoveStatus) -> None:
    checkout = await till.pays()
    gateway.says(200, sample("refund_found")["answer"] | {"refundStatus": word})
    found = await gateway.altered("ALIPAY_HK").find_move(checkout, MoveKind.REFUND, KEY, None)
    assert found is not None
    assert (found.amount, found.status) == (Decimal(100), status)
    gateway.says(200, sample("refund_made")["answer"])
    till.counter.connector = lambda name: gateway.connector
    made = await till.tries("refund", checkout, "1.00")
    assert made.provider_id == "40181129190741020007000000XXXX"
