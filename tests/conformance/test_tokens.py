"""Payment tokens: made at a paid order, told in its callback, charged without a shopper (K1)."""

from __future__ import annotations

import pytest

from tests.conformance.trial import PATIENT, Trial

LIMITS = PATIENT


@pytest.mark.able("token")
async def test_a_paid_order_brings_a_token_of_ours_and_never_the_providers(trial: Trial) -> None:
    reference = await trial.paid(getToken=True)
    assert await trial.wrongs(reference) == []
    told = trial.installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")
    assert told[0]["data"]["token"].startswith("tok_")
    books = await trial.books(reference)
    assert books.balance == trial.total


@pytest.mark.able("charge_token")
async def test_a_token_pays_another_order_at_once_and_once(trial: Trial) -> None:
    token = await trial.token()
    answer = await trial.charges(token)
    assert answer.status == 201, answer.body
    reference = answer.body["orderReference"]
    await trial.comes_to_rest(reference)
    assert await trial.wrongs(reference) == []
    books = await trial.books(reference)
    assert (books.status, books.balance) == ("SUCCESSFUL", trial.total)
    if trial.can("refund"):
        assert (await trial.refunds(reference, trial.total)).status == 201
        await trial.comes_to_rest(reference)
        assert await trial.wrongs(reference) == []
        assert (await trial.books(reference)).balance == 0


@pytest.mark.able("charge_token", "deferred_capture")
async def test_a_token_authorises_what_is_captured_later(trial: Trial) -> None:
    answer = await trial.charges(await trial.token(), autoCapture=False)
    assert answer.status == 201, answer.body
    reference = answer.body["orderReference"]
    await trial.comes_to_rest(reference)
    assert (await trial.books(reference)).details["captureStatus"] == "AUTHORIZED"
    assert (await trial.captures(reference, trial.total)).status == 201
    await trial.comes_to_rest(reference)
    assert await trial.wrongs(reference) == []
    assert (await trial.books(reference)).balance == trial.total


@pytest.mark.able("charge_token")
async def test_a_token_that_we_never_gave_out_is_refused_and_nothing_is_sent(trial: Trial) -> None:
    body = trial.body(token="tok_" + "0" * 32, customerPresent=True)
    await trial.fault("charge_token", "error_before", body["orderReference"])
    answer = await trial.merchant.post("/orders", body)
    assert (answer.status, answer.body["code"]) == (422, "token_not_valid")
    assert not trial.struck("charge_token", body["orderReference"])
