"""LatitudePay and Genoapay in a whole installation; the sandbox's ledger is the witness."""

from __future__ import annotations

import hashlib
import hmac
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from paymux.connectors.registry import all_providers
from paymux.platform.database import from_json
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper

CODES = list(all_providers()["latitudepay"].facts.codes)
EXAMPLE = Path(__file__).parents[2] / "order-example.json"


def money(*rows: tuple[str, str]) -> list[tuple[str, Decimal]]:
    return [(kind, Decimal(amount)) for kind, amount in rows]


def signed(status: str, reference: str) -> str:
    return hmac.new(b"demo-payment-secret", f"{status}|{reference}".encode(), hashlib.sha512).hexdigest()


async def reaches(merchant: Merchant, eventually: Eventually, reference: str, status: str) -> dict[str, Any]:
    """Wait until the order has this status."""

    async def shown() -> dict[str, Any] | None:
        found = await merchant.status(reference)
        return found if found["status"] == status else None

    reached: dict[str, Any] = await eventually(shown)
    return reached


async def told(installation: Installation, eventually: Eventually, reference: str, name: str) -> list[dict[str, Any]]:
    """The data of the order's webhooks of this name, once there is one."""

    async def came() -> list[dict[str, Any]]:
        return installation.inbox.events(reference, name)

    return [event["data"] for event in await eventually(came)]


