"""PayPal in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from paymux.accounts import demo, service
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper

CODE = "PAYPAL"


def money(*rows: tuple[str, str]) -> list[tuple[str, Decimal]]:
    return [(kind, Decimal(amount)) for kind, amount in rows]


async def reaches(merchant: Merchant, eventually: Eventually, reference: str, **expected: Any) -> dict[str, Any]:
    """Wait until the order's status shows this."""

    async def shown() -> dict[str, Any] | None:
        status = await merchant.status(reference)
        return status if expected.items() <= status.items() else None

    found: dict[str, Any] = await eventually(shown)
    return found


@pytest.mark.parametrize(("currency", "amount"), [("USD", "64.10"), ("EUR", "64.10"), ("JPY", "6410"), ("HUF", "6410")])
async def test_an_order_is_approved_captured_and_partly_refunded_in_each_form_of_money(
    currency: str, amount: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(CODE, amount, purchaseCurrency=currency)
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert (await merchant.status(reference))["captureStatus"] == "CAPTURED"
    assert (await merchant.refunds(reference, "40", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    assert installation.ledger(reference) == money(("authorize", amount), ("capture", amount), ("refund", "40"))


async def test_a_deferred_order_captured_in_three_is_refunded_by_one_call(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(CODE, autoCapture=False)
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    for number, amount in enumerate(("20", "30", "40")):
        assert (await merchant.captures(reference, amount, f"C-{number}")).body["status"] == "SUCCESSFUL"
    partial = await merchant.voids(reference, "5", "V-1")
    assert (partial.status, partial.body["code"]) == (400, "not_supported")
    assert (await merchant.voids(reference, "10", "V-2")).body["status"] == "SUCCESSFUL"
    assert (await merchant.refunds(reference, "85", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    over = await merchant.refunds(reference, "5.01", "R-2")
    assert (over.status, over.body["code"]) == (400, "over_refund")
    assert installation.balance(reference) == 5
    details = await merchant.details(reference)
    assert [Decimal(refund["amount"]) for refund in details["refunds"]] == [Decimal(85)]


async def test_the_poll_alone_confirms_what_the_shopper_agreed_to(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates(CODE)
    reference = opened["orderReference"]
    await installation.fault("paypal", "events", "no_event", reference, 100)
    await shopper.decides(opened["redirectUrl"], "approve")
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "PENDING"
    await installation.advance(31)
    await reaches(merchant, eventually, reference, status="SUCCESSFUL")
    assert installation.ledger(reference) == money(("authorize", "100"), ("capture", "100"))


async def test_a_payment_under_review_stays_pending_until_the_event_of_its_capture(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates(CODE)
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"], "pending"))["status"] == "PENDING"
    await installation.settle(reference, "approve")
    await reaches(merchant, eventually, reference, status="SUCCESSFUL", captureStatus="CAPTURED")


async def test_a_refund_and_a_void_in_paypals_dashboard_are_learnt_by_their_events(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    sold, held = await merchant.creates(CODE), await merchant.creates(CODE, autoCapture=False)
    for opened in (sold, held):
        await shopper.pays(opened["redirectUrl"])
    for opened, call, more in ((sold, "provider-refund", {"amount": "15.00"}), (held, "provider-void", {})):
        ((name, case),) = installation.store.cases(opened["orderReference"])[:1]
        url = f"{installation.settings.sandbox_base_url}/{name}/sandbox/{call}"
        assert (await installation.call("POST", url, json={"id": case.id, **more})).status == 201
    await reaches(merchant, eventually, held["orderReference"], captureStatus="VOIDED")

    async def refunded() -> bool:
        details = await merchant.details(sold["orderReference"])
        return [(r["initiator"], Decimal(r["amount"])) for r in details["refunds"]] == [("PROVIDER", Decimal(15))]

    await eventually(refunded)


async def test_a_forged_event_only_makes_paymux_ask(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(CODE)
    reference = opened["orderReference"]
    ((_, case),) = installation.store.cases(reference)[:1]
    body = {
        "id": "WH-forged", "event_type": "PAYMENT.CAPTURE.COMPLETED", "resource_type": "capture",
        "resource": {"id": "C1", "status": "COMPLETED", "supplementary_data": {"related_ids": {"order_id": case.id}}},
    }  # fmt: skip
    key = await _event_key(installation)
    answer = await installation.call("POST", f"{merchant.base}/provider-events/{key}", json=body)
    assert answer.status in (200, 201, 202, 204)
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "PENDING"
    assert installation.ledger(reference) == []


async def _event_key(installation: Installation) -> str:
    async with installation.database.connection() as held:
        account = await service.account_for(held, installation.keyring, demo.MERCHANT_ID, "", CODE)
    assert account is not None
    return account.event_key


async def test_an_authorisation_that_runs_out_expires(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates(CODE, autoCapture=False)
    await shopper.pays(opened["redirectUrl"])
    await merchant.captures(opened["orderReference"], "30", "C-1")
    await installation.advance(29 * 86_400 + 60)

    await reaches(merchant, eventually, opened["orderReference"], captureStatus="CAPTURED")
    late = await merchant.captures(opened["orderReference"], "10", "C-2")
    assert (late.status, late.body["code"]) == (409, "authorisation_expired")
