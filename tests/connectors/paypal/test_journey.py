"""PayPal in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

import pytest

from paymux.accounts import demo, service
from tests.connectors.journey import Shop, sale

CODE = "PAYPAL"


@pytest.mark.parametrize(("currency", "amount"), [("USD", "64.10"), ("EUR", "64.10"), ("JPY", "6410"), ("HUF", "6410")])
async def test_an_order_is_approved_captured_and_partly_refunded_in_each_form_of_money(
    currency: str, amount: str, shop: Shop
) -> None:
    order = await shop.sells(CODE, amount, purchaseCurrency=currency)
    assert (await order.status())["captureStatus"] == "CAPTURED"
    assert await order.refunded("40") == "SUCCESSFUL"
    assert order.ledger == sale(amount, ("refund", "40"))


async def test_a_deferred_order_captured_in_three_is_refunded_by_one_call(shop: Shop) -> None:
    order = await shop.sells(CODE, autoCapture=False)
    for number, amount in enumerate(("20", "30", "40")):
        assert (await order.captures(amount, f"C-{number}")).body["status"] == "SUCCESSFUL"
    partial = await order.voids("5")
    assert (partial.status, partial.body["code"]) == (400, "not_supported")
    assert (await order.voids("10", "V-2")).body["status"] == "SUCCESSFUL"
    assert await order.refunded("85") == "SUCCESSFUL"
    over = await order.refunds("5.01", "R-2")
    assert (over.status, over.body["code"]) == (400, "over_refund")
    assert order.balance == 5
    details = await order.details()
    assert [Decimal(refund["amount"]) for refund in details["refunds"]] == [Decimal(85)]


async def test_the_poll_alone_confirms_what_the_shopper_agreed_to(shop: Shop) -> None:
    order = await shop.opens(CODE)
    await order.loses_every_event()
    await order.decides()
    await shop.quiet()
    assert await order.state() == "PENDING"
    await order.time_passes(31)
    await order.reaches(status="SUCCESSFUL")
    assert order.ledger == sale()


async def test_a_payment_under_review_stays_pending_until_the_event_of_its_capture(shop: Shop) -> None:
    order = await shop.opens(CODE)
    assert await order.pays("pending") == "PENDING"
    await order.settles()
    await order.reaches(status="SUCCESSFUL", captureStatus="CAPTURED")


async def test_a_refund_and_a_void_in_paypals_dashboard_are_learnt_by_their_events(shop: Shop) -> None:
    sold, held = await shop.sells(CODE), await shop.sells(CODE, autoCapture=False)
    await sold.at_provider("provider-refund", amount="15.00")
    await held.at_provider("provider-void")
    await held.reaches(captureStatus="VOIDED")
    await sold.refunds_come_to(("PROVIDER", "SUCCESSFUL"))
    assert [Decimal(refund["amount"]) for refund in (await sold.details())["refunds"]] == [Decimal(15)]


async def test_a_forged_event_only_makes_paymux_ask(shop: Shop) -> None:
    order = await shop.opens(CODE)
    body = {
        "id": "WH-forged", "event_type": "PAYMENT.CAPTURE.COMPLETED", "resource_type": "capture",
        "resource": {"id": "C1", "status": "COMPLETED", "supplementary_data": {"related_ids": {"order_id": order.case.id}}},
    }  # fmt: skip
    key = await _event_key(shop)
    answer = await shop.installation.call("POST", f"{shop.merchant.base}/provider-events/{key}", json=body)
    assert answer.status in (200, 201, 202, 204)
    await shop.quiet()
    assert await order.state() == "PENDING"
    assert order.ledger == []


async def _event_key(shop: Shop) -> str:
    async with shop.installation.database.connection() as held:
        account = await service.account_for(held, shop.installation.keyring, demo.MERCHANT_ID, "", CODE)
    assert account is not None
    return account.event_key


async def test_an_authorisation_that_runs_out_expires(shop: Shop) -> None:
    order = await shop.sells(CODE, autoCapture=False)
    await order.captures("30")
    await order.time_passes(29 * 86_400 + 60)
    await order.reaches(captureStatus="CAPTURED")
    late = await order.captures("10", "C-2")
    assert (late.status, late.body["code"]) == (409, "authorisation_expired")
