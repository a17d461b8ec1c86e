"""The whole journey with each of the first providers: create, pay, return, be told, capture, refund."""

from __future__ import annotations

import hashlib
import hmac
from decimal import Decimal
from typing import Any

import pytest
from standardwebhooks import Webhook

from paymux.connectors.registry import provider_of
from paymux.platform.database import from_json
from tests.installation import Installation, Merchant, Shopper

LIMITS = {"provider_timeout": 10.0, "lease": 20.0}

PAYMENT_SECRET = b"demo-payment-secret"
WEBHOOK_SECRET = "whsec_ZGVtby13ZWJob29rLXNlY3JldA=="
CODES = ["KLARNA", "AFTERPAY_AU", "TABBY_AE", "LATITUDEPAY_AU"]


def _verified(installation: Installation, reference: str) -> list[dict[str, Any]]:
    """An order's webhooks as the merchant's own library reads them; raises for a signature that is wrong."""
    events = []
    for headers, body in installation.inbox.received:
        if from_json(body)["data"].get("orderReference") == reference:
            Webhook(WEBHOOK_SECRET).verify(body, dict(headers))
            events.append(from_json(body))
    return sorted(events, key=lambda event: event["data"]["sequence"])


def _named(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [event["data"] for event in events if event["event"] == name]


async def _returned(shopper: Shopper, opened: dict[str, Any]) -> None:
    query = await shopper.pays(opened["redirectUrl"])
    assert list(query) == ["hash", "reference", "status", "providerReference"]
    assert (query["reference"], query["status"]) == (opened["orderReference"], "SUCCESSFUL")
    message = f"SUCCESSFUL|{opened['orderReference']}".encode()
    assert query["hash"] == hmac.new(PAYMENT_SECRET, message, hashlib.sha512).hexdigest()
    assert query["providerReference"]


@pytest.mark.parametrize("code", CODES)
async def test_a_sale_is_paid_returned_told_and_refunded(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    offered = await merchant.get(f"/options?amount=100&currency={provider_of(code)[1].currencies[0]}")
    assert code in [option["name"] for option in offered.body]
    opened = await merchant.creates(code)
    reference = opened["orderReference"]
    await _returned(shopper, opened)

    first, second = await merchant.refunds(reference, "40", "R-1"), await merchant.refunds(reference, "60", "R-2")
    assert [(r.status, r.body["refundStatus"]) for r in (first, second)] == [(201, "SUCCESSFUL")] * 2
    await installation.quiet()
    events = _verified(installation, reference)
    assert [event["data"]["sequence"] for event in events] == list(range(1, len(events) + 1))
    (done,) = _named(events, "ORDER_ASYNC_CALLBACK")
    assert (done["status"], done["captureStatus"], done["amount"]) == ("SUCCESSFUL", "CAPTURED", 100)
    refunds = _named(events, "REFUND_CALLBACK")
    assert [(r["refundReference"], r["amount"], r["status"]) for r in refunds] == [
        ("R-1", 40, "SUCCESSFUL"),
        ("R-2", 60, "SUCCESSFUL"),
    ]
    details = await merchant.details(reference)
    assert [Decimal(details[name]) for name in ("capturedAmount", "refundedAmount")] == [100, 100]
    assert installation.balance(reference) == 0


@pytest.mark.parametrize("code", [code for code in CODES if provider_of(code)[0].facts.capabilities.deferred_capture])
async def test_a_deferred_order_is_captured_in_two_parts_and_a_part_refunded(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(code, autoCapture=False)
    reference = opened["orderReference"]
    await _returned(shopper, opened)
    assert (await merchant.status(reference))["captureStatus"] == "AUTHORIZED"
    assert installation.balance(reference) == 0

    assert (await merchant.captures(reference, "70", "C-1")).body["status"] == "SUCCESSFUL"
    assert (await merchant.captures(reference, "30", "C-2")).body["status"] == "SUCCESSFUL"
    assert (await merchant.refunds(reference, "25.50", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    await installation.quiet()
    events = _verified(installation, reference)
    captures = _named(events, "CAPTURE_STATUS_UPDATE")
    assert [(c["captureReference"], c["amount"]) for c in captures] == [("C-1", 70), ("C-2", 30)]
    statuses = [data["captureStatus"] for data in _named(events, "ORDER_STATUS_UPDATE")]
    assert statuses[-3:] == ["AUTHORIZED", "PARTIALLY_CAPTURED", "CAPTURED"]
    assert installation.balance(reference) == Decimal("74.50")


async def test_an_order_that_latitudepay_cannot_defer_is_refused_before_anything_is_sent(merchant: Merchant) -> None:
    answer = await merchant.post("/orders", merchant.order("LATITUDEPAY_AU", autoCapture=False))
    assert (answer.status, answer.body["code"]) == (400, "not_supported")
