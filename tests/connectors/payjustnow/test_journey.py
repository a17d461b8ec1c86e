"""PayJustNow in a whole installation; the sandbox's ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

import pytest
from yarl import URL

from tests.installation import Installation, Merchant, Shopper

HOUR = 3_600


async def _tamper(installation: Installation, of: str, changes: dict[str, str]) -> None:
    ((_, case),) = installation.store.cases(of)
    url = f"{installation.settings.sandbox_base_url}/payjustnow/sandbox/tamper"
    assert (await installation.call("POST", url, json={"id": case.id, **changes})).status == 200


async def test_the_callback_alone_pays_an_order_whose_shopper_never_came_back(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PAYJUSTNOW_SA", "64.10")
    reference = opened["orderReference"]
    await shopper.decides(opened["redirectUrl"], "approve")
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"
    assert (await merchant.refunds(reference, "40", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    assert installation.balance(reference) == Decimal("24.10")


async def test_a_payment_whose_callback_is_lost_is_found_by_asking(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PAYJUSTNOW_SA")
    reference = opened["orderReference"]
    await installation.fault("payjustnow", "events", "no_event", reference, 1000)
    await shopper.decides(opened["redirectUrl"], "approve")
    await installation.advance(61)
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"


@pytest.mark.parametrize("changes", [{"amount": "50"}, {"reference": "another-order"}])
async def test_a_cheaper_payment_or_another_orders_is_no_payment_of_this_one(
    installation: Installation, merchant: Merchant, shopper: Shopper, changes: dict[str, str]
) -> None:
    opened = await merchant.creates("PAYJUSTNOW_SA")
    reference = opened["orderReference"]
    await shopper.reaches(opened["redirectUrl"])
    await _tamper(installation, reference, changes)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] != "SUCCESSFUL"
    await installation.advance(601)
    await installation.quiet()
    details = await merchant.details(reference)
    assert details["status"] != "SUCCESSFUL"
    assert details["needsReview"]
    assert not [
        event for event in installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")
        if event["data"]["status"] == "SUCCESSFUL"
    ]  # fmt: skip


async def test_another_orders_return_pays_nothing(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    paid, unpaid = await merchant.creates("PAYJUSTNOW_SA"), await merchant.creates("PAYJUSTNOW_SA")
    back = URL(await shopper.decides(paid["redirectUrl"], "approve"))
    forged = f"{merchant.base}/return/{unpaid['orderToken']}?{back.raw_query_string}"
    assert (await shopper.returns(forged))["status"] == "PENDING"
    await installation.quiet()
    assert (await merchant.status(unpaid["orderReference"]))["status"] == "PENDING"


async def test_who_cancels_and_pays_all_the_same_has_paid(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PAYJUSTNOW_SA")
    reference = opened["orderReference"]
    await installation.fault("payjustnow", "events", "no_event", reference, 1000)
    assert (await shopper.pays(opened["redirectUrl"], "cancel"))["status"] == "PENDING"
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert installation.balance(reference) == 100


async def test_who_cancels_and_never_pays_ends_the_order_and_can_not_pay_any_more(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PAYJUSTNOW_SA", cancellationTimeout=900)
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"], "cancel")
    await installation.advance(901)
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "CANCELED"
    assert [case.status for _, case in installation.store.cases(reference)] == ["CANCELLED_BY_MERCHANT"]


async def test_an_order_that_nobody_pays_within_the_hour_ends(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PAYJUSTNOW_SA")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"], "decline"))["status"] in ("PENDING", "CANCELLED")
    await installation.advance(HOUR + 1)
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "CANCELED"
    assert installation.balance(reference) == 0


async def test_a_refund_whose_answer_was_lost_is_sent_again_and_made_once(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PAYJUSTNOW_SA")
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await installation.fault("payjustnow", "refund", "error_after", reference)
    assert (await merchant.refunds(reference, "30", "R-1")).body["refundStatus"] == "PENDING"
    await installation.advance(31)
    await installation.quiet()
    details = await merchant.details(reference)
    assert [row["status"] for row in details["refunds"]] == ["SUCCESSFUL"]
    assert installation.balance(reference) == 70


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"purchaseCurrency": "AUD"}, "purchaseCurrency"),
        ({"customer": {"firstName": "A", "lastName": "B", "email": "a@shop.example", "phoneNumber": ""}}, "phoneNumber"),
    ],
)  # fmt: skip
async def test_an_order_that_payjustnow_would_not_take_is_refused_before_anything_is_sent(
    installation: Installation, merchant: Merchant, changes: dict[str, object], named: str
) -> None:
    answer = await merchant.post("/orders", merchant.order("PAYJUSTNOW_SA", "100", **changes))
    assert answer.status == 400
    assert named in str(answer.body["message"])
