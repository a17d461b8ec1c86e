"""Tabby in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from yarl import URL

from paymux.accounts import demo, service
from paymux.connectors.registry import provider_of
from tests.connectors.journey import ENDLESSLY, Journey, Shop, money, sale
from tests.connectors.tabby.conftest import CURRENCIES


def hooks(shop: Shop) -> dict[str, dict[str, Any]]:
    """The demo merchant's webhooks at Tabby, by code."""
    kept = shop.installation.store.note("tabby", "webhooks") or []
    return {hook["owner"][1]: hook for hook in kept if hook["owner"][0] == demo.MERCHANT_ID}


@pytest.fixture(autouse=True)
async def webhooks(shop: Shop) -> None:
    """Every story begins when the demo merchant's webhooks are registered, which a job does by itself."""

    async def registered() -> bool:
        return set(hooks(shop)) == set(CURRENCIES)

    await shop.eventually(registered)


@pytest.mark.parametrize("code", CURRENCIES)
async def test_an_order_of_each_code_is_paid_returned_announced_and_refunded(code: str, shop: Shop) -> None:
    order = await shop.opens(code, "100.25")
    assert order.opened["paymentStatus"] == "pending"
    assert await order.pays() == "SUCCESSFUL"
    status = await order.status()
    assert (status["status"], status["captureStatus"]) == ("SUCCESSFUL", "CAPTURED")
    (data,) = await order.told()
    assert (data["status"], data["amount"], data["currency"]) == ("SUCCESSFUL", Decimal("100.25"), CURRENCIES[code])
    assert await order.refunded("40.05") == "SUCCESSFUL"
    (data,) = await order.told("REFUND_CALLBACK")
    assert (data["status"], data["amount"], data["initiator"]) == ("SUCCESSFUL", Decimal("40.05"), "MERCHANT")
    await shop.quiet()
    assert order.ledger == sale("100.25", ("refund", "40.05"))
    details = await order.details()
    assert (details["capturedAmount"], details["refundedAmount"], details["needsReview"]) == ("100.25", "40.05", None)
    assert len(details["refunds"]) == len(details["orderCaptures"]) == 1


async def test_a_deferred_order_is_captured_in_parts_the_rest_voided_and_then_refunded(shop: Shop) -> None:
    order = await shop.sells("TABBY_KW", "100", autoCapture=False)
    assert (await order.status())["captureStatus"] == "AUTHORIZED"
    assert (await order.captures("30.15")).status == 201
    assert (await order.captures("30.15")).status == 201
    assert (await order.status())["captureStatus"] == "PARTIALLY_CAPTURED"
    assert (await order.captures("80", "C-2")).body["code"] == "over_capture"
    assert (await order.captures("20", "C-3")).status == 201
    # Tabby refunds only what is closed: that is known before anything is claimed, so the reference stays free.
    refused = await order.refunds("50.15", "R-2")
    assert (refused.status, refused.body["code"]) == (409, "still_open")
    assert refused.body["message"] == (
        "TABBY_KW refunds nothing while 49.85 of the order is open: capture or void that first"
    )
    # A close takes no amount, so nothing but all of the rest can be voided.
    partial = await order.voids("10")
    assert (partial.status, partial.body["code"]) == (400, "not_supported")
    assert (await order.voids("49.85", "V-2")).status == 201
    assert (await order.status())["captureStatus"] == "CAPTURED"
    assert (await order.refunds("50.15", "R-2")).status == 201
    await shop.quiet()
    assert order.ledger == money(
        ("authorize", "100"), ("capture", "30.15"), ("capture", "20"), ("void", "49.85"), ("refund", "50.15")
    )
    details = await order.details()
    assert [details[name] for name in ("capturedAmount", "voidedAmount", "refundedAmount")] == [
        "50.15",
        "49.85",
        "50.15",
    ]
    assert details["needsReview"] is None
    (voided,) = await order.told("VOID_STATUS_UPDATE")
    assert (voided["status"], voided["amount"]) == ("SUCCESSFUL", Decimal("49.85"))


async def test_a_whole_authorisation_is_voided(shop: Shop) -> None:
    order = await shop.sells("TABBY_AE", autoCapture=False)
    assert (await order.voids("100")).status == 201
    status = await order.status()
    assert (status["status"], status["captureStatus"]) == ("SUCCESSFUL", "VOIDED")
    await shop.quiet()
    assert order.ledger == money(("authorize", "100"), ("void", "100"))


async def test_the_webhook_alone_completes_an_order_whose_shopper_never_returned(shop: Shop) -> None:
    order = await shop.opens("TABBY_SA")
    await order.fault("status", "error_before", ENDLESSLY)
    await order.decides()
    await order.reaches(status="SUCCESSFUL", captureStatus="CAPTURED")
    assert order.ledger == sale()


async def test_the_poll_alone_completes_an_order(shop: Shop) -> None:
    order = await shop.opens("TABBY_AE")
    await order.loses_every_event()
    await order.decides()
    await shop.quiet()
    assert await order.state() == "PENDING"
    await order.time_passes(31)
    await order.reaches(status="SUCCESSFUL")
    assert order.balance == 100


