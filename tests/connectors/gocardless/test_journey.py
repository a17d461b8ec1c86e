"""GoCardless in a whole installation: a debit is PENDING until the bank has collected it (S5)."""

from __future__ import annotations

import hmac
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest

from paymux.connectors.registry import all_providers
from paymux.platform.database import to_json
from tests.conftest import Eventually
from tests.installation import Answer, Installation, Merchant, Shopper

LIMITS = {"provider_timeout": 10.0, "sandbox_hold": 12.0, "lease": 20.0}
CODES = list(all_providers()["gocardless"].facts.codes)
SECRET = b"sandbox-gocardless-webhook-secret"


async def reaches(merchant: Merchant, eventually: Eventually, reference: str, status: str) -> dict[str, Any]:
    """Wait until the order has this status."""

    async def shown() -> dict[str, Any] | None:
        found = await merchant.details(reference)
        return found if found["status"] == status else None

    reached: dict[str, Any] = await eventually(shown)
    return reached


async def left_with_the_bank(installation: Installation, merchant: Merchant, shopper: Shopper) -> str:
    """An order whose debit the bank has not decided on; nothing more is told of it by events."""
    body = merchant.order("GOCARDLESS", "100")
    reference: str = body["orderReference"]
    await installation.fault("gocardless", "events", "no_event", reference, 1000)
    opened = (await merchant.post("/orders", body)).body
    query = await shopper.pays(opened["redirectUrl"], "pending")
    assert query["status"] == "PENDING"
    return reference


def case_of(installation: Installation, reference: str) -> Any:
    ((_, case),) = installation.store.cases(reference)
    return case


async def sends(installation: Installation, url: str, *events: dict[str, Any]) -> Answer:
    """One webhook with these events, signed as GoCardless does."""
    body = to_json({"events": events, "meta": {"webhook_id": "WB1"}}).encode()
    headers = {"Webhook-Signature": hmac.new(SECRET, body, sha256).hexdigest(), "Content-Type": "application/json"}
    return await installation.call("POST", url, data=body, headers=headers)


def confirmed(name: str, payment: str) -> dict[str, Any]:
    return {"id": name, "resource_type": "payments", "action": "confirmed", "links": {"payment": payment}}


