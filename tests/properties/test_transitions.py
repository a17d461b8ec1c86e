"""S1, S3: the transition table and what is derived from an order's amounts, as properties of their data."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from itertools import product
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paymux.orders.model import Order, Status
from paymux.orders.transitions import TRANSITIONS, transition

OUTCOMES = {outcome for _, outcome in TRANSITIONS}
FOLLOWS = {"poll", "deadline", "retry-create", "watch", "give-back"}
UNPAID = {Status.DECLINED, Status.CANCELED, Status.ERROR}
MONEY = {"authorised", "paid"}


@pytest.mark.parametrize(("status", "outcome"), sorted(product(Status, OUTCOMES)))
def test_final_is_final(status: Status, outcome: str) -> None:
    step = transition(status, outcome)
    if status.final and step is not None:
        assert step.to is status


@pytest.mark.parametrize(("status", "outcome"), sorted(TRANSITIONS))
def test_the_same_outcome_again_leads_nowhere_else(status: Status, outcome: str) -> None:
    reached = TRANSITIONS[status, outcome].to
    again = transition(reached, outcome)
    assert again is None or again.to is reached


@given(st.sampled_from(Status), st.text(max_size=20).filter(lambda word: word not in OUTCOMES))
def test_an_unknown_outcome_changes_nothing(status: Status, word: str) -> None:
    assert transition(status, word) is None


@given(st.lists(st.sampled_from(sorted(OUTCOMES)), max_size=30))
def test_whatever_comes_in_whatever_order_an_order_ends_at_most_once_and_never_begins_again(
    outcomes: list[str],
) -> None:
    statuses = [Status.INITIATED]
    for outcome in outcomes:
        step = transition(statuses[-1], outcome)
        statuses.append(step.to if step else statuses[-1])
    passed = [status for n, status in enumerate(statuses) if n == 0 or status is not statuses[n - 1]]
    assert len(passed) <= 3
    assert sum(status.final for status in passed) <= 1
    assert Status.INITIATED not in passed[1:]


@pytest.mark.parametrize(("status", "outcome"), sorted(product(UNPAID, MONEY)))
def test_money_on_an_order_that_failed_is_given_back(status: Status, outcome: str) -> None:
    step = transition(status, outcome)
    assert step is not None
    assert "give-back" in step.then


@pytest.mark.parametrize(("status", "outcome"), sorted(TRANSITIONS))
def test_money_is_given_back_on_orders_that_failed_only(status: Status, outcome: str) -> None:
    assert ("give-back" in TRANSITIONS[status, outcome].then) == (status in UNPAID and outcome in MONEY)


@pytest.mark.parametrize("status", [Status.INITIATED, Status.PENDING])
@pytest.mark.parametrize("outcome", ["paid", "declined", "cancelled", "expired", "broken"])
def test_every_end_is_reached_from_every_open_status(status: Status, outcome: str) -> None:
    ends = {"paid": Status.SUCCESSFUL, "declined": Status.DECLINED, "cancelled": Status.CANCELED,
            "expired": Status.CANCELED, "broken": Status.ERROR}  # fmt: skip
    step = transition(status, outcome)
    assert step is not None
    assert step.to is ends[outcome]


@pytest.mark.parametrize(("status", "outcome"), sorted(TRANSITIONS))
def test_whoever_becomes_pending_has_a_next_step_and_every_follow_up_is_known(status: Status, outcome: str) -> None:
    step = TRANSITIONS[status, outcome]
    assert step.then <= FOLLOWS
    if step.to is Status.PENDING and status is not Status.PENDING:
        assert "deadline" in step.then
    if status is Status.PENDING and step.to in UNPAID:
        assert "watch" in step.then


# -- amounts -----------------------------------------------------------------------------------------


@st.composite
def amounts(draw: st.DrawFn) -> dict[str, Decimal]:
    """What was authorised, and how it was divided: captured, voided, expired, the rest open (M5)."""
    authorised = draw(st.integers(0, 10**9))
    cuts = sorted(draw(st.tuples(*[st.integers(0, authorised) for _ in range(3)])))
    parts = [cuts[0], cuts[1] - cuts[0], cuts[2] - cuts[1]]
    cents = dict(zip(("authorised", "captured", "voided", "expired"), (authorised, *parts), strict=True))
    return {name: Decimal(cent).scaleb(-2) for name, cent in cents.items()}


def order(**changes: Any) -> Order:
    """An order of which only amounts matter."""
    empty: dict[str, Any] = {field.name: None for field in fields(Order)}
    nothing = {name: Decimal(0) for name in ("captured", "voided", "expired", "refunded", "surcharge", "amount")}
    return Order(**(empty | nothing | changes))


@given(amounts())
def test_what_is_open_is_what_is_left_of_the_authorised_and_never_negative(parts: dict[str, Decimal]) -> None:
    looked_at = order(**parts)
    assert looked_at.open == parts["authorised"] - parts["captured"] - parts["voided"] - parts["expired"]
    assert looked_at.open >= 0


@given(amounts())
def test_the_capture_status_says_what_became_of_the_authorisation(parts: dict[str, Decimal]) -> None:
    """Authorised or partly captured while something is open; then captured, expired or voided, whichever comes first (S3)."""
    looked_at = order(**parts)
    if looked_at.open > 0:
        assert looked_at.capture_status == ("PARTIALLY_CAPTURED" if parts["captured"] else "AUTHORIZED")
    elif parts["captured"]:
        assert looked_at.capture_status == "CAPTURED"
    else:
        assert looked_at.capture_status == ("EXPIRED" if parts["expired"] else "VOIDED")


def test_before_an_authorisation_there_is_no_capture_status_and_nothing_open() -> None:
    assert order().capture_status is None
    assert order().open == 0


def test_no_amount_of_an_order_is_a_float() -> None:
    assert not [name for name, kind in get_type_hints(Order).items() if "float" in str(kind)]
