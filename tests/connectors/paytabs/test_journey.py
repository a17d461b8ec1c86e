"""PayTabs and valU in a whole installation; the sandbox's ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

import pytest

from paymux.connectors.registry import all_providers
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper

CODES = list(all_providers()["paytabs"].facts.codes)


def money(*rows: tuple[str, str]) -> list[tuple[str, Decimal]]:
    return [(kind, Decimal(amount)) for kind, amount in rows]


@pytest.mark.parametrize("code", CODES)
async def test_an_order_of_each_code_is_paid_and_refunded(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(code, "120.50", purchaseCurrency="EGP")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    refund = await merchant.refunds(reference, "20.50", "R-1")
    assert (refund.status, refund.body["refundStatus"]) == (201, "SUCCESSFUL")
    assert installation.ledger(reference) == money(("authorize", "120.5"), ("capture", "120.5"), ("refund", "20.5"))


async def test_valu_can_not_be_captured_later(merchant: Merchant) -> None:
    answer = await merchant.post("/orders", merchant.order("VALU", "100", autoCapture=False))
    assert (answer.status, answer.body["code"]) == (400, "not_supported")


async def test_what_is_captured_in_parts_is_refunded_capture_by_capture(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PAYTAB", "100", purchaseCurrency="SAR", autoCapture=False)
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    for amount, name in (("30", "C-1"), ("70", "C-2")):
        assert (await merchant.captures(reference, amount, name)).status == 201
        await installation.advance(5)
    too_much = await merchant.refunds(reference, "50", "R-1")
    assert (too_much.status, too_much.body["code"]) == (422, "provider_refused")
    assert "at most 30.00" in too_much.body["message"]
    for amount, name in (("30", "R-2"), ("70", "R-3")):
        assert (await merchant.refunds(reference, amount, name)).status == 201
    details = await merchant.details(reference)
    assert (details["capturedAmount"], details["refundedAmount"], details["needsReview"]) == ("100", "100", None)
    assert installation.balance(reference) == 0


async def test_a_refund_made_in_the_dashboard_is_the_providers_and_counts(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("PAYTAB", "100", purchaseCurrency="SAR")
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    assert (await merchant.refunds(reference, "25", "R-1")).status == 201
    ((_, case),) = installation.store.cases(reference)
    made = {"tran_ref": case.id, "tran_type": "refund", "amount": "25"}
    url = f"{installation.settings.sandbox_base_url}/paytabs/sandbox/dashboard"
    assert (await installation.call("POST", url, json=made)).status == 200

    async def both() -> bool:
        return bool((await merchant.details(reference))["refundedAmount"] == "50")

    assert await eventually(both)
    details = await merchant.details(reference)
    assert sorted(row["initiator"] for row in details["refunds"]) == ["MERCHANT", "PROVIDER"]
    assert (await merchant.refunds(reference, "51", "R-2")).body["code"] == "over_refund"
