"""`POST /orders` row by row of the founding specification: what is refused, how, and that nothing is left behind."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from paymux.platform.database import to_json
from tests.installation import Installation, Merchant

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("reference too long", {"orderReference": "x" * 300}, "orderReference must be 1 to 128 characters long"),
    ("reference with a slash", {"orderReference": "a/b"}, "orderReference must not contain control characters"),
    ("reference is a number", {"orderReference": 5}, "orderReference must be a string"),
    ("unknown provider", {"bnplProvider": "NOBODY"}, "bnplProvider must be one of the names"),
    ("country", {"purchaseCountry": "ZZ"}, "purchaseCountry must be a valid ISO31661 Alpha2 code"),
    ("currency", {"purchaseCurrency": "AAA"}, "purchaseCurrency must be a valid ISO4217 currency code"),
    ("currency of another", {"purchaseCurrency": "USD"}, "purchaseCurrency must be AUD"),
    ("locale", {"locale": "english!"}, "locale must be a locale"),
    ("three decimals", {"taxAmount": Decimal("0.001")}, "taxAmount must have at most 2 decimals"),
    ("negative", {"shippingAmount": -1}, "shippingAmount must be at least 0"),
    ("string amount", {"orderAmount": "100"}, "orderAmount must be a number"),
    ("sum", {"orderAmount": 101}, "orderAmount must equal sum"),
    ("no items", {"orderItems": []}, "orderItems must have at least 1 item"),
    ("no customer", {"customer": None}, "customer is required"),
    ("plain http", {"dynamicRedirectUrl": "http://shop.example/"}, "dynamicRedirectUrl must be a valid HTTPS URL"),
    ("the sample's literal", {"dynamicCallbackUrl": "YOUR_URL"}, "dynamicCallbackUrl must be a valid HTTPS URL"),
    ("session id", {"sessionId": "abc"}, "sessionId must be a UUID"),
    ("timeout", {"cancellationTimeout": 0}, "cancellationTimeout must be greater than or equal to 1"),
    ("channel", {"channel": "nowhere"}, "channel nowhere is unknown"),
    (
        "token without presence",
        {"token": "tok_x", "bnplProvider": "PLANPAY_AU"},
        "customerPresent is required when token",
    ),
    ("getToken", {"getToken": True}, "getToken is not supported by AFTERPAY_AU"),
    ("additionalData", {"additionalData": {"nonsense": 1}}, "additionalData.nonsense is not known to AFTERPAY_AU"),
]


@pytest.mark.parametrize(("what", "change", "message"), REFUSED, ids=[what for what, _, _ in REFUSED])
async def test_a_body_that_breaks_a_rule_is_a_400_that_names_field_and_rule(
    what: str, change: dict[str, Any], message: str, merchant: Merchant
) -> None:
    body = merchant.order(**change)
    answer = await merchant.post("/orders", body)
    assert answer.status == 400, answer.body
    assert answer.body["error"] == "Bad Request"
    assert any(fault.startswith(message) for fault in answer.body["message"]), answer.body["message"]
    assert answer.body["requestId"].startswith("req_")


async def test_every_fault_of_a_body_is_reported_at_once(merchant: Merchant) -> None:
    body = merchant.order(
        orderAmount=7, locale="?", purchaseCountry="ZZ", sessionId="x", dynamicCallbackUrl="http://x.y/"
    )
    message = (await merchant.post("/orders", body)).body["message"]
    for field in ("orderAmount", "locale", "purchaseCountry", "sessionId", "dynamicCallbackUrl"):
        assert any(fault.startswith(field) for fault in message), (field, message)


async def test_a_refused_body_leaves_its_reference_free(merchant: Merchant) -> None:
    body = merchant.order()
    assert (await merchant.post("/orders", body | {"orderAmount": 1})).status == 400
    assert (await merchant.get(f"/orders/{body['orderReference']}")).status == 404
    assert (await merchant.post("/orders", body)).status == 201


async def test_a_used_reference_is_a_409(merchant: Merchant) -> None:
    body = merchant.order()
    assert (await merchant.post("/orders", body)).status == 201
    again = await merchant.post("/orders", body)
    assert (again.status, again.body["code"]) == (409, "duplicate_reference")


async def test_the_same_idempotency_key_and_body_give_the_first_answer_again(merchant: Merchant) -> None:
    body, key = merchant.order(), {"Idempotency-Key": "key-1"}
    first, again = await merchant.post("/orders", body, **key), await merchant.post("/orders", body, **key)
    assert (first.status, again.status) == (201, 201)
    assert first.body == again.body
    other = await merchant.post("/orders", body | {"locale": "en_US"}, **key)
    assert (other.status, other.body["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b"nul",
        b'{"a":NaN}',
        b'{"orderAmount":1e400}',
        b'{"a":1,"a":2}',
        b"\xff\xfe",
        b"[" * 5000,
        b'{"a":Infinity}',
    ],
)
async def test_what_is_no_sound_json_object_is_a_400(raw: bytes, merchant: Merchant) -> None:
    answer = await merchant.post("/orders", raw)
    assert answer.status == 400, answer.body


@pytest.mark.parametrize("number", ["1e400", "-0.0", "NaN", "0.001", "true", '"100"', "1" + "0" * 30])
async def test_a_strange_amount_is_a_400(number: str, merchant: Merchant) -> None:
    raw = to_json(merchant.order()).replace('"orderAmount":100', f'"orderAmount":{number}').encode()
    assert (await merchant.post("/orders", raw)).status == 400


async def test_a_body_over_256_kib_is_a_413_and_another_type_a_415(merchant: Merchant) -> None:
    assert (await merchant.post("/orders", b" " * (256 * 1024 + 1))).status == 413
    assert (await merchant.post("/orders", b"a=b", **{"Content-Type": "text/plain"})).status == 415


async def test_every_path_works_with_a_trailing_slash_and_never_by_a_redirect(merchant: Merchant) -> None:
    assert (await merchant.post("/orders/", merchant.order())).status == 201


async def test_without_or_with_a_wrong_token_it_is_the_published_401(
    installation: Installation, merchant: Merchant
) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}):
        answer = await installation.call("POST", f"{merchant.base}/orders", json={}, headers=headers)
        assert answer.status == 401
        assert answer.body["message"] == "Unauthorized"
        assert "error" not in answer.body


async def test_an_unknown_route_is_the_published_404(installation: Installation, merchant: Merchant) -> None:
    answer = await installation.call("POST", f"{merchant.base}/orders/a")
    assert answer.status in (404, 405)


async def test_an_unreachable_provider_ends_the_order_error_with_502(
    merchant: Merchant, installation: Installation
) -> None:
    body = merchant.order("PLANPAY_AU", currency="AUD")
    await installation.fault("PLANPAY_AU", "create", "timeout_before", body["orderReference"])
    answer = await merchant.post("/orders", body)
    assert answer.status == 201, "a time-out is unknown, never failed"
    assert (await merchant.status(body["orderReference"]))["status"] == "PENDING"
