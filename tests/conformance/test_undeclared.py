"""What a connector does not declare is refused with 400 not_supported before anything is sent (E5).

The witness that nothing was sent is a fault that lies in wait at the provider and never strikes.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.trial import PATIENT, Trial

LIMITS = PATIENT


async def _refused_at_create(trial: Trial, field: str, **changes: Any) -> None:
    body = trial.body(**changes)
    reference = body["orderReference"]
    for operation in ("create", "charge_token"):
        await trial.fault(operation, "error_before", reference)
    answer = await trial.merchant.post("/orders", body)
    assert (answer.status, answer.body["code"]) == (400, "not_supported")
    assert any(field in sentence for sentence in answer.body["message"])
    assert not trial.struck("create", reference)
    assert not trial.struck("charge_token", reference)
    assert (await trial.merchant.get(f"/orders/{reference}")).status == 404


@pytest.mark.unable("deferred_capture")
async def test_capturing_later_is_refused_where_it_is_not_declared(trial: Trial) -> None:
    await _refused_at_create(trial, "autoCapture", autoCapture=False)


@pytest.mark.unable("sale")
async def test_capturing_at_once_is_refused_where_it_is_not_declared(trial: Trial) -> None:
    await _refused_at_create(trial, "autoCapture", autoCapture=True)


@pytest.mark.unable("token")
async def test_a_token_is_refused_where_it_is_not_declared(trial: Trial) -> None:
    await _refused_at_create(trial, "getToken", getToken=True)


@pytest.mark.unable("charge_token")
async def test_paying_with_a_token_is_refused_where_it_is_not_declared(trial: Trial) -> None:
    await _refused_at_create(trial, "token", token="tok_0000000000000000000000000000", customerPresent=True)


async def test_additional_data_that_no_fact_names_is_refused(trial: Trial) -> None:
    await _refused_at_create(trial, "additionalData.noSuchKey", additionalData={"noSuchKey": "1"})


async def _refused(trial: Trial, operation: str, reference: str, answer: Any) -> None:
    assert (answer.status, answer.body["code"]) == (400, "not_supported"), answer.body
    assert not trial.struck(operation, reference)


@pytest.mark.able("deferred_capture")
@pytest.mark.unable("partial_capture")
async def test_a_partial_capture_is_refused_where_it_is_not_declared(trial: Trial) -> None:
    reference = await trial.paid(autoCapture=False)
    await trial.fault("capture", "error_before", reference)
    await _refused(trial, "capture", reference, await trial.captures(reference, trial.part(30)))


@pytest.mark.able("partial_capture")
@pytest.mark.unable("multiple_captures")
async def test_a_second_capture_is_refused_where_it_is_not_declared(trial: Trial) -> None:
    reference = await trial.paid(autoCapture=False)
    await trial.captures(reference, trial.part(30), "C-1")
    await trial.fault("capture", "error_before", reference)
    second = await trial.captures(reference, trial.part(20), "C-2")
    assert (second.status, second.body["code"]) in ((400, "not_supported"), (400, "over_capture"))
    assert not trial.struck("capture", reference)


@pytest.mark.able("deferred_capture")
@pytest.mark.unable("void")
async def test_a_void_is_refused_where_it_is_not_declared(trial: Trial) -> None:
    reference = await trial.paid(autoCapture=False)
    await trial.fault("void", "error_before", reference)
    await _refused(trial, "void", reference, await trial.voids(reference, trial.total))


@pytest.mark.able("deferred_capture", "void")
@pytest.mark.unable("partial_void")
async def test_a_partial_void_is_refused_where_it_is_not_declared(trial: Trial) -> None:
    reference = await trial.paid(autoCapture=False)
    await trial.fault("void", "error_before", reference)
    await _refused(trial, "void", reference, await trial.voids(reference, trial.part(30)))


@pytest.mark.able("sale")
@pytest.mark.unable("refund")
async def test_a_refund_is_refused_where_it_is_not_declared(trial: Trial) -> None:
    reference = await trial.paid()
    await trial.fault("refund", "error_before", reference)
    await _refused(trial, "refund", reference, await trial.refunds(reference, trial.total))


@pytest.mark.able("sale", "refund")
@pytest.mark.unable("partial_refund")
async def test_a_partial_refund_is_refused_where_it_is_not_declared(trial: Trial) -> None:
    reference = await trial.paid()
    await trial.fault("refund", "error_before", reference)
    await _refused(trial, "refund", reference, await trial.refunds(reference, trial.part(30)))


@pytest.mark.able("sale", "partial_refund")
@pytest.mark.unable("multiple_refunds")
async def test_a_second_refund_is_refused_where_it_is_not_declared(trial: Trial) -> None:
    reference = await trial.paid()
    await trial.refunds(reference, trial.part(30), "R-1")
    await trial.fault("refund", "error_before", reference)
    await _refused(trial, "refund", reference, await trial.refunds(reference, trial.part(20), "R-2"))
