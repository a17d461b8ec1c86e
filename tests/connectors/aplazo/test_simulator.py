"""What Aplazo's simulator refuses and repeats as documented, asked by plain HTTP and not through the connector."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.aplazo.conftest import API_TOKEN, KEYS, MERCHANT, ONE, Till, sample
from tests.connectors.scripted import changed

LOAN: dict[str, Any] = sample("loan")["request"]


async def test_the_documented_loan_is_opened_shown_and_cancelled(till: Till) -> None:
    status, made = await till.call("POST", "/api/loan", LOAN, Authorization=await till.access())
    assert (status, made.keys()) == (200, sample("loan")["answer"].keys())
    status, loans = await till.call("GET", f"/api/pos/loan/{LOAN['cartId']}", **KEYS)
    assert (status, len(loans)) == (200, 1)
    assert loans[0].keys() == sample("status")["answer"][0].keys()
    assert (loans[0]["loanId"], loans[0]["totalAmount"]) == (made["loanId"], "2600.0")
    body = sample("cancelled")["request"] | {"cartId": LOAN["cartId"]}
    status, cancelled = await till.call("POST", "/api/pos/loan/cancel", body, **KEYS)
    assert (status, cancelled.keys()) == (200, sample("cancelled")["answer"].keys())
    assert (await till.call("POST", "/api/pos/loan/cancel", body, **KEYS))[0] == 400


async def test_an_access_token_is_good_for_one_request(till: Till) -> None:
    granted = await till.access()
    assert (await till.call("POST", "/api/loan", LOAN, Authorization=granted))[0] == 200
    for used in (granted, "", "Bearer x", granted.removeprefix("Bearer ")):
        assert (await till.call("POST", "/api/loan", LOAN, Authorization=used))[0] == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"apiToken": API_TOKEN, "merchantId": int(MERCHANT)}, 200), ({"apiToken": API_TOKEN, "merchantId": 1}, 404),
        ({"apiToken": "x", "merchantId": int(MERCHANT)}, 404), ({"apiToken": API_TOKEN, "merchantId": MERCHANT}, 400),
        ({"merchantId": int(MERCHANT)}, 400), ([], 400),
    ],
)  # fmt: skip
async def test_an_access_token_is_given_to_the_merchant_only(till: Till, body: Any, status: int) -> None:
    answered, answer = await till.call("POST", "/api/auth", body)
    assert answered == status
    if status == 404:
        assert answer.keys() >= sample("access_token")["unknown"]["answer"].keys()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("totalPrice", "2600"), ("totalPrice", 0), ("shopId", ""), ("cartId", None), ("successUrl", "/success"),
        ("errorUrl", ""), ("cartUrl", None), ("webHookUrl", "http://merchant-page.mx/hook"), ("products.0.price", None),
    ],
)  # fmt: skip
async def test_a_loan_that_breaks_a_rule_is_refused(till: Till, path: str, value: Any) -> None:
    body = changed(LOAN, path, value)
    status, answer = await till.call("POST", "/api/loan", body, Authorization=await till.access())
    assert (status, answer["error"]) == (400, "Bad Request")
    assert path.rpartition(".")[2] in answer["message"]


async def test_no_page_says_that_a_refunds_key_is_heeded_so_a_repeat_is_another_refund(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    body = sample("refund")["request"] | {"cartId": checkout.session}
    repeated = {**KEYS, "X-Idempotency-Key": ONE}
    status, first = await till.call("POST", "/api/pos/loan/refund", body, **repeated)
    assert (status, first.keys()) == (200, sample("refund")["answer"].keys())
    assert (await till.call("POST", "/api/pos/loan/refund", body, **repeated))[1]["refundId"] != first["refundId"]
    assert len(till.rows()) == 4


@pytest.mark.parametrize("name", ["cartId", "totalAmount", "reason"])
async def test_a_refund_or_a_cancel_that_lacks_a_field_is_refused(till: Till, name: str) -> None:
    body = {key: value for key, value in sample("refund")["request"].items() if key != name}
    for verb in ("refund", "cancel"):
        assert (await till.call("POST", f"/api/pos/loan/{verb}", body, **KEYS))[0] == 400


async def test_without_the_keys_or_for_an_unknown_cart_nothing_is_told(till: Till) -> None:
    assert (await till.call("GET", "/api/pos/loan/none", **KEYS))[0] == 404
    for wrong in ({}, {**KEYS, "api_token": "x"}, {**KEYS, "merchant_id": "1"}):
        assert (await till.call("GET", "/api/pos/loan/none", **wrong))[0] == 401
        assert (await till.call("POST", "/api/pos/loan/refund", sample("refund")["request"], **wrong))[0] == 401
