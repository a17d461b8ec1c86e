"""What a provider says once and otherwise later: another payment of the same checkout, a refund that came back (S5, T1, T4)."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from paymux.connectors import contract as c
from paymux.orders import reports, review
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


_OF_A_PAYMENT = "the provider reports {} after a payment"


async def told_of(tills: Till, code: str, reference: str, word: str) -> None:
    """The provider calls the order's checkout this, and tells so by an event."""
    case = tills[code].of(reference)
    case.status = word
    tills[code].save(case)
    tills[code].tell(case)


def reviews(installation: Installation, reference: str) -> list[str]:
    """What the merchant has been told to look at."""
    told = installation.inbox.events(reference, "ORDER_NEEDS_REVIEW")
    return [event["data"]["needsReview"] for event in told]


@pytest.mark.parametrize(
    ("word", "called"),
    [("cancelled", "cancelled"), ("declined", "declined"), ("expired", "expired"), ("failed", "broken")],
)
async def test_money_that_the_provider_denies_after_the_sale_is_listed_once(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually, word: str,
    called: str,
) -> None:  # fmt: skip
    reference = await paid(merchant, shopper, "SALESTILL")
    await installation.quiet()
    await told_of(tills, "SALESTILL", reference, word)

    async def listed() -> list[str]:
        return reviews(installation, reference)

    assert await eventually(listed) == [_OF_A_PAYMENT.format(called)]
    status = await merchant.status(reference)
    assert (status["status"], status["captureStatus"]) == ("SUCCESSFUL", "CAPTURED")
    await told_of(tills, "SALESTILL", reference, word)
    await installation.quiet()
    assert len(reviews(installation, reference)) == 1
    await review.resolve(installation.core, reference, "succeeded", "they paid us out all the same", "")
    await told_of(tills, "SALESTILL", reference, word)
    await installation.quiet()
    assert len(reviews(installation, reference)) == 1
    assert (await merchant.details(reference))["needsReview"] is None


async def test_what_a_person_has_to_see_about_a_payment_that_counts_is_listed_once(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    """Two payments of one checkout: one of them is the order's."""
    reference = await paid(merchant, shopper, "SALESTILL")
    twice = c.Paid(payment_id="p-1", total=None, captured=None, review="it was paid  twice")
    for _ in range(2):
        await reported(installation, reference, twice, "poll")
    assert (await merchant.details(reference))["needsReview"] == "it was paid twice"
    await review.resolve(installation.core, reference, "succeeded", "one was given back", "")
    await reported(installation, reference, twice, "poll")
    details = await merchant.details(reference)
    assert (details["status"], details["needsReview"]) == ("SUCCESSFUL", None)
    await installation.quiet()
    assert reviews(installation, reference) == ["it was paid twice"]


async def test_what_is_left_of_a_payment_after_a_partial_refund_can_not_be_denied_in_silence(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    reference = await paid(merchant, shopper, "SALESTILL")
    assert (await merchant.refunds(reference, "60", "R-1")).status == 201
    await installation.quiet()
    await told_of(tills, "SALESTILL", reference, "cancelled")

    async def listed() -> list[str]:
        return reviews(installation, reference)

    assert await eventually(listed) == [_OF_A_PAYMENT.format("cancelled")]


@pytest.mark.parametrize("move", ["refund", "void"])
async def test_a_payment_that_was_given_back_whole_may_be_called_cancelled(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, move: str
) -> None:
    """Some have no other word for it: nobody has to look."""
    reference = await paid(merchant, shopper, "SALESTILL", autoCapture=move == "refund")
    give_back = merchant.refunds if move == "refund" else merchant.voids
    assert (await give_back(reference, "100", "B-1")).status == 201
    await installation.quiet()
    await told_of(tills, "SALESTILL", reference, "cancelled")
    await installation.quiet()
    assert reviews(installation, reference) == []


async def test_a_refund_on_its_way_is_no_money_that_is_denied(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    """It was made, its answer was lost, and the provider calls the payment cancelled before we have asked."""
    reference = await paid(merchant, shopper, "BLINDTILL")
    await installation.fault("blindtill", "refund", "timeout_before", reference)
    assert (await merchant.refunds(reference, "100", "R-1")).body["refundStatus"] == "PENDING"
    before = reviews(installation, reference)
    await reported(installation, reference, c.Cancelled(), "poll")
    await installation.quiet()
    assert _OF_A_PAYMENT.format("cancelled") not in [*before, *reviews(installation, reference)]


@pytest.mark.parametrize("source", ["event", "return"])
async def test_an_old_refusal_that_comes_after_the_payment_is_asked_about_first(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually, source: str
) -> None:
    """The event of a try that failed was held up, or the shopper opened his first return once more."""
    reference = await paid(merchant, shopper, "SALESTILL")
    await installation.quiet()
    before = tills["SALESTILL"].count("status", reference)
    await reported(installation, reference, c.Declined(reason="the first card"), source)

    async def asked() -> bool:
        return bool(tills["SALESTILL"].count("status", reference) > before)

    await eventually(asked)
    await installation.quiet()
    assert reviews(installation, reference) == []


async def test_who_can_not_be_asked_is_believed(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await paid(merchant, shopper, "ONCETILL")
    await installation.quiet()
    await reported(installation, reference, c.Cancelled(), "event")
    details = await merchant.details(reference)
    assert details["needsReview"] == _OF_A_PAYMENT.format("cancelled")


async def reported(installation: Installation, reference: str, report: Any, source: str) -> None:
    """Decide on what the provider is supposed to have said."""
    async with installation.database.connection() as held:
        id = await held.fetchval("SELECT id FROM orders WHERE reference = $1", reference)
    await deciding(installation.core, id, source, partial(reports.apply_report, report=report))
