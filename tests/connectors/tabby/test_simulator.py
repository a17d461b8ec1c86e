"""What the simulator refuses as Tabby does, asked by plain HTTP and not through the connector."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.connectors.scripted import changed
from tests.connectors.tabby.conftest import Till, sample
from tests.connectors.till import ONE, TWO

AUTH = {"Authorization": "Bearer sk_test_paymux-sandbox"}
HOOK = {"url": "https://shop.example/events", "header": {"title": "X-Mine", "value": "v"}}


def session(path: str = "", value: Any = None) -> dict[str, Any]:
    """The documented session with one field changed, or taken away by None."""
    documented = sample("checkout_created")["request"]
    return changed(documented, path, ... if value is None else value) if path else documented


async def call(till: Till, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
    url = f"{till.counter.base_url}/tabby{path}"
    more["headers"] = AUTH | more.get("headers", {})
    async with aiohttp.ClientSession() as http, http.request(method, url, json=body, **more) as answer:
        return answer.status, await answer.json()


async def test_the_documented_session_is_accepted(till: Till) -> None:
    status, answer = await call(till, "POST", "/api/v2/checkout", session())
    assert (status, answer["status"], answer["payment"]["status"]) == (200, "created", "CREATED")


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("lang", "de", "lang"),
        ("payment.amount", 100, "amount"),
        ("payment.amount", "100.001", "amount"),
        ("payment.amount", "1e2", "amount"),
        ("payment.amount", "0", "amount"),
        ("payment.buyer", None, "payment.buyer"),
        ("payment.buyer.name", "", "payment.buyer.name"),
        ("payment.buyer.phone", "call me", "payment.buyer.phone"),
        ("payment.buyer.email", "ada", "payment.buyer.email"),
        ("payment.shipping_address", None, "payment.shipping_address"),
        ("payment.shipping_address.city", None, "payment.shipping_address.city"),
        ("payment.shipping_address.zip", None, "payment.shipping_address.zip"),
        ("payment.order.reference_id", "", "payment.order.reference_id"),
        ("payment.order.reference_id", "x" * 256, "payment.order.reference_id"),
        ("payment.order.tax_amount", "-1.00", "tax_amount"),
        ("payment.order.items", None, "payment.order.items"),
        ("payment.order.items.0.quantity", "1", "payment.order.items[].quantity"),
        ("payment.order.items.0.quantity", 0, "payment.order.items[].quantity"),
        ("payment.order.items.0.unit_price", 100, "unit_price"),
        ("payment.order.items.0.category", None, "payment.order.items[].category"),
        ("payment.buyer_history", None, "payment.buyer_history"),
        ("payment.buyer_history.registered_since", "today", "payment.buyer_history.registered_since"),
        ("payment.buyer_history.loyalty_level", "0", "payment.buyer_history.loyalty_level"),
        ("payment.order_history", None, "payment.order_history"),
        ("merchant_urls.cancel", "not a url", "merchant_urls.cancel"),
    ],
)
async def test_a_session_that_breaks_a_rule_is_refused_by_naming_the_field(
    till: Till, path: str, value: Any, field: str
) -> None:
    status, error = await call(till, "POST", "/api/v2/checkout", session(path, value))
    assert (status, error["status"], error["errorType"]) == (400, "error", "bad_data")
    assert [fault["field"] for fault in error["errors"]] == [f"$.{field}"]


async def test_a_currency_that_tabby_does_not_know_is_refused(till: Till) -> None:
    status, error = await call(till, "POST", "/api/v2/checkout", session("payment.currency", "EUR"))
    assert (status, error["errorType"]) == (400, "bad_data")
    assert "EUR" in error["error"]


async def test_bodies_that_are_no_json_are_refused(till: Till) -> None:
    json_type = {"Content-Type": "application/json"}
    for path in ("/api/v2/checkout", f"/api/v2/payments/{ONE}/captures", "/api/v1/webhooks"):
        more = {"data": "x", "headers": {**json_type, "X-Merchant-Code": "paymux-sandbox"}}
        assert (await call(till, "POST", path, **more))[0] == 400


@pytest.mark.parametrize("given", ["", "sk_test_paymux-sandbox", "Basic x", "Bearer sk_test_other"])
async def test_every_call_needs_the_key(till: Till, given: str) -> None:
    checkout = await till.decided()
    payment = f"/api/v2/payments/{checkout.session}"
    move = {"amount": "1.00", "reference_id": ONE}
    for method, path, body in (
        ("POST", "/api/v2/checkout", session()),
        ("GET", payment, None),
        ("POST", f"{payment}/captures", move),
        ("POST", f"{payment}/close", None),
        ("POST", f"{payment}/refunds", move),
        ("GET", "/api/v1/webhooks", None),
    ):
        status, error = await call(till, method, path, body, headers={"Authorization": given})
        assert (status, error["errorType"]) == (401, "not_authorized")
    assert till.rows() == []


async def test_webhooks_need_the_merchant_code(till: Till) -> None:
    for headers in ({}, {"X-Merchant-Code": "other"}):
        for method, body in (("GET", None), ("POST", HOOK)):
            status, error = await call(till, method, "/api/v1/webhooks", body, headers=headers)
            assert (status, error["errorType"]) == (401, "not_authorized")


@pytest.mark.parametrize(
    "body", [{}, {"url": "http://shop.example/events"}, {"url": 7}, {**HOOK, "header": {"title": "a b", "value": "v"}},
             {**HOOK, "header": {"title": "X-Mine"}}, []],
)  # fmt: skip
async def test_a_webhook_that_breaks_a_rule_is_refused(till: Till, body: Any) -> None:
    code = {"X-Merchant-Code": "paymux-sandbox"}
    status, error = await call(till, "POST", "/api/v1/webhooks", body, headers=code)
    assert (status, error["error"]) == (400, "bad_request")
    assert await call(till, "GET", "/api/v1/webhooks", headers=code) == (200, None)


async def test_a_webhook_is_changed_under_its_own_id_only(till: Till) -> None:
    code = {"X-Merchant-Code": "paymux-sandbox"}
    _, made = await call(till, "POST", "/api/v1/webhooks", HOOK, headers=code)
    path = f"/api/v1/webhooks/{made['id']}"
    assert (await call(till, "PUT", path, HOOK, headers=code))[0] == 400
    assert (await call(till, "PUT", f"/api/v1/webhooks/{ONE}", {**HOOK, "id": ONE}, headers=code))[0] == 404
    changed = {**HOOK, "header": {"title": "X-Mine", "value": "w"}}
    assert (await call(till, "PUT", path, {**changed, "id": made["id"]}, headers=code))[0] == 200
    _, hooks = await call(till, "GET", "/api/v1/webhooks", headers=code)
    assert hooks == [{**changed, "id": made["id"], "is_test": True}]


@pytest.mark.parametrize("verb", ["captures", "refunds"])
@pytest.mark.parametrize(
    "body",
    [
        {"amount": "1.00"},
        {"amount": "1.00", "reference_id": ""},
        {"reference_id": ONE},
        {"amount": 1, "reference_id": ONE},
        {"amount": "1.001", "reference_id": ONE},
        {"amount": "0.00", "reference_id": ONE},
        {"amount": "-1.00", "reference_id": ONE},
        [],
    ],
)
async def test_a_move_that_breaks_a_rule_is_refused(till: Till, verb: str, body: Any) -> None:
    checkout = await (till.closes() if verb == "refunds" else till.decided())
    before = till.rows()
    status, error = await call(till, "POST", f"/api/v2/payments/{checkout.session}/{verb}", body)
    assert (status, error["errorType"]) == (400, "bad_data")
    assert till.rows() == before


@pytest.mark.parametrize("verb", ["captures", "close", "refunds"])
@pytest.mark.parametrize("outcome", ["decline", "cancel", "pending", "error"])
async def test_a_payment_that_was_not_made_can_not_be_moved(till: Till, verb: str, outcome: str) -> None:
    checkout, _ = await till.decides(outcome)
    body = None if verb == "close" else {"amount": "1.00", "reference_id": ONE}
    assert (await call(till, "POST", f"/api/v2/payments/{checkout.session}/{verb}", body))[0] == 400
    assert till.counter.ledger() == []


async def test_an_id_that_is_none_is_refused_and_an_unknown_one_is_not_found(till: Till) -> None:
    assert (await call(till, "GET", "/api/v2/payments/x"))[0] == 400
    status, error = await call(till, "GET", f"/api/v2/payments/{TWO}")
    assert (status, error["errorType"], error["error"]) == (404, "not_found", "no such payment")


async def test_a_refund_in_the_dashboard_keeps_the_same_rules(till: Till) -> None:
    checkout = await till.decided()
    for amount, status in (("1.00", 400),):
        assert await till.post("/sandbox/provider-refund", id=checkout.session, amount=amount) == status
    await till.moves("capture", checkout, "100.00", ONE)
    assert await till.post("/sandbox/provider-refund", id=checkout.session, amount="100.01") == 400
    assert await till.post("/sandbox/provider-refund", id=checkout.session, amount="100.00") == 200
    for path in ("provider-refund", "tamper", "dispute"):
        assert await till.post(f"/sandbox/{path}", id="1", amount="1.00") == 404
    assert till.rows()[-1][0] == "refund"
