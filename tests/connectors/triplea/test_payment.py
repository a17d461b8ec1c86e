"""What a payment's tier means for the order: which coins pay it, and which are left to a person."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Declined, NotThere, Paid, Pending
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.scripted import Scripted
from tests.connectors.triplea.conftest import PAYMENT, Till, sample

SALE = [("authorize", Decimal(100)), ("capture", Decimal(100))]
DETAILS = sample("payment_details")["answer"]


async def read(scripted: Scripted, till: Till, **changes: Any) -> Any:
    """What the connector makes of the documented payment with some fields changed."""
    scripted.says(200, {**DETAILS, **changes})
    return await scripted.connector.fetch(till.checkout())


async def test_the_documented_payment_is_good_and_worth_less_than_its_order(scripted: Scripted, till: Till) -> None:
    scripted.replays("payment_details")
    paid = await scripted.connector.fetch(till.checkout())
    assert scripted.asked == [("GET", f"/api/v1/payment/{PAYMENT}", None)]
    assert isinstance(paid, Paid)
    assert (paid.session, paid.payment_id, paid.reference) == (PAYMENT, PAYMENT, None)
    # Of 10 USD, so the core counts it for none of them (T1).
    assert (paid.total, paid.captured) == (Money(Decimal("2.30"), "USD"), Decimal("2.30"))


@pytest.mark.parametrize(
    ("confirmed", "unconfirmed", "total"),
    [
        (10, 0, "10.00"), (0, 10, "10.00"), (7.5, 2.5, "10.00"), (None, 10, "10.00"), (12, 0, "12.00"),
        (9.9999719, 0, "10.00"), (10.0049, 0, "10.00"), (9.994, 0, "9.99"), (10.005, 0, "10.01"),
    ],
)  # fmt: skip
async def test_a_good_payment_is_worth_its_coins_to_the_currencys_smallest_unit(
    scripted: Scripted, till: Till, confirmed: float | None, unconfirmed: float | None, total: str
) -> None:
    paid = await read(scripted, till, confirmed_order_amt=confirmed, unconfirmed_order_amt=unconfirmed)
    assert isinstance(paid, Paid)
    assert (paid.total, paid.underway) == (Money(Decimal(total), "USD"), False)


async def test_a_good_payment_of_no_coins_is_asked_about_again(scripted: Scripted, till: Till) -> None:
    report = await read(scripted, till, confirmed_order_amt=0)
    assert isinstance(report, Pending)
    assert report.completed


async def test_coins_on_hold_are_held_and_pay_nothing_yet(scripted: Scripted, till: Till) -> None:
    held = await read(scripted, till, payment_tier="hold", confirmed_order_amt=0, unconfirmed_order_amt=10)
    assert isinstance(held, Paid)
    assert (held.underway, held.total, held.captured, held.payment_id) == (True, None, None, PAYMENT)


@pytest.mark.parametrize("value", [2.3, 10])
async def test_a_short_payment_never_counts_whatever_it_is_worth(scripted: Scripted, till: Till, value: float) -> None:
    short = await read(scripted, till, payment_tier="short", confirmed_order_amt=value)
    assert isinstance(short, Paid)
    assert (short.underway, short.captured) == (True, None)
    assert short.total is not None
    assert short.total.amount == Decimal(str(value))


async def test_an_invalid_payment_is_declined(scripted: Scripted, till: Till) -> None:
    report = await read(scripted, till, payment_tier="invalid", confirmed_order_amt=0)
    assert isinstance(report, Declined)
    assert report.code == "invalid"


@pytest.mark.parametrize("tier", ["none", "GOOD", "great", ""])
async def test_no_coins_or_an_unknown_word_is_pending(scripted: Scripted, till: Till, tier: str) -> None:
    report = await read(scripted, till, payment_tier=tier)
    assert isinstance(report, Pending)
    assert not report.completed


async def test_a_reference_of_the_answer_is_told_to_the_core(scripted: Scripted, till: Till) -> None:
    paid = await read(scripted, till, webhook_data={"order_txid": "R-7"})
    assert paid.reference == "R-7"


@pytest.mark.parametrize(
    "said",
    ["<html>", "[]", {"payment_reference": PAYMENT}, {**DETAILS, "confirmed_order_amt": -1},
     {**DETAILS, "confirmed_order_amt": "NaN"}, {**DETAILS, "confirmed_order_amt": 1e30},
     {**DETAILS, "order_currency": "testBTC"}],
)  # fmt: skip
async def test_an_answer_that_makes_no_sense_is_unclear(scripted: Scripted, till: Till, said: Any) -> None:
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.fetch(till.checkout())


# -- at the simulator -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [("approve", Paid), ("decline", Declined), ("cancel", Pending), ("pending", Paid), ("error", Pending)],
)
async def test_what_the_shopper_does_is_what_the_tier_says(till: Till, outcome: str, kind: type) -> None:
    checkout, _ = await till.decides(outcome)
    report = await till.connector.fetch(checkout)
    assert type(report) is kind
    if isinstance(report, Paid):
        assert report.underway == (outcome == "pending")
    assert till.rows() == (SALE if outcome == "approve" else [])


async def test_coins_that_come_in_two_parts_pay_once_they_are_the_whole_amount(till: Till) -> None:
    _, checkout = await till.opens()
    assert await till.sends(checkout, "40") == "short"
    short = await till.connector.fetch(checkout)
    assert isinstance(short, Paid)
    assert (short.underway, short.total) == (True, till.money("40.00"))
    assert await till.sends(checkout, "60") == "good"
    paid = await till.connector.fetch(checkout)
    assert isinstance(paid, Paid)
    assert (paid.underway, paid.total, paid.captured) == (False, till.money("100.00"), Decimal(100))


async def test_too_many_coins_are_told_as_what_they_are_worth(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    assert await till.sends(checkout, "0.01") == "good"
    paid = await till.connector.fetch(checkout)
    assert isinstance(paid, Paid)
    assert paid.total == till.money("100.01")


async def test_an_unknown_payment_is_not_there(till: Till) -> None:
    _, checkout = await till.opens()
    with pytest.raises(NotThere):
        await till.connector.fetch(replace(checkout, session="SDF-0-PMT"))


async def test_a_lost_answer_to_the_question_is_asked_for_again(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    await till.counter.order_fault("status", "error_after")
    with pytest.raises(Unclear):
        await till.connector.fetch(checkout)
    assert isinstance(await till.connector.fetch(checkout), Paid)
