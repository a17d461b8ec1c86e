"""Captures, voids and refunds, and how the poll finds them again."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Checkout, Moved, MoveKind, NotThere, Paid, Refused
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.klarna.conftest import Till
from tests.connectors.till import LOST, NEVER_CAME, ONE, THREE, TWO

ZERO = Decimal(0)
HELD = ("authorize", Decimal("100.00"))


async def moves(till: Till, verb: str, checkout: Checkout, amount: str, key: str, **more: Any) -> Moved:
    """One move; `open` and `captured` as they are at Klarna now, unless told otherwise."""
    paid = await paid_now(till, checkout)
    captured = paid.captured or ZERO
    left = captured - (paid.refunded or ZERO) if verb == "refund" else Decimal(100) - captured - (paid.voided or ZERO)
    move = till.counter.move(Money(Decimal(amount), "EUR"), key, str(left), str(captured), **more)
    done = await getattr(till.connector, verb)(checkout, move)
    assert isinstance(done, Moved)
    return done


async def paid_now(till: Till, checkout: Checkout) -> Paid:
    report = await till.connector.fetch(checkout)
    assert isinstance(report, Paid)
    return report


async def test_an_authorisation_is_captured_in_parts_and_the_rest_released(till: Till) -> None:
    checkout = await till.pays()
    first = await moves(till, "capture", checkout, "30.00", ONE)
    second = await moves(till, "capture", checkout, "20.50", TWO)
    rest = await moves(till, "void", checkout, "49.50", THREE)
    assert till.rows() == [
        HELD,
        ("capture", Decimal("30.00")),
        ("capture", Decimal("20.50")),
        ("void", Decimal("49.50")),
    ]
    assert rest.provider_id.endswith("/release-remaining-authorization")
    paid = await paid_now(till, checkout)
    assert (paid.captured, paid.voided, paid.refunded) == (Decimal("50.50"), Decimal("49.50"), ZERO)
    assert [(m.kind, m.amount, m.provider_id, m.key) for m in paid.moves or ()] == [
        (MoveKind.CAPTURE, Decimal("30.00"), first.provider_id, ONE),
        (MoveKind.CAPTURE, Decimal("20.50"), second.provider_id, TWO),
    ]
    assert paid.authorised_until is None


async def test_an_order_without_captures_is_cancelled_and_can_no_more_be_captured(till: Till) -> None:
    checkout = await till.pays()
    done = await moves(till, "void", checkout, "100.00", ONE)
    assert done.provider_id == f"{checkout.payment_id}/cancel"
    paid = await paid_now(till, checkout)
    assert (paid.captured, paid.voided) == (ZERO, Decimal("100.00"))
    with pytest.raises(Refused) as no:
        await till.connector.capture(checkout, till.counter.move(Money(Decimal(1), "EUR"), TWO, "100.00"))
    assert no.value.code == "CAPTURE_NOT_ALLOWED"
    assert till.rows() == [HELD, ("void", Decimal("100.00"))]


async def test_a_part_is_never_voided_as_klarna_gives_back_only_all_that_is_left(till: Till) -> None:
    checkout = await till.pays()
    calls = len(till.exchanges)
    with pytest.raises(Refused) as no:
        await till.connector.void(checkout, till.counter.move(Money(Decimal(40), "EUR"), ONE, "100.00"))
    assert no.value.code == "not_supported"
    assert len(till.exchanges) == calls


async def test_a_captured_order_is_refunded_in_parts_with_its_keys_echoed(till: Till) -> None:
    checkout = await till.pays()
    await moves(till, "capture", checkout, "100.00", ONE)
    first = await moves(till, "refund", checkout, "10.00", TWO, description="returned")
    second = await moves(till, "refund", checkout, "10.00", THREE)
    assert till.sent("/refunds") == {"refunded_amount": 1000, "reference": THREE}
    paid = await paid_now(till, checkout)
    assert paid.refunded == Decimal("20.00")
    refunds = [m for m in paid.moves or () if m.kind is MoveKind.REFUND]
    assert [(m.key, m.provider_id) for m in refunds] == [(TWO, first.provider_id), (THREE, second.provider_id)]
    assert till.rows()[2:] == [("refund", Decimal("10.00")), ("refund", Decimal("10.00"))]


async def test_what_was_captured_can_be_refunded_while_the_rest_is_still_open(till: Till) -> None:
    checkout = await till.pays()
    await moves(till, "capture", checkout, "60.00", ONE)
    await moves(till, "refund", checkout, "60.00", TWO)
    paid = await paid_now(till, checkout)
    assert (paid.captured, paid.voided, paid.refunded) == (Decimal(60), ZERO, Decimal(60))
    assert paid.authorised_until is not None


async def test_a_refund_made_in_the_portal_is_listed_without_a_key(till: Till) -> None:
    checkout = await till.pays()
    await moves(till, "capture", checkout, "50.00", ONE)
    assert await till.post("/sandbox/provider-refund", id=checkout.payment_id, amount="50.00") == 201
    paid = await paid_now(till, checkout)
    last = till.counter.sandbox.store.ledger(till.counter.reference)[-1]
    refunds = [m for m in paid.moves or () if m.kind is MoveKind.REFUND]
    assert [(m.amount, m.key, m.provider_id) for m in refunds] == [(Decimal("50.00"), None, last["providerReference"])]


@pytest.mark.parametrize(("verb", "amount"), [("capture", "40.00"), ("void", "100.00"), ("refund", "40.00")])
async def test_a_repeat_with_its_key_moves_nothing_twice(till: Till, verb: str, amount: str) -> None:
    checkout = await till.pays()
    if verb == "refund":
        await moves(till, "capture", checkout, "100.00", TWO)
    first = await moves(till, verb, checkout, amount, ONE)
    again = till.counter.move(Money(Decimal(amount), "EUR"), ONE, amount)
    assert (await getattr(till.connector, verb)(checkout, again)).provider_id == first.provider_id
    assert [kind for kind, _ in till.rows()].count(verb) == 1


@pytest.mark.parametrize(("verb", "amount"), [("capture", "40.00"), ("void", "100.00"), ("refund", "40.00")])
@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_lost_move_is_unclear_then_seen_by_the_poll_and_may_be_repeated(
    till: Till, verb: str, amount: str, fault: str
) -> None:
    checkout = await till.pays()
    if verb == "refund":
        await moves(till, "capture", checkout, "100.00", TWO)
    await till.counter.order_fault(verb, fault)
    # An empty 204 is all that a void is answered with, so even nonsense with status 200 says that it was done.
    if (verb, fault) == ("void", "malformed"):
        await moves(till, verb, checkout, amount, ONE)
    else:
        with pytest.raises(Unclear):
            await moves(till, verb, checkout, amount, ONE)
    paid = await paid_now(till, checkout)
    if verb == "void":
        assert paid.voided == (Decimal(amount) if fault in LOST else ZERO)
    else:
        seen = [m for m in paid.moves or () if m.kind == verb and m.key == ONE]
        assert [m.amount for m in seen] == ([Decimal(amount)] if fault in LOST else [])
    again = till.counter.move(Money(Decimal(amount), "EUR"), ONE, amount)
    assert isinstance(await getattr(till.connector, verb)(checkout, again), Moved)
    assert [kind for kind, _ in till.rows()].count(verb) == 1


async def test_a_lost_release_is_unclear_then_seen_by_the_poll_and_may_be_repeated(till: Till) -> None:
    checkout = await till.pays()
    await moves(till, "capture", checkout, "30.00", ONE)
    await till.counter.order_fault("void", "reset_after")
    with pytest.raises(Unclear):
        await moves(till, "void", checkout, "70.00", TWO)
    assert (await paid_now(till, checkout)).voided == Decimal("70.00")
    again = till.counter.move(Money(Decimal(70), "EUR"), TWO, "70.00", "30.00")
    assert isinstance(await till.connector.void(checkout, again), Moved)
    assert till.rows() == [HELD, ("capture", Decimal("30.00")), ("void", Decimal("70.00"))]


@pytest.mark.parametrize(("verb", "amount"), [("capture", "100.00"), ("void", "100.00"), ("refund", "40.00")])
async def test_a_slow_answer_is_waited_for(till: Till, verb: str, amount: str) -> None:
    checkout = await till.pays()
    if verb == "refund":
        await moves(till, "capture", checkout, "100.00", TWO)
    await till.counter.order_fault(verb, "slow")
    await moves(till, verb, checkout, amount, ONE)
    assert till.rows()[-1] == (verb, Decimal(amount))


@pytest.mark.parametrize(("verb", "code"), [("capture", "CAPTURE_NOT_ALLOWED"), ("refund", "REFUND_NOT_ALLOWED")])
async def test_more_than_is_left_is_refused_and_moves_nothing(till: Till, verb: str, code: str) -> None:
    checkout = await till.pays()
    if verb == "refund":
        await moves(till, "capture", checkout, "100.00", THREE)
    before = till.rows()
    with pytest.raises(Refused) as no:
        await moves(till, verb, checkout, "100.01", ONE)
    assert no.value.code == code
    assert till.rows() == before
    await moves(till, verb, checkout, "60.00", TWO)
    with pytest.raises(Refused):
        await moves(till, verb, checkout, "40.01", ONE)


async def test_nothing_is_refunded_before_it_is_captured(till: Till) -> None:
    checkout = await till.pays()
    with pytest.raises(Refused) as no:
        await moves(till, "refund", checkout, "1.00", ONE)
    assert no.value.code == "REFUND_NOT_ALLOWED"


async def test_an_order_with_captures_can_not_be_cancelled_and_one_without_not_released(till: Till) -> None:
    checkout = await till.pays()
    with pytest.raises(Refused) as no:
        await till.connector.void(checkout, till.counter.move(Money(Decimal(100), "EUR"), ONE, "100.00", "1.00"))
    assert no.value.code == "NOT_ALLOWED"
    await moves(till, "capture", checkout, "10.00", TWO)
    with pytest.raises(Refused) as no:
        await till.connector.void(checkout, till.counter.move(Money(Decimal(90), "EUR"), THREE, "90.00", "0"))
    assert no.value.code == "CANCEL_NOT_ALLOWED"
    assert till.rows() == [HELD, ("capture", Decimal("10.00"))]


async def test_moves_of_an_unknown_order_are_refused(till: Till) -> None:
    checkout = replace(await till.pays(), payment_id="f3392f8b-6116-4073-ab96-e330819e2c07")
    for verb in ("capture", "void", "refund"):
        with pytest.raises(NotThere):
            await getattr(till.connector, verb)(checkout, till.counter.move(Money(Decimal(1), "EUR"), ONE, "1.00"))


async def test_an_authorisation_that_ran_out_after_28_days_is_reported_as_expired(till: Till) -> None:
    checkout = await till.pays()
    await moves(till, "capture", checkout, "30.00", ONE)
    till.passes(days=28, seconds=1)
    paid = await paid_now(till, checkout)
    assert (paid.captured, paid.voided, paid.refunded, paid.expired) == (Decimal("30.00"), ZERO, ZERO, Decimal("70.00"))
    with pytest.raises(Refused) as no:
        await till.connector.capture(checkout, till.counter.move(Money(Decimal(1), "EUR"), TWO, "70.00"))
    assert no.value.code == "CAPTURE_NOT_ALLOWED"
    assert till.rows() == [HELD, ("capture", Decimal("30.00"))]


async def test_a_restarted_simulator_remembers_what_moved(till: Till) -> None:
    checkout = await till.pays()
    first = await moves(till, "capture", checkout, "30.00", ONE)
    simulators = till.counter.sandbox.simulators
    old = simulators["klarna"]
    fresh = type(old)(old.desk)
    assert fresh.case(checkout.session).data == old.case(checkout.session).data
    assert (await moves(till, "capture", checkout, "30.00", ONE)).provider_id == first.provider_id
