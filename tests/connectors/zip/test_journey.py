"""Zip in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors import sealing
from paymux.connectors.zip.rules import ApiError
from paymux.sandbox.simulator import Case
from tests.connectors.journey import Shop, sale


@pytest.mark.parametrize("code", ["ZIP_AU", "ZIP_NZ", "ZIP_UK"])
async def test_an_order_of_each_code_is_approved_charged_and_partly_refunded(code: str, shop: Shop) -> None:
    order = await shop.sells(code, "64.10")
    assert (await order.status())["captureStatus"] == "CAPTURED"
    assert await order.refunded("40") == "SUCCESSFUL"
    assert order.ledger == sale("64.10", ("refund", "40"))


@pytest.mark.parametrize("changes", [{"autoCapture": False}, {"getToken": True}])
async def test_what_only_australia_has_is_refused_in_pounds(changes: dict[str, Any], shop: Shop) -> None:
    refused = await shop.is_refused("ZIP_UK", **changes)
    assert (refused.status, refused.body["code"]) == (400, "not_supported")


@pytest.mark.parametrize(("changes", "named"), [({"purchaseCurrency": "AUD"}, "purchaseCurrency"), ({}, "orderAmount")])
async def test_an_order_that_zip_cannot_take_in_pounds_says_which_field(
    changes: dict[str, Any], named: str, shop: Shop
) -> None:
    refused = await shop.is_refused("ZIP_UK", "64.10" if changes else "1000.01", **changes)
    assert refused.status == 400
    assert named in str(refused.body["message"])


async def test_what_australia_has_and_new_zealand_lacks_is_refused_before_anything_is_claimed(shop: Shop) -> None:
    refused = await shop.is_refused("ZIP_NZ", autoCapture=False, orderReference="deferred")
    assert (refused.status, refused.body["code"]) == (400, "not_supported")
    assert refused.body["message"] == ["autoCapture false is not supported by ZIP_NZ"]
    await shop.opens("ZIP_NZ", orderReference="deferred")
    deferred = await shop.sells("ZIP_AU", autoCapture=False)
    assert (await deferred.captures("30")).body["status"] == "SUCCESSFUL"
    assert (await deferred.voids("70")).body["status"] == "SUCCESSFUL"
    assert deferred.balance == 30


async def test_the_poll_alone_charges_what_the_shopper_agreed_to(shop: Shop) -> None:
    order = await shop.opens("ZIP_AU")
    await order.decides()
    assert await order.state() == "PENDING"
    await order.time_passes(31)
    await order.reaches(status="SUCCESSFUL")
    assert order.ledger == sale()


async def test_a_referred_application_is_paid_once_zip_has_approved_it(shop: Shop) -> None:
    order = await shop.opens("ZIP_AU")
    assert await order.pays("pending") == "PENDING"
    await order.settles()
    await order.time_passes(61)
    await order.reaches(status="SUCCESSFUL", captureStatus="CAPTURED")


async def test_a_charge_whose_answer_was_lost_is_found_and_charged_once(shop: Shop) -> None:
    order = await shop.opens("ZIP_AU")
    await order.fault("confirm", "error_after")
    assert await order.pays() == "PENDING"
    assert await order.state() == "PENDING"
    await order.time_passes(31)
    await order.reaches(status="SUCCESSFUL")
    assert order.ledger == sale()


@pytest.mark.parametrize("again", [True, False], ids=["the token again", "no token again"])
async def test_a_charge_by_a_token_whose_answer_was_lost_is_repeated_by_the_token_and_charges_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, *, again: bool
) -> None:
    zip_au = shop.installation.sandbox.simulators["zip"]
    monkeypatch.setattr(zip_au, "makes_tokens_again", again)
    order = await shop.opens("ZIP_AU", getToken=True, faults={"charge_token": "error_after"})
    assert await order.pays() == "PENDING"
    assert order.ledger == sale()
    await order.time_passes(31)
    await order.reaches(status="SUCCESSFUL")
    assert order.ledger == sale()


async def test_a_confirm_that_only_found_out_what_it_needs_is_called_again_as_for_the_first_time(shop: Shop) -> None:
    """The refusal of the charge is then the first one's: nothing was charged before, and the order is declined."""
    order = await shop.opens("ZIP_AU", getToken=True)
    await order.decides()
    [(_, case)] = shop.installation.store.cases(order.reference)
    case.amount = Decimal(50)
    shop.installation.sandbox.simulators["zip"].save(case)
    await order.time_passes(31)
    await order.reaches(status="DECLINED")
    assert order.ledger == []


@pytest.mark.parametrize(("get_token", "operation"), [(True, "charge_token"), (False, "confirm")])
async def test_a_lost_charge_whose_key_is_refused_when_it_is_repeated_is_left_to_a_person_and_declines_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, operation: str, *, get_token: bool
) -> None:
    monkeypatch.setattr(shop.installation.sandbox.simulators["zip"], "refuses_known_keys", True)
    order = await shop.opens("ZIP_AU", getToken=get_token, faults={operation: "error_after"})
    assert await order.pays() == "PENDING"
    for seconds in (31, 61, 2 * 86_400):
        await order.time_passes(seconds)
        await shop.quiet()
    assert (await order.status())["status"] == "PENDING"
    assert (await shop.merchant.details(order.reference))["needsReview"]
    assert order.ledger == sale()


async def test_a_checkout_that_zip_does_not_know_any_more_before_a_lost_charge_is_repeated_ends_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await shop.opens("ZIP_AU", faults={"confirm": "error_after"})
    assert await order.pays() == "PENDING"

    def forgotten(_: str) -> Case:
        raise ApiError(404, "not_found", "The checkout was not found")

    monkeypatch.setattr(shop.installation.sandbox.simulators["zip"], "_of", forgotten)
    for seconds in (31, 61, 601):
        await order.time_passes(seconds)
        await shop.quiet()
    assert (await order.status())["status"] == "PENDING"
    assert (await shop.merchant.details(order.reference))["needsReview"]
    assert order.ledger == sale()


@pytest.mark.parametrize("lost", [False, True], ids=["nothing was charged", "a charge was lost"])
async def test_an_order_whose_token_cannot_be_read_any_more_ends_unless_its_account_may_have_been_charged(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, *, lost: bool
) -> None:
    """The API key was changed after the token was made: before the first charge by it, or after one whose answer was lost."""
    order = await shop.opens("ZIP_AU", getToken=True, faults={"charge_token": "error_after"} if lost else {})
    if lost:
        assert await order.pays() == "PENDING"
    monkeypatch.setattr(sealing, "unseal", lambda *_: None)
    if not lost:
        assert await order.pays() == "DECLINED"
    for seconds in (31, 61, 601):
        await order.time_passes(seconds)
        await shop.quiet()
    assert (await order.status())["status"] == ("PENDING" if lost else "DECLINED")
    assert bool((await shop.merchant.details(order.reference))["needsReview"]) is lost
    assert order.ledger == (sale() if lost else [])
