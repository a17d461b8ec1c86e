"""Klarna in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

import hashlib
import hmac
from decimal import Decimal
from typing import Any

import pytest
from yarl import URL

from paymux.connectors.registry import all_providers
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper

CODES = list(all_providers()["klarna"].facts.codes)


def money(*rows: tuple[str, str]) -> list[tuple[str, Decimal]]:
    return [(kind, Decimal(amount)) for kind, amount in rows]


def signed(status: str, reference: str) -> str:
    return hmac.new(b"demo-payment-secret", f"{status}|{reference}".encode(), hashlib.sha512).hexdigest()


async def reaches(merchant: Merchant, eventually: Eventually, reference: str, **expected: Any) -> dict[str, Any]:
    """Wait until the order's status shows this."""

    async def shown() -> dict[str, Any] | None:
        status = await merchant.status(reference)
        return status if expected.items() <= status.items() else None

    found: dict[str, Any] = await eventually(shown)
    return found


async def told(installation: Installation, eventually: Eventually, reference: str) -> dict[str, Any]:
    """The data of the webhook that says how the order ended, of which there is one."""

    async def came() -> list[dict[str, Any]]:
        return installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")

    events: list[dict[str, Any]] = await eventually(came)
    assert len(events) == 1
    data: dict[str, Any] = events[0]["data"]
    return data


