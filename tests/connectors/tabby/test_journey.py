"""Tabby in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

import hashlib
import hmac
import json
from decimal import Decimal
from typing import Any

import pytest
from yarl import URL

from paymux.accounts import demo, service
from paymux.connectors.registry import provider_of
from tests.conftest import Eventually
from tests.connectors.tabby.conftest import CURRENCIES
from tests.installation import Installation, Merchant, Shopper


def money(*rows: tuple[str, str]) -> list[tuple[str, Decimal]]:
    return [(kind, Decimal(amount)) for kind, amount in rows]


def signed(status: str, reference: str) -> str:
    return hmac.new(b"demo-payment-secret", f"{status}|{reference}".encode(), hashlib.sha512).hexdigest()


def hooks(installation: Installation) -> dict[str, dict[str, Any]]:
    """The demo merchant's webhooks at Tabby, by code."""
    kept = installation.store.note("tabby", "webhooks") or []
    return {hook["owner"][1]: hook for hook in kept if hook["owner"][0] == demo.MERCHANT_ID}


@pytest.fixture(autouse=True)
async def webhooks(installation: Installation, eventually: Eventually) -> None:
    """Every story begins when the demo merchant's webhooks are registered, which a job does by itself."""

    async def registered() -> bool:
        return set(hooks(installation)) == set(CURRENCIES)

    await eventually(registered)


async def reaches(merchant: Merchant, eventually: Eventually, reference: str, **expected: Any) -> dict[str, Any]:
    """Wait until the order's status shows this."""

    async def shown() -> dict[str, Any] | None:
        status = await merchant.status(reference)
        return status if expected.items() <= status.items() else None

    found: dict[str, Any] = await eventually(shown)
    return found


async def told(installation: Installation, eventually: Eventually, reference: str, name: str) -> list[dict[str, Any]]:
    """The data of the order's webhooks of this name, once there is one."""

    async def came() -> list[dict[str, Any]]:
        return installation.inbox.events(reference, name)

    return [event["data"] for event in await eventually(came)]


async def at_tabby(installation: Installation, path: str, order: str, /, **body: Any) -> None:
    """Do something in Tabby's own dashboard, with the newest payment of an order."""
    _, case = installation.store.cases(order)[0]
    url = f"{installation.settings.sandbox_base_url}/tabby/sandbox/{path}"
    answer = await installation.call("POST", url, json={"id": case.id, **body})
    assert answer.status == 200, answer.body


