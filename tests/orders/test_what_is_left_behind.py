"""E4, and the next step that every order has until it is final."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.test_statuses import paid


async def test_a_refused_body_writes_nothing_and_the_reference_stays_free(
    installation: Installation, merchant: Merchant
) -> None:
    body = merchant.order("SALESTILL")
    answer = await merchant.post("/orders", body | {"purchaseCurrency": "EUR"})
    assert answer.status == 400
    assert (await merchant.get(f"/orders/{body['orderReference']}")).status == 404
    assert (await merchant.post("/orders", body)).status == 201


async def test_without_a_token_nothing_is_written(installation: Installation, merchant: Merchant) -> None:
    body = merchant.order("SALESTILL")
    answer = await installation.call(
        "POST", f"{merchant.base}/orders", data=b"{}", headers={"Authorization": "Bearer x"}
    )
    assert answer.status == 401
    assert (await merchant.post("/orders", body)).status == 201


async def test_a_create_that_the_provider_refuses_leaves_a_declined_order_announced_and_its_reference_used(
    installation: Installation, merchant: Merchant, refusing: Callable[[str, str], None], eventually: Eventually
) -> None:
    refusing("SALESTILL", "create")
    body = merchant.order("SALESTILL")
    answer = await merchant.post("/orders", body)
    assert (answer.status, answer.body["code"]) == (422, "provider_refused")
    status = await merchant.status(body["orderReference"])
    assert (status["status"], status["rejectReason"]) == ("DECLINED", "refused here")
    await _told(installation, body["orderReference"], "DECLINED", eventually)
    assert (await merchant.post("/orders", body)).body["code"] == "duplicate_reference"


async def test_a_provider_out_of_reach_leaves_an_order_in_error_announced_and_its_reference_used(
    installation: Installation, merchant: Merchant, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(installation.settings), "sandbox_base_url", "http://127.0.0.1:1")
    body = merchant.order("SALESTILL")
    answer = await merchant.post("/orders", body)
    assert (answer.status, answer.body["code"]) == (502, "provider_unreachable")
    assert (await merchant.status(body["orderReference"]))["status"] == "ERROR"
    await _told(installation, body["orderReference"], "ERROR", eventually)
    assert (await merchant.post("/orders", body)).status == 409


async def _told(installation: Installation, reference: str, status: str, eventually: Eventually) -> None:
    async def told() -> Any:
        return installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")

    [event] = await eventually(told)
    assert event["data"]["status"] == status


async def test_a_refused_operation_is_failed_announced_and_its_reference_repeats_the_answer(
    installation: Installation, merchant: Merchant, shopper: Shopper, refusing: Callable[[str, str], None],
    eventually: Eventually,
) -> None:  # fmt: skip
    reference = await paid(merchant, shopper, "SALESTILL")
    refusing("SALESTILL", "refund")
    first, again = await merchant.refunds(reference, "60", "R-1"), await merchant.refunds(reference, "60", "R-1")
    for answer in (first, again):
        assert (answer.status, answer.body["code"], answer.body["message"]) == (422, "provider_refused", "refused here")
    [row] = (await merchant.details(reference))["refunds"]
    assert (row["status"], row["refundFailureReason"]) == ("FAILED", "refused here")

    async def told() -> Any:
        return installation.inbox.events(reference, "REFUND_CALLBACK")

    [event] = await eventually(told)
    assert (event["data"]["status"], event["data"]["failureReason"]) == ("FAILED", "refused here")
    # What failed holds nothing.
    assert (await merchant.refunds(reference, "100", "R-2")).status == 422


async def test_an_operation_that_never_left_is_failed_and_repeats_its_502(
    installation: Installation, merchant: Merchant, shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = await paid(merchant, shopper, "SALESTILL")
    with monkeypatch.context() as gone:
        gone.setitem(vars(installation.settings), "sandbox_base_url", "http://127.0.0.1:1")
        first = await merchant.refunds(reference, "60", "R-1")
    again = await merchant.refunds(reference, "60", "R-1")
    assert [first.status, again.status] == [502, 502]
    assert (await merchant.refunds(reference, "60", "R-2")).status == 201
    assert installation.balance(reference) == 40


@pytest.mark.parametrize("code", ["SALESTILL", "ONCETILL", "BLINDTILL", "AFTERPAY_AU", "PLANPAY_AU"])
async def test_every_order_that_is_not_final_has_a_next_step(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    """field.md thread 6: no poll was scheduled, and payments stuck in processing."""
    opened = await merchant.creates(code)
    lost = merchant.order(code)
    await installation.fault(
        code.lower() if code.endswith("TILL") else "generic", "create", "error_after", lost["orderReference"]
    )
    await merchant.post("/orders", lost)
    for reference in (opened["orderReference"], lost["orderReference"]):
        details = await merchant.details(reference)
        assert details["status"] == "PENDING"
        assert set(details["nextStep"]) == {"what", "dueAt"}
    await shopper.pays(opened["redirectUrl"], "pending")
    details = await merchant.details(opened["orderReference"])
    assert details["status"] != "PENDING" or details["nextStep"] is not None


async def test_an_order_that_waits_for_its_capture_has_a_next_step_too(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("AFTERTILL")
    await installation.fault("aftertill", "capture", "error_before", opened["orderReference"])
    await shopper.pays(opened["redirectUrl"])
    details = await merchant.details(opened["orderReference"])
    assert (details["status"], details["captureStatus"]) == ("PENDING", "AUTHORIZED")
    assert details["nextStep"]["what"] in ("operation", "poll")
