"""What the simulator refuses as Klarna does, asked by plain HTTP and not through the connector."""

from __future__ import annotations

import ast
from typing import Any

import aiohttp
import pytest

from tests.connectors.klarna.conftest import Till
from tests.connectors.scripted import CONNECTORS
from tests.connectors.till import ONE, TWO

AUTH = aiohttp.encode_basic_auth("PK00000_sandbox", "sandbox-klarna-secret")
LINE = {"name": "Shirt", "quantity": 2, "unit_price": 1000, "total_amount": 2000}
SIMULATOR = {"simulator", "rules", "order_book", "order_desk"}


def session(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "purchase_country": "DE", "purchase_currency": "EUR", "locale": "de-DE", "order_amount": 2000,
        "order_lines": [LINE], "intent": "buy",
    }  # fmt: skip
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


async def call(till: Till, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any, Any]:
    url = f"{till.counter.base_url}/klarna{path}"
    more["headers"] = {"Authorization": AUTH, **more.get("headers", {})}
    async with aiohttp.ClientSession() as http, http.request(method, url, json=body, **more) as answer:
        content = await answer.read()
        return answer.status, await answer.json() if content else None, answer.headers


async def opened(till: Till, mode: str = "PLACE_ORDER", **changes: Any) -> tuple[str, dict[str, Any]]:
    """A payments session and the page that hosts it."""
    _, made, _ = await call(till, "POST", "/payments/v1/sessions", session(**changes))
    body = {"payment_session_url": f"{till.counter.base_url}/klarna/payments/v1/sessions/{made['session_id']}",
            "options": {"place_order_mode": mode}}  # fmt: skip
    status, page, _ = await call(till, "POST", "/hpp/v1/sessions", body)
    assert status == 201
    return made["session_id"], page


async def decides(till: Till, page: dict[str, Any], outcome: str) -> None:
    async with (
        aiohttp.ClientSession() as browser,
        browser.post(page["redirect_url"], data={"outcome": outcome}, allow_redirects=False) as answer,
    ):
        assert answer.status == 303