@pytest.mark.parametrize("code", CODES)
async def test_an_order_of_each_code_is_approved_returned_captured_and_partly_refunded(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates(code, "100")
    reference = opened["orderReference"]
    assert opened["paymentStatus"] == "pending"

    query = await shopper.pays(opened["redirectUrl"])

    assert (query["status"], query["hash"]) == ("SUCCESSFUL", signed("SUCCESSFUL", reference))
    status = await merchant.status(reference)
    assert (status["status"], status["captureStatus"]) == ("SUCCESSFUL", "CAPTURED")
    refund = await merchant.refunds(reference, "40.50", "R-1")
    assert (refund.status, refund.body["refundStatus"]) == (201, "SUCCESSFUL")
    assert installation.ledger(reference) == money(("authorize", "100"), ("capture", "100"), ("refund", "40.50"))
    assert installation.balance(reference) == Decimal("59.50")
    assert (await told(installation, eventually, reference))["status"] == "SUCCESSFUL"


async def test_tax_shipping_and_discount_of_an_american_order_come_to_the_same_amount(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(
        "KLARNA_US", "100", orderAmount=Decimal("110.00"), taxAmount=Decimal("8.25"), shippingAmount=Decimal("7.50"),
        discountAmount=Decimal("5.75"),
    )  # fmt: skip
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert installation.balance(opened["orderReference"]) == 110


async def test_a_deferred_order_is_captured_in_part_and_the_rest_released(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("KLARNA", autoCapture=False)
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert (await merchant.status(reference))["captureStatus"] == "AUTHORIZED"
    assert installation.ledger(reference) == money(("authorize", "100"))

    assert (await merchant.captures(reference, "30", "C-1")).body["status"] == "SUCCESSFUL"
    assert (await merchant.captures(reference, "20", "C-2")).body["status"] == "SUCCESSFUL"
    assert (await merchant.status(reference))["captureStatus"] == "PARTIALLY_CAPTURED"
    partial = await merchant.voids(reference, "10", "V-1")
    assert (partial.status, partial.body["code"]) == (400, "not_supported")
    assert (await merchant.voids(reference, "50", "V-2")).body["status"] == "SUCCESSFUL"

    assert (await merchant.status(reference))["captureStatus"] == "CAPTURED"
    over = await merchant.captures(reference, "1", "C-3")
    assert over.status in (400, 409)
    rows = money(("authorize", "100"), ("capture", "30"), ("capture", "20"), ("void", "50"))
    assert installation.ledger(reference) == rows


async def test_a_deferred_order_of_which_nothing_was_captured_is_voided_whole(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("KLARNA", autoCapture=False)
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    assert (await merchant.voids(reference, "100", "V-1")).body["status"] == "SUCCESSFUL"
    assert (await merchant.status(reference))["captureStatus"] == "VOIDED"
    assert installation.ledger(reference) == money(("authorize", "100"), ("void", "100"))


# -- tokens -----------------------------------------------------------------------------------------------


async def test_a_token_of_a_first_order_pays_a_second_at_once_and_leads_straight_back(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    first = await merchant.creates("KLARNA", getToken=True)
    assert (await shopper.pays(first["redirectUrl"]))["status"] == "SUCCESSFUL"
    data = await told(installation, eventually, first["orderReference"])
    assert data["token"].startswith("tok_")
    assert installation.balance(first["orderReference"]) == 100

    second = await merchant.creates("KLARNA", "64.10", token=data["token"], customerPresent=True)
    reference = second["orderReference"]
    assert second["paymentStatus"] == "successful"
    status = await merchant.status(reference)
    assert (status["status"], status["captureStatus"]) == ("SUCCESSFUL", "CAPTURED")
    back = await installation.call("GET", second["redirectUrl"])
    assert back.status == 303
    shop = URL(back.headers["Location"])
    assert str(shop.with_query(None)) == "https://shop.example/return"
    assert (shop.query["status"], shop.query["hash"]) == ("SUCCESSFUL", signed("SUCCESSFUL", reference))
    assert installation.ledger(reference) == money(("authorize", "64.10"), ("capture", "64.10"))
    assert (await merchant.refunds(reference, "64.10", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    assert installation.balance(reference) == 0


async def test_a_token_charge_whose_answer_was_lost_is_repeated_with_its_key_and_charges_once(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    first = await merchant.creates("KLARNA", getToken=True)
    await shopper.pays(first["redirectUrl"])
    token = (await told(installation, eventually, first["orderReference"]))["token"]
    body = merchant.order("KLARNA", token=token, customerPresent=False)
    reference = body["orderReference"]
    await installation.fault("KLARNA", "charge_token", "error_after", reference)
    answer = await merchant.post("/orders", body)
    assert (answer.status, answer.body["paymentStatus"]) == (201, "pending")
    await installation.advance(60)
    await reaches(merchant, eventually, reference, status="SUCCESSFUL", captureStatus="CAPTURED")
    assert installation.ledger(reference) == money(("authorize", "100"), ("capture", "100"))


async def test_a_confirm_whose_answer_was_lost_is_found_and_says_that_the_token_was_lost(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("KLARNA", getToken=True)
    reference = opened["orderReference"]
    await installation.fault("KLARNA", "confirm", "error_after", reference)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] in ("PENDING", "SUCCESSFUL")
    await installation.advance(60)
    await reaches(merchant, eventually, reference, status="SUCCESSFUL", captureStatus="CAPTURED")
    data = await told(installation, eventually, reference)
    assert data["tokenFailureReason"] == "the answer that named the customer token was lost"
    assert installation.ledger(reference) == money(("authorize", "100"), ("capture", "100"))


async def test_a_confirm_that_never_arrived_is_made_anew_and_brings_the_token(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("KLARNA", getToken=True)
    reference = opened["orderReference"]
    await installation.fault("KLARNA", "confirm", "error_before", reference)
    await shopper.pays(opened["redirectUrl"])
    await installation.advance(60)
    await reaches(merchant, eventually, reference, status="SUCCESSFUL")
    assert (await told(installation, eventually, reference))["token"].startswith("tok_")
    assert installation.ledger(reference) == money(("authorize", "100"), ("capture", "100"))


# -- whatever way Klarna tells, it is enough ----------------------------------------------------------------


@pytest.mark.parametrize("get_token", [False, True])
async def test_the_callback_alone_completes_an_order_whose_shopper_never_came_back(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually, get_token: bool
) -> None:
    opened = await merchant.creates("KLARNA", getToken=get_token)
    reference = opened["orderReference"]
    await shopper.decides(opened["redirectUrl"], "approve")
    await reaches(merchant, eventually, reference, status="SUCCESSFUL", captureStatus="CAPTURED")
    assert installation.ledger(reference) == money(("authorize", "100"), ("capture", "100"))


@pytest.mark.parametrize("get_token", [False, True])
async def test_the_poll_alone_completes_an_order_without_return_or_callback(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually, get_token: bool
) -> None:
    opened = await merchant.creates("KLARNA", getToken=get_token)
    reference = opened["orderReference"]
    await installation.fault("KLARNA", "events", "no_event", reference)
    await shopper.decides(opened["redirectUrl"], "approve")
    assert (await merchant.status(reference))["status"] == "PENDING"
    await installation.advance(120)
    await reaches(merchant, eventually, reference, status="SUCCESSFUL", captureStatus="CAPTURED")


async def test_a_lost_create_is_answered_with_our_own_page_which_opens_the_checkout(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    body = merchant.order("KLARNA")
    await installation.fault("KLARNA", "create", "error_after", body["orderReference"])
    answer = await merchant.post("/orders", body)
    assert (answer.status, answer.body["paymentStatus"]) == (201, "pending")
    assert answer.body["redirectUrl"].startswith(f"{merchant.base}/checkout/")
    assert (await shopper.pays(answer.body["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert installation.balance(body["orderReference"]) == 100


@pytest.mark.parametrize("fault", ["error_after", "error_before", "reset_after"])
async def test_a_sales_capture_whose_answer_was_lost_is_repaired_and_captures_once(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually, fault: str
) -> None:
    opened = await merchant.creates("KLARNA")
    reference = opened["orderReference"]
    await installation.fault("KLARNA", "capture", fault, reference)
    await shopper.pays(opened["redirectUrl"])
    await installation.advance(60)
    await reaches(merchant, eventually, reference, status="SUCCESSFUL", captureStatus="CAPTURED")
    assert installation.ledger(reference) == money(("authorize", "100"), ("capture", "100"))


async def test_a_lost_refund_and_a_portal_refund_of_the_same_amount_are_told_apart(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("KLARNA")
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await installation.fault("KLARNA", "refund", "error_before", reference)
    assert (await merchant.refunds(reference, "25", "R-1")).body["refundStatus"] == "PENDING"
    case = installation.sandbox.store.ledger(reference)[0]["providerReference"]
    body = {"id": case, "amount": "25"}
    portal = await installation.call(
        "POST", f"{installation.settings.sandbox_base_url}/klarna/sandbox/provider-refund", json=body
    )
    assert portal.status == 201
    await installation.advance(60)

    async def both() -> bool:
        refunds = (await merchant.details(reference))["refunds"]
        return sorted((r["initiator"], r["status"]) for r in refunds) == [
            ("MERCHANT", "SUCCESSFUL"), ("PROVIDER", "SUCCESSFUL"),
        ]  # fmt: skip

    await eventually(both)
    assert installation.balance(reference) == 50


# -- orders that are not paid -------------------------------------------------------------------------------


async def test_a_shopper_who_cancels_comes_back_cancelled(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("KLARNA")
    reference = opened["orderReference"]
    query = await shopper.pays(opened["redirectUrl"], "cancel")
    assert (query["status"], query["hash"]) == ("CANCELLED", signed("CANCELLED", reference))
    status = await merchant.status(reference)
    assert (status["status"], status["cancelledBy"]) == ("CANCELED", "USER")
    assert installation.ledger(reference) == []


@pytest.mark.parametrize("outcome", ["decline", "error"])
async def test_a_shopper_who_was_declined_may_try_again_in_the_same_checkout(
    installation: Installation, merchant: Merchant, shopper: Shopper, outcome: str
) -> None:
    opened = await merchant.creates("KLARNA")
    assert (await shopper.pays(opened["redirectUrl"], outcome))["status"] == "PENDING"
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert installation.balance(opened["orderReference"]) == 100


async def test_an_unpaid_order_ends_at_its_deadline_and_its_page_is_closed_at_klarna(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("KLARNA", cancellationTimeout=600)
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"], "decline")
    await installation.advance(601)
    status = await reaches(merchant, eventually, reference, status="CANCELED")
    assert status["cancelledBy"] == "SYSTEM"

    async def closed() -> bool:
        return (await shopper.decides(opened["redirectUrl"], "approve")).find("via=cancel") > 0

    await eventually(closed)
    assert installation.ledger(reference) == []


async def test_an_order_held_for_a_fraud_check_is_paid_once_klarna_accepts_it(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("KLARNA_US")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"], "pending"))["status"] == "PENDING"
    assert installation.ledger(reference) == []
    await installation.settle(reference, "approve")
    await reaches(merchant, eventually, reference, status="SUCCESSFUL", captureStatus="CAPTURED")
    assert installation.ledger(reference) == money(("authorize", "100"), ("capture", "100"))


async def test_an_order_held_for_a_fraud_check_is_declined_once_klarna_rejects_it(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("KLARNA_US")
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"], "pending")
    await installation.settle(reference, "decline")
    status = await reaches(merchant, eventually, reference, status="DECLINED")
    assert status["captureStatus"] is None
    assert (await told(installation, eventually, reference))["status"] == "DECLINED"
    assert installation.ledger(reference) == []


# -- whose payment it is (T1) ----------------------------------------------------------------------------------


async def test_another_orders_return_does_not_pay_this_one(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    cheap, dear = await merchant.creates("KLARNA", "1"), await merchant.creates("KLARNA", "100")
    back = URL(await shopper.decides(cheap["redirectUrl"], "approve"), encoded=True)
    own = URL(await shopper.decides(dear["redirectUrl"], "decline"), encoded=True)
    assert (await shopper.returns(str(own.with_query(back.query))))["status"] == "PENDING"
    assert (await merchant.status(dear["orderReference"]))["status"] == "PENDING"
    assert installation.ledger(dear["orderReference"]) == []


@pytest.mark.parametrize("tampered", [{"amount": "1.00"}, {"currency": "SEK"}, {"reference": "other"}])
async def test_a_payment_that_is_not_this_orders_is_never_announced_as_paid_and_given_back(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually, tampered: dict[str, str]
) -> None:
    opened = await merchant.creates("KLARNA")
    reference = opened["orderReference"]
    case = URL(opened["redirectUrl"]).name
    url = f"{installation.settings.sandbox_base_url}/klarna/sandbox/tamper"
    assert (await installation.call("POST", url, json={"id": case, **tampered})).status == 200
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "PENDING"

    async def given_back() -> bool:
        return [kind for kind, _ in installation.ledger(reference)] == ["authorize", "void"]

    await eventually(given_back)
    details = await merchant.details(reference)
    assert details["status"] == "PENDING"
    assert details["needsReview"]
    assert installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK") == []
