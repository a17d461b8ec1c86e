"""Klarna in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

import pytest
from yarl import URL

from paymux.connectors.registry import all_providers
from tests.connectors.journey import Shop, money, sale, signed

CODES = list(all_providers()["klarna"].facts.codes)


@pytest.mark.parametrize("code", CODES)
async def test_an_order_of_each_code_is_approved_returned_captured_and_partly_refunded(code: str, shop: Shop) -> None:
    order = await shop.opens(code, "100")
    assert order.opened["paymentStatus"] == "pending"
    assert await order.pays() == "SUCCESSFUL"
    status = await order.status()
    assert (status["status"], status["captureStatus"]) == ("SUCCESSFUL", "CAPTURED")
    assert await order.refunded("40.50") == "SUCCESSFUL"
    assert order.ledger == sale("100", ("refund", "40.50"))
    assert order.balance == Decimal("59.50")
    assert [data["status"] for data in await order.told()] == ["SUCCESSFUL"]


async def test_tax_shipping_and_discount_of_an_american_order_come_to_the_same_amount(shop: Shop) -> None:
    order = await shop.opens(
        "KLARNA_US", "100", orderAmount=Decimal("110.00"), taxAmount=Decimal("8.25"), shippingAmount=Decimal("7.50"),
        discountAmount=Decimal("5.75"),
    )  # fmt: skip
    assert await order.pays() == "SUCCESSFUL"
    assert order.balance == 110


async def test_a_deferred_order_is_captured_in_part_and_the_rest_released(shop: Shop) -> None:
    order = await shop.sells("KLARNA", autoCapture=False)
    assert (await order.status())["captureStatus"] == "AUTHORIZED"
    assert order.ledger == money(("authorize", "100"))

    assert (await order.captures("30")).body["status"] == "SUCCESSFUL"
    assert (await order.captures("20", "C-2")).body["status"] == "SUCCESSFUL"
    assert (await order.status())["captureStatus"] == "PARTIALLY_CAPTURED"
    partial = await order.voids("10")
    assert (partial.status, partial.body["code"]) == (400, "not_supported")
    assert (await order.voids("50", "V-2")).body["status"] == "SUCCESSFUL"

    assert (await order.status())["captureStatus"] == "CAPTURED"
    over = await order.captures("1", "C-3")
    assert over.status in (400, 409)
    rows = money(("authorize", "100"), ("capture", "30"), ("capture", "20"), ("void", "50"))
    assert order.ledger == rows


async def test_a_deferred_order_of_which_nothing_was_captured_is_voided_whole(shop: Shop) -> None:
    order = await shop.sells("KLARNA", autoCapture=False)
    assert (await order.voids("100")).body["status"] == "SUCCESSFUL"
    assert (await order.status())["captureStatus"] == "VOIDED"
    assert order.ledger == money(("authorize", "100"), ("void", "100"))


# -- tokens -----------------------------------------------------------------------------------------------


async def test_a_token_of_a_first_order_pays_a_second_at_once_and_leads_straight_back(shop: Shop) -> None:
    first = await shop.sells("KLARNA", getToken=True)
    (data,) = await first.told()
    assert data["token"].startswith("tok_")
    assert first.balance == 100

    order = await shop.opens("KLARNA", "64.10", token=data["token"], customerPresent=True)
    assert order.opened["paymentStatus"] == "successful"
    status = await order.status()
    assert (status["status"], status["captureStatus"]) == ("SUCCESSFUL", "CAPTURED")
    back = await shop.installation.call("GET", order.redirect_url)
    assert back.status == 303
    home = URL(back.headers["Location"])
    assert str(home.with_query(None)) == "https://shop.example/return"
    assert (home.query["status"], home.query["hash"]) == ("SUCCESSFUL", signed("SUCCESSFUL", order.reference))
    assert order.ledger == sale("64.10")
    assert await order.refunded("64.10") == "SUCCESSFUL"
    assert order.balance == 0


async def test_a_token_charge_whose_answer_was_lost_is_repeated_with_its_key_and_charges_once(shop: Shop) -> None:
    first = await shop.sells("KLARNA", getToken=True)
    (data,) = await first.told()
    lost = {"charge_token": "error_after"}
    order = await shop.opens("KLARNA", faults=lost, token=data["token"], customerPresent=False)
    assert order.opened["paymentStatus"] == "pending"
    await order.time_passes(60)
    await order.reaches(status="SUCCESSFUL", captureStatus="CAPTURED")
    assert order.ledger == sale()


async def test_a_confirm_whose_answer_was_lost_is_found_and_says_that_the_token_was_lost(shop: Shop) -> None:
    order = await shop.opens("KLARNA", getToken=True)
    await order.fault("confirm", "error_after")
    assert await order.pays() in ("PENDING", "SUCCESSFUL")
    await order.time_passes(60)
    await order.reaches(status="SUCCESSFUL", captureStatus="CAPTURED")
    (data,) = await order.told()
    assert data["tokenFailureReason"] == "the answer that named the customer token was lost"
    assert order.ledger == sale()


async def test_a_confirm_that_never_arrived_is_made_anew_and_brings_the_token(shop: Shop) -> None:
    order = await shop.opens("KLARNA", getToken=True)
    await order.fault("confirm", "error_before")
    await order.pays()
    await order.time_passes(60)
    await order.reaches(status="SUCCESSFUL")
    (data,) = await order.told()
    assert data["token"].startswith("tok_")
    assert order.ledger == sale()


# -- whatever way Klarna tells, it is enough ----------------------------------------------------------------


@pytest.mark.parametrize("get_token", [False, True])
async def test_the_callback_alone_completes_an_order_whose_shopper_never_came_back(get_token: bool, shop: Shop) -> None:
    order = await shop.opens("KLARNA", getToken=get_token)
    await order.decides()
    await order.reaches(status="SUCCESSFUL", captureStatus="CAPTURED")
    assert order.ledger == sale()


@pytest.mark.parametrize("get_token", [False, True])
async def test_the_poll_alone_completes_an_order_without_return_or_callback(get_token: bool, shop: Shop) -> None:
    order = await shop.opens("KLARNA", getToken=get_token)
    await order.loses_every_event()
    await order.decides()
    assert await order.state() == "PENDING"
    await order.time_passes(120)
    await order.reaches(status="SUCCESSFUL", captureStatus="CAPTURED")


async def test_a_lost_create_is_answered_with_our_own_page_which_opens_the_checkout(shop: Shop) -> None:
    order = await shop.opens_on_our_page("KLARNA")
    assert await order.pays() == "SUCCESSFUL"
    assert order.balance == 100


@pytest.mark.parametrize("fault", ["error_after", "error_before", "reset_after"])
async def test_a_sales_capture_whose_answer_was_lost_is_repaired_and_captures_once(fault: str, shop: Shop) -> None:
    order = await shop.opens("KLARNA")
    await order.fault("capture", fault)
    await order.pays()
    await order.time_passes(60)
    await order.reaches(status="SUCCESSFUL", captureStatus="CAPTURED")
    assert order.ledger == sale()


async def test_a_lost_refund_and_a_portal_refund_of_the_same_amount_are_told_apart(shop: Shop) -> None:
    order = await shop.sells("KLARNA")
    await order.fault("refund", "error_before")
    assert await order.refunded("25") == "PENDING"
    await order.at_provider("provider-refund", amount="25")
    await order.time_passes(60)
    await order.refunds_come_to(("MERCHANT", "SUCCESSFUL"), ("PROVIDER", "SUCCESSFUL"))
    assert order.balance == 50


# -- orders that are not paid -------------------------------------------------------------------------------


async def test_a_shopper_who_cancels_comes_back_cancelled(shop: Shop) -> None:
    order = await shop.opens("KLARNA")
    assert await order.pays("cancel") == "CANCELLED"
    status = await order.status()
    assert (status["status"], status["cancelledBy"]) == ("CANCELED", "USER")
    assert order.ledger == []


@pytest.mark.parametrize("outcome", ["decline", "error"])
async def test_a_shopper_who_was_declined_may_try_again_in_the_same_checkout(outcome: str, shop: Shop) -> None:
    order = await shop.opens("KLARNA")
    assert await order.pays(outcome) == "PENDING"
    assert await order.pays() == "SUCCESSFUL"
    assert order.balance == 100


async def test_an_unpaid_order_ends_at_its_deadline_and_its_page_is_closed_at_klarna(shop: Shop) -> None:
    order = await shop.opens("KLARNA", cancellationTimeout=600)
    await order.pays("decline")
    await order.time_passes(601)
    status = await order.reaches(status="CANCELED")
    assert status["cancelledBy"] == "SYSTEM"

    async def closed() -> bool:
        return "via=cancel" in str(await order.decides())

    await shop.eventually(closed)
    assert order.ledger == []


async def test_an_order_held_for_a_fraud_check_is_paid_once_klarna_accepts_it(shop: Shop) -> None:
    order = await shop.opens("KLARNA_US")
    assert await order.pays("pending") == "PENDING"
    assert order.ledger == []
    await order.settles()
    await order.reaches(status="SUCCESSFUL", captureStatus="CAPTURED")
    assert order.ledger == sale()


async def test_an_order_held_for_a_fraud_check_is_declined_once_klarna_rejects_it(shop: Shop) -> None:
    order = await shop.opens("KLARNA_US")
    await order.pays("pending")
    await order.settles("decline")
    status = await order.reaches(status="DECLINED")
    assert status["captureStatus"] is None
    assert [data["status"] for data in await order.told()] == ["DECLINED"]
    assert order.ledger == []


# -- whose payment it is (T1) ----------------------------------------------------------------------------------


async def test_another_orders_return_does_not_pay_this_one(shop: Shop) -> None:
    cheap, dear = await shop.opens("KLARNA", "1"), await shop.opens("KLARNA", "100")
    back, own = await cheap.decides(), await dear.decides("decline")
    assert await dear.returns(own.with_query(back.query)) == "PENDING"
    assert await dear.state() == "PENDING"
    assert dear.ledger == []


@pytest.mark.parametrize("tampered", [{"amount": "1.00"}, {"currency": "SEK"}, {"reference": "other"}])
async def test_a_payment_that_is_not_this_orders_is_never_announced_as_paid_and_given_back(
    tampered: dict[str, str], shop: Shop
) -> None:
    order = await shop.opens("KLARNA")
    await order.at_provider("tamper", **tampered)
    assert await order.pays() == "PENDING"
    await order.has_moved("authorize", "void")
    details = await order.details()
    assert details["status"] == "PENDING"
    assert details["needsReview"]
    assert order.announced() == []