async def test_the_return_alone_completes_an_order(shop: Shop) -> None:
    order = await shop.opens("TABBY_AE")
    await order.loses_every_event()
    assert await order.pays() == "SUCCESSFUL"
    assert order.ledger == sale()


async def test_a_shopper_whom_tabby_rejects_is_told_at_once_and_the_order_is_declined(shop: Shop) -> None:
    body = shop.merchant.order("TABBY_AE")
    body["customer"] = {**body["customer"], "phoneNumber": "+971500000002"}
    answer = await shop.merchant.post("/orders", body)
    assert answer.status == 422
    assert "unable to approve" in str(answer.body["message"])
    order = Journey(shop, body)
    assert await order.state() == "DECLINED"
    (data,) = await order.told()
    assert data["status"] == "DECLINED"
    assert (await shop.merchant.post("/orders", body)).body["code"] == "duplicate_reference"
    assert order.ledger == []


@pytest.mark.parametrize(
    ("outcome", "status", "said"), [("decline", "DECLINED", "DECLINED"), ("cancel", "CANCELED", "CANCELLED")]
)
async def test_a_shopper_who_does_not_pay_comes_back_and_nothing_moves(
    outcome: str, status: str, said: str, shop: Shop
) -> None:
    order = await shop.opens("TABBY_AE")
    assert await order.pays(outcome) == said
    assert await order.state() == status
    assert order.ledger == []


async def test_a_payment_that_tabby_decides_later_is_pending_until_its_webhook(shop: Shop) -> None:
    order = await shop.opens("TABBY_AE")
    assert await order.pays("pending") == "PENDING"
    await order.settles()
    await order.reaches(status="SUCCESSFUL")
    assert order.balance == 100


# -- trust -----------------------------------------------------------------------------------------


async def test_a_webhook_without_the_registered_header_is_refused_and_pays_nothing(shop: Shop) -> None:
    order = await shop.opens("TABBY_AE")
    body = {
        "id": order.case.id,
        "status": "authorized",
        "amount": "100",
        "currency": "AED",
        "order": {"reference_id": order.reference},
    }
    url = hooks(shop)["TABBY_AE"]["url"]
    for headers in ({}, {"X-Shop-Secret": "guessed"}):
        answer = await shop.installation.call("POST", url, data=json.dumps(body), headers=headers)
        assert answer.status == 401
    await shop.quiet()
    assert await order.state() == "PENDING"
    # The right header is believed, even if it lies: that the capture fails then is Tabby's own word.
    right = hooks(shop)["TABBY_AE"]["header"]
    answer = await shop.installation.call("POST", url, data=json.dumps(body), headers={right["title"]: right["value"]})
    assert answer.status == 200
    await shop.quiet()
    assert await order.state() != "SUCCESSFUL"
    assert order.ledger == []


async def test_another_orders_payment_named_in_the_return_is_ignored(shop: Shop) -> None:
    cheap, dear = await shop.opens("TABBY_AE", "10"), await shop.opens("TABBY_AE", "1000")
    paid = await cheap.decides()
    own = URL(dear.case.data["urls"]["success"]).update_query(payment_id=paid.query["payment_id"])
    assert await dear.returns(own) == "PENDING"
    assert await dear.state() == "PENDING"
    assert dear.ledger == []


@pytest.mark.parametrize(
    ("tampered", "fault"),
    [({"amount": "1.00"}, "amount"), ({"currency": "SAR"}, "currency"), ({"reference": "x"}, "reference")],
)
async def test_a_payment_that_is_not_what_was_ordered_is_never_paid_and_given_back(
    tampered: dict[str, str], fault: str, shop: Shop
) -> None:
    order = await shop.opens("TABBY_AE")
    await order.at_provider("tamper", **tampered)
    assert await order.pays() == "PENDING"
    await order.has_moved("authorize", "void")
    await shop.quiet()
    details = await order.details()
    assert details["status"] == "PENDING"
    assert fault in details["needsReview"]
    assert [kind for kind, _ in order.ledger] == ["authorize", "void"]


async def test_a_payment_on_a_cancelled_order_is_given_back(shop: Shop) -> None:
    order = await shop.opens("TABBY_AE")
    assert (await order.cancels()).status == 201
    status = await order.status()
    assert (status["status"], status["cancelledBy"]) == ("CANCELED", "MERCHANT")
    # Tabby has no call that closes a session, so the shopper can still agree there.
    await order.pays()
    await order.comes_to(money(("authorize", "100"), ("void", "100")))
    (data,) = await order.told("VOID_STATUS_UPDATE")
    assert (data["status"], data["initiator"]) == ("SUCCESSFUL", "SYSTEM")
    assert await order.state() == "CANCELED"


async def test_a_session_that_nobody_pays_ends_with_its_half_hour(shop: Shop) -> None:
    order = await shop.opens("TABBY_AE")
    await order.time_passes(1801)
    status = await order.reaches(status="CANCELED")
    assert status["cancelledBy"] == "SYSTEM"


