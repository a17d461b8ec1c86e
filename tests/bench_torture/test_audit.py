"""The torture's audit finds what is broken, and nothing where all is sound: each promise broken once in a made-up world."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from bench.torture import audit
from bench.torture import judgement as j
from bench.torture.installation import Answer

from tests.bench_torture.worlds import (
    NOW,
    World,
    created,
    paid,
    refunded,
    shipped,
    text,
    unknowable,
    unknowable_payment,
)

WAITS = {"what": "poll", "dueAt": text(NOW + timedelta(minutes=10))}


# -- sound worlds -----------------------------------------------------------------------------------


def expired() -> World:
    """An authorisation of which 60 were captured and the rest ran out, as was announced."""
    world = created("KLARNA", auto_capture=False)
    world.moved("authorize", "100")
    world.becomes("SUCCESSFUL", "AUTHORIZED")
    world.moved("capture", "60")
    world.lists("capture", "C1", "60")
    world.asks("capture", "C1", "60", Answer(201, {"status": "SUCCESSFUL"}))
    world.tells("ORDER_STATUS_UPDATE", status="SUCCESSFUL", captureStatus="PARTIALLY_CAPTURED")
    world.details.update(capturedAmount="60", expiredAmount="40", captureStatus="CAPTURED")
    world.tells("ORDER_STATUS_UPDATE", status="SUCCESSFUL", captureStatus="CAPTURED")
    return world


def given_back() -> World:
    """A payment that came after its order was cancelled, and went back."""
    world = created()
    world.becomes("CANCELED", None)
    world.moved("authorize", "100")
    world.moved("capture", "100")
    world.lists("capture", "provider-1", "100", by="SYSTEM")
    world.details.update(capturedAmount="100", refundedAmount="100", captureStatus="CAPTURED")
    world.tells("ORDER_STATUS_UPDATE", status="CANCELED", captureStatus="CAPTURED")
    world.moved("refund", "100")
    world.lists("refund", "give-back-1r", "100", by="SYSTEM")
    return world


def abandoned() -> World:
    """A shopper left, and the deadline cancelled; his shop's own way back said so, spelt as published."""
    world = created()
    world.becomes("CANCELED", None)
    world.order.hears("CANCELLED")
    return world


def refused() -> World:
    """A refund that the provider refused, asked twice; and one that was too much until another had failed."""
    world = paid()
    world.lists("refund", "R1", "75", "FAILED")
    world.asks("refund", "R1", "75", Answer(0), Answer(422, {}), Answer(422, {}))
    world.moved("refund", "60")
    world.details["refundedAmount"] = "60"
    world.lists("refund", "R2", "60")
    world.asks("refund", "R2", "60", Answer(400, {}), Answer(201, {"refundStatus": "SUCCESSFUL"}))
    world.asks("refund", "R3", "60", Answer(400, {"code": "over_refund"}))
    return world


def never_there() -> World:
    """A create that broke a rule."""
    world = created()
    world.order.creates[:] = [Answer(400, {})]
    world.shown, world.told = None, []
    return world


SOUND: tuple[Callable[[], World], ...] = (
    paid, refunded, shipped, expired, given_back, abandoned, refused, never_there,
    lambda: unknowable(happened=True), lambda: unknowable(happened=False), lambda: unknowable_payment(happened=True),
    lambda: unknowable_payment(happened=False), lambda: unknowable(happened=True, code="LATITUDEPAY_AU", told_at=NOW),
)  # fmt: skip


@pytest.mark.parametrize("world", SOUND, ids=lambda world: world.__name__)
async def test_a_sound_world_breaks_no_promise(world: Callable[[], World]) -> None:
    assert await world().breaches() == {}


# -- six worlds that were once passed ------------------------------------------------------------------


async def test_an_order_that_was_told_as_paid_and_of_which_the_provider_knows_nothing() -> None:
    world = created()
    world.becomes("SUCCESSFUL", None)
    assert j.PAID in await world.breaches()


async def test_an_order_of_100_that_was_told_as_paid_with_10() -> None:
    world = created()
    world.moved("authorize", "10")
    world.moved("capture", "10")
    world.details["capturedAmount"] = "10"
    world.lists("capture", "provider-1", "10", by="SYSTEM")
    world.becomes("SUCCESSFUL", "CAPTURED")
    assert j.PAID in await world.breaches()


async def test_a_refund_that_was_answered_as_refused_and_moved_all_the_same_as_the_providers_own() -> None:
    world = paid()
    world.lists("refund", "R1", "25", "FAILED")
    world.asks("refund", "R1", "25", Answer(422, {"code": "provider_refused"}))
    world.moved("refund", "25")
    world.details["refundedAmount"] = "25"
    world.lists("refund", "provider-ref-1", "25", by="PROVIDER")
    assert set(await world.breaches()) == {j.UNASKED}