def test_the_simulator_shares_neither_code_nor_constants_with_the_connector() -> None:
    imported: dict[str, set[str]] = {}
    for path in (CONNECTORS / "klarna").glob("*.py"):
        nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        ours = [node for node in nodes if (node.module or "").startswith("paymux.connectors.klarna")]
        names = {(node.module or "").removeprefix("paymux.connectors.klarna").strip(".") for node in ours}
        names |= {alias.name for node in ours for alias in node.names if node.module == "paymux.connectors.klarna"}
        imported[path.stem] = names & {p.stem for p in (CONNECTORS / "klarna").glob("*.py")}
        if path.stem in SIMULATOR:
            assert not any((node.module or "") == "paymux.connectors.contract" for node in nodes)
    assert all(names <= SIMULATOR for module, names in imported.items() if module in SIMULATOR)
    assert all(not names & SIMULATOR for module, names in imported.items() if module not in SIMULATOR)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"purchase_country": None}, "purchase_country"),
        ({"purchase_country": "de"}, "purchase_country"),
        ({"purchase_country": "JP"}, "purchase_country"),
        ({"purchase_currency": None}, "purchase_currency"),
        ({"purchase_currency": "SEK"}, "purchase_currency"),
        ({"locale": "de_DE"}, "locale"),
        ({"intent": "rent"}, "intent"),
        ({"order_amount": None}, "order_amount"),
        ({"order_amount": "2000"}, "order_amount"),
        ({"order_amount": 20.0}, "order_amount"),
        ({"order_amount": -1}, "order_amount"),
        ({"order_amount": 2001}, "order_amount"),
        ({"order_lines": None}, "order_lines"),
        ({"order_lines": []}, "order_lines"),
        ({"order_lines": [LINE] * 1001}, "order_lines"),
        ({"order_lines": [{**LINE, "name": ""}]}, "order_lines[0].name"),
        ({"order_lines": [{**LINE, "name": "x" * 256}]}, "order_lines[0].name"),
        ({"order_lines": [{**LINE, "quantity": -2}]}, "order_lines[0].quantity"),
        ({"order_lines": [{**LINE, "quantity": 3}]}, "order_lines[0].total_amount"),
        ({"order_lines": [{**LINE, "type": "thing"}]}, "order_lines[0].type"),
        ({"order_lines": [{**LINE, "total_tax_amount": "1"}]}, "order_lines[0].total_tax_amount"),
        ({"order_lines": [{**LINE, "total_discount_amount": -1}]}, "order_lines[0].total_discount_amount"),
        ({"order_lines": ["x"]}, "order_lines[0].name"),
        ({"order_tax_amount": 1}, "order_tax_amount"),
        ({"merchant_reference1": "x" * 256}, "merchant_reference1"),
        ({"merchant_data": "x" * 6001}, "merchant_data"),
        ({"merchant_urls": []}, "merchant_urls"),
        ({"merchant_urls": {"notification": "http://shop.example"}}, "merchant_urls.notification"),
        ({"merchant_urls": {"success": "https://shop.example"}}, "merchant_urls.success"),
        ({"billing_address": "x"}, "billing_address"),
        ({"billing_address": {"postal_code": "12345678901"}}, "billing_address.postal_code"),
        ({"shipping_address": {"country": "US", "city": "Dayton"}}, "shipping_address.region"),
    ],
)
async def test_a_session_that_breaks_a_rule_is_refused_by_the_fields_name(
    till: Till, changes: dict[str, Any], field: str
) -> None:
    status, error, _ = await call(till, "POST", "/payments/v1/sessions", session(**changes))
    assert (status, error["error_code"], error["error_messages"]) == (400, "BAD_VALUE", [f"Bad value: {field}"])
    assert error["correlation_id"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"payment_session_url": None}, "payment_session_url"),
        ({"payment_session_url": "https://api.klarna.com/payments/v1/sessions/1"}, "payment_session_url"),
        ({"options": "x"}, "options"),
        ({"options": {"place_order_mode": "LATER"}}, "options.place_order_mode"),
        ({"options": {"payment_method_category": "pay_later"}}, "options.payment_method_category"),
        ({"merchant_urls": {"notification": "https://shop.example"}}, "merchant_urls.notification"),
        ({"merchant_urls": {"success": "ftp://shop.example"}}, "merchant_urls.success"),
    ],
)
async def test_a_page_that_breaks_a_rule_is_refused_by_the_fields_name(
    till: Till, changes: dict[str, Any], field: str
) -> None:
    _, made, _ = await call(till, "POST", "/payments/v1/sessions", session())
    url = f"{till.counter.base_url}/klarna/payments/v1/sessions/{made['session_id']}"
    body = {name: value for name, value in {"payment_session_url": url, **changes}.items() if value is not None}
    status, error, _ = await call(till, "POST", "/hpp/v1/sessions", body)
    assert (status, error["error_messages"]) == (400, [f"Bad value: {field}"])


async def test_every_call_needs_the_credentials(till: Till) -> None:
    wrong = (("PK00000_sandbox", "wrong"), ("1", "sandbox-klarna-secret"))
    for given in ("", "Basic x", "Bearer y", *(aiohttp.encode_basic_auth(*pair) for pair in wrong)):
        for method, path in (
            ("POST", "/payments/v1/sessions"), ("POST", "/hpp/v1/sessions"), ("GET", "/ordermanagement/v1/orders/1"),
            ("POST", "/ordermanagement/v1/orders/1/captures"), ("POST", "/customer-token/v1/tokens/1/order"),
        ):  # fmt: skip
            status, error, _ = await call(till, method, path, headers={"Authorization": given})
            assert (status, error["error_code"]) == (401, "UNAUTHORIZED")


async def test_bodies_that_are_no_json_objects_are_refused(till: Till) -> None:
    json_type = {"Content-Type": "application/json"}
    path = "/payments/v1/sessions"
    assert (await call(till, "POST", path, data="x", headers=json_type))[0] == 400
    assert (await call(till, "POST", path, data="[]", headers=json_type))[0] == 400
    assert (await call(till, "POST", path))[0] == 400
    assert (await call(till, "POST", path, data="a=1"))[0] == 415


