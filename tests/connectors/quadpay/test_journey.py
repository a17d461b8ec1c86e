"""QuadPay in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.installation import Installation, Merchant, Shopper


def money(*rows: tuple[str, str]) -> list[tuple[str, Decimal]]:
    return [(kind, Decimal(amount)) for kind, amount in rows]


@pytest.mark.parametrize("code", ["QUADPAY_US", "QUADPAY_CA"])
async def test_an_order_to_be_paid_at_once_is_captured_by_us_and_partly_refunded(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(code, "64.10")
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await installation.quiet()
    assert (await merchant.status(reference))["captureStatus"] == "CAPTURED"
    assert (await merchant.refunds(reference, "40", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    assert installation.ledger(reference) == money(("authorize", "64.10"), ("capture", "64.10"), ("refund", "40"))


async def test_an_account_that_takes_at_once_is_never_asked_to_capture(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    url = f"{installation.settings.sandbox_base_url}/quadpay/sandbox/configuration"
    await installation.call("POST", url, json={"deferFundsCapture": False})
    try:
        opened = await merchant.creates("QUADPAY_US")
        reference = opened["orderReference"]
        await installation.fault("quadpay", "capture", "error_before", reference)
        assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
        assert (await merchant.status(reference))["captureStatus"] == "CAPTURED"
        later = await merchant.post("/orders", merchant.order("QUADPAY_US", autoCapture=False))
        assert (later.status, later.body["message"]) == (
            422, "this account takes the money at once: ask Zip to defer its captures",
        )  # fmt: skip
    finally:
        await installation.call("POST", url, json={})


async def test_a_cheaper_payment_does_not_pay_the_order_and_is_set_free(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("QUADPAY_US")
    reference = opened["orderReference"]
    ((_, case),) = installation.store.cases(reference)
    url = f"{installation.settings.sandbox_base_url}/quadpay/sandbox/tamper"
    await installation.call("POST", url, json={"id": case.id, "amount": "40"})
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "PENDING"
    await installation.quiet()
    assert (await merchant.details(reference))["needsReview"]
    assert installation.ledger(reference) == money(("authorize", "40"), ("void", "40"))


async def test_a_capture_whose_answer_was_lost_is_for_a_person_and_not_sent_again(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("QUADPAY_US", autoCapture=False)
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    await installation.fault("quadpay", "capture", "error_after", reference)
    assert (await merchant.captures(reference, "100", "C-1")).body["status"] == "PENDING"
    for seconds in (31, 61, 601):
        await installation.advance(seconds)
        await installation.quiet()
    details = await merchant.details(reference)
    assert details["needsReview"]
    assert [row["status"] for row in details["orderCaptures"]] == ["PENDING"]
    assert installation.ledger(reference) == money(("authorize", "100"), ("capture", "100"))