# -- unknown outcomes ------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["error_after", "timeout_before"])
@pytest.mark.parametrize(
    ("verb", "amount", "shown"), [("capture", "60", "PARTIALLY_CAPTURED"), ("void", "100", "VOIDED")]
)
async def test_a_capture_or_close_whose_answer_was_lost_is_found_or_repeated_and_not_doubled(
    verb: str, amount: str, shown: str, fault: str, shop: Shop
) -> None:
    order = await shop.sells("TABBY_AE", autoCapture=False)
    await shop.quiet()
    await order.loses_every_event()
    await order.fault(verb, fault)
    answer = await {"capture": order.captures, "void": order.voids}[verb](amount)
    assert (answer.status, answer.body["status"]) == (201, "PENDING")
    await order.time_passes(31)
    await order.reaches(captureStatus=shown)
    assert order.ledger == money(("authorize", "100"), (verb, amount))


@pytest.mark.parametrize("fault", ["error_after", "timeout_before"])
async def test_a_refund_whose_answer_was_lost_is_found_or_repeated_and_not_doubled(fault: str, shop: Shop) -> None:
    order = await shop.sells("TABBY_AE")
    await shop.quiet()
    await order.loses_every_event()
    await order.fault("refund", fault)
    answer = await order.refunds("40")
    assert (answer.status, answer.body["refundStatus"]) == (201, "PENDING")
    await order.time_passes(31)
    await order.refunds_come_to(("MERCHANT", "SUCCESSFUL"))
    assert order.balance == 60


async def test_the_capture_of_a_sale_whose_answer_was_lost_still_makes_the_order_paid(shop: Shop) -> None:
    order = await shop.opens("TABBY_AE")
    await order.fault("capture", "reset_after")
    await order.pays()
    await order.time_passes(31)
    await order.reaches(status="SUCCESSFUL", captureStatus="CAPTURED")
    assert order.ledger == sale()


async def test_a_lost_create_is_answered_with_our_own_page_which_opens_another_session(shop: Shop) -> None:
    order = await shop.opens_on_our_page("TABBY_AE")
    assert await order.pays() == "SUCCESSFUL"
    assert order.balance == 100


# -- what Tabby does by itself ---------------------------------------------------------------------


async def test_a_refund_in_tabbys_dashboard_is_told_by_its_webhook_and_counts(shop: Shop) -> None:
    order = await shop.sells("TABBY_AE")
    await order.at_provider("provider-refund", amount="25.00")
    (data,) = await order.told("REFUND_CALLBACK")
    assert (data["amount"], data["initiator"], data["status"]) == (25, "PROVIDER", "SUCCESSFUL")
    assert (await order.refunds("75.01")).body["code"] == "over_refund"
    assert (await order.refunds("75", "R-2")).status == 201
    assert order.balance == 0


async def test_a_dashboard_refund_of_the_same_amount_is_not_taken_for_ours_that_never_came(shop: Shop) -> None:
    order = await shop.sells("TABBY_AE")
    await order.fault("refund", "error_before")
    assert await order.refunded("40") == "PENDING"
    await order.at_provider("provider-refund", amount="40.00")
    await order.time_passes(31)
    await order.refunds_come_to(("MERCHANT", "SUCCESSFUL"), ("PROVIDER", "SUCCESSFUL"))
    assert order.balance == 20


async def test_a_disputed_payments_refund_is_refused_and_said_so(shop: Shop) -> None:
    order = await shop.sells("TABBY_AE")
    await order.at_provider("dispute")
    answer = await order.refunds("10")
    assert (answer.status, "disputed" in str(answer.body)) == (422, True)
    assert order.balance == 100


# -- registering the webhooks ----------------------------------------------------------------------


async def test_the_demo_merchants_webhooks_are_registered_by_themselves_one_for_each_account(shop: Shop) -> None:
    found = hooks(shop)
    assert set(found) == set(CURRENCIES)
    assert len({hook["url"] for hook in found.values()}) == len(CURRENCIES)
    for hook in found.values():
        assert hook["url"].startswith(f"{shop.installation.settings.base_url}/provider-events/")
        assert hook["header"] == {"title": "X-Shop-Secret", "value": "sandbox-tabby-webhook-secret"}


async def test_setting_an_account_anew_corrects_its_webhook_and_its_events_still_count(shop: Shop) -> None:
    before = hooks(shop)["TABBY_QA"]
    core, credentials = shop.installation.core, demo.simulator_credentials(provider_of("TABBY_QA")[0])
    async with core.database.transaction() as tx:
        await service.set_provider_account(
            tx, core.keyring, core.clock, core.settings, demo.MERCHANT_ID, "TABBY_QA", environment="sandbox",
            credentials={**credentials, "webhook_header": "X-New", "webhook_secret": "new-value"},
        )  # fmt: skip

    async def corrected() -> bool:
        return bool(hooks(shop)["TABBY_QA"]["header"] == {"title": "X-New", "value": "new-value"})

    await shop.eventually(corrected)
    assert hooks(shop)["TABBY_QA"]["url"] == before["url"]
    order = await shop.opens("TABBY_QA")
    await order.fault("status", "error_before", ENDLESSLY)
    await order.decides()
    await order.reaches(status="SUCCESSFUL")
