"""Every way in which a shopper can leave a provider's checkout, for every connector."""

from __future__ import annotations

import html

import pytest

from paymux.money import Money
from tests.conformance.trial import PATIENT, Trial

LIMITS = PATIENT

UNTIL_EVERY_CHECKOUT_IS_DEAD = (31, 61, 601, 1_801, 3_601, 2 * 3_600, 86_400, 3 * 86_400, 7 * 86_400)


async def _dies(trial: Trial, reference: str) -> None:
    """A provider that lets the shopper try again, or tells nothing, ends at the checkout's own deadline."""
    for seconds in UNTIL_EVERY_CHECKOUT_IS_DEAD:
        await trial.installation.quiet()
        if (await trial.books(reference)).status != "PENDING":
            return
        await trial.installation.advance(seconds)
    await trial.comes_to_rest(reference)


@pytest.mark.able("sale")
async def test_a_shopper_who_approves_has_paid_once(trial: Trial) -> None:
    opened = await trial.opens()
    assert opened["paymentStatus"] == "pending"
    assert await trial.pays(opened) in ("SUCCESSFUL", "PENDING")
    reference = opened["orderReference"]
    await trial.comes_to_rest(reference)
    assert await trial.wrongs(reference) == []
    books = await trial.books(reference)
    assert (books.status, books.details["captureStatus"]) == ("SUCCESSFUL", "CAPTURED")
    assert books.said("captured") == books.balance == trial.total


@pytest.mark.able("sale")
async def test_the_sandboxs_page_shows_what_is_to_be_paid_and_is_decided_once(trial: Trial) -> None:
    opened = await trial.opens()
    page = await trial.shopper.reaches(opened["redirectUrl"])
    shown = (await trial.installation.call("GET", page)).body
    assert trial.facts.codes[trial.code].title in html.unescape(shown)
    assert Money(trial.total, trial.body()["purchaseCurrency"]).text in shown
    assert opened["orderReference"] in shown
    assert 'value="approve"' in shown
    await trial.pays(opened)
    await trial.comes_to_rest(opened["orderReference"])
    shown = (await trial.installation.call("GET", page)).body
    assert 'value="approve"' not in shown
    again = await trial.installation.call("POST", page, data={"outcome": "cancel"})
    assert again.status == 303
    assert (await trial.shopper.returns(again.headers["Location"]))["status"] == "SUCCESSFUL"
    await trial.comes_to_rest(opened["orderReference"])
    assert await trial.wrongs(opened["orderReference"]) == []
    assert (await trial.books(opened["orderReference"])).balance == trial.total


@pytest.mark.able("sale")
async def test_a_shopper_who_reloads_his_return_is_led_to_the_same_place_and_pays_once(trial: Trial) -> None:
    opened = await trial.opens()
    back = await trial.leaves(opened)
    first = await trial.shopper.returns(back)
    again = await trial.shopper.returns(back)
    if first["status"] == "SUCCESSFUL":
        assert again == first
    await trial.comes_to_rest(opened["orderReference"])
    assert await trial.wrongs(opened["orderReference"]) == []
    assert (await trial.books(opened["orderReference"])).balance == trial.total


@pytest.mark.able("sale")
@pytest.mark.parametrize("outcome", ["decline", "cancel", "error"])
async def test_a_shopper_who_does_not_pay_ends_the_order_and_moves_nothing(trial: Trial, outcome: str) -> None:
    opened = await trial.opens()
    reference = opened["orderReference"]
    told = await trial.pays(opened, outcome)
    assert told in ("PENDING", "DECLINED", "CANCELLED", "ERROR")
    if told != "PENDING":
        assert (await trial.merchant.status(reference))["status"] == told.replace("CANCELLED", "CANCELED")
    await _dies(trial, reference)
    assert await trial.wrongs(reference) == []
    books = await trial.books(reference)
    assert books.status in {"decline": ("DECLINED", "CANCELED"), "cancel": ("CANCELED", "DECLINED")}.get(
        outcome, ("ERROR", "DECLINED", "CANCELED")
    )
    assert (books.balance, books.held) == (0, 0)


@pytest.mark.able("sale")
@pytest.mark.parametrize("decided", ["approve", "decline"])
async def test_a_payment_left_pending_is_decided_by_what_the_provider_says_later(trial: Trial, decided: str) -> None:
    opened = await trial.opens()
    reference = opened["orderReference"]
    assert await trial.pays(opened, "pending") == "PENDING"
    assert trial.installation.balance(reference) == 0
    await trial.installation.settle(reference, decided)
    await (trial.comes_to_rest(reference) if decided == "approve" else _dies(trial, reference))
    assert await trial.wrongs(reference) == []
    books = await trial.books(reference)
    assert (books.status == "SUCCESSFUL") == (decided == "approve")
    assert books.balance == (trial.total if decided == "approve" else 0)


@pytest.mark.able("sale")
async def test_a_shopper_who_never_decides_lets_the_order_end_by_the_system(trial: Trial) -> None:
    opened = await trial.opens(cancellationTimeout=900)
    reference = opened["orderReference"]
    await trial.installation.advance(901)
    await trial.comes_to_rest(reference)
    assert await trial.wrongs(reference) == []
    status = await trial.merchant.status(reference)
    assert (status["status"], status["cancelledBy"]) == ("CANCELED", "SYSTEM")
