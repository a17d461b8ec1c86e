"""Captures, voids and refunds at QuadPay: whole captures and voids without a key, refunds in parts by ours."""

from __future__ import annotations

from decimal import Decimal

import pytest

from paymux.connectors.contract import Moved, Refused
from tests.connectors.partpay import Till
from tests.connectors.quadpay.conftest import checkout
from tests.connectors.scripted import Scripted
from tests.connectors.till import ONE, TWO


@pytest.mark.parametrize("verb", ["capture", "void"])
async def test_what_was_authorised_is_captured_or_voided_once(till: Till, verb: str) -> None:
    paid = await till.pays()
    await till.moves(verb, paid, "100.00", ONE)
    for again in ("capture", "void"):
        with pytest.raises(Refused, match="available"):
            await till.moves(again, paid, "100.00", TWO)
    assert till.rows() == [("authorize", Decimal(100)), (verb, Decimal(100))]


@pytest.mark.parametrize("verb", ["capture", "void"])
async def test_the_request_is_that_of_the_plugin_and_an_empty_answer_is_a_yes(
    scripted: Scripted, till: Till, verb: str
) -> None:
    scripted.says(200, "")
    move = till.counter.move(till.money("100.10"), ONE, "100.10")
    done = await getattr(scripted.connector, verb)(checkout(), move)
    assert scripted.asked == [
        ("POST", f"/order/qp_order_id/{verb}", {"amount": 100.1, "merchantReference": ONE}),
    ]
    assert isinstance(done, Moved)
    assert done.provider_id == f"qp_order_id/{verb}/{ONE}"


@pytest.mark.parametrize("fault", ["error_before", "error_after", "malformed"])
@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
async def test_a_call_without_a_readable_answer_is_unclear(till: Till, verb: str, fault: str) -> None:
    paid = await till.pays()
    if verb == "refund":
        await till.moves("capture", paid, "100.00")
    await till.loses_track(verb, fault, paid, "100.00", TWO)


async def test_only_what_was_captured_is_refunded_in_parts_each_of_them_once(till: Till) -> None:
    paid = await till.pays()
    with pytest.raises(Refused):
        await till.moves("refund", paid, "40.00", ONE)
    await till.moves("capture", paid, "100.00")
    first = await till.moves("refund", paid, "40.00", ONE)
    assert await till.moves("refund", paid, "40.00", ONE) == first
    await till.moves("refund", paid, "60.00", TWO)
    with pytest.raises(Refused):
        await till.moves("refund", paid, "0.01", "another")
    assert till.rows()[2:] == [("refund", Decimal(40)), ("refund", Decimal(60))]


@pytest.mark.parametrize(
    ("name", "refund"),
    [("refund_created", "c62a2814-f65b-4038-8349-11222ca0c0a9"), ("refund_created_short", "test")],
)
async def test_both_documented_answers_name_the_refund(scripted: Scripted, till: Till, name: str, refund: str) -> None:
    scripted.replays(name)
    done = await scripted.connector.refund(checkout(), till.counter.move(till.money("20.77"), ONE, "100"))
    assert isinstance(done, Moved)
    assert done.provider_id == refund
    assert scripted.asked[0][2] == {"requestId": ONE, "amount": 20.77, "merchantRefundReference": ONE}


async def test_a_refusal_without_words_is_named_by_its_status(scripted: Scripted, till: Till) -> None:
    scripted.says(422, "nonsense")
    with pytest.raises(Refused) as no:
        await scripted.connector.capture(checkout(), till.counter.move(till.money("1"), ONE, "1"))
    assert no.value.code == "422"
