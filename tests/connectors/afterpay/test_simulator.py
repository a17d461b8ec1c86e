"""What the simulator refuses as Afterpay does, asked by plain HTTP and not through the connector."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.connectors.till import Till

AUTH = aiohttp.encode_basic_auth("60032000", "sandbox-afterpay-secret")
MONEY = {"amount": "20.00", "currency": "AUD"}


def checkout(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "amount": MONEY,
        "consumer": {"email": "test@example.com"},
        "merchant": {"redirectConfirmUrl": "https://shop.example/a", "redirectCancelUrl": "https://shop.example/b"},
    }
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


async def call(till: Till, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
    url = f"{till.counter.base_url}/afterpay{path}"
    more["headers"] = {"Authorization": AUTH, **more.get("headers", {})}
    async with aiohttp.ClientSession() as http, http.request(method, url, json=body, **more) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"amount": None}, 422, "invalid_object"),
        ({"amount": {"amount": 20, "currency": "AUD"}}, 422, "invalid_object"),
        ({"amount": {"amount": "20.001", "currency": "AUD"}}, 422, "invalid_object"),
        ({"amount": {"amount": "1,000", "currency": "AUD"}}, 422, "invalid_object"),
        ({"amount": {"amount": "20.00", "currency": "JPY"}}, 422, "invalid_object"),
        ({"amount": {"amount": "0.50", "currency": "AUD"}}, 422, "unsupported_payment_type"),
        ({"consumer": None}, 422, "invalid_object"),
        ({"consumer": {"givenNames": "Ada"}}, 422, "invalid_object"),
        ({"merchant": {"redirectConfirmUrl": "https://shop.example/a"}}, 422, "invalid_object"),
        ({"merchantReference": "x" * 129}, 422, "invalid_object"),
        ({"billing": {"name": "Ada"}}, 422, "invalid_object"),
        ({"items": [{"name": "Shirt", "quantity": "1", "price": MONEY}]}, 422, "invalid_object"),
        ({"items": [{"name": "Shirt", "quantity": 1, "price": MONEY}] * 101}, 422, "invalid_object"),
        ({"taxAmount": {"amount": "1.00", "currency": "USD"}}, 422, "unsupported_currency"),
        ({"discounts": [{"amount": MONEY}]}, 422, "invalid_object"),
    ],
)
async def test_a_checkout_that_breaks_a_rule_is_refused_with_afterpays_error(
    till: Till, changes: dict[str, Any], status: int, code: str
) -> None:
    answered, error = await call(till, "POST", "/v2/checkouts", checkout(**changes))
    assert (answered, error["errorCode"], error["httpStatusCode"]) == (status, code, status)
    assert error["errorId"]


async def test_every_call_needs_the_credentials(till: Till) -> None:
    wrong = (("60032000", "wrong"), ("1", "sandbox-afterpay-secret"))
    for given in ("", "Basic x", "Bearer y", *(aiohttp.encode_basic_auth(*pair) for pair in wrong)):
        for method, path in (("POST", "/v2/checkouts"), ("GET", "/v2/payments/1"), ("POST", "/v2/payments/1/refund")):
            status, error = await call(
                till, method, path, checkout() if method == "POST" else None, headers={"Authorization": given}
            )
            assert (status, error["errorCode"]) == (401, "unauthorized")


async def test_bodies_that_are_no_json_are_refused(till: Till) -> None:
    json_type = {"Content-Type": "application/json"}
    assert (await call(till, "POST", "/v2/checkouts", data="x", headers=json_type))[1]["errorCode"] == "invalid_json"
    assert (await call(till, "POST", "/v2/checkouts", data="a=1"))[0] == 415
    assert (await call(till, "GET", "/v2/configuration", headers={"Accept": "text/html"}))[0] == 406


async def test_a_token_authorised_once_can_neither_be_captured_in_full_nor_authorised_again(till: Till) -> None:
    paid = await till.confirms(auto_capture=False)
    for verb in ("capture", "auth"):
        status, error = await call(till, "POST", f"/v2/payments/{verb}", {"token": paid.session, "requestId": "new"})
        assert (status, error["errorCode"]) == (402, "invalid_token")
    assert len(till.counter.ledger()) == 1


async def test_the_payments_own_id_is_no_checkout_token(till: Till) -> None:
    paid = await till.confirms()
    assert (await call(till, "GET", f"/v2/payments/token:{paid.payment_id}"))[0] == 404
    assert (await call(till, "GET", f"/v2/payments/{paid.session}"))[0] == 404
    status, error = await call(till, "POST", "/v2/payments/auth", {"token": paid.payment_id})
    assert (status, error["errorCode"]) == (402, "invalid_token")


async def test_a_refund_without_a_merchant_reference_is_not_idempotent(till: Till) -> None:
    paid = await till.confirms()
    body = {"requestId": "r-1", "amount": {"amount": "10.00", "currency": "AUD"}}
    for _ in range(2):
        assert (await call(till, "POST", f"/v2/payments/{paid.payment_id}/refund", body))[0] == 201
    assert [kind for kind, _, _ in till.counter.ledger()] == ["authorize", "capture", "refund", "refund"]


async def test_a_void_without_an_amount_gives_back_all_that_is_open(till: Till) -> None:
    paid = await till.confirms(auto_capture=False)
    status, answer = await call(till, "POST", f"/v2/payments/{paid.payment_id}/void", {"requestId": "v-1"})
    assert (status, answer["paymentState"], answer["openToCaptureAmount"]["amount"]) == (201, "VOIDED", "0.00")
    assert [event["type"] for event in answer["events"]] == ["AUTH_APPROVED", "VOIDED"]
    assert [refund["amount"]["amount"] for refund in answer["refunds"]] == ["100.00"]


async def test_a_portal_refund_above_what_is_left_is_refused(till: Till) -> None:
    paid = await till.confirms()
    assert await till.post("/sandbox/provider-refund", id=paid.payment_id, amount="100.01") == 422
    assert await till.post("/sandbox/provider-refund", id="1", amount="1.00") == 404
    assert await till.post("/sandbox/tamper", id="1", amount="1.00") == 404