async def test_an_order_whose_next_step_is_five_days_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "LOOKS", 0)
    world = created()
    world.details["nextStep"] = {"what": "poll", "dueAt": text(NOW - timedelta(days=5))}
    assert any("overdue" in breach for breach in (await world.breaches())[j.ENDS])


@pytest.mark.parametrize("sound", [paid, refunded, shipped, expired, given_back, abandoned, refused])
async def test_the_last_event_never_came(sound: Callable[[], World]) -> None:
    world = sound()
    world.told.pop()
    assert set(await world.breaches()) & {j.ARRIVES}


async def test_an_order_that_waits_and_of_which_no_event_ever_came() -> None:
    world = created()
    world.details["nextStep"], world.told = WAITS, []
    assert set(await world.breaches()) == {j.ENDS, j.ARRIVES}


# -- every other promise, broken once -------------------------------------------------------------------


def undecided(world: World) -> None:
    world.details["refunds"][0]["status"] = "PENDING"


def captured_less(world: World) -> None:
    world.rows[1] = world.rows[1].__class__("capture", Decimal(90), world.rows[1].at)


def told_twice(world: World) -> None:
    world.tells(world.told[-1]["event"], **{k: v for k, v in world.told[-1]["data"].items() if k != "sequence"})


def gave_back_what_was_paid(world: World) -> None:
    world.details["refunds"][0]["initiator"] = world.told[-1]["data"]["initiator"] = "SYSTEM"


def answered(*answers: Answer) -> Callable[[World], None]:
    def answers_so(world: World) -> None:
        world.order.moves["refund", "R1"].answers[:] = answers

    return answers_so


def shows(**changes: object) -> Callable[[World], None]:
    def shows_so(world: World) -> None:
        world.details.update(changes)

    return shows_so


DONE, PENDING = Answer(201, {"refundStatus": "SUCCESSFUL"}), Answer(201, {"refundStatus": "PENDING"})
BROKEN: tuple[tuple[str, Callable[[World], object], str], ...] = (
    ("a refund that nobody asked for", lambda w: w.order.moves.clear(), j.UNASKED),
    ("a paid order is given back", gave_back_what_was_paid, j.UNASKED),
    ("a refund moved twice", lambda w: w.moved("refund", "25"), j.REPEATS),
    ("a refund moved and is not counted", lambda w: w.moved("refund", "25"), j.EQUAL),
    ("a refund was counted and never moved", lambda w: w.rows.pop(), j.EQUAL),
    ("more is refunded than captured", lambda w: w.moved("refund", "80"), j.LIMITS),
    ("an order is paid twice", lambda w: w.moved("authorize", "100"), j.PAID_ONCE),
    ("an order is captured in part", captured_less, j.PAID),
    ("an order has another amount", shows(amount="99"), j.PAID),
    ("more is gone than there was", shows(expiredAmount="1"), j.LIMITS),
    ("a wrong captureStatus", shows(captureStatus="AUTHORIZED"), j.EQUAL),
    ("a refund is listed twice", lambda w: w.lists("refund", "R1", "25", "FAILED"), j.REPEATS),
    ("a refund stays undecided", undecided, j.ENDS),
    ("a refund of another amount", lambda w: setattr(w.order.moves["refund", "R1"], "amount", Decimal(26)), j.STAYS),
    ("a refused refund is done", answered(Answer(422, {})), j.STAYS),
    ("a refund that surely never left is done", answered(Answer(502, {})), j.STAYS),
    ("a refund that was not allowed is done", answered(Answer(400, {})), j.STAYS),
    ("a refund is first done, then refused", answered(DONE, Answer(422, {})), j.REPEATS),
    ("a refund is first taken on, then not allowed", answered(PENDING, Answer(409, {"code": "x"})), j.REPEATS),
    ("a refund was answered and is not there", lambda w: w.details["refunds"].clear(), j.STAYS),
    ("a refund was answered as done and failed", lambda w: w.details["refunds"][0].update(status="FAILED"), j.STAYS),
    ("two creates made two orders", lambda w: w.order.creates.append(Answer(201, {"orderId": "ord_2"})), j.REPEATS),
    ("a refused create is paid", lambda w: w.order.creates.append(Answer(502, {})), j.STAYS),
    ("a create that broke a rule is there", lambda w: w.order.creates.__setitem__(0, Answer(400, {})), j.STAYS),
    ("an answered create is not there", lambda w: setattr(w, "shown", None), j.STAYS),
    ("the shopper was told otherwise", lambda w: w.order.hears("DECLINED"), j.STAYS),
    ("a final status was left", lambda w: w.details["transactionHistory"].insert(1, {"status": "ERROR"}), j.STAYS),
    ("a person is called for nothing", shows(needsReview="the provider contradicts itself"), j.PERSON),
    ("a person is called and nobody told", shows(needsReview="the provider contradicts itself"), j.ARRIVES),
    ("the first event is lost", lambda w: w.told.pop(0), j.ARRIVES),
    ("an operation is told twice", told_twice, j.ARRIVES),
    ("an order that ended badly holds money", lambda w: w.details.update(status="ERROR"), j.EQUAL),
)  # fmt: skip


