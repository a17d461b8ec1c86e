"""Captures, the close that is Tabby's void, refunds, and how the poll finds them again."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from paymux.connectors.contract import Checkout, MoveKind, NotThere, Refused
from paymux.platform.http import NotSent, Unclear
from tests.connectors.tabby.conftest import CURRENCIES, Till
from tests.connectors.till import KEY, LOST, NEVER_CAME, ONE, THREE, TWO

ZERO = Decimal(0)
VERBS = ["capture", "void", "refund"]


async def ready(till: Till, verb: str) -> Checkout:
    """A payment that this verb is allowed on."""
    return await (till.closes() if verb == "refund" else till.decided())


async def test_a_capture_of_everything_closes_the_payment(till: Till) -> None:
    checkout = await till.decided()
    done = await till.moves("capture", checkout, "100.00", ONE)
    assert done.raw is not None
    assert done.raw["status"] == "CLOSED"
    paid = await till.paid_now(checkout)
    assert (paid.captured, paid.voided, paid.refunded, paid.expired) == (Decimal(100), ZERO, ZERO, ZERO)
    assert till.rows() == [("capture", Decimal("100.00"))]


async def test_an_authorisation_is_captured_in_parts_and_the_rest_given_back_by_the_close(till: Till) -> None:
    checkout = await till.decided()
    first = await till.moves("capture", checkout, "30.00", ONE)
    second = await till.moves("capture", checkout, "20.50", TWO, "70.00")
    assert (await till.paid_now(checkout)).voided == 0
    await till.moves("void", checkout, "49.50", THREE, "49.50")
    paid = await till.paid_now(checkout)
    assert (paid.captured, paid.voided, paid.refunded) == (Decimal("50.50"), Decimal("49.50"), ZERO)
    assert [(m.kind, m.amount, m.provider_id, m.key) for m in paid.moves or ()] == [
        (MoveKind.CAPTURE, Decimal("30.00"), first.provider_id, ONE),
        (MoveKind.CAPTURE, Decimal("20.50"), second.provider_id, TWO),
    ]
    assert till.rows() == [("capture", Decimal("30.00")), ("capture", Decimal("20.50")), ("void", Decimal("49.50"))]


async def test_the_last_part_closes_the_payment_without_giving_anything_back(till: Till) -> None:
    checkout = await till.decided()
    await till.moves("capture", checkout, "30.00", ONE)
    await till.moves("capture", checkout, "70.00", TWO, "70.00")
    paid = await till.paid_now(checkout)
    assert (paid.captured, paid.voided) == (Decimal(100), ZERO)
    with pytest.raises(Refused, match="already closed"):
        await till.moves("void", checkout, "0.01", THREE, "0.01")


async def test_a_close_of_an_untouched_payment_gives_back_everything(till: Till) -> None:
    checkout = await till.decided()
    await till.moves("void", checkout, "100.00", ONE)
    paid = await till.paid_now(checkout)
    assert (paid.captured, paid.voided, paid.moves) == (ZERO, Decimal(100), ())
    with pytest.raises(Refused, match="not authorized"):
        await till.moves("capture", checkout, "1.00", TWO)
    assert till.rows() == [("void", Decimal("100.00"))]


async def test_a_close_takes_no_amount_so_one_that_gave_back_another_is_unclear(till: Till) -> None:
    checkout = await till.decided()
    with pytest.raises(Unclear, match="released 100"):
        await till.moves("void", checkout, "40.00", ONE)
    assert (await till.paid_now(checkout)).voided == Decimal(100)


async def test_a_second_close_is_refused_and_the_poll_tells_what_the_first_did(till: Till) -> None:
    checkout = await till.decided()
    await till.moves("void", checkout, "100.00", ONE)
    with pytest.raises(Refused) as no:
        await till.moves("void", checkout, "100.00", ONE)
    assert (no.value.code, no.value.reason) == ("bad_data", "already closed")
    assert till.rows() == [("void", Decimal("100.00"))]


async def test_a_payment_is_refunded_in_parts_with_its_keys_shown_back(till: Till) -> None:
    checkout = await till.closes()
    first = await till.moves("refund", checkout, "10.00", ONE)
    second = await till.moves("refund", checkout, "10.00", TWO, "90.00")
    paid = await till.paid_now(checkout)
    assert (paid.captured, paid.refunded) == (Decimal(100), Decimal(20))
    refunds = [m for m in paid.moves or () if m.kind is MoveKind.REFUND]
    assert [(m.key, m.provider_id) for m in refunds] == [(ONE, first.provider_id), (TWO, second.provider_id)]
    assert till.rows()[1:] == [("refund", Decimal("10.00")), ("refund", Decimal("10.00"))]


async def test_a_refund_tells_its_reason(till: Till) -> None:
    checkout = await till.closes()
    move = till.counter.move(till.money("10.00"), ONE, "100.00", description="one shirt came back")
    await till.connector.refund(checkout, move)
    report = await till.paid_now(checkout)
    assert report.raw is not None
    assert [refund["reason"] for refund in report.raw["refunds"]] == ["one shirt came back"]


async def test_nothing_is_refunded_before_the_payment_is_closed(till: Till) -> None:
    checkout = await till.decided()
    for captured in (False, True):
        if captured:
            await till.moves("capture", checkout, "30.00", ONE)
        with pytest.raises(Refused, match="no captures and not closed"):
            await till.moves("refund", checkout, "1.00", TWO, "30.00")
    await till.moves("void", checkout, "70.00", THREE, "70.00")
    await till.moves("refund", checkout, "30.00", TWO, "30.00")
    assert till.rows()[-1] == ("refund", Decimal("30.00"))


async def test_what_was_voided_can_not_be_refunded(till: Till) -> None:
    checkout = await till.decided()
    await till.moves("void", checkout, "100.00", ONE)
    with pytest.raises(Refused):
        await till.moves("refund", checkout, "1.00", TWO)


async def test_a_refund_made_in_the_dashboard_has_no_key_of_ours(till: Till) -> None:
    checkout = await till.closes()
    await till.moves("refund", checkout, "10.00", ONE)
    assert await till.post("/sandbox/provider-refund", id=checkout.session, amount="10.00") == 200
    paid = await till.paid_now(checkout)
    assert [(m.amount, m.key) for m in paid.moves or () if m.kind is MoveKind.REFUND] == [
        (Decimal("10.00"), ONE),
        (Decimal("10.00"), None),
    ]
    assert paid.refunded == Decimal(20)


@pytest.mark.parametrize("verb", ["capture", "refund"])
async def test_a_repeat_with_its_key_moves_nothing_twice(till: Till, verb: str) -> None:
    checkout = await ready(till, verb)
    first = await till.moves(verb, checkout, "40.00", ONE)
    assert (await till.moves(verb, checkout, "40.00", ONE)).provider_id == first.provider_id
    before = till.rows()
    await till.moves(verb, checkout, "40.00", TWO, "60.00")
    assert till.rows() == [*before, (verb, Decimal("40.00"))]


@pytest.mark.parametrize("verb", ["capture", "refund"])
async def test_a_key_that_stands_for_another_amount_is_unclear_and_moves_nothing(till: Till, verb: str) -> None:
    checkout = await ready(till, verb)
    await till.moves(verb, checkout, "40.00", ONE)
    before = till.rows()
    with pytest.raises(Unclear, match="does not list"):
        await till.moves(verb, checkout, "41.00", ONE, "60.00")
    assert till.rows() == before


async def test_the_repeat_of_the_last_capture_finds_the_closed_payment_with_it(till: Till) -> None:
    checkout = await till.closes()
    done = await till.moves("capture", checkout, "100.00", KEY)
    paid = await till.paid_now(checkout)
    assert [m.provider_id for m in paid.moves or ()] == [done.provider_id]
    assert till.rows() == [("capture", Decimal("100.00"))]


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
@pytest.mark.parametrize("verb", ["capture", "refund"])
async def test_a_lost_move_is_unclear_then_seen_by_the_poll_and_may_be_repeated(
    till: Till, verb: str, fault: str
) -> None:
    checkout = await ready(till, verb)
    await till.loses_track(verb, fault, checkout, "40.00", ONE)
    paid = await till.paid_now(checkout)
    seen = [m for m in paid.moves or () if m.kind == verb and m.key == ONE]
    assert [m.amount for m in seen] == ([Decimal("40.00")] if fault in LOST else [])
    done = await till.moves(verb, checkout, "40.00", ONE)
    assert all(m.provider_id == done.provider_id for m in seen)
    assert till.rows().count((verb, Decimal("40.00"))) == 1


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_lost_close_is_unclear_and_the_poll_tells_whether_it_happened(till: Till, fault: str) -> None:
    checkout = await till.decided()
    await till.loses_track("void", fault, checkout, "100.00", ONE)
    assert (await till.paid_now(checkout)).voided == (Decimal(100) if fault in LOST else ZERO)
    if fault in LOST:
        with pytest.raises(Refused):
            await till.moves("void", checkout, "100.00", ONE)
    else:
        await till.moves("void", checkout, "100.00", ONE)
    assert till.rows() == [("void", Decimal("100.00"))]


@pytest.mark.parametrize("verb", VERBS)
async def test_a_slow_move_is_waited_for(till: Till, verb: str) -> None:
    checkout = await ready(till, verb)
    await till.counter.order_fault(verb, "slow")
    await till.moves(verb, checkout, "100.00", ONE)


@pytest.mark.parametrize("verb", VERBS)
async def test_a_move_that_reached_nobody_certainly_did_nothing(till: Till, verb: str) -> None:
    checkout = await ready(till, verb)
    before, till.counter.base_url = till.rows(), "http://127.0.0.1:9"
    with pytest.raises(NotSent):
        await till.moves(verb, checkout, "100.00", ONE)
    assert till.rows() == before


@pytest.mark.parametrize("verb", ["capture", "refund"])
async def test_more_than_is_left_is_refused_and_moves_nothing(till: Till, verb: str) -> None:
    checkout = await ready(till, verb)
    before = till.rows()
    with pytest.raises(Refused) as no:
        await till.moves(verb, checkout, "100.01", ONE)
    assert no.value.code == "bad_data"
    assert till.rows() == before
    await till.moves(verb, checkout, "60.00", TWO)
    with pytest.raises(Refused):
        await till.moves(verb, checkout, "40.01", THREE, "40.00")


@pytest.mark.parametrize("verb", VERBS)
async def test_moves_of_an_unknown_payment_or_with_a_wrong_key_are_refused(till: Till, verb: str) -> None:
    checkout = await ready(till, verb)
    before = till.rows()
    with pytest.raises(NotThere):
        await till.moves(verb, replace(checkout, session=TWO), "1.00", ONE)
    wrong = till.counter.connector(till.code, secret_key="sk_test_other")
    with pytest.raises(Refused) as no:
        await getattr(wrong, verb)(checkout, till.counter.move(till.money("1.00"), ONE, "100.00"))
    assert no.value.code == "not_authorized"
    assert till.rows() == before


async def test_a_disputed_payment_is_not_refunded(till: Till) -> None:
    checkout = await till.closes()
    assert await till.post("/sandbox/dispute", id=checkout.session) == 200
    with pytest.raises(Refused) as no:
        await till.moves("refund", checkout, "10.00", ONE)
    assert (no.value.code, no.value.reason) == ("conflict", "payment is disputed")
    assert till.rows() == [("capture", Decimal("100.00"))]


async def test_a_refund_after_180_days_is_refused(till: Till) -> None:
    checkout = await till.closes()
    till.passes(days=179)
    await till.moves("refund", checkout, "10.00", ONE)
    till.passes(days=1)
    with pytest.raises(Refused, match="180 days"):
        await till.moves("refund", checkout, "10.00", TWO, "90.00")


async def test_an_authorisation_stays_open_for_months(till: Till) -> None:
    checkout = await till.decided()
    till.passes(days=100)
    paid = await till.paid_now(checkout)
    assert (paid.authorised_until, paid.expired) == (None, ZERO)
    await till.moves("capture", checkout, "100.00", ONE)


@pytest.mark.parametrize("code", ["TABBY_KW", "TABBY_BH"])
async def test_three_decimals_are_moved_to_the_last_fils(till: Till, code: str) -> None:
    till.code, till.beyond_the_specification = code, code == "TABBY_BH"
    checkout = await till.decided("approve", "10.125")
    await till.moves("capture", checkout, "4.001", ONE, "10.125")
    await till.moves("void", checkout, "6.124", TWO, "6.124")
    await till.moves("refund", checkout, "0.001", THREE, "4.001")
    paid = await till.paid_now(checkout)
    assert (paid.captured, paid.voided, paid.refunded) == (Decimal("4.001"), Decimal("6.124"), Decimal("0.001"))
    assert till.counter.ledger() == [
        ("authorize", Decimal("10.125"), CURRENCIES[code]),
        ("capture", Decimal("4.001"), CURRENCIES[code]),
        ("void", Decimal("6.124"), CURRENCIES[code]),
        ("refund", Decimal("0.001"), CURRENCIES[code]),
    ]


@pytest.mark.parametrize("verb", ["capture", "refund"])
async def test_an_amount_below_the_currencys_least_unit_is_refused_before_anything_is_sent(
    till: Till, verb: str
) -> None:
    checkout = await ready(till, verb)
    sent = len(till.watched.seen)
    with pytest.raises(Refused, match="more decimals"):
        await till.moves(verb, checkout, "1.001", ONE)
    assert len(till.watched.seen) == sent


async def test_a_restarted_simulator_remembers_what_moved(till: Till) -> None:
    checkout = await till.decided()
    first = await till.moves("capture", checkout, "30.00", ONE)
    simulators = till.counter.sandbox.simulators
    simulators["tabby"] = fresh = type(simulators["tabby"])(simulators["tabby"].desk)
    assert fresh.case(checkout.session).data["captures"][0]["id"] == first.provider_id
    assert (await till.moves("capture", checkout, "30.00", ONE)).provider_id == first.provider_id
