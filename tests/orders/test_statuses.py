"""S1 to S5: what an order's and an operation's status mean."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import Till


async def paid(merchant: Merchant, shopper: Shopper, code: str, amount: str = "100", **changes: Any) -> str:
    """An order that its shopper has paid and come back from; its reference."""
    opened = await merchant.creates(code, amount, **changes)
    await shopper.pays(opened["redirectUrl"])
    return str(opened["orderReference"])


async def heard(installation: Installation, reference: str, events: int) -> bool:
    """Whether that many of the provider's events on an order have been decided on."""
    async with installation.database.connection() as held:
        return bool(
            await held.fetchval(
                "SELECT count(*) >= $2 FROM provider_events e JOIN orders o ON o.id = e.order_id"
                " WHERE e.state = 'decided' AND o.reference = $1",
                reference,
                events,
            )
        )


# -- S1 ---------------------------------------------------------------------------------------------


async def test_a_refusal_is_declined_and_a_technical_failure_is_an_error(merchant: Merchant, shopper: Shopper) -> None:
    for outcome, status, told in (("decline", "DECLINED", "DECLINED"), ("error", "ERROR", "ERROR")):
        opened = await merchant.creates("SALESTILL")
        query = await shopper.pays(opened["redirectUrl"], outcome)
        assert query["status"] == told
        assert (await merchant.status(opened["orderReference"]))["status"] == status