@pytest.mark.parametrize("code", CURRENCIES)
async def test_an_order_of_each_code_is_paid_returned_announced_and_refunded(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates(code, "100.25")
    reference = opened["orderReference"]
    assert opened["paymentStatus"] == "pending"
    query = await shopper.pays(opened["redirectUrl"])
    assert (query["status"], query["hash"]) == ("SUCCESSFUL", signed("SUCCESSFUL", reference))
    status = await merchant.status(reference)
    assert (status["status"], status["captureStatus"]) == ("SUCCESSFUL", "CAPTURED")
    (data,) = await told(installation, eventually, reference, "ORDER_ASYNC_CALLBACK")
    assert (data["status"], data["amount"], data["currency"]) == ("SUCCESSFUL", Decimal("100.25"), CURRENCIES[code])
    refund = await merchant.refunds(reference, "40.05", "R-1")
    assert (refund.status, refund.body["refundStatus"]) == (201, "SUCCESSFUL")
    (data,) = await told(installation, eventually, reference, "REFUND_CALLBACK")
    assert (data["status"], data["amount"], data["initiator"]) == ("SUCCESSFUL", Decimal("40.05"), "MERCHANT")
    await installation.quiet()
    assert installation.ledger(reference) == money(("authorize", "100.25"), ("capture", "100.25"), ("refund", "40.05"))
    details = await merchant.details(reference)
    assert (details["capturedAmount"], details["refundedAmount"], details["needsReview"]) == ("100.25", "40.05", None)
    assert len(details["refunds"]) == len(details["orderCaptures"]) == 1


async def test_a_deferred_order_is_captured_in_parts_the_rest_voided_and_then_refunded(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("TABBY_KW", "100", autoCapture=False)
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert (await merchant.status(reference))["captureStatus"] == "AUTHORIZED"
    assert (await merchant.captures(reference, "30.15", "C-1")).status == 201
    assert (await merchant.captures(reference, "30.15", "C-1")).status == 201
    assert (await merchant.status(reference))["captureStatus"] == "PARTIALLY_CAPTURED"
    assert (await merchant.captures(reference, "80", "C-2")).body["code"] == "over_capture"
    assert (await merchant.captures(reference, "20", "C-3")).status == 201
    # Tabby refunds only what is closed.
    refused = await merchant.refunds(reference, "10", "R-1")
    assert (refused.status, "not closed" in str(refused.body)) == (422, True)
    # A close takes no amount, so nothing but all of the rest can be voided.
    partial = await merchant.voids(reference, "10", "V-1")
    assert (partial.status, partial.body["code"]) == (400, "not_supported")
    assert (await merchant.voids(reference, "49.85", "V-2")).status == 201
    assert (await merchant.status(reference))["captureStatus"] == "CAPTURED"
    assert (await merchant.refunds(reference, "50.15", "R-2")).status == 201
    await installation.quiet()
    assert installation.ledger(reference) == money(
        ("authorize", "100"), ("capture", "30.15"), ("capture", "20"), ("void", "49.85"), ("refund", "50.15")
    )
    details = await merchant.details(reference)
    assert [details[name] for name in ("capturedAmount", "voidedAmount", "refundedAmount")] == [
        "50.15",
        "49.85",
        "50.15",
    ]
    assert details["needsReview"] is None
    (voided,) = await told(installation, eventually, reference, "VOID_STATUS_UPDATE")
    assert (voided["status"], voided["amount"]) == ("SUCCESSFUL", Decimal("49.85"))


async def test_a_whole_authorisation_is_voided(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("TABBY_AE", autoCapture=False)
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    assert (await merchant.voids(reference, "100", "V-1")).status == 201
    status = await merchant.status(reference)
    assert (status["status"], status["captureStatus"]) == ("SUCCESSFUL", "VOIDED")
    await installation.quiet()
    assert installation.ledger(reference) == money(("authorize", "100"), ("void", "100"))


async def test_the_webhook_alone_completes_an_order_whose_shopper_never_returned(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("TABBY_SA")
    reference = opened["orderReference"]
    await installation.fault("tabby", "status", "error_before", reference, times=1000)
    await shopper.decides(opened["redirectUrl"], "approve")
    await reaches(merchant, eventually, reference, status="SUCCESSFUL", captureStatus="CAPTURED")
    assert installation.ledger(reference) == money(("authorize", "100"), ("capture", "100"))


async def test_the_poll_alone_completes_an_order(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("TABBY_AE")
    reference = opened["orderReference"]
    await installation.fault("tabby", "events", "no_event", reference, times=1000)
    await shopper.decides(opened["redirectUrl"], "approve")
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "PENDING"
    await installation.advance(31)
    await reaches(merchant, eventually, reference, status="SUCCESSFUL")
    assert installation.balance(reference) == 100


async def test_the_return_alone_completes_an_order(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("TABBY_AE")
    reference = opened["orderReference"]
    await installation.fault("tabby", "events", "no_event", reference, times=1000)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert installation.ledger(reference) == money(("authorize", "100"), ("capture", "100"))


async def test_a_shopper_whom_tabby_rejects_is_told_at_once_and_the_order_is_declined(
    installation: Installation, merchant: Merchant, eventually: Eventually
) -> None:
    body = merchant.order("TABBY_AE")
    reference = body["orderReference"]
    body["customer"] = {**body["customer"], "phoneNumber": "+971500000002"}
    answer = await merchant.post("/orders", body)
    assert answer.status == 422
    assert "unable to approve" in str(answer.body["message"])
    assert (await merchant.status(reference))["status"] == "DECLINED"
    (data,) = await told(installation, eventually, reference, "ORDER_ASYNC_CALLBACK")
    assert data["status"] == "DECLINED"
    assert (await merchant.post("/orders", body)).body["code"] == "duplicate_reference"
    assert installation.ledger(reference) == []


@pytest.mark.parametrize(
    ("outcome", "status", "said"), [("decline", "DECLINED", "DECLINED"), ("cancel", "CANCELED", "CANCELLED")]
)
async def test_a_shopper_who_does_not_pay_comes_back_and_nothing_moves(
    outcome: str, status: str, said: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("TABBY_AE")
    reference = opened["orderReference"]
    query = await shopper.pays(opened["redirectUrl"], outcome)
    assert (query["status"], query["hash"]) == (said, signed(said, reference))
    assert (await merchant.status(reference))["status"] == status
    assert installation.ledger(reference) == []


async def test_a_payment_that_tabby_decides_later_is_pending_until_its_webhook(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("TABBY_AE")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"], "pending"))["status"] == "PENDING"
    await installation.settle(reference, "approve")
    await reaches(merchant, eventually, reference, status="SUCCESSFUL")
    assert installation.balance(reference) == 100


# -- trust -----------------------------------------------------------------------------------------


async def test_a_webhook_without_the_registered_header_is_refused_and_pays_nothing(
    installation: Installation, merchant: Merchant
) -> None:
    opened = await merchant.creates("TABBY_AE")
    reference = opened["orderReference"]
    _, case = installation.store.cases(reference)[0]
    body = {
        "id": case.id,
        "status": "authorized",
        "amount": "100",
        "currency": "AED",
        "order": {"reference_id": reference},
    }
    url = hooks(installation)["TABBY_AE"]["url"]
    for headers in ({}, {"X-Shop-Secret": "guessed"}):
        answer = await installation.call("POST", url, data=json.dumps(body), headers=headers)
        assert answer.status == 401
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "PENDING"
    # The right header is believed, even if it lies: that the capture fails then is Tabby's own word.
    right = hooks(installation)["TABBY_AE"]["header"]
    answer = await installation.call("POST", url, data=json.dumps(body), headers={right["title"]: right["value"]})
    assert answer.status == 200
    await installation.quiet()
    assert (await merchant.status(reference))["status"] != "SUCCESSFUL"
    assert installation.ledger(reference) == []


async def test_another_orders_payment_named_in_the_return_is_ignored(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    cheap, dear = await merchant.creates("TABBY_AE", "10"), await merchant.creates("TABBY_AE", "1000")
    paid = URL(await shopper.decides(cheap["redirectUrl"], "approve"), encoded=True)
    _, case = installation.store.cases(dear["orderReference"])[0]
    own = URL(case.data["urls"]["success"]).update_query(payment_id=paid.query["payment_id"])
    assert (await shopper.returns(str(own)))["status"] == "PENDING"
    assert (await merchant.status(dear["orderReference"]))["status"] == "PENDING"
    assert installation.ledger(dear["orderReference"]) == []


@pytest.mark.parametrize(
    ("tampered", "fault"),
    [({"amount": "1.00"}, "amount"), ({"currency": "SAR"}, "currency"), ({"reference": "x"}, "reference")],
)
async def test_a_payment_that_is_not_what_was_ordered_is_never_paid_and_given_back(
    tampered: dict[str, str], fault: str, installation: Installation, merchant: Merchant, shopper: Shopper,
    eventually: Eventually,
) -> None:  # fmt: skip
    opened = await merchant.creates("TABBY_AE")
    reference = opened["orderReference"]
    await at_tabby(installation, "tamper", reference, **tampered)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "PENDING"

    async def given_back() -> bool:
        return installation.ledger(reference)[-1][0] == "void"

    await eventually(given_back)
    await installation.quiet()
    details = await merchant.details(reference)
    assert details["status"] == "PENDING"
    assert fault in details["needsReview"]
    assert [kind for kind, _ in installation.ledger(reference)] == ["authorize", "void"]


async def test_a_payment_on_a_cancelled_order_is_given_back(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("TABBY_AE")
    reference = opened["orderReference"]
    assert (await merchant.post(f"/orders/{reference}/cancel", {})).status == 201
    status = await merchant.status(reference)
    assert (status["status"], status["cancelledBy"]) == ("CANCELED", "MERCHANT")
    # Tabby has no call that closes a session, so the shopper can still agree there.
    await shopper.pays(opened["redirectUrl"])

    async def given_back() -> bool:
        return installation.ledger(reference) == money(("authorize", "100"), ("void", "100"))

    await eventually(given_back)
    (data,) = await told(installation, eventually, reference, "VOID_STATUS_UPDATE")
    assert (data["status"], data["initiator"]) == ("SUCCESSFUL", "SYSTEM")
    assert (await merchant.status(reference))["status"] == "CANCELED"


async def test_a_session_that_nobody_pays_ends_with_its_half_hour(
    installation: Installation, merchant: Merchant, eventually: Eventually
) -> None:
    opened = await merchant.creates("TABBY_AE")
    await installation.advance(1801)
    status = await reaches(merchant, eventually, opened["orderReference"], status="CANCELED")
    assert status["cancelledBy"] == "SYSTEM"


# -- unknown outcomes ------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["error_after", "timeout_before"])
async def test_a_capture_whose_answer_was_lost_is_found_or_repeated_and_not_doubled(
    fault: str, installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("TABBY_AE", autoCapture=False)
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await installation.quiet()
    await installation.fault("tabby", "events", "no_event", reference, times=1000)
    await installation.fault("tabby", "capture", fault, reference)
    answer = await merchant.captures(reference, "60", "C-1")
    assert (answer.status, answer.body["status"]) == (201, "PENDING")
    await installation.advance(31)
    await reaches(merchant, eventually, reference, captureStatus="PARTIALLY_CAPTURED")
    assert installation.ledger(reference) == money(("authorize", "100"), ("capture", "60"))


@pytest.mark.parametrize("fault", ["error_after", "timeout_before"])
async def test_a_close_whose_answer_was_lost_is_found_or_repeated(
    fault: str, installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("TABBY_AE", autoCapture=False)
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await installation.quiet()
    await installation.fault("tabby", "events", "no_event", reference, times=1000)
    await installation.fault("tabby", "void", fault, reference)
    answer = await merchant.voids(reference, "100", "V-1")
    assert (answer.status, answer.body["status"]) == (201, "PENDING")
    await installation.advance(31)
    await reaches(merchant, eventually, reference, captureStatus="VOIDED")
    assert installation.ledger(reference) == money(("authorize", "100"), ("void", "100"))


@pytest.mark.parametrize("fault", ["error_after", "timeout_before"])
async def test_a_refund_whose_answer_was_lost_is_found_or_repeated_and_not_doubled(
    fault: str, installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("TABBY_AE")
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await installation.quiet()
    await installation.fault("tabby", "events", "no_event", reference, times=1000)
    await installation.fault("tabby", "refund", fault, reference)
    answer = await merchant.refunds(reference, "40", "R-1")
    assert (answer.status, answer.body["refundStatus"]) == (201, "PENDING")
    await installation.advance(31)

    async def settled() -> bool:
        return bool((await merchant.details(reference))["refunds"][0]["status"] == "SUCCESSFUL")

    await eventually(settled)
    assert installation.balance(reference) == 60


async def test_the_capture_of_a_sale_whose_answer_was_lost_still_makes_the_order_paid(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("TABBY_AE")
    reference = opened["orderReference"]
    await installation.fault("tabby", "capture", "reset_after", reference)
    await shopper.pays(opened["redirectUrl"])
    await installation.advance(31)
    await reaches(merchant, eventually, reference, status="SUCCESSFUL", captureStatus="CAPTURED")
    assert installation.ledger(reference) == money(("authorize", "100"), ("capture", "100"))


async def test_a_lost_create_is_answered_with_our_own_page_which_opens_another_session(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    body = merchant.order("TABBY_AE")
    reference = body["orderReference"]
    await installation.fault("tabby", "create", "error_after", reference)
    answer = await merchant.post("/orders", body)
    assert (answer.status, answer.body["paymentStatus"]) == (201, "pending")
    assert answer.body["redirectUrl"].startswith(f"{merchant.base}/checkout/")
    assert (await shopper.pays(answer.body["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert installation.balance(reference) == 100


# -- what Tabby does by itself ---------------------------------------------------------------------


async def test_a_refund_in_tabbys_dashboard_is_told_by_its_webhook_and_counts(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("TABBY_AE")
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await at_tabby(installation, "provider-refund", reference, amount="25.00")
    (data,) = await told(installation, eventually, reference, "REFUND_CALLBACK")
    assert (data["amount"], data["initiator"], data["status"]) == (25, "PROVIDER", "SUCCESSFUL")
    assert (await merchant.refunds(reference, "75.01", "R-1")).body["code"] == "over_refund"
    assert (await merchant.refunds(reference, "75", "R-2")).status == 201
    assert installation.balance(reference) == 0


async def test_a_dashboard_refund_of_the_same_amount_is_not_taken_for_ours_that_never_came(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("TABBY_AE")
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await installation.fault("tabby", "refund", "error_before", reference)
    assert (await merchant.refunds(reference, "40", "R-1")).body["refundStatus"] == "PENDING"
    await at_tabby(installation, "provider-refund", reference, amount="40.00")
    await installation.advance(31)

    async def both() -> bool:
        refunds = (await merchant.details(reference))["refunds"]
        return sorted((r["initiator"], r["status"]) for r in refunds) == [
            ("MERCHANT", "SUCCESSFUL"),
            ("PROVIDER", "SUCCESSFUL"),
        ]

    await eventually(both)
    assert installation.balance(reference) == 20


async def test_a_disputed_payments_refund_is_refused_and_said_so(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("TABBY_AE")
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await at_tabby(installation, "dispute", reference)
    answer = await merchant.refunds(reference, "10", "R-1")
    assert (answer.status, "disputed" in str(answer.body)) == (422, True)
    assert installation.balance(reference) == 100


# -- registering the webhooks ----------------------------------------------------------------------


async def test_the_demo_merchants_webhooks_are_registered_by_themselves_one_for_each_account(
    installation: Installation,
) -> None:
    found = hooks(installation)
    assert set(found) == set(CURRENCIES)
    assert len({hook["url"] for hook in found.values()}) == len(CURRENCIES)
    for hook in found.values():
        assert hook["url"].startswith(f"{installation.settings.base_url}/provider-events/")
        assert hook["header"] == {"title": "X-Shop-Secret", "value": "sandbox-tabby-webhook-secret"}


async def test_setting_an_account_anew_corrects_its_webhook_and_its_events_still_count(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    before = hooks(installation)["TABBY_QA"]
    core, credentials = installation.core, demo.simulator_credentials(provider_of("TABBY_QA")[0])
    async with core.database.transaction() as tx:
        await service.set_provider_account(
            tx, core.keyring, core.clock, core.settings, demo.MERCHANT_ID, "TABBY_QA", environment="sandbox",
            credentials={**credentials, "webhook_header": "X-New", "webhook_secret": "new-value"},
        )  # fmt: skip

    async def corrected() -> bool:
        return bool(hooks(installation)["TABBY_QA"]["header"] == {"title": "X-New", "value": "new-value"})

    await eventually(corrected)
    assert hooks(installation)["TABBY_QA"]["url"] == before["url"]
    opened = await merchant.creates("TABBY_QA")
    await installation.fault("tabby", "status", "error_before", opened["orderReference"], times=1000)
    await shopper.decides(opened["redirectUrl"], "approve")
    await reaches(merchant, eventually, opened["orderReference"], status="SUCCESSFUL")
