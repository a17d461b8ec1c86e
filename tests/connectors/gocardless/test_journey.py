"""GoCardless in a whole installation: a debit is PENDING until the bank has collected it (S5)."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any

import pytest

from paymux.connectors.registry import all_providers
from paymux.platform.database import to_json
from tests.connectors.journey import ENDLESSLY, Journey, Shop, sale
from tests.installation import Answer

LIMITS = {"provider_timeout": 10.0, "sandbox_hold": 12.0, "lease": 20.0}
CODES = list(all_providers()["gocardless"].facts.codes)
SECRET = b"sandbox-gocardless-webhook-secret"


async def opened_in_silence(shop: Shop, code: str = "GOCARDLESS") -> Journey:
    """An order of which nothing is told by events."""
    return await shop.opens(code, faults={"events": "no_event"})


async def left_with_the_bank(shop: Shop) -> Journey:
    """An order whose debit the bank has not decided on; nothing more is told of it by events."""
    order = await opened_in_silence(shop)
    assert await order.pays("pending") == "PENDING"
    return order


async def sends(shop: Shop, url: str, *events: dict[str, Any]) -> Answer:
    """One webhook with these events, signed as GoCardless does."""
    body = to_json({"events": events, "meta": {"webhook_id": "WB1"}}).encode()
    headers = {"Webhook-Signature": hmac.new(SECRET, body, sha256).hexdigest(), "Content-Type": "application/json"}
    return await shop.installation.call("POST", url, data=body, headers=headers)


def confirmed(name: str, payment: str) -> dict[str, Any]:
    return {"id": name, "resource_type": "payments", "action": "confirmed", "links": {"payment": payment}}


@pytest.mark.parametrize("code", CODES)
async def test_an_order_of_each_code_is_pending_at_the_return_and_paid_once_the_bank_has_collected(
    code: str, shop: Shop
) -> None:
    order = await opened_in_silence(shop, code)
    assert await order.pays() == "PENDING"
    status = await order.status()
    assert (status["status"], status["captureStatus"]) == ("PENDING", None)
    await order.time_passes(31)
    paid = await order.reaches(status="SUCCESSFUL")
    assert (paid["captureStatus"], paid["capturedAmount"]) == ("CAPTURED", "100")
    assert order.ledger == sale()


async def test_one_webhook_completes_two_orders_and_its_repeat_changes_nothing(shop: Shop) -> None:
    orders = [await left_with_the_bank(shop) for _ in range(2)]
    payments = []
    for order in orders:
        await order.settles()
        payments.append(order.case.data["payments"][0]["id"])
        assert await order.state() == "PENDING"
    payout = {"id": "EV9", "resource_type": "payouts", "action": "paid", "links": {"payout": "PO1"}}
    events = (confirmed("EV1", payments[0]), payout, confirmed("EV2", payments[1]))
    url = orders[0].case.data["events_url"]
    assert (await sends(shop, url, *events)).status == 200
    for order in orders:
        await order.reaches(status="SUCCESSFUL")
    # In another batch the same events come again.
    assert (await sends(shop, url, events[2], events[0])).status == 200
    await shop.quiet()
    for order in orders:
        assert order.balance == 100
        assert len(order.announced()) == 1
    async with shop.installation.database.connection() as held:
        kept = await held.fetch(
            "SELECT event_id, state FROM provider_events WHERE event_id LIKE 'EV_' ORDER BY event_id"
        )
    assert [tuple(row) for row in kept] == [("EV1", "decided"), ("EV2", "decided"), ("EV9", "ignored")]


async def test_a_webhook_with_a_wrong_signature_moves_nothing(shop: Shop) -> None:
    order = await left_with_the_bank(shop)
    await order.settles()
    case = order.case
    event = to_json({"events": [confirmed("EV77", case.data["payments"][0]["id"])]})
    answer = await shop.installation.call(
        "POST", case.data["events_url"], data=event, headers={"Webhook-Signature": "0" * 64}
    )
    assert answer.status == 401
    await shop.quiet()
    assert await order.state() == "PENDING"


async def test_a_debit_that_takes_a_week_is_waited_for(shop: Shop) -> None:
    order = await left_with_the_bank(shop)
    await order.later(7 * 86_400 + 3_600)
    details = await order.details()
    assert (details["status"], details["needsReview"]) == ("PENDING", None)
    await order.settles()
    await order.time_passes(601)
    await order.reaches(status="SUCCESSFUL")


async def test_a_merchant_who_cancels_in_time_stops_the_debit(shop: Shop) -> None:
    order = await left_with_the_bank(shop)
    answer = await order.cancels()
    assert (answer.status, answer.body["status"], answer.body["cancelledBy"]) == (201, "CANCELED", "MERCHANT")
    assert order.case.data["payments"][0]["status"] == "cancelled"
    assert order.ledger == []


async def test_a_merchant_who_cancels_too_late_has_the_debit_given_back(shop: Shop) -> None:
    order = await left_with_the_bank(shop)
    await order.fault("cancel", "error_before", ENDLESSLY)
    assert (await order.cancels()).body["status"] == "CANCELED"
    await order.settles()
    await order.time_passes(31)
    await order.comes_to(sale("100", ("refund", "100")))
    assert (await order.details())["refunds"][0]["initiator"] == "SYSTEM"


async def test_a_payment_that_fails_after_it_was_confirmed_is_told_as_taken_back_by_the_provider(shop: Shop) -> None:
    order = await shop.opens("GOCARDLESS_EU")
    await order.pays()
    await order.reaches(status="SUCCESSFUL")
    await order.at_provider("payment-status", status="failed")
    assert (await order.reaches(refundedAmount="100"))["status"] == "SUCCESSFUL"
    assert order.balance == 0


async def test_a_debit_of_another_amount_is_given_back_once_it_is_there(shop: Shop) -> None:
    order = await opened_in_silence(shop)
    await order.at_provider("tamper", amount="50")
    assert await order.pays("pending") == "PENDING"
    assert "amount" in (await order.details())["needsReview"]
    await order.settles()
    await order.time_passes(61)
    await order.has_moved("authorize", "capture", "refund")
    assert order.balance == 0
    assert await order.state() == "PENDING"
