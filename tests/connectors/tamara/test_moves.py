"""Captures, cancels and refunds, and what becomes of lost ones."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from paymux.connectors.contract import MoveKind, Paid, Refused
from tests.connectors.tamara.conftest import Till
from tests.connectors.till import ONE, TWO

LOST = ["timeout_after", "error_after", "reset_after", "malformed"]


async def test_a_captured_order_is_refunded_in_parts_and_no_more(till: Till) -> None:
    checkout = await till.captures()
    first = await till.moves("refund", checkout, "40.00", ONE)
    second = await till.moves("refund", checkout, "60.00", TWO, "60.00")
    with pytest.raises(Refused):
        await till.moves("refund", checkout, "0.01")
    paid = await till.paid_now(checkout)
    assert (paid.captured, paid.refunded, paid.voided) == (Decimal(100), Decimal(100), Decimal(0))
    listed = [(move.amount, move.provider_id) for move in paid.moves or () if move.kind is MoveKind.REFUND]
    assert listed == [(Decimal(40), first.provider_id), (Decimal(60), second.provider_id)]


async def test_a_cancel_gives_the_whole_authorisation_back(till: Till) -> None:
    checkout = await till.confirms()
    done = await till.moves("void", checkout, "100.00")
    paid = await till.paid_now(checkout)
    assert (paid.captured, paid.voided) == (Decimal(0), Decimal(100))
    assert [(move.kind, move.provider_id) for move in paid.moves or ()] == [(MoveKind.VOID, done.provider_id)]
    assert till.rows() == [("authorize", Decimal(100)), ("void", Decimal(100))]


@pytest.mark.parametrize("verb", ["capture", "void"])
async def test_what_was_done_once_is_refused_and_not_done_again(till: Till, verb: str) -> None:
    checkout = await till.confirms()
    await till.moves(verb, checkout, "100.00")
    before = till.rows()
    for again in ("capture", "void"):
        with pytest.raises(Refused):
            await till.moves(again, checkout, "100.00")
    assert till.rows() == before


@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
@pytest.mark.parametrize("fault", LOST)
async def test_a_lost_move_is_unclear_and_shows_in_the_order(till: Till, verb: str, fault: str) -> None:
    checkout = await (till.captures() if verb == "refund" else till.confirms())
    await till.loses_track(verb, fault, checkout, "100.00")
    (listed,) = [move for move in (await till.paid_now(checkout)).moves or () if str(move.kind) == verb]
    assert (listed.amount, listed.key) == (Decimal(100), None)
    assert till.rows()[-1] == (verb, Decimal(100))


async def test_a_refund_in_the_partner_portal_is_listed(till: Till) -> None:
    checkout = await till.captures()
    status, _ = await till.call("POST", "/sandbox/provider-refund", {"id": checkout.session, "amount": "15.00"})
    assert status == 200
    assert (await till.paid_now(checkout)).refunded == Decimal(15)


async def test_an_authorised_order_that_tamara_lets_expire_is_no_unpaid_checkout(till: Till) -> None:
    checkout = await till.confirms()
    till.passes(days=91)
    paid = await till.paid_now(checkout)
    assert (paid.captured, paid.expired) == (Decimal(0), Decimal(100))
    assert not isinstance(await till.connector.fetch(replace(checkout, payment_id=None)), Paid)


async def test_an_amount_below_the_least_unit_is_refused_before_anything_is_sent(till: Till) -> None:
    checkout = await till.captures()
    with pytest.raises(Refused, match="more decimals"):
        await till.moves("refund", checkout, "1.001")
    assert till.rows()[-1][0] == "capture"
