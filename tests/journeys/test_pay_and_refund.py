"""The main job, whole, over HTTP: create, pay, come back, be told, refund; for each kind of provider."""

from __future__ import annotations

import hashlib
import hmac
from decimal import Decimal
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper

LIMITS = {"provider_timeout": 10.0, "lease": 20.0}

WEBHOOK_SECRET = "whsec_ZGVtby13ZWJob29rLXNlY3JldA=="
CODES = ["AFTERPAY_AU", "PLANPAY_AU"]


@pytest.mark.parametrize("code", CODES)
async def test_an_order_is_paid_returned_announced_and_refunded(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates(code)
    reference = opened["orderReference"]
    assert opened["paymentStatus"] == "pending"

    query = await shopper.pays(opened["redirectUrl"])

    assert list(query) == ["hash", "reference", "status", "providerReference"]
    assert query["status"] == "SUCCESSFUL"
    signed = hmac.new(b"demo-payment-secret", f"SUCCESSFUL|{reference}".encode(), hashlib.sha512).hexdigest()
    assert query["hash"] == signed
    status = await merchant.status(reference)
    assert (status["status"], status["amount"], status["captureStatus"]) == ("SUCCESSFUL", 100, "CAPTURED")

    refund = await merchant.refunds(reference, "40", "R-1")
    assert refund.status == 201
    assert (refund.body["refundStatus"], refund.body["refundedAmount"]) == ("SUCCESSFUL", 40)
    assert installation.balance(reference) == 60

    async def told() -> Any:
        return installation.inbox.events(reference, "REFUND_CALLBACK")

    await eventually(told)
    events = installation.inbox.events(reference)
    assert [event["data"]["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert [e["data"]["status"] for e in events if e["event"] == "ORDER_ASYNC_CALLBACK"] == ["SUCCESSFUL"]
    for headers, body in installation.inbox.received:
        Webhook(WEBHOOK_SECRET).verify(body, dict(headers))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize(
    ("outcome", "status", "told"), [("decline", "DECLINED", "DECLINED"), ("cancel", "CANCELED", "CANCELLED")]
)
async def test_a_shopper_who_does_not_pay_comes_back_and_nothing_moves(
    code: str, outcome: str, status: str, told: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(code)
    query = await shopper.pays(opened["redirectUrl"], outcome)
    reached = (await merchant.status(opened["orderReference"]))["status"]
    if reached == "PENDING":
        # This provider does not tell a decline or cancel; the order ends at its deadline.
        assert query["status"] == "PENDING"
    else:
        assert (reached, query["status"]) == (status, told)
    assert installation.balance(opened["orderReference"]) == 0


async def test_two_refunds_that_together_exceed_the_payment_leave_one(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates()
    await shopper.pays(opened["redirectUrl"])
    reference = opened["orderReference"]
    first, second = await merchant.refunds(reference, "60", "A"), await merchant.refunds(reference, "60", "B")
    assert first.status == 201
    assert (second.status, second.body["code"]) == (400, "over_refund")
    assert installation.balance(reference) == 40


async def test_the_same_refund_reference_again_gives_the_first_answer_and_moves_nothing(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates()
    await shopper.pays(opened["redirectUrl"])
    reference = opened["orderReference"]
    first, again = await merchant.refunds(reference, "25.50", "A"), await merchant.refunds(reference, "25.50", "A")
    assert first.body == again.body
    assert installation.balance(reference) == Decimal("74.50")
    other = await merchant.refunds(reference, "10", "A")
    assert (other.status, other.body["code"]) == (409, "duplicate_reference")


async def test_a_deferred_order_is_captured_in_parts_and_the_rest_voided(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PLANPAY_AU", autoCapture=False)
    await shopper.pays(opened["redirectUrl"])
    reference = opened["orderReference"]
    assert (await merchant.status(reference))["captureStatus"] == "AUTHORIZED"
    assert (await merchant.captures(reference, "30", "C-1")).status == 201
    assert (await merchant.captures(reference, "80", "C-2")).body["code"] == "over_capture"
    assert (await merchant.captures(reference, "20", "C-3")).status == 201
    assert (await merchant.status(reference))["captureStatus"] == "PARTIALLY_CAPTURED"
    assert (await merchant.voids(reference, "50", "V-1")).status == 201
    assert (await merchant.status(reference))["captureStatus"] == "CAPTURED"
    assert installation.balance(reference) == 50
    assert ("void", Decimal(50)) in installation.ledger(reference)


async def test_a_capture_whose_answer_was_lost_is_found_and_not_doubled(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("PLANPAY_AU", autoCapture=False)
    await shopper.pays(opened["redirectUrl"])
    reference = opened["orderReference"]
    await installation.fault("PLANPAY_AU", "capture", "error_after", reference)
    answer = await merchant.captures(reference, "100", "C-1")
    assert (answer.status, answer.body["status"]) == (201, "PENDING")
    await installation.advance(60)

    async def captured() -> bool:
        return bool((await merchant.status(reference))["captureStatus"] == "CAPTURED")

    await eventually(captured)
    assert installation.balance(reference) == 100


async def test_an_unpaid_order_is_cancelled_by_the_system_at_its_deadline(
    installation: Installation, merchant: Merchant, eventually: Eventually
) -> None:
    opened = await merchant.creates(cancellationTimeout=600)
    await installation.advance(601)

    async def cancelled() -> bool:
        return bool((await merchant.status(opened["orderReference"]))["status"] == "CANCELED")

    await eventually(cancelled)
    assert (await merchant.status(opened["orderReference"]))["cancelledBy"] == "SYSTEM"


async def test_a_lost_create_is_answered_with_our_own_page_which_opens_the_checkout(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    body = merchant.order("PLANPAY_AU")
    await installation.fault("PLANPAY_AU", "create", "error_after", body["orderReference"])
    answer = await merchant.post("/orders", body)
    assert answer.status == 201
    assert answer.body["redirectUrl"].startswith(f"{merchant.base}/checkout/")
    query = await shopper.pays(answer.body["redirectUrl"])
    assert query["status"] == "SUCCESSFUL"
    assert installation.balance(body["orderReference"]) == 100


async def test_a_shopper_who_agreed_and_closed_the_browser_is_confirmed_by_the_poll(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("AFTERPAY_AU")
    await shopper.decides(opened["redirectUrl"], "approve")
    await installation.advance(31)

    async def paid() -> bool:
        return bool((await merchant.status(opened["orderReference"]))["status"] == "SUCCESSFUL")

    await eventually(paid)
    assert installation.balance(opened["orderReference"]) == 100