async def test_a_shopper_who_cancels_is_told_apart_from_merchant_and_system(
    merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("SALESTILL")
    query = await shopper.pays(opened["redirectUrl"], "cancel")
    status = await merchant.status(opened["orderReference"])
    assert (query["status"], status["status"], status["cancelledBy"]) == ("CANCELLED", "CANCELED", "USER")


async def test_a_final_order_hears_the_same_news_again_in_silence(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    """field.md thread 12: settled -> settled threw when the webhook came first."""
    reference = await paid(merchant, shopper, "SALESTILL")
    events = len((await merchant.details(reference))["transactionHistory"])
    till = tills["SALESTILL"]
    for _ in range(2):
        till.tell(till.of(reference))
    await eventually(lambda: heard(installation, reference, 3))
    details = await merchant.details(reference)
    assert (details["status"], len(details["transactionHistory"])) == ("SUCCESSFUL", events)
    assert len(installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")) <= 1


async def test_a_final_order_stays_whatever_the_provider_says_later(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    """field.md thread 6: a sync overwrote a terminal status."""
    reference = await paid(merchant, shopper, "SALESTILL")
    till = tills["SALESTILL"]
    case = till.of(reference)
    for word in ("declined", "cancelled", "expired", "failed", "open"):
        case.status = word
        till.save(case)
        till.tell(case)
    await eventually(lambda: heard(installation, reference, 6))
    status = await merchant.status(reference)
    assert (status["status"], status["captureStatus"]) == ("SUCCESSFUL", "CAPTURED")


async def test_a_cancelled_order_stays_cancelled_whatever_end_the_provider_tells_later(
    installation: Installation, merchant: Merchant, tills: Till, eventually: Eventually
) -> None:
    """field.md thread 6."""
    opened = await merchant.creates("SALESTILL")
    reference, till = opened["orderReference"], tills["SALESTILL"]
    await merchant.post(f"/orders/{reference}/cancel", {})
    case = till.of(reference)
    for word in ("declined", "failed", "expired", "cancelled"):
        case.status = word
        till.save(case)
        till.tell(case)
    await eventually(lambda: heard(installation, reference, 5))
    status = await merchant.status(reference)
    assert (status["status"], status["cancelledBy"]) == ("CANCELED", "MERCHANT")


# -- S2 ---------------------------------------------------------------------------------------------


async def test_with_auto_capture_successful_means_captured(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await paid(merchant, shopper, "AFTERTILL")
    status = await merchant.status(reference)
    assert (status["status"], status["captureStatus"]) == ("SUCCESSFUL", "CAPTURED")
    assert installation.ledger(reference) == [("authorize", 100), ("capture", 100)]


async def test_authorised_but_not_yet_captured_is_pending(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("AFTERTILL")
    reference = opened["orderReference"]
    await installation.fault("aftertill", "capture", "error_before", reference)
    query = await shopper.pays(opened["redirectUrl"])
    status = await merchant.status(reference)
    assert (query["status"], status["status"], status["captureStatus"]) == ("PENDING", "PENDING", "AUTHORIZED")
    assert installation.balance(reference) == 0

    await installation.advance(31)

    async def captured() -> bool:
        return bool((await merchant.status(reference))["status"] == "SUCCESSFUL")

    await eventually(captured)
    assert installation.balance(reference) == 100


async def test_a_refused_capture_voids_the_authorisation_and_the_order_ends_error(
    installation: Installation, merchant: Merchant, shopper: Shopper, refusing: Callable[[str, str], None]
) -> None:
    refusing("AFTERTILL", "capture")
    opened = await merchant.creates("AFTERTILL")
    query = await shopper.pays(opened["redirectUrl"])
    details = await merchant.details(opened["orderReference"])
    assert (query["status"], details["status"], details["captureStatus"]) == ("ERROR", "ERROR", "VOIDED")
    [void] = details["orderVoids"]
    assert (void["initiator"], void["status"], void["amount"]) == ("SYSTEM", "SUCCESSFUL", "100")
    assert installation.ledger(opened["orderReference"]) == [("authorize", 100), ("void", 100)]


async def test_without_auto_capture_successful_means_authorised(merchant: Merchant, shopper: Shopper) -> None:
    reference = await paid(merchant, shopper, "SALESTILL", autoCapture=False)
    status = await merchant.status(reference)
    assert (status["status"], status["captureStatus"]) == ("SUCCESSFUL", "AUTHORIZED")


# -- S3 ---------------------------------------------------------------------------------------------


async def test_capture_status_follows_the_amounts(merchant: Merchant, shopper: Shopper) -> None:
    """field.md thread 6: pending -> partially captured by a word, not by amounts."""
    opened = await merchant.creates("SALESTILL", autoCapture=False)
    reference = opened["orderReference"]
    seen = [(await merchant.status(reference))["captureStatus"]]
    await shopper.pays(opened["redirectUrl"])
    for move, amount in ((None, "0"), (merchant.captures, "30"), (merchant.voids, "20"), (merchant.captures, "50")):
        if move is not None:
            assert (await move(reference, amount, f"M-{amount}")).status == 201
        seen.append((await merchant.status(reference))["captureStatus"])
    assert seen == [None, "AUTHORIZED", "PARTIALLY_CAPTURED", "PARTIALLY_CAPTURED", "CAPTURED"]


async def test_what_is_voided_whole_is_voided(merchant: Merchant, shopper: Shopper) -> None:
    reference = await paid(merchant, shopper, "SALESTILL", autoCapture=False)
    await merchant.voids(reference, "100", "V-1")
    status = await merchant.status(reference)
    assert (status["status"], status["captureStatus"]) == ("SUCCESSFUL", "VOIDED")


@pytest.mark.parametrize("code", ["ONECAPTURETILL", "NOVOIDTILL"])
async def test_where_one_capture_is_allowed_a_partial_one_voids_the_rest(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    reference = await paid(merchant, shopper, code, autoCapture=False)
    assert (await merchant.captures(reference, "30", "C-1")).status == 201
    details = await merchant.details(reference)
    assert (details["captureStatus"], details["voidedAmount"]) == ("CAPTURED", "70")
    [void] = details["orderVoids"]
    assert (void["initiator"], void["status"]) == ("SYSTEM", "SUCCESSFUL")
    assert (("void", Decimal(70)) in installation.ledger(reference)) is (code == "ONECAPTURETILL")

    async def told() -> Any:
        return installation.inbox.events(reference, "VOID_STATUS_UPDATE")

    [event] = await eventually(told)
    assert (event["data"]["initiator"], event["data"]["amount"]) == ("SYSTEM", 70)
    second = await merchant.captures(reference, "10", "C-2")
    assert second.status == 400


async def test_a_merchants_reference_that_looks_like_ours_does_not_keep_the_rest_open(
    merchant: Merchant, shopper: Shopper, tills: Till
) -> None:
    reference = await paid(merchant, shopper, "ONECAPTURETILL", autoCapture=False)
    tills["ONECAPTURETILL"].refuse.add("void")
    assert (await merchant.voids(reference, "100", "release-rest")).status == 422
    tills["ONECAPTURETILL"].refuse.clear()
    assert (await merchant.captures(reference, "30", "C-1")).status == 201
    details = await merchant.details(reference)
    assert [(void["initiator"], void["status"]) for void in details["orderVoids"]] == [
        ("MERCHANT", "FAILED"), ("SYSTEM", "SUCCESSFUL"),
    ]  # fmt: skip
    assert (details["captureStatus"], details["voidedAmount"]) == ("CAPTURED", "70")


async def test_a_rest_that_the_provider_set_free_itself_is_not_voided_again(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    reference = await paid(merchant, shopper, "ONECAPTURETILL", autoCapture=False)
    till = tills["ONECAPTURETILL"]
    case = till.of(reference)
    case.data |= {"captured": "30", "voided": "70"}
    till.save(case, ("capture", Decimal(30), "m1"), ("void", Decimal(70), "m2"))
    till.tell(case)

    async def seen() -> bool:
        return bool((await merchant.status(reference))["captureStatus"] == "CAPTURED")

    await eventually(seen)
    details = await merchant.details(reference)
    assert [void["initiator"] for void in details["orderVoids"]] == ["PROVIDER"]
    assert till.count("void", reference) == 0


# -- S4 ---------------------------------------------------------------------------------------------


async def test_an_expiring_authorisation_is_announced_then_asked_about_and_then_not_captured_any_more(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    """field.md thread 16: an expired authorisation never showed, and goods were shipped unpaid."""
    reference = await paid(merchant, shopper, "PLANPAY_AU", autoCapture=False)
    until = (await merchant.details(reference))["authorizedUntil"]
    assert until is not None
    await installation.advance(6 * 86_400 + 60)

    async def told() -> Any:
        events = installation.inbox.events(reference, "ORDER_STATUS_UPDATE")
        return [event["data"] for event in events if event["data"].get("notice") == "authorization_expires"]

    [notice] = await eventually(told)
    assert (notice["status"], notice["captureStatus"]) == ("SUCCESSFUL", "AUTHORIZED")

    await installation.advance(86_400)

    async def expired() -> bool:
        return bool((await merchant.status(reference))["captureStatus"] == "EXPIRED")

    await eventually(expired)
    for move in (merchant.captures, merchant.voids):
        answer = await move(reference, "100", "M-1")
        assert (answer.status, answer.body["code"]) == (409, "authorisation_expired")
    assert len(await told()) == 1
    assert installation.balance(reference) == 0


async def test_the_deadline_holds_where_only_the_documentation_tells_it(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    """field.md thread 16. It is under 24 hours away, so it is announced at once."""
    reference = await paid(merchant, shopper, "SHORTTILL", autoCapture=False)

    async def told() -> Any:
        events = installation.inbox.events(reference, "ORDER_STATUS_UPDATE")
        return [event for event in events if event["data"].get("notice") == "authorization_expires"]

    await eventually(told)
    assert (await merchant.captures(reference, "40", "C-1")).status == 201
    await installation.advance(43_201)
    assert (await merchant.captures(reference, "10", "C-2")).body["code"] == "authorisation_expired"

    async def expired() -> bool:
        return bool((await merchant.details(reference))["expiredAmount"] == "60")

    await eventually(expired)
    assert (await merchant.status(reference))["captureStatus"] == "CAPTURED"
    assert (await merchant.refunds(reference, "40", "R-1")).status == 201


async def test_an_authorisation_that_expires_before_its_automatic_capture_ends_the_order_in_error(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    opened = await merchant.creates("AFTERTILL")
    reference = opened["orderReference"]
    await installation.fault("aftertill", "capture", "error_before", reference, times=1)
    await shopper.pays(opened["redirectUrl"])
    till = tills["AFTERTILL"]
    case = till.of(reference)
    case.data["expired"] = "100"
    till.save(case)
    await installation.advance(31)

    async def ended() -> bool:
        return bool((await merchant.status(reference))["status"] == "ERROR")

    await eventually(ended)
    assert (await merchant.status(reference))["captureStatus"] == "EXPIRED"
    assert installation.balance(reference) == 0


async def test_a_deadline_that_the_provider_moves_moves_here_too(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    reference = await paid(merchant, shopper, "SHORTTILL", autoCapture=False)
    before, till = (await merchant.details(reference))["authorizedUntil"], tills["SHORTTILL"]
    case = till.of(reference)
    case.data["until"] = (installation.clock.now() + timedelta(days=5)).isoformat()
    till.save(case)
    await installation.advance(43_201)

    async def moved() -> bool:
        return bool((await merchant.details(reference))["authorizedUntil"] > before)

    await eventually(moved)
    assert (await merchant.details(reference))["expiredAmount"] == "0"
    assert (await merchant.captures(reference, "100", "C-1")).status == 201


async def test_a_provider_that_does_not_answer_at_the_deadline_is_asked_again_and_nothing_is_captured_meanwhile(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    reference = await paid(merchant, shopper, "SHORTTILL", autoCapture=False)
    await installation.fault("shorttill", "status", "error_before", reference)
    await installation.advance(43_201)

    async def put_off() -> bool:
        details = await merchant.details(reference)
        return bool(details["nextStep"]["dueAt"] > details["authorizedUntil"])

    await eventually(put_off)
    assert (await merchant.captures(reference, "100", "C-1")).body["code"] == "authorisation_expired"

    async def expired() -> bool:
        await installation.advance(601)
        return bool((await merchant.status(reference))["captureStatus"] == "EXPIRED")

    await eventually(expired)


# -- S5 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "status", "balance"), [("approve", "SUCCESSFUL", 100), ("decline", "DECLINED", 0)])
async def test_an_order_whose_fraud_check_is_still_open_is_pending_until_it_is_decided(
    outcome: str, status: str, balance: int, installation: Installation, merchant: Merchant, shopper: Shopper,
    tills: Till, eventually: Eventually,
) -> None:  # fmt: skip
    till = tills["SALESTILL"]
    opened = await merchant.creates("SALESTILL")
    reference = opened["orderReference"]
    till.checks = True
    query = await shopper.pays(opened["redirectUrl"])
    till.checks = False
    before = await merchant.status(reference)
    assert (query["status"], before["status"], before["captureStatus"]) == ("PENDING", "PENDING", None)
    assert not installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")

    await installation.settle(reference, outcome)

    async def decided() -> bool:
        return bool((await merchant.status(reference))["status"] == status)

    await eventually(decided)
    assert installation.balance(reference) == balance
    assert (await merchant.details(reference))["needsReview"] is None


@pytest.mark.parametrize(("outcome", "status", "left"), [("approve", "SUCCESSFUL", "40"), ("decline", "FAILED", "100")])
async def test_a_refund_that_the_provider_has_taken_on_is_pending_until_it_is_decided(
    outcome: str, status: str, left: str, installation: Installation, merchant: Merchant, shopper: Shopper,
    eventually: Eventually,
) -> None:  # fmt: skip
    """field.md thread 15: what took long was called failed."""
    who = merchant.order()["customer"] | {"email": "slow@shop.example"}
    reference = await paid(merchant, shopper, "PLANPAY_AU", customer=who)
    answer = await merchant.refunds(reference, "60", "R-1")
    assert (answer.status, answer.body["refundStatus"]) == (201, "PENDING")
    assert (await merchant.refunds(reference, "41", "R-2")).body["code"] == "over_refund"
    await installation.settle(reference, outcome)

    async def decided() -> bool:
        return bool((await merchant.details(reference))["refunds"][0]["status"] == status)

    await eventually(decided)

    async def told() -> Any:
        return installation.inbox.events(reference, "REFUND_CALLBACK")

    [event] = await eventually(told)
    assert event["data"]["status"] == status
    assert (await merchant.refunds(reference, left, "R-3")).status == 201