@pytest.mark.parametrize("code", CODES)
async def test_an_order_of_each_code_is_pending_at_the_return_and_paid_once_the_bank_has_collected(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    body = merchant.order(code, "100")
    reference = body["orderReference"]
    await installation.fault("gocardless", "events", "no_event", reference, 1000)
    opened = (await merchant.post("/orders", body)).body
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "PENDING"
    status = await merchant.status(reference)
    assert (status["status"], status["captureStatus"]) == ("PENDING", None)
    await installation.advance(31)
    paid = await reaches(merchant, eventually, reference, "SUCCESSFUL")
    assert (paid["captureStatus"], paid["capturedAmount"]) == ("CAPTURED", "100")
    assert installation.ledger(reference) == [("authorize", Decimal(100)), ("capture", Decimal(100))]


async def test_one_webhook_completes_two_orders_and_its_repeat_changes_nothing(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    orders = [await left_with_the_bank(installation, merchant, shopper) for _ in range(2)]
    payments = []
    for reference in orders:
        await installation.settle(reference, "approve")
        payments.append(case_of(installation, reference).data["payments"][0]["id"])
        assert (await merchant.status(reference))["status"] == "PENDING"
    payout = {"id": "EV9", "resource_type": "payouts", "action": "paid", "links": {"payout": "PO1"}}
    events = (confirmed("EV1", payments[0]), payout, confirmed("EV2", payments[1]))
    url = case_of(installation, orders[0]).data["events_url"]
    assert (await sends(installation, url, *events)).status == 200
    for reference in orders:
        await reaches(merchant, eventually, reference, "SUCCESSFUL")
    # In another batch the same events come again.
    assert (await sends(installation, url, events[2], events[0])).status == 200
    await installation.quiet()
    for reference in orders:
        assert installation.balance(reference) == 100
        assert len(installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")) == 1
    async with installation.database.connection() as held:
        kept = await held.fetch(
            "SELECT event_id, state FROM provider_events WHERE event_id LIKE 'EV_' ORDER BY event_id"
        )
    assert [tuple(row) for row in kept] == [("EV1", "decided"), ("EV2", "decided"), ("EV9", "ignored")]


async def test_a_webhook_with_a_wrong_signature_moves_nothing(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await left_with_the_bank(installation, merchant, shopper)
    await installation.settle(reference, "approve")
    case = case_of(installation, reference)
    event = to_json({"events": [confirmed("EV77", case.data["payments"][0]["id"])]})
    answer = await installation.call(
        "POST", case.data["events_url"], data=event, headers={"Webhook-Signature": "0" * 64}
    )
    assert answer.status == 401
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "PENDING"


async def test_a_debit_that_takes_a_week_is_waited_for(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    reference = await left_with_the_bank(installation, merchant, shopper)
    await installation.advance(7 * 86_400 + 3_600)
    await installation.quiet()
    details = await merchant.details(reference)
    assert (details["status"], details["needsReview"]) == ("PENDING", None)
    await installation.settle(reference, "approve")
    await installation.advance(601)
    await reaches(merchant, eventually, reference, "SUCCESSFUL")


async def test_a_merchant_who_cancels_in_time_stops_the_debit(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await left_with_the_bank(installation, merchant, shopper)
    answer = await merchant.post(f"/orders/{reference}/cancel", {})
    assert (answer.status, answer.body["status"], answer.body["cancelledBy"]) == (201, "CANCELED", "MERCHANT")
    assert case_of(installation, reference).data["payments"][0]["status"] == "cancelled"
    assert installation.ledger(reference) == []


async def test_a_merchant_who_cancels_too_late_has_the_debit_given_back(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    reference = await left_with_the_bank(installation, merchant, shopper)
    await installation.fault("gocardless", "cancel", "error_before", reference, 1000)
    assert (await merchant.post(f"/orders/{reference}/cancel", {})).body["status"] == "CANCELED"
    await installation.settle(reference, "approve")
    await installation.advance(31)

    async def returned() -> bool:
        return installation.balance(reference) == 0 and len(installation.ledger(reference)) == 3

    await eventually(returned)
    assert (await merchant.details(reference))["refunds"][0]["initiator"] == "SYSTEM"


async def test_a_payment_that_fails_after_it_was_confirmed_is_told_as_taken_back_by_the_provider(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("GOCARDLESS_EU", "100")
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await reaches(merchant, eventually, reference, "SUCCESSFUL")
    url = f"{installation.settings.sandbox_base_url}/gocardless/sandbox/payment-status"
    body = {"id": case_of(installation, reference).id, "status": "failed"}
    assert (await installation.call("POST", url, json=body)).status == 200

    async def taken() -> dict[str, Any] | None:
        details = await merchant.details(reference)
        return details if details["refundedAmount"] == "100" else None

    details = await eventually(taken)
    assert details["status"] == "SUCCESSFUL"
    assert installation.balance(reference) == 0


async def test_a_debit_of_another_amount_is_given_back_once_it_is_there(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    body = merchant.order("GOCARDLESS", "100")
    reference = body["orderReference"]
    await installation.fault("gocardless", "events", "no_event", reference, 1000)
    opened = (await merchant.post("/orders", body)).body
    url = f"{installation.settings.sandbox_base_url}/gocardless/sandbox/tamper"
    await installation.call("POST", url, json={"id": case_of(installation, reference).id, "amount": "50"})
    assert (await shopper.pays(opened["redirectUrl"], "pending"))["status"] == "PENDING"
    assert "amount" in (await merchant.details(reference))["needsReview"]
    await installation.settle(reference, "approve")
    await installation.advance(61)

    async def returned() -> bool:
        return [kind for kind, _ in installation.ledger(reference)] == ["authorize", "capture", "refund"]

    await eventually(returned)
    assert installation.balance(reference) == 0
    assert (await merchant.status(reference))["status"] == "PENDING"