async def test_a_page_told_to_capture_does_so_and_one_told_to_place_only_authorises(till: Till) -> None:
    for mode, rows in (("CAPTURE_ORDER", ["authorize", "capture"]), ("PLACE_ORDER", ["authorize"])):
        _, page = await opened(till, mode, merchant_reference1=mode)
        await decides(till, page, "approve")
        assert [row["kind"] for row in till.counter.sandbox.store.ledger(mode)] == rows


async def test_a_page_without_a_mode_places_nothing_and_names_an_authorization(till: Till) -> None:
    session_id, page = await opened(till, "NONE", merchant_reference1="none")
    await decides(till, page, "approve")
    _, shown, _ = await call(till, "GET", f"/hpp/v1/sessions/{page['session_id']}")
    assert (shown["status"], "order_id" in shown) == ("COMPLETED", False)
    assert till.counter.sandbox.store.ledger("none") == []
    status, read, _ = await call(till, "GET", f"/payments/v1/sessions/{session_id}")
    assert (status, read["status"]) == (200, "incomplete")

    order = f"/payments/v1/authorizations/{shown['authorization_token']}/order"
    for changes in ({"order_amount": 1000, "order_lines": [{**LINE, "quantity": 1, "total_amount": 1000}]},
                    {"purchase_country": "AT"}):  # fmt: skip
        assert (await call(till, "POST", order, session(**changes, intent=None)))[0] == 409
    assert (await call(till, "POST", order, session(intent=None)))[0] == 200
    assert (await call(till, "POST", order, session(intent=None)))[0] == 404
    _, read, _ = await call(till, "GET", f"/payments/v1/sessions/{session_id}")
    assert read["status"] == "complete"


async def test_a_customer_token_needs_a_session_that_was_meant_for_one(till: Till) -> None:
    body = {"purchase_country": "DE", "purchase_currency": "EUR", "locale": "de-DE", "description": "d",
            "intended_use": "SUBSCRIPTION"}  # fmt: skip
    for intent, expected in (("buy", 403), ("buy_and_tokenize", 200)):
        _, page = await opened(till, "NONE", intent=intent)
        await decides(till, page, "approve")
        _, shown, _ = await call(till, "GET", f"/hpp/v1/sessions/{page['session_id']}")
        path = f"/payments/v1/authorizations/{shown['authorization_token']}/customer-token"
        for name in body:
            assert (await call(till, "POST", path, {k: v for k, v in body.items() if k != name}))[0] == 400
        status, token, _ = await call(till, "POST", path, body)
        assert status == expected
    charge = {"purchase_currency": "EUR", "order_amount": 2000, "order_tax_amount": 0, "order_lines": [LINE]}
    path = f"/customer-token/v1/tokens/{token['token_id']}"
    for name in charge:
        assert (await call(till, "POST", f"{path}/order", {k: v for k, v in charge.items() if k != name}))[0] == 400
    assert (await call(till, "POST", f"{path}/order", charge))[0] == 200
    assert (await call(till, "PATCH", f"{path}/status", {"status": "ACTIVE"}))[0] == 400
    assert (await call(till, "PATCH", f"{path}/status", {"status": "CANCELLED"}))[0] == 202
    status, error, _ = await call(till, "POST", f"{path}/order", charge)
    assert (status, error["error_code"]) == (403, "TOKEN_CANCELLED")


async def test_only_the_key_matters_for_idempotency_and_each_operation_has_its_own(till: Till) -> None:
    paid = await till.pays()
    path, key = f"/ordermanagement/v1/orders/{paid.payment_id}", {"Klarna-Idempotency-Key": ONE}
    first = await call(till, "POST", f"{path}/captures", {"captured_amount": 3000}, headers=key)
    again = await call(till, "POST", f"{path}/captures", {"captured_amount": 9999}, headers=key)
    assert first[0] == again[0] == 201
    assert first[2]["Capture-Id"] == again[2]["Capture-Id"]
    assert first[2]["Location"].endswith(f"/captures/{first[2]['Capture-Id']}")
    assert (await call(till, "POST", f"{path}/refunds", {"refunded_amount": 1000}, headers=key))[0] == 201
    for _ in range(2):
        assert (await call(till, "POST", f"{path}/refunds", {"refunded_amount": 500}))[0] == 201
    assert [kind for kind, _ in till.rows()] == ["authorize", "capture", "refund", "refund", "refund"]