@pytest.mark.parametrize(("breaks", "promise"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
async def test_a_broken_promise_is_found(breaks: Callable[[World], object], promise: str) -> None:
    world = refunded()
    breaks(world)
    assert promise in await world.breaches()


async def test_money_moved_for_an_order_that_is_not_there() -> None:
    world = never_there()
    world.moved("authorize", "100")
    assert set(await world.breaches()) == {j.EQUAL}


async def test_webhooks_tell_of_an_order_that_is_not_there() -> None:
    world = never_there()
    world.tells("ORDER_STATUS_UPDATE", status="PENDING", captureStatus=None)
    assert set(await world.breaches()) == {j.EQUAL}


async def test_a_void_that_moved_twice_within_what_there_is() -> None:
    world = shipped()
    world.rows[-1:] = [row.__class__("void", Decimal(20), row.at) for row in (world.rows[-1], world.rows[-1])]
    assert set(await world.breaches()) == {j.REPEATS}


async def test_a_cancel_that_was_answered_of_an_order_that_was_paid() -> None:
    world = paid()
    world.order.hears("CANCELED")
    assert set(await world.breaches()) == {j.STAYS}


async def test_what_waits_for_good_is_no_end_however_soon_the_next_step_is() -> None:
    world = created()
    world.details["nextStep"] = WAITS
    assert set(await world.breaches()) == {j.ENDS}


async def test_a_paid_orders_next_step_is_overdue_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "LOOKS", 0)
    world = paid()
    world.details["nextStep"] = {"what": "expiry", "dueAt": text(NOW - timedelta(hours=1))}
    assert set(await world.breaches()) == {j.ENDS}


async def test_an_authorisations_end_is_near_and_nobody_was_told() -> None:
    world = created("AFTERPAY_AU", auto_capture=False)
    world.moved("authorize", "100")
    world.becomes("SUCCESSFUL", "AUTHORIZED")
    world.details["authorizedUntil"] = text(NOW + timedelta(hours=20))
    assert set(await world.breaches()) == {j.ARRIVES}
    world.tells(
        "ORDER_STATUS_UPDATE", status="SUCCESSFUL", captureStatus="AUTHORIZED",
        authorizationExpiresAt=world.details["authorizedUntil"],
    )  # fmt: skip
    assert await world.breaches() == {}


# -- what nobody can know (U1) ----------------------------------------------------------------------------


async def test_an_unknown_refund_that_was_sent_twice() -> None:
    world = unknowable(happened=True)
    world.moved("refund", "25")
    assert set(await world.breaches()) == {j.REPEATS, j.EQUAL}


async def test_an_unknown_refund_whose_amount_is_not_blocked() -> None:
    world = unknowable(happened=False)
    world.beyond = Answer(201, {"refundStatus": "SUCCESSFUL"})
    assert set(await world.breaches()) == {j.PERSON}


async def test_an_unknown_refund_that_is_not_listed() -> None:
    world = unknowable(happened=False)
    world.details["needsReview"] = None
    assert set(await world.breaches()) == {j.PERSON}


async def test_an_unknown_refund_of_which_nobody_is_told() -> None:
    world = unknowable(happened=False)
    world.told.pop()
    assert set(await world.breaches()) == {j.ARRIVES}


async def test_an_unknown_refund_where_it_could_be_repeated_or_asked_about() -> None:
    world = unknowable(happened=False, code="AFTERPAY_AU")
    assert set(await world.breaches()) == {j.ENDS, j.PERSON}


async def test_a_refund_is_given_to_a_person_while_it_could_still_be_repeated() -> None:
    world = unknowable(happened=False, code="LATITUDEPAY_AU", told_at=NOW - timedelta(minutes=1))
    assert set(await world.breaches()) == {j.PERSON}


async def test_a_payment_is_given_to_a_person_while_it_could_still_be_repeated() -> None:
    world = unknowable_payment(happened=False, told_at=NOW - timedelta(minutes=1))
    assert set(await world.breaches()) == {j.PERSON}


async def test_an_unknown_payment_that_was_made_twice() -> None:
    world = unknowable_payment(happened=True)
    world.moved("authorize", "100")
    world.moved("capture", "100")
    assert set(await world.breaches()) >= {j.PAID_ONCE, j.REPEATS, j.EQUAL}


async def test_an_order_that_waits_for_a_person_who_could_only_have_asked() -> None:
    world = unknowable_payment(happened=True)
    world.order.code = "PLANPAY_AU"
    assert set(await world.breaches()) == {j.ENDS, j.PERSON, j.EQUAL, j.REPEATS}
