"""Captures, voids and refunds: each a transaction under the operation's key."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Moved, Paid, Refused, Underway
from paymux.platform.http import Unclear
from tests.connectors.mpgs.conftest import ROOT, Till, row
from tests.connectors.mpgs.test_checkout import checkout
from tests.connectors.scripted import Scripted
from tests.connectors.till import ONE, THREE, TWO


def money(*rows: tuple[str, str]) -> list[tuple[str, Decimal, str]]:
    return [(kind, Decimal(amount), "USD") for kind, amount in rows]


async def test_an_authorisation_is_captured_whole_and_refunded_in_parts(till: Till) -> None:
    held = await till.pays(auto_capture=False)
    assert till.counter.ledger() == money(("authorize", "100"))
    assert (await till.connector.capture(held, till.move("100"))).provider_id == ONE
    for key in (TWO, THREE):
        assert isinstance(await till.connector.refund(held, till.move("40.50", key, captured="100")), Moved)
    said = await till.connector.fetch(held)
    assert isinstance(said, Paid)
    assert said.moves is not None
    assert (said.captured, [move.key for move in said.moves]) == (Decimal(100), [ONE, TWO, THREE])
    assert till.counter.ledger()[1:] == money(("capture", "100"), ("refund", "40.5"), ("refund", "40.5"))


async def test_two_refunds_that_together_exceed_the_payment_leave_one(till: Till) -> None:
    held = await till.pays()
    await till.connector.refund(held, till.move("60", captured="100"))
    with pytest.raises(Refused, match="DECLINED"):
        await till.connector.refund(held, till.move("60", TWO, captured="100"))
    assert till.counter.ledger()[2:] == money(("refund", "60"))


async def test_an_authorisation_is_voided_and_then_not_captured(till: Till) -> None:
    held = await till.pays(auto_capture=False)
    assert isinstance(await till.connector.void(held, till.move("100")), Moved)
    with pytest.raises(Refused):
        await till.connector.capture(held, till.move("100", TWO))
    said = await till.connector.fetch(held)
    assert isinstance(said, Paid)
    assert (said.captured, said.total.amount if said.total else None) == (0, Decimal(100))
    assert till.counter.ledger() == money(("authorize", "100"), ("void", "100"))


async def test_an_id_is_used_once(till: Till) -> None:
    held = await till.pays()
    await till.connector.refund(held, till.move("10", captured="100"))
    with pytest.raises(Refused, match="used already"):
        await till.connector.refund(held, till.move("10", captured="100"))


@pytest.mark.parametrize("verb", ["capture", "refund", "void"])
async def test_what_is_sent(till: Till, scripted: Scripted, verb: str) -> None:
    scripted.says(201, row(verb.upper(), id=ONE))
    await getattr(scripted.connector, verb)(checkout(payment_id="1"), till.move("12.50"))
    method, path, body = scripted.asked[-1]
    assert (method, path) == ("PUT", f"{ROOT}/order/ord_1/transaction/{ONE}")
    assert body["apiOperation"] == verb.upper()
    named = {"targetTransactionId": "1"} if verb == "void" else {"amount": "12.50", "currency": "USD"}
    assert body["transaction"] == named | {"reference": f"OP-{ONE[:8]}"}


async def test_a_pending_refund_is_under_way(till: Till, scripted: Scripted) -> None:
    scripted.says(201, row("REFUND", "PENDING", ONE))
    assert isinstance(await scripted.connector.refund(checkout(), till.move("1")), Underway)


@pytest.mark.parametrize(
    "answer", ["?", {}, row("REFUND", "UNKNOWN", ONE), row("REFUND", "ERROR", ONE), row("REFUND", id="2")]
)
async def test_an_answer_that_does_not_tell_is_unclear(till: Till, scripted: Scripted, answer: Any) -> None:
    scripted.says(201, answer)
    with pytest.raises(Unclear):
        await scripted.connector.refund(checkout(), till.move("1"))