@pytest.mark.parametrize("body", [{}, {"captured_amount": "1"}, {"captured_amount": -1}, {"captured_amount": 200_000_001},
                                  {"captured_amount": 1, "reference": "x" * 256}, None])  # fmt: skip
async def test_a_capture_that_breaks_a_rule_is_refused(till: Till, body: Any) -> None:
    paid = await till.pays()
    status, _, _ = await call(till, "POST", f"/ordermanagement/v1/orders/{paid.payment_id}/captures", body)
    assert status == 400
    assert len(till.rows()) == 1


async def test_an_order_held_for_a_check_can_not_be_captured(till: Till) -> None:
    _, page = await opened(till)
    await decides(till, page, "pending")
    _, shown, _ = await call(till, "GET", f"/hpp/v1/sessions/{page['session_id']}")
    path = f"/ordermanagement/v1/orders/{shown['order_id']}"
    status, error, _ = await call(till, "POST", f"{path}/captures", {"captured_amount": 2000})
    assert (status, error["error_code"]) == (403, "CAPTURE_NOT_ALLOWED")


async def test_a_cancelled_order_can_neither_be_captured_released_nor_cancelled_again(till: Till) -> None:
    paid = await till.pays()
    path = f"/ordermanagement/v1/orders/{paid.payment_id}"
    assert (await call(till, "POST", f"{path}/cancel", headers={"Klarna-Idempotency-Key": TWO}))[0] == 204
    for verb, body, code in (
        ("captures", {"captured_amount": 1}, "CAPTURE_NOT_ALLOWED"),
        ("release-remaining-authorization", None, "NOT_ALLOWED"),
        ("cancel", None, "CANCEL_NOT_ALLOWED"),
        ("refunds", {"refunded_amount": 1}, "REFUND_NOT_ALLOWED"),
    ):
        status, error, _ = await call(till, "POST", f"{path}/{verb}", body)
        assert (status, error["error_code"]) == (403, code)


async def test_sessions_pages_and_agreements_end_when_klarna_says(till: Till) -> None:
    session_id, page = await opened(till, "NONE")
    await decides(till, page, "approve")
    _, shown, _ = await call(till, "GET", f"/hpp/v1/sessions/{page['session_id']}")
    till.passes(minutes=61)
    order = f"/payments/v1/authorizations/{shown['authorization_token']}/order"
    assert (await call(till, "POST", order, session(intent=None)))[0] == 404
    till.passes(hours=46)
    assert (await call(till, "GET", f"/hpp/v1/sessions/{page['session_id']}"))[0] == 404
    assert (await call(till, "GET", f"/payments/v1/sessions/{session_id}"))[0] == 200
    till.passes(hours=1)
    assert (await call(till, "GET", f"/payments/v1/sessions/{session_id}"))[0] == 404


async def test_ids_of_one_kind_do_not_serve_as_another(till: Till) -> None:
    paid = await till.pays()
    case = till.case(paid)
    for path in (
        f"/payments/v1/sessions/{paid.session}", f"/payments/v1/sessions/{paid.payment_id}", f"/hpp/v1/sessions/{case.id}",
        f"/hpp/v1/sessions/{paid.payment_id}", f"/ordermanagement/v1/orders/{paid.session}",
        f"/ordermanagement/v1/orders/{case.id}",
    ):  # fmt: skip
        assert (await call(till, "GET", path))[0] == 404


async def test_a_portal_refund_above_what_is_left_is_refused(till: Till) -> None:
    paid = await till.pays()
    assert await till.post("/sandbox/provider-refund", id=paid.payment_id, amount="0.01") == 403
    assert await till.post("/sandbox/provider-refund", id="1", amount="1.00") == 404
    assert await till.post("/sandbox/tamper", id="1", amount="1.00") == 404