@pytest.mark.parametrize("code", CODES)
async def test_an_order_of_each_code_is_paid_returned_announced_and_refunded(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates(code, "100")
    reference = opened["orderReference"]
    query = await shopper.pays(opened["redirectUrl"])
    assert (query["status"], query["hash"]) == ("SUCCESSFUL", signed("SUCCESSFUL", reference))
    status = await merchant.status(reference)
    assert (status["status"], status["captureStatus"], status["amount"]) == ("SUCCESSFUL", "CAPTURED", 100)
    (data,) = await told(installation, eventually, reference, "ORDER_ASYNC_CALLBACK")
    assert (data["status"], data["captureStatus"]) == ("SUCCESSFUL", "CAPTURED")
    refund = await merchant.refunds(reference, "40.55", "R-1")
    assert (refund.status, refund.body["refundStatus"]) == (201, "SUCCESSFUL")
    assert (await merchant.refunds(reference, "40.55", "R-1")).body == refund.body
    assert (await merchant.refunds(reference, "59.46", "R-2")).body["code"] == "over_refund"
    assert (await merchant.refunds(reference, "59.45", "R-3")).status == 201
    assert len(await told(installation, eventually, reference, "REFUND_CALLBACK")) >= 1
    assert installation.ledger(reference) == money(
        ("authorize", "100"), ("capture", "100"), ("refund", "40.55"), ("refund", "59.45")
    )
    details = await merchant.details(reference)
    assert (details["capturedAmount"], details["refundedAmount"], details["needsReview"]) == ("100", "100", None)


async def test_the_published_example_is_accepted_as_it_is_then_paid_and_refunded(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    example = from_json(EXAMPLE.read_bytes())
    opened = await merchant.post("/orders", EXAMPLE.read_bytes())
    assert opened.status == 201, opened.body
    assert (opened.body["orderReference"], opened.body["bnplProvider"]) == ("LP000_OrderID", "LATITUDEPAY_AU")
    assert (opened.body["paymentStatus"], opened.body["orderAmount"]) == ("pending", Decimal("144.89"))
    back = await shopper.decides(opened.body["redirectUrl"], "approve")
    assert installation.ledger("LP000_OrderID") == money(("authorize", "144.89"), ("capture", "144.89"))
    answer = await installation.call("GET", URL(back, encoded=True))
    home = URL(answer.headers["Location"])
    assert f"{home.scheme}://{home.host}{home.path}" == example["dynamicRedirectUrl"]
    assert home.query["hash"] == signed("SUCCESSFUL", "LP000_OrderID")
    (data,) = await told(installation, eventually, "LP000_OrderID", "ORDER_ASYNC_CALLBACK")
    assert (data["status"], data["amount"]) == ("SUCCESSFUL", Decimal("144.89"))
    assert (await merchant.refunds("LP000_OrderID", "44.89", "REF-1")).body["refundedAmount"] == Decimal("44.89")
    assert (await merchant.refunds("LP000_OrderID", "100", "REF-2")).status == 201
    assert installation.balance("LP000_OrderID") == 0
    again = await merchant.post("/orders", EXAMPLE.read_bytes())
    assert (again.status, again.body["code"]) == (409, "duplicate_reference")


@pytest.mark.parametrize("outcome", ["decline", "cancel"])
async def test_a_shopper_who_is_refused_or_gives_up_ends_the_order_declined(
    outcome: str, installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("LATITUDEPAY_AU")
    reference = opened["orderReference"]
    query = await shopper.pays(opened["redirectUrl"], outcome)
    assert (query["status"], query["hash"]) == ("DECLINED", signed("DECLINED", reference))
    (data,) = await told(installation, eventually, reference, "ORDER_ASYNC_CALLBACK")
    assert data["status"] == "DECLINED"
    assert installation.ledger(reference) == []
    refund = await merchant.refunds(reference, "1", "R-1")
    assert refund.status in (400, 409)


async def test_the_callback_alone_completes_an_order_whose_shopper_never_returned(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("LATITUDEPAY_AU")
    reference = opened["orderReference"]
    await installation.fault("latitudepay", "status", "error_before", reference, times=1000)
    await shopper.decides(opened["redirectUrl"], "approve")
    await reaches(merchant, eventually, reference, "SUCCESSFUL")
    assert installation.balance(reference) == 100


async def test_the_signed_return_alone_completes_an_order(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("LATITUDEPAY_AU")
    reference = opened["orderReference"]
    await installation.fault("latitudepay", "events", "no_event", reference)
    await installation.fault("latitudepay", "status", "error_before", reference, times=1000)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert (await merchant.status(reference))["captureStatus"] == "CAPTURED"


async def test_the_poll_alone_completes_an_order(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("GENOAPAY")
    reference = opened["orderReference"]
    await installation.fault("latitudepay", "events", "no_event", reference)
    await shopper.decides(opened["redirectUrl"], "approve")
    assert (await merchant.status(reference))["status"] == "PENDING"
    await installation.advance(31)
    await reaches(merchant, eventually, reference, "SUCCESSFUL")
    assert installation.balance(reference) == 100


async def test_a_tampered_callback_is_refused_and_a_tampered_return_leads_to_asking(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("LATITUDEPAY_AU")
    reference = opened["orderReference"]
    await installation.fault("latitudepay", "events", "no_event", reference)
    back = URL(await shopper.decides(opened["redirectUrl"], "pending"), encoded=True)
    forged = back.update_query(result="COMPLETED")
    ((_, case),) = installation.store.cases(reference)
    callback = URL(case.data["callback_url"]).with_query(forged.query)
    assert (await installation.call("GET", str(callback))).status == 401
    assert (await shopper.returns(str(forged)))["status"] == "PENDING"
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "PENDING"
    await installation.settle(reference, "approve")
    await installation.advance(700)
    await reaches(merchant, eventually, reference, "SUCCESSFUL")


async def test_the_signed_return_of_another_order_pays_nothing(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    cheap, dear = await merchant.creates("LATITUDEPAY_AU", "20"), await merchant.creates("LATITUDEPAY_AU", "1000")
    paid = URL(await shopper.decides(cheap["redirectUrl"], "approve"), encoded=True)
    ((_, case),) = installation.store.cases(dear["orderReference"])
    own = URL(case.data["success_url"])
    assert (await shopper.returns(str(own.with_query(paid.query))))["status"] == "PENDING"
    assert (await merchant.status(dear["orderReference"]))["status"] == "PENDING"
    assert installation.ledger(dear["orderReference"]) == []
    # Its own payment still counts.
    assert (await shopper.pays(dear["redirectUrl"]))["status"] == "SUCCESSFUL"


async def test_a_payment_that_names_another_order_is_never_paid_and_given_back(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("LATITUDEPAY_AU")
    reference = opened["orderReference"]
    ((_, case),) = installation.store.cases(reference)
    url = f"{installation.settings.sandbox_base_url}/latitudepay/sandbox/tamper"
    assert (await installation.call("POST", url, json={"id": case.id, "reference": "other"})).status == 200
    assert (await shopper.pays(opened["redirectUrl"]))["status"] != "SUCCESSFUL"

    async def given_back() -> bool:
        return installation.ledger(reference)[-1] == ("refund", Decimal(100))

    await eventually(given_back)
    details = await merchant.details(reference)
    assert details["status"] != "SUCCESSFUL"
    assert "reference" in details["needsReview"]
    assert installation.balance(reference) == 0


async def test_a_merchants_cancel_closes_the_sale_there_too(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("LATITUDEPAY_AU")
    reference = opened["orderReference"]
    cancelled = await merchant.post(f"/orders/{reference}/cancel", {"description": "changed his mind"})
    assert cancelled.status == 201, cancelled.body
    status = await merchant.status(reference)
    assert (status["status"], status["cancelledBy"]) == ("CANCELED", "MERCHANT")
    query = await shopper.pays(opened["redirectUrl"])
    assert query["status"] == "CANCELLED"
    assert installation.ledger(reference) == []


async def test_a_callback_of_our_own_cancel_that_overtakes_its_answer_still_means_cancelled(
    installation: Installation, merchant: Merchant
) -> None:
    opened = await merchant.creates("LATITUDEPAY_AU")
    reference = opened["orderReference"]
    # The sale is cancelled and its callback sent, while the answer is held until nobody waits for it.
    await installation.fault("latitudepay", "cancel", "timeout_after", reference)
    assert (await merchant.post(f"/orders/{reference}/cancel", {})).status == 201
    await installation.quiet()
    status = await merchant.status(reference)
    assert (status["status"], status["cancelledBy"]) == ("CANCELED", "MERCHANT")
    assert installation.ledger(reference) == []


async def test_a_cancel_that_came_too_late_finds_the_payment(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("LATITUDEPAY_AU")
    reference = opened["orderReference"]
    await installation.fault("latitudepay", "events", "no_event", reference)
    await shopper.decides(opened["redirectUrl"], "approve")
    await merchant.post(f"/orders/{reference}/cancel", {})
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"
    assert installation.balance(reference) == 100


async def test_an_unpaid_order_is_cancelled_when_the_sale_expires(
    installation: Installation, merchant: Merchant, eventually: Eventually
) -> None:
    opened = await merchant.creates("LATITUDEPAY_AU", cancellationTimeout=600)
    reference = opened["orderReference"]
    await installation.advance(601)
    status = await reaches(merchant, eventually, reference, "CANCELED")
    assert status["cancelledBy"] == "SYSTEM"
    ((_, case),) = installation.store.cases(reference)

    async def closed() -> bool:
        return installation.store.cases(reference)[0][1].status == "DECLINED"

    await eventually(closed)
    assert case.id


@pytest.mark.parametrize("fault", ["error_after", "timeout_before"])
async def test_a_refund_whose_answer_was_lost_is_repeated_with_its_key_and_not_doubled(
    fault: str, installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("LATITUDEPAY_AU")
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await installation.fault("latitudepay", "refund", fault, reference)
    refund = await merchant.refunds(reference, "40", "R-1")
    assert (refund.status, refund.body["refundStatus"]) == (201, "PENDING")
    await installation.advance(31)

    async def settled() -> bool:
        return bool((await merchant.details(reference))["refunds"][0]["status"] == "SUCCESSFUL")

    await eventually(settled)
    assert installation.balance(reference) == 60


async def test_a_lost_create_opens_one_sale_only(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    body = merchant.order("LATITUDEPAY_AU")
    reference = body["orderReference"]
    await installation.fault("latitudepay", "create", "error_after", reference)
    answer = await merchant.post("/orders", body)
    assert (answer.status, answer.body["paymentStatus"]) == (201, "pending")
    assert answer.body["redirectUrl"].startswith(f"{merchant.base}/checkout/")
    assert (await shopper.pays(answer.body["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert len(installation.store.cases(reference)) == 1
    assert installation.balance(reference) == 100


@pytest.mark.parametrize(
    ("change", "field"),
    [({"autoCapture": False}, "autoCapture"), ({"getToken": True}, "getToken")],
)
async def test_what_latitudepay_can_not_do_is_refused_before_anything_is_sent(
    change: dict[str, Any], field: str, installation: Installation, merchant: Merchant
) -> None:
    body = merchant.order("LATITUDEPAY_AU", **change)
    answer = await merchant.post("/orders", body)
    assert (answer.status, answer.body["code"]) == (400, "not_supported")
    assert field in str(answer.body["message"])
    assert installation.store.cases(body["orderReference"]) == []


@pytest.mark.parametrize("code", CODES)
async def test_every_code_is_offered_with_what_it_demands(code: str, merchant: Merchant) -> None:
    currency = "AUD" if code == "LATITUDEPAY_AU" else "NZD"
    for amount, offered in (("20", True), ("1500", True), ("19.99", False), ("1500.01", False)):
        answer = await merchant.get(f"/options?amount={amount}&currency={currency}")
        assert answer.status == 200
        assert (code in str(answer.body)) is offered
