"""Bad input of every kind: always a clear 4xx in the documented shape, never a 500, and nothing half-written (E1 to E4)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from paymux.platform.database import to_json
from tests.api.conftest import Holds, raw_request
from tests.installation import Answer, Installation, Merchant

NOT_JSON: list[bytes] = [
    b"", b"{", b"nul", b"'a'", b'{"a":}', b'{"a":1,}', b"{a:1}", b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b"\xff\xfe",
    b'{"a":"\x00"}', b'{"a":"\n"}', b'{"a":01}', b'{"a":1}{', b'{"a":"\\ud800\\x"}', "{}".encode("utf-16"),
    b"[" * 100_000, b'{"a":' * 5000, b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", b'{"a":' + b"9" * 500 + b"}",
]  # fmt: skip
PATHS = ["/orders", "/orders/ORD/capture", "/orders/ORD/refund", "/orders/ORD/cancel", "/merchants/customer/sessions"]


@pytest.mark.parametrize("raw", NOT_JSON, ids=lambda raw: repr(raw[:20]))
async def test_what_is_no_json_is_the_published_400_with_one_sentence(
    raw: bytes, merchant: Merchant, holds: Holds
) -> None:
    answer = await merchant.post("/orders", raw)
    assert (answer.status, answer.body["code"]) == (400, "bad_json")
    assert isinstance(answer.body["message"], str)
    holds("Error", answer.body)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("raw", [b"[]", b'"x"', b"null", b"5"])
async def test_json_that_is_no_object_is_a_400(raw: bytes, path: str, merchant: Merchant) -> None:
    answer = await merchant.post(path, raw)
    assert (answer.status, answer.body["message"]) == (400, ["body must be a JSON object"])


@pytest.mark.parametrize("raw", [b'{"a":1,"a":2}', b'{"b":{"c":1,"c":1}}', b'{"\\ud800":1,"\\ud800":2}'])
async def test_a_key_given_twice_is_refused_at_any_depth(raw: bytes, merchant: Merchant) -> None:
    answer = await merchant.post("/orders", raw)
    assert answer.status == 400
    assert answer.body["message"][0].endswith("must not be given twice")


async def test_very_many_keys_are_read_in_no_time(merchant: Merchant) -> None:
    raw = b"{" + b",".join(b'"%x":1' % n for n in range(20_000)) + b',"1":2}'
    answer = await asyncio.wait_for(merchant.post("/orders", raw), 3)
    assert answer.body["message"] == ["1 must not be given twice"]


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        ("1e400", "must be at most 1000000000"), ("1e99999999999999999999", "must be a finite number"), ("-0", "must be at least 0"),
        ("-0.0", "must be at least 0"), ("-1e-9", "must be at least 0"), ("0.001", "must have at most 2 decimals"),
        ("1e-1000010", "must have at most 2 decimals"), ("true", "must be a number"), ('"100"', "must be a number"),
        ("1" + "0" * 300, "must be at most 1000000000"), ("100." + "0" * 40 + "1", "must have at most 2 decimals"),
        ("{}", "must be a number"), ("[1]", "must be a number"), ("null", "must be a number"),
    ],
)  # fmt: skip
async def test_a_strange_amount_is_refused_by_its_field_and_rule(number: str, fault: str, merchant: Merchant) -> None:
    body = merchant.order("PLANPAY_AU")
    raw = to_json(body).replace('"orderAmount":100', f'"orderAmount":{number}').encode()
    answer = await merchant.post("/orders", raw)
    assert answer.status == 400
    assert f"orderAmount {fault}" in answer.body["message"]
    assert (await merchant.get(f"/orders/{body['orderReference']}")).status == 404


@pytest.mark.parametrize("number", ["100.0", "1e2", "100.00000000000000000000000000000000000", "0.1e3", "10000e-2"])
async def test_an_amount_in_an_unusual_form_is_the_same_amount(number: str, merchant: Merchant) -> None:
    raw = to_json(merchant.order("PLANPAY_AU")).replace('"orderAmount":100', f'"orderAmount":{number}').encode()
    answer = await merchant.post("/orders", raw)
    assert (answer.status, answer.body["orderAmount"]) == (201, 100)


TEXTS = ["\\u0000", "\\u0007", "\\ud800", "\\udc00\\ud800"]
PLACES = [
    "orderReference", "bnplProvider", "locale", "purchaseCountry", "purchaseCurrency", "shippingType", "shippingMethod", "token",
    "channel", "sessionId", "partnerOrderReference", "customerToken", "dynamicRedirectUrl", "dynamicCallbackUrl",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("field", PLACES)
async def test_a_text_that_nobody_can_keep_is_refused_by_its_field(
    field: str, text: str, merchant: Merchant, holds: Holds
) -> None:
    body = merchant.order("PLANPAY_AU") | {field: "@"}
    answer = await merchant.post("/orders", to_json(body).replace('"@"', f'"a{text}b"').encode())
    assert answer.status == 400
    assert any(said.startswith(f"{field} ") for said in answer.body["message"])
    holds("Error", answer.body)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("inside", ['"@"', '{"@":1}', '[[{"x":["@"]}]]', '{"a":{"@":{}}}'])
@pytest.mark.parametrize("field", ["additionalData", "partnerConfiguration"])
async def test_a_free_object_holds_no_text_that_nobody_can_keep(
    field: str, inside: str, text: str, merchant: Merchant
) -> None:
    body = merchant.order("PLANPAY_AU") | {field: {"providerData": "@@"}}
    raw = to_json(body).replace('"@@"', inside.replace("@", f"a{text}b")).encode()
    answer = await merchant.post("/orders", raw)
    assert answer.status == 400
    assert answer.body["message"] == [f"{field} must not contain control characters, in any name or text"]


@pytest.mark.parametrize("number", ["1e999", "1e-999", "1e99999999999999999999", "-1e101"])
async def test_a_free_object_holds_no_number_that_nobody_can_keep(number: str, merchant: Merchant) -> None:
    body = merchant.order("PLANPAY_AU", partnerConfiguration={"a": [{"b": "@"}]})
    answer = await merchant.post("/orders", to_json(body).replace('"@"', number).encode())
    assert answer.status == 400
    assert answer.body["message"] == ["partnerConfiguration must not contain a number beyond 1e100 or below 1e-100"]


@pytest.mark.parametrize("text", TEXTS)
async def test_what_is_ignored_may_be_anything(text: str, merchant: Merchant) -> None:
    body = merchant.order("PLANPAY_AU") | {"notOurs": {"x": "@"}}
    raw = to_json(body).replace('"@"', f'"{text}"').replace('"x"', f'"{text}"').encode()
    answer = await merchant.post("/orders", raw, **{"Idempotency-Key": "strange-" + text.replace("\\", "")})
    assert answer.status == 201, answer.body


async def test_a_free_object_comes_back_as_it_was_sent(merchant: Merchant) -> None:
    sent = {"a": [1, 2.5, True, None, "ä𝄞", {"b": {}}], "": "empty name", "1e2": 10**30}
    body = merchant.order("PLANPAY_AU", partnerConfiguration=sent)
    assert (await merchant.post("/orders", body)).status == 201
    assert (await merchant.status(body["orderReference"]))["partnerConfiguration"] == sent


async def test_ten_thousand_items_are_refused_quickly_and_shortly(merchant: Merchant) -> None:
    for one in ({}, {"name": "x"}, 1):
        body = merchant.order("PLANPAY_AU", orderItems=[one] * 10_000)
        answer = await asyncio.wait_for(merchant.post("/orders", body), 5)
        assert answer.status == 400
        assert "orderItems must have at most 1000 items" in answer.body["message"]
        assert len(to_json(answer.body)) < 300_000


@pytest.mark.parametrize("path", [*PATHS, "/token", "/provider-events/nobody"])
async def test_a_body_over_256_kib_is_a_413(path: str, merchant: Merchant, holds: Holds) -> None:
    for size in (256 * 1024 + 1, 8_000_000):
        answer = await merchant.post(path, b" " * size)
        assert (answer.status, answer.body["code"]) == (413, "body_too_large")
        assert answer.body["error"] == "Payload Too Large"
        holds("Error", answer.body)
    largest = b'{"customerIdentifier":"x","pad":"' + b"x" * (256 * 1024 - 35) + b'"}'
    assert len(largest) == 256 * 1024
    assert (await merchant.post("/merchants/customer/sessions", largest)).status == 201


async def test_a_body_that_does_not_say_its_length_is_cut_off_too(
    installation: Installation, merchant: Merchant
) -> None:
    async def parts() -> Any:
        for _ in range(100):
            yield b" " * 65_536

    headers = {"Authorization": f"Bearer {await merchant.token()}", "Content-Type": "application/json"}
    answer = await installation.call("POST", f"{merchant.base}/orders", data=parts(), headers=headers)
    assert answer.status == 413


@pytest.mark.parametrize(
    "kind", ["text/plain", "", "application/x-www-form-urlencoded", "text/json", "x/y+json", "application/jsonp"]
)
async def test_another_content_type_is_a_415(kind: str, merchant: Merchant, holds: Holds) -> None:
    answer = await merchant.post("/orders", to_json(merchant.order()).encode(), **{"Content-Type": kind})
    assert (answer.status, answer.body["code"], answer.body["error"]) == (
        415,
        "unsupported_media_type",
        "Unsupported Media Type",
    )
    holds("Error", answer.body)


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"]
)
async def test_json_may_be_called_by_its_usual_names(kind: str, merchant: Merchant) -> None:
    assert (await merchant.post("/orders", merchant.order(), **{"Content-Type": kind})).status == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "ä", "a\tb"])
async def test_an_idempotency_key_that_is_none_is_a_400(key: str, merchant: Merchant) -> None:
    answer = await merchant.post("/orders", merchant.order(), **{"Idempotency-Key": key})
    assert answer.status == 400
    assert str(answer.body["message"]).startswith("Idempotency-Key must be")


STRANGE_PATHS = [
    "/orders/%00", "/orders/a%00b", "/orders/%0a", "/orders/%ff", "/orders/%zz", "/orders/%", "/orders/%e0%a4%a", "/orders/..%5c",
    "/orders/%2e%2e", "/orders/" + "x" * 3000, "/orders/a%2fb", "/orders/%2F", "/orders//", "/orders/%ED%A0%80",
]  # fmt: skip
ENDINGS = [
    ("GET", ""),
    ("GET", "/details"),
    ("POST", "/details"),
    ("POST", "/capture"),
    ("POST", "/cancel"),
    ("POST", "/refund"),
]


@pytest.mark.parametrize("path", STRANGE_PATHS, ids=lambda path: path[:20])
@pytest.mark.parametrize(("method", "ending"), ENDINGS)
async def test_a_path_that_names_no_order_is_a_404(
    path: str, method: str, ending: str, merchant: Merchant, holds: Holds
) -> None:
    body = {"captureReference": "C", "refundReference": "R", "amount": 1, "refundAmount": {"amount": 1}}
    answer: Answer = await (merchant.get(path + ending) if method == "GET" else merchant.post(path + ending, body))
    assert (answer.status, answer.body["error"]) == (404, "Not Found"), answer.body
    holds("Error", answer.body)


async def test_an_encoded_slash_reaches_no_other_order(merchant: Merchant) -> None:
    reference = (await merchant.creates("PLANPAY_AU"))["orderReference"]
    for path in (f"/orders/{reference}%2Fcancel", f"/orders/{reference}%2f", f"/orders%2F{reference}"):
        assert (await merchant.post(path, {})).status == 404
    assert (await merchant.status(reference))["status"] == "PENDING"


@pytest.mark.parametrize(
    "path", ["/return/%00", "/return/otk_%00", "/checkout/%00", "/checkout/" + "x" * 3000, "/return/otk_x", "/provider-events/%00",
             "/provider-events/pek_x", "/images/providers/%00.svg", "/nothing/%00", "/%00"],
)  # fmt: skip
async def test_an_address_that_nobody_has_is_a_404_without_a_token(path: str, installation: Installation) -> None:
    from yarl import URL

    url = URL(installation.settings.base_url + path, encoded=True)
    answer = await installation.call("GET", url)
    assert answer.status == 404


WRONG_METHODS = [
    ("GET", "/orders"), ("PUT", "/orders"), ("DELETE", "/orders/a"), ("POST", "/orders/a"), ("PATCH", "/orders/a/capture"),
    ("GET", "/orders/a/capture"), ("GET", "/token"), ("POST", "/options"), ("DELETE", "/options"), ("POST", "/nothing"),
    ("GET", "/merchants/customer/sessions"), ("GET", "/"), ("PROPFIND", "/orders"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), WRONG_METHODS)
async def test_an_unknown_route_or_method_is_the_published_404(
    method: str, path: str, installation: Installation, holds: Holds
) -> None:
    answer = await installation.call(method, installation.settings.base_url + path)
    assert (answer.status, answer.body["message"], answer.body["error"]) == (
        404,
        f"Cannot {method} {path}",
        "Not Found",
    )
    holds("Error", answer.body)


RAW = [
    b"GET /orders/\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /orders/a b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /options?amount=\xff\xfe&currency=%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\nConnection: close\r\n\r\n",
    b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999999999999\r\nConnection: close\r\n\r\n",
    b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\nConnection: close\r\n\r\n",
    b"GET /options HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xff\r\nConnection: close\r\n\r\n",
    b"NONSENSE\r\n\r\n",
]  # fmt: skip


@pytest.mark.parametrize("request_", RAW, ids=lambda raw: repr(raw[:24]))
async def test_bytes_that_no_client_library_would_send_are_a_4xx(request_: bytes, installation: Installation) -> None:
    status, answer = await raw_request(installation, request_)
    assert 400 <= status < 500, answer


async def test_nothing_of_all_this_was_written(installation: Installation) -> None:
    async with installation.database.connection() as held:
        statuses = await held.fetch("SELECT status FROM orders UNION SELECT status FROM operations")
        assert {row["status"] for row in statuses} <= {"PENDING", "SUCCESSFUL"}
        assert await held.fetchval("SELECT count(*) FROM orders WHERE status = 'INITIATED'") == 0
