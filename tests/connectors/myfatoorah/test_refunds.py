"""Refunds: asked for, executed or cancelled by people later, and known by the key of each."""

from __future__ import annotations

from decimal import Decimal

import pytest

from paymux.connectors.contract import Checkout, MoveKind, MoveStatus, Paid, ProviderMove, Refused, Underway
from paymux.platform.http import Unclear
from tests.connectors.myfatoorah.conftest import Till, checkout, invoice, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import ONE, TWO


async def _moves(till: Till, held: Checkout) -> tuple[ProviderMove, ...]:
    said = await till.connector.fetch(held)
    assert isinstance(said, Paid)
    assert said.moves is not None
    return said.moves


async def test_a_refund_is_under_way_until_the_finance_team_executes_it(till: Till) -> None:
    held = await till.decided()
    asked = await till.refunds(held, "40.50")
    (move,) = await _moves(till, held)
    assert (move.key, move.status, move.provider_id) == (ONE, MoveStatus.UNDERWAY, asked.provider_id)
    assert ("refund", Decimal("40.50"), "KWD") not in till.counter.ledger()
    till.passes(seconds=61)
    (move,) = await _moves(till, held)
    assert (move.kind, move.amount, move.status) == (MoveKind.REFUND, Decimal("40.50"), MoveStatus.DONE)
    assert till.counter.ledger()[-1] == ("refund", Decimal("40.50"), "KWD")


async def test_a_refund_that_the_finance_team_cancels_has_failed(till: Till) -> None:
    held = await till.decided()
    await till.refunds(held, "40")
    await till.post("/sandbox/finance", id=held.session, outcome="decline")
    (move,) = await _moves(till, held)
    assert (move.status, move.reason) == (MoveStatus.FAILED, "Canceled")
    assert till.counter.ledger()[-1][0] == "capture"


async def test_two_refunds_that_together_exceed_the_payment_leave_one(till: Till) -> None:
    held = await till.decided()
    await till.refunds(held, "60")
    with pytest.raises(Refused, match="more than what can be refunded"):
        await till.refunds(held, "60", TWO)
    assert [move.key for move in await _moves(till, held)] == [ONE]


async def test_a_refund_asked_for_in_the_portal_carries_no_key(till: Till) -> None:
    held = await till.decided()
    await till.post("/sandbox/portal-refund", id=held.session, amount="30")
    (move,) = await _moves(till, held)
    assert (move.key, move.amount, move.status) == (None, Decimal(30), MoveStatus.DONE)


async def test_a_refund_names_the_payment_its_key_and_leaves_fees_to_the_merchant(
    till: Till, scripted: Scripted
) -> None:
    scripted.says(
        200, {"IsSuccess": True, "Data": {"Key": "07071", "RefundId": 49496, "RefundReference": "2022000273"}}
    )
    done = await scripted.connector.refund(checkout(payment_id="07071"), till.move("1.50"))
    assert isinstance(done, Underway)
    assert done.provider_id == "49496"
    method, path, body = scripted.asked[-1]
    assert (method, path) == ("POST", "/v2/MakeRefund")
    assert (body["KeyType"], body["Key"], body["Amount"], body["CurrencyIso"]) == ("PaymentId", "07071", 1.5, "KWD")
    assert (body["ExternalIdentifier"], body["RefundChargeOnCustomer"], body["ServiceChargeOnCustomer"]) == (
        ONE, False, False,
    )  # fmt: skip


async def test_an_answer_without_a_refunds_id_is_unclear(till: Till, scripted: Scripted) -> None:
    scripted.says(200, {"IsSuccess": True, "Data": {}})
    with pytest.raises(Unclear):
        await scripted.connector.refund(checkout(), till.move("1.50"))


async def test_documented_refunds_are_under_way_for_what_was_asked(scripted: Scripted) -> None:
    scripted.says(200, invoice("Succss", InvoiceStatus="Paid"))
    scripted.says(200, sample("refund_status")["answer"])
    said = await scripted.connector.fetch(checkout())
    assert isinstance(said, Paid)
    assert said.moves is not None
    assert [(move.provider_id, move.amount, move.status) for move in said.moves] == [
        ("49496", Decimal(1), MoveStatus.UNDERWAY), ("49497", Decimal(3), MoveStatus.UNDERWAY),
    ]  # fmt: skip
