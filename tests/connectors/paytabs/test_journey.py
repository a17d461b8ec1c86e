"""PayTabs and valU in a whole installation; the sandbox's ledger is the witness."""

from __future__ import annotations

import pytest

from paymux.connectors.registry import all_providers
from tests.connectors.journey import Shop, sale

CODES = list(all_providers()["paytabs"].facts.codes)


@pytest.mark.parametrize("code", CODES)
async def test_an_order_of_each_code_is_paid_and_refunded(code: str, shop: Shop) -> None:
    order = await shop.sells(code, "120.50", purchaseCurrency="EGP")
    assert await order.refunded("20.50") == "SUCCESSFUL"
    assert order.ledger == sale("120.5", ("refund", "20.5"))


async def test_valu_can_not_be_captured_later(shop: Shop) -> None:
    answer = await shop.is_refused("VALU", "100", autoCapture=False)
    assert (answer.status, answer.body["code"]) == (400, "not_supported")


async def test_what_is_captured_in_parts_is_refunded_capture_by_capture(shop: Shop) -> None:
    order = await shop.sells("PAYTAB", "100", purchaseCurrency="SAR", autoCapture=False)
    for amount, name in (("30", "C-1"), ("70", "C-2")):
        assert (await order.captures(amount, name)).status == 201
        await order.time_passes(5)
    too_much = await order.refunds("50")
    assert (too_much.status, too_much.body["code"]) == (422, "provider_refused")
    assert "at most 30.00" in too_much.body["message"]
    for amount, name in (("30", "R-2"), ("70", "R-3")):
        assert (await order.refunds(amount, name)).status == 201
    details = await order.details()
    assert (details["capturedAmount"], details["refundedAmount"], details["needsReview"]) == ("100", "100", None)
    assert order.balance == 0


async def test_a_refund_made_in_the_dashboard_is_the_providers_and_counts(shop: Shop) -> None:
    order = await shop.sells("PAYTAB", "100", purchaseCurrency="SAR")
    assert (await order.refunds("25")).status == 201
    await order.at_provider("dashboard", tran_ref=order.case.id, tran_type="refund", amount="25")
    await order.reaches(refundedAmount="50")
    assert [who for who, _ in await order.refunds_made()] == ["MERCHANT", "PROVIDER"]
    assert (await order.refunds("51", "R-2")).body["code"] == "over_refund"
