"""Event, return, poll: each way that a provider offers is enough by itself (design rule 7), and none disturbs another."""

from __future__ import annotations

import pytest

from paymux.connectors.facts import EventKind
from paymux.connectors.registry import Provider
from tests.conformance.trial import PATIENT, Trial

LIMITS = PATIENT

pytestmark = pytest.mark.able("sale")


def _tells(provider: Provider) -> bool:
    return provider.facts.events.kind is not EventKind.NONE


def _polls(provider: Provider) -> bool:
    """Whether asking shows the shopper's approval: where paying needs our confirm, only if trying it is safe or it is told."""
    able = provider.facts.capabilities
    return able.status and (not able.confirm or able.confirm_by_poll or able.recover_confirm)


async def _paid_once(trial: Trial, reference: str) -> None:
    await trial.comes_to_rest(reference)
    assert await trial.wrongs(reference) == []
    books = await trial.books(reference)
    assert (books.status, books.balance) == ("SUCCESSFUL", trial.total)


@pytest.mark.where(holds=_tells)
async def test_the_event_alone_completes_an_order_whose_shopper_never_returned(trial: Trial) -> None:
    opened = await trial.opens()
    await trial.leaves(opened)
    await trial.becomes(opened["orderReference"], "SUCCESSFUL")
    await _paid_once(trial, opened["orderReference"])


async def test_the_return_alone_completes_an_order_of_which_no_event_tells(trial: Trial) -> None:
    opened = await trial.opens()
    reference = opened["orderReference"]
    await trial.mute(reference)
    assert await trial.pays(opened) == ("PENDING" if trial.facts.settles_later else "SUCCESSFUL")
    await _paid_once(trial, reference)


@pytest.mark.able("status")
@pytest.mark.where(holds=_polls)
async def test_the_poll_alone_completes_an_order_of_which_nothing_else_tells(trial: Trial) -> None:
    opened = await trial.opens()
    reference = opened["orderReference"]
    await trial.mute(reference)
    await trial.leaves(opened)
    assert (await trial.merchant.status(reference))["status"] == "PENDING"
    await _paid_once(trial, reference)


@pytest.mark.able("status")
async def test_a_decline_is_learnt_without_return_and_event(trial: Trial) -> None:
    opened = await trial.opens(cancellationTimeout=1_200)
    reference = opened["orderReference"]
    await trial.mute(reference)
    await trial.leaves(opened, "decline")
    await trial.comes_to_rest(reference)
    assert await trial.wrongs(reference) == []
    books = await trial.books(reference)
    assert books.status in ("DECLINED", "CANCELED")
    assert (books.balance, books.held) == (0, 0)


@pytest.mark.where(holds=_tells)
@pytest.mark.parametrize("fault", ["duplicate_event", "late_event", "reordered_events"])
async def test_events_that_come_twice_late_or_in_another_order_change_nothing(trial: Trial, fault: str) -> None:
    opened = await trial.opens()
    reference = opened["orderReference"]
    await trial.fault("events", fault, reference, 3)
    await trial.pays(opened)
    await _paid_once(trial, reference)
    refunded = trial.total if trial.can("refund") else 0
    if refunded:
        assert (await trial.refunds(reference, trial.total)).status == 201
    await trial.installation.advance(601)
    await trial.comes_to_rest(reference)
    assert await trial.wrongs(reference) == []
    books = await trial.books(reference)
    assert (books.status, books.balance) == ("SUCCESSFUL", trial.total - refunded)


@pytest.mark.where(holds=_tells)
async def test_an_event_before_the_return_and_one_after_it_pay_once(trial: Trial) -> None:
    opened = await trial.opens()
    reference = opened["orderReference"]
    back = await trial.leaves(opened)
    await trial.installation.quiet()
    assert (await trial.shopper.returns(back))["status"] == "SUCCESSFUL"
    await _paid_once(trial, reference)
