"""QuadPay in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

import pytest

from tests.connectors.journey import Shop, money, sale


@pytest.mark.parametrize("code", ["QUADPAY_US", "QUADPAY_CA"])
async def test_an_order_to_be_paid_at_once_is_captured_by_us_and_partly_refunded(code: str, shop: Shop) -> None:
    order = await shop.opens(code, "64.10")
    await order.pays()
    await shop.quiet()
    assert (await order.status())["captureStatus"] == "CAPTURED"
    assert await order.refunded("40") == "SUCCESSFUL"
    assert order.ledger == sale("64.10", ("refund", "40"))


async def test_an_account_that_takes_at_once_is_never_asked_to_capture(shop: Shop) -> None:
    url = shop.sandbox("QUADPAY_US", "configuration")
    await shop.installation.call("POST", url, json={"deferFundsCapture": False})
    try:
        order = await shop.opens("QUADPAY_US")
        await order.fault("capture", "error_before")
        assert await order.pays() == "SUCCESSFUL"
        assert (await order.status())["captureStatus"] == "CAPTURED"
        later = await shop.is_refused("QUADPAY_US", autoCapture=False)
        assert (later.status, later.body["message"]) == (
            422, "this account takes the money at once: ask Zip to defer its captures",
        )  # fmt: skip
    finally:
        await shop.installation.call("POST", url, json={})


async def test_a_cheaper_payment_does_not_pay_the_order_and_is_set_free(shop: Shop) -> None:
    order = await shop.opens("QUADPAY_US")
    await order.at_provider("tamper", amount="40")
    assert await order.pays() == "PENDING"
    await shop.quiet()
    assert (await order.details())["needsReview"]
    assert order.ledger == money(("authorize", "40"), ("void", "40"))


async def test_a_capture_whose_answer_was_lost_is_for_a_person_and_not_sent_again(shop: Shop) -> None:
    order = await shop.sells("QUADPAY_US", autoCapture=False)
    await order.fault("capture", "error_after")
    assert (await order.captures("100")).body["status"] == "PENDING"
    await order.later(31, 61, 601)
    details = await order.details()
    assert details["needsReview"]
    assert [row["status"] for row in details["orderCaptures"]] == ["PENDING"]
    assert order.ledger == sale()
