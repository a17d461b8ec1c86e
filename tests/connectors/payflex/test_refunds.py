"""Refunds at Payflex: in parts, known again by our key, never more than was paid."""

from __future__ import annotations

from decimal import Decimal

import pytest

from paymux.connectors.contract import Moved, Refused
from paymux.platform.http import Unclear
from tests.connectors.partpay import Till
from tests.connectors.payflex.conftest import checkout, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import ONE, TWO


async def test_parts_are_refunded_and_no_more_than_was_paid(till: Till) -> None:
    paid = await till.pays()
    await till.moves("refund", paid, "40.00", ONE)
    await till.moves("refund", paid, "60.00", TWO, open="60.00")
    with pytest.raises(Refused, match="remaining") as no:
        await till.moves("refund", paid, "0.01", "another")
    assert no.value.code == "MRM007"
    assert till.rows()[2:] == [("refund", Decimal(40)), ("refund", Decimal(60))]


async def test_a_refund_that_is_sent_again_is_made_once(till: Till) -> None:
    paid = await till.pays()
    first = await till.moves("refund", paid, "40.00", ONE)
    assert await till.moves("refund", paid, "40.00", ONE) == first
    assert till.rows()[2:] == [("refund", Decimal(40))]


@pytest.mark.parametrize(("fault", "moved"), [("error_before", 0), ("error_after", 1), ("malformed", 1)])
async def test_a_refund_without_an_answer_is_unclear_until_it_is_sent_again(till: Till, fault: str, moved: int) -> None:
    paid = await till.pays()
    await till.loses_track("refund", fault, paid, "40.00", ONE)
    assert len(till.rows()[2:]) == moved
    await till.moves("refund", paid, "40.00", ONE)
    assert till.rows()[2:] == [("refund", Decimal(40))]


async def test_the_documented_refund_is_what_is_sent(scripted: Scripted, till: Till) -> None:
    scripted.replays("refund_created")
    move = till.counter.move(till.money("99.99"), ONE, "299.99")
    done = await scripted.connector.refund(checkout("ord_abc123xyz"), move)
    ((method, path, body),) = scripted.asked
    assert (method, path) == ("POST", "/order/ord_abc123xyz/refund")
    assert body == {"requestId": ONE, "amount": 99.99, "merchantRefundReference": ONE}
    assert body.keys() <= sample("refund_created")["request"].keys()
    assert isinstance(done, Moved)
    assert done.provider_id == "ref_xyz456abc"


async def test_a_merchant_without_refunds_is_told_so_in_payflexs_words(scripted: Scripted, till: Till) -> None:
    scripted.replays("refund_refused")
    with pytest.raises(Refused, match="not enabled") as no:
        await scripted.connector.refund(checkout("o"), till.counter.move(till.money("1"), ONE, "1"))
    assert no.value.code == "MRM007"


async def test_a_refund_whose_first_try_may_still_run_is_unclear(scripted: Scripted, till: Till) -> None:
    scripted.says(409, {"errorCode": "X", "message": "in progress"})
    with pytest.raises(Unclear):
        await scripted.connector.refund(checkout("o"), till.counter.move(till.money("1"), ONE, "1"))
