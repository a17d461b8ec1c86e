"""Paymob in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.installation import Installation, Merchant, Shopper


async def test_an_order_is_paid_and_partly_refunded(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PAYMOB_EG", "64.10")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert (await merchant.refunds(reference, "40", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    assert installation.balance(reference) == Decimal("24.10")


async def test_who_comes_back_with_a_failed_payment_can_try_again(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PAYMOB_EG")
    reference = opened["orderReference"]
    await installation.fault("paymob", "events", "no_event", reference, 10)
    assert (await shopper.pays(opened["redirectUrl"], "decline"))["status"] == "PENDING"
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert installation.balance(reference) == 100


async def test_who_fails_once_and_pays_then_without_ever_coming_back_has_paid(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PAYMOB_EG")
    reference = opened["orderReference"]
    await shopper.decides(opened["redirectUrl"], "decline")
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "PENDING"
    await shopper.decides(opened["redirectUrl"], "approve")
    await installation.advance(31)
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"
    assert installation.balance(reference) == 100


async def test_who_pays_after_his_order_was_cancelled_gets_his_money_back(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PAYMOB_EG")
    reference = opened["orderReference"]
    page = await shopper.reaches(opened["redirectUrl"])
    assert (await merchant.post(f"/orders/{reference}/cancel", {})).status == 201
    await installation.call("POST", page, data={"outcome": "approve"})
    await installation.advance(31)
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "CANCELED"
    assert installation.balance(reference) == 0
    assert [row["initiator"] for row in (await merchant.details(reference))["refunds"]] == ["SYSTEM"]


async def test_an_order_whose_opening_was_lost_is_opened_again_and_paid_once(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    body = merchant.order("PAYMOB_EG")
    await installation.fault("paymob", "create", "error_after", body["orderReference"])
    opened = await merchant.post("/orders", body)
    assert opened.status == 201
    assert (await shopper.pays(opened.body["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert installation.balance(body["orderReference"]) == 100


async def test_a_refund_whose_answer_was_lost_is_found_and_made_once(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PAYMOB_EG")
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await installation.fault("paymob", "refund", "error_after", reference)
    await installation.fault("paymob", "events", "no_event", reference, 10)
    assert (await merchant.refunds(reference, "30", "R-1")).body["refundStatus"] == "PENDING"
    await installation.advance(31)
    await installation.quiet()
    assert [row["status"] for row in (await merchant.details(reference))["refunds"]] == ["SUCCESSFUL"]
    assert installation.balance(reference) == 70


async def test_a_currency_that_paymob_in_egypt_does_not_take_is_refused_before_anything_is_sent(
    installation: Installation, merchant: Merchant
) -> None:
    body = merchant.order("PAYMOB_EG", purchaseCurrency="USD")
    answer = await merchant.post("/orders", body)
    assert answer.status == 400
    assert "EGP" in str(answer.body["message"])
    assert installation.ledger(body["orderReference"]) == []
