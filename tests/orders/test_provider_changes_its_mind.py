"""What a provider says once and otherwise later: another payment of the same checkout, a refund that came back (S5, T1, T4)."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from paymux.connectors import contract as c
from paymux.orders import reports
from paymux.orders.decide import deciding
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import Till
from tests.orders.test_statuses import paid


async def test_the_payment_that_counts_is_the_one_that_moves_are_made_of(
    installation: Installation, merchant: Merchant
) -> None:
    """The first payment failed its check and the shopper paid anew in the same checkout: a refund must name the second."""
    opened = await merchant.creates("SALESTILL")
    for report in (
        c.Paid(payment_id="first", total=None, captured=None, underway=True),
        c.Pending(),
        c.Paid(payment_id="second", total=None, captured=None),
        c.Paid(payment_id="third", total=None, captured=None),
    ):
        await deciding(installation.core, opened["orderId"], "poll", partial(reports.apply_report, report=report))
    status = await merchant.status(opened["orderReference"])
    assert (status["status"], status["bnplOrderId"]) == ("SUCCESSFUL", "second")


async def test_a_refund_that_comes_back_after_it_was_done_is_listed(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    """The shopper's bank sent it back: the merchant was told SUCCESSFUL, which is final, so a person has to look."""
    till = tills["READTILL"]
    reference = await paid(merchant, shopper, "READTILL")
    assert (await merchant.refunds(reference, "60", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    await installation.quiet()
    case = till.of(reference)
    case.data["moves"][-1]["status"], case.data["refunded"] = "failed", "0"
    till.save(case)
    till.tell(case)

    async def listed() -> str | None:
        review: str | None = (await merchant.details(reference))["needsReview"]
        return review

    assert await eventually(listed) == "the provider reports the refund R-1 as failed after it was done"
    details = await merchant.details(reference)
    assert [row["status"] for row in details["refunds"]] == ["SUCCESSFUL"]


async def test_a_payment_that_was_given_back_as_another_ones_does_not_pay_for_the_order_later(
    installation: Installation, merchant: Merchant, tills: Till, eventually: Eventually
) -> None:
    """First it was 60 and went back; now the provider says 100: SUCCESSFUL would tell the shop of money that is gone."""
    opened = await merchant.creates("SALESTILL")
    reference, till = opened["orderReference"], tills["SALESTILL"]
    case = till.of(reference)
    case.amount = Decimal(60)
    till.pay(case)

    async def given_back() -> bool:
        return [row["status"] for row in (await merchant.details(reference))["refunds"]] == ["SUCCESSFUL"]

    await eventually(given_back)
    await installation.quiet()
    case = till.of(reference)
    case.amount = Decimal(100)
    till.move(case, "capture", Decimal(40))

    async def told() -> bool:
        return len(installation.inbox.events(reference, "ORDER_NEEDS_REVIEW")) == 2

    await eventually(told)
    details = await merchant.details(reference)
    assert (details["status"], details["captureStatus"]) == ("PENDING", None)
    assert "was given back as not this order's" in details["needsReview"]


async def test_an_authorisation_that_the_provider_denies_later_is_listed_before_the_goods_go(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    """It was SUCCESSFUL, authorised, to be captured at delivery; and then its checkout is said to have been cancelled."""
    till = tills["SALESTILL"]
    reference = await paid(merchant, shopper, "SALESTILL", autoCapture=False)
    await installation.quiet()
    case = till.of(reference)
    case.status = "cancelled"
    till.save(case)
    till.tell(case)

    async def listed() -> str | None:
        review: str | None = (await merchant.details(reference))["needsReview"]
        return review

    assert await eventually(listed) == "the provider reports cancelled after a payment"
    assert (await merchant.status(reference))["captureStatus"] == "AUTHORIZED"
    assert (await merchant.voids(reference, "100", "V-1")).status == 201
    till.tell(case)
    await installation.quiet()
    assert len(installation.inbox.events(reference, "ORDER_NEEDS_REVIEW")) == 1
