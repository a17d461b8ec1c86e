"""ShopBack in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.installation import Installation, Merchant, Shopper


async def _paid(merchant: Merchant, shopper: Shopper, code: str = "SHOPBACK_SG", amount: str = "100") -> str:
    opened = await merchant.creates(code, amount)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    reference: str = opened["orderReference"]
    return reference


@pytest.mark.parametrize("code", ["SHOPBACK_SG", "SHOPBACK_MY", "HOOLAH_SG", "HOOLAH_MY"])
async def test_an_order_of_each_code_is_paid_and_partly_refunded(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await _paid(merchant, shopper, code, "64.10")
    assert (await merchant.refunds(reference, "40", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    assert installation.balance(reference) == Decimal("24.10")


async def test_a_whole_refund_waits_for_the_order_to_say_so(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await _paid(merchant, shopper)
    assert (await merchant.refunds(reference, "100", "R-1")).body["refundStatus"] == "PENDING"
    await installation.advance(31)
    await installation.quiet()
    details = await merchant.details(reference)
    assert [(row["initiator"], row["status"]) for row in details["refunds"]] == [("MERCHANT", "SUCCESSFUL")]
    assert (Decimal(details["refundedAmount"]), installation.balance(reference)) == (Decimal(100), Decimal(0))


@pytest.mark.parametrize("fault", ["error_before", "error_after"])
@pytest.mark.parametrize("amount", ["30", "100"])
async def test_a_refund_whose_answer_was_lost_is_made_once(
    fault: str, amount: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await _paid(merchant, shopper)
    await installation.fault("shopback", "refund", fault, reference)
    assert (await merchant.refunds(reference, amount, "R-1")).body["refundStatus"] == "PENDING"
    for seconds in (31, 61):
        await installation.advance(seconds)
        await installation.quiet()
    details = await merchant.details(reference)
    assert [(row["initiator"], row["status"]) for row in details["refunds"]] == [("MERCHANT", "SUCCESSFUL")]
    assert installation.balance(reference) == 100 - Decimal(amount)


async def test_an_order_whose_first_answer_was_lost_is_opened_once_and_paid(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    body = merchant.order("SHOPBACK_SG", "100")
    await installation.fault("shopback", "create", "error_after", body["orderReference"])
    answer = await merchant.post("/orders", body)
    assert (answer.status, answer.body["paymentStatus"]) == (201, "pending")
    assert (await shopper.pays(answer.body["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert len(installation.store.cases(body["orderReference"])) == 1
    assert installation.balance(body["orderReference"]) == 100


async def test_a_shopper_who_gives_up_or_is_rejected_has_ended_the_order(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    for outcome, word in (("cancel", "CANCELLED"), ("decline", "DECLINED")):
        opened = await merchant.creates("SHOPBACK_SG")
        assert (await shopper.pays(opened["redirectUrl"], outcome))["status"] == word
        assert installation.balance(opened["orderReference"]) == 0


async def test_another_currency_or_amount_than_the_code_has_is_refused_with_its_field(merchant: Merchant) -> None:
    for changes, field in (({"purchaseCurrency": "MYR"}, "purchaseCurrency"), ({}, "orderAmount")):
        amount = "100" if changes else "1000.01"
        answer = await merchant.post("/orders", merchant.order("SHOPBACK_SG", amount, **changes))
        assert answer.status == 400
        assert field in str(answer.body)
