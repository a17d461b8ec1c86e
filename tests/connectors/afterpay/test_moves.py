"""Captures, voids and refunds, and how the poll finds them again."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Checkout, Moved, MoveKind, NotThere, Paid, Refused
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.till import KEY, Till

ONE, TWO, THREE = (f"0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f7f0{n}" for n in (1, 2, 3))
ZERO = Decimal(0)
LOST = ["timeout_after", "error_after", "reset_after", "malformed"]
NEVER_CAME = ["timeout_before", "error_before"]


def aud(amount: str) -> Money:
    return Money(Decimal(amount), "AUD")


async def moves(till: Till, verb: str, checkout: Checkout, amount: str, key: str, open: str = "100.00") -> Moved:
    move = till.counter.move(aud(amount), key, open)
    done = await getattr(till.connector, verb)(checkout, move)
    assert isinstance(done, Moved)
    return done


async def paid_now(till: Till, checkout: Checkout) -> Paid:
    report = await till.connector.fetch(checkout)
    assert isinstance(report, Paid)
    return report


def rows(till: Till) -> list[tuple[str, Decimal]]:
    return [(kind, amount) for kind, amount, _ in till.counter.ledger()][1:]


async def test_an_authorisation_is_captured_in_parts_and_the_rest_given_back(till: Till) -> None:
    checkout = await till.confirms(auto_capture=False)
    first = await moves(till, "capture", checkout, "30.00", ONE)
    second = await moves(till, "capture", checkout, "20.50", TWO, "70.00")
    rest = await moves(till, "void", checkout, "49.50", THREE, "49.50")
    assert rows(till) == [("capture", Decimal("30.00")), ("capture", Decimal("20.50")), ("void", Decimal("49.50"))]
    paid = await paid_now(till, checkout)
    assert (paid.captured, paid.voided, paid.refunded) == (Decimal("50.50"), Decimal("49.50"), ZERO)
    assert paid.moves is not None
    assert [(m.kind, m.amount, m.provider_id, m.key) for m in paid.moves] == [
        (MoveKind.CAPTURE, Decimal("30.00"), first.provider_id, ONE),
        (MoveKind.CAPTURE, Decimal("20.50"), second.provider_id, TWO),
        (MoveKind.VOID, Decimal("49.50"), rest.provider_id, None),
    ]


async def test_a_whole_authorisation_is_voided_and_can_no_more_be_captured(till: Till) -> None:
    checkout = await till.confirms(auto_capture=False)
    await moves(till, "void", checkout, "100.00", ONE)
    paid = await paid_now(till, checkout)
    assert (paid.captured, paid.voided) == (ZERO, Decimal("100.00"))
    with pytest.raises(Refused) as no:
        await moves(till, "capture", checkout, "1.00", TWO)
    assert no.value.code == "payment_voided"
    assert rows(till) == [("void", Decimal("100.00"))]


async def test_a_part_is_voided_and_the_rest_captured(till: Till) -> None:
    checkout = await till.confirms(auto_capture=False)
    await moves(till, "void", checkout, "40.00", ONE)
    await moves(till, "capture", checkout, "60.00", TWO, "60.00")
    paid = await paid_now(till, checkout)
    assert (paid.captured, paid.voided, paid.refunded) == (Decimal("60.00"), Decimal("40.00"), ZERO)


async def test_a_sale_is_refunded_in_parts_with_its_keys_echoed(till: Till) -> None:
    checkout = await till.confirms()
    first = await moves(till, "refund", checkout, "10.00", ONE)
    second = await moves(till, "refund", checkout, "10.00", TWO, "90.00")
    paid = await paid_now(till, checkout)
    assert paid.refunded == Decimal("20.00")
    refunds = [m for m in paid.moves or () if m.kind is MoveKind.REFUND]
    assert {(m.key, m.provider_id) for m in refunds} == {(ONE, first.provider_id), (TWO, second.provider_id)}
    assert rows(till)[1:] == [("refund", Decimal("10.00")), ("refund", Decimal("10.00"))]


async def test_a_void_is_not_taken_for_a_refund_even_of_the_same_amount(till: Till) -> None:
    checkout = await till.confirms(auto_capture=False)
    await moves(till, "capture", checkout, "50.00", ONE)
    await moves(till, "void", checkout, "50.00", TWO, "50.00")
    assert (await paid_now(till, checkout)).refunded == 0
    await moves(till, "refund", checkout, "50.00", THREE, "50.00")
    paid = await paid_now(till, checkout)
    assert (paid.captured, paid.voided, paid.refunded) == (Decimal("50.00"), Decimal("50.00"), Decimal("50.00"))
    assert [m.key for m in paid.moves or () if m.kind is MoveKind.REFUND] == [THREE]


async def test_a_refund_made_in_the_portal_is_told_apart_from_a_void_and_has_no_key(till: Till) -> None:
    checkout = await till.confirms(auto_capture=False)
    await moves(till, "capture", checkout, "50.00", ONE)
    await moves(till, "void", checkout, "50.00", TWO, "50.00")
    till.passes(hours=1)
    assert await till.post("/sandbox/provider-refund", id=checkout.payment_id, amount="50.00") == 201
    paid = await paid_now(till, checkout)
    refunds = [m for m in paid.moves or () if m.kind is MoveKind.REFUND]
    last = till.counter.sandbox.store.ledger(till.counter.reference)[-1]
    assert [(m.amount, m.key, m.provider_id) for m in refunds] == [(Decimal("50.00"), None, last["providerReference"])]
    assert paid.refunded == Decimal("50.00")


@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
async def test_a_repeat_with_its_key_moves_nothing_twice(till: Till, verb: str) -> None:
    checkout = await till.confirms(auto_capture=verb == "refund")
    first = await moves(till, verb, checkout, "40.00", ONE)
    assert (await moves(till, verb, checkout, "40.00", ONE)).provider_id == first.provider_id
    assert [kind for kind, _ in rows(till)].count(verb) == 1


@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_lost_move_is_unclear_then_seen_by_the_poll_and_may_be_repeated(
    till: Till, verb: str, fault: str
) -> None:
    checkout = await till.confirms(auto_capture=verb == "refund")
    await till.counter.order_fault(verb, fault)
    with pytest.raises(Unclear):
        await moves(till, verb, checkout, "40.00", ONE)
    paid = await paid_now(till, checkout)
    seen = [m for m in paid.moves or () if m.kind == verb and m.amount == Decimal("40.00")]
    assert len(seen) == (1 if fault in LOST else 0)
    assert all(m.key == (None if verb == "void" else ONE) for m in seen)
    done = await moves(till, verb, checkout, "40.00", ONE)
    assert all(m.provider_id == done.provider_id for m in seen)
    assert [kind for kind, _ in rows(till)].count(verb) == 1


@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
async def test_more_than_is_left_is_refused_and_moves_nothing(till: Till, verb: str) -> None:
    checkout = await till.confirms(auto_capture=verb == "refund")
    before = till.counter.ledger()
    with pytest.raises(Refused) as no:
        await moves(till, verb, checkout, "100.01", ONE)
    assert no.value.code == "invalid_amount"
    assert till.counter.ledger() == before
    await moves(till, verb, checkout, "60.00", TWO)
    with pytest.raises(Refused):
        await moves(till, verb, checkout, "40.01", THREE)


async def test_nothing_is_refunded_before_it_is_captured(till: Till) -> None:
    checkout = await till.confirms(auto_capture=False)
    with pytest.raises(Refused) as no:
        await moves(till, "refund", checkout, "1.00", ONE)
    assert no.value.code == "precondition_failed"


async def test_a_sale_can_not_be_captured_or_voided_again(till: Till) -> None:
    checkout = await till.confirms()
    for verb in ("capture", "void"):
        with pytest.raises(Refused) as no:
            await moves(till, verb, checkout, "1.00", ONE)
        assert no.value.code == "payment_captured"


async def test_less_than_afterpays_least_capture_is_refused(till: Till) -> None:
    checkout = await till.confirms(auto_capture=False)
    with pytest.raises(Refused) as no:
        await moves(till, "capture", checkout, "0.99", ONE)
    assert no.value.code == "invalid_amount"


async def test_moves_of_another_currency_or_an_unknown_payment_are_refused(till: Till) -> None:
    checkout = await till.confirms(auto_capture=False)
    other: Any = till.counter.move(Money(Decimal(1), "USD"), ONE, "100.00")
    with pytest.raises(Refused):
        await till.connector.capture(checkout, other)
    with pytest.raises(NotThere):
        await moves(till, "void", replace(checkout, payment_id="999999999999"), "1.00", ONE)


async def test_an_authorisation_that_ran_out_is_reported_as_expired(till: Till) -> None:
    checkout = await till.confirms(auto_capture=False)
    await moves(till, "capture", checkout, "30.00", ONE)
    till.passes(days=13, seconds=1)
    paid = await paid_now(till, checkout)
    assert (paid.captured, paid.voided, paid.refunded, paid.expired) == (Decimal("30.00"), ZERO, ZERO, Decimal("70.00"))
    with pytest.raises(Refused):
        await moves(till, "capture", checkout, "10.00", TWO)
    assert rows(till) == [("capture", Decimal("30.00"))]


async def test_an_authorisation_of_which_nothing_was_captured_expires_whole(till: Till) -> None:
    checkout = await till.confirms(auto_capture=False)
    till.passes(days=13, seconds=1)
    assert (await paid_now(till, checkout)).expired == Decimal("100.00")
    with pytest.raises(Refused) as no:
        await moves(till, "capture", checkout, "10.00", TWO)
    assert no.value.code == "payment_expired"


async def test_a_refund_after_120_days_is_refused(till: Till) -> None:
    checkout = await till.confirms()
    till.passes(days=121)
    with pytest.raises(Refused) as no:
        await moves(till, "refund", checkout, "10.00", KEY)
    assert no.value.code == "refund_timelimit_exceeded"


async def test_a_restarted_simulator_remembers_what_moved(till: Till) -> None:
    checkout = await till.confirms(auto_capture=False)
    first = await moves(till, "capture", checkout, "30.00", ONE)
    simulators = till.counter.sandbox.simulators
    old = simulators["afterpay"]
    fresh = type(old)(old.desk)
    assert fresh.case(checkout.session).data == old.case(checkout.session).data
    assert (await moves(till, "capture", checkout, "30.00", ONE)).provider_id == first.provider_id
