"""What the simulator refuses as LatitudePay did, asked by plain HTTP and not through the connector."""

from __future__ import annotations

import base64
import json
from typing import Any

import aiohttp
import pytest

from tests.connectors.latitudepay.conftest import SECRET, sample, signed
from tests.connectors.latitudepay.test_signatures import _Plain, _strip
from tests.connectors.scripted import changed
from tests.connectors.till import KEY, Till

AUSTRALIAN = "application/com.latitudepay.ecom-v3.0+json"
NEW_ZEALAND = "application/com.genoapay.ecom-v3.0+json"
BASIC = "Basic " + base64.b64encode(f"sandbox-latitudepay-key:{SECRET}".encode()).decode()


async def call(
    till: Till, method: str, path: str, content: Any = None, *, authorization: str = "", media_type: str = AUSTRALIAN
) -> tuple[int, Any]:
    """One call, signed rightly, with an access token unless another authorization is given."""
    query = ""
    body = None if content is None else json.dumps(content)
    if body is not None:
        stripped: list[str] = []
        _strip(json.loads(body, parse_float=_Plain, parse_int=_Plain), stripped)
        query = f"?signature={signed(''.join(''.join(stripped).split()))}"
    headers = {"Accept": media_type, "Content-Type": media_type}
    headers["Authorization"] = authorization or f"Bearer {await access_token(till)}"
    url = f"{till.counter.base_url}/latitudepay{path}{query}"
    async with aiohttp.ClientSession() as http, http.request(method, url, data=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def access_token(till: Till) -> str:
    url = f"{till.counter.base_url}/latitudepay/v3/token"
    async with aiohttp.ClientSession() as http, http.post(url, headers={"Authorization": BASIC}) as answer:
        assert answer.status == 200
        token: str = (await answer.json())["authToken"]
        return token


def sale(path: str = "", value: Any = None) -> dict[str, Any]:
    """The documented sale with one field changed, or taken away by None."""
    documented = sample("sale_created")["request"]
    return changed(documented, path, ... if value is None else value) if path else documented


async def test_the_documented_sale_is_accepted(till: Till) -> None:
    status, answer = await call(till, "POST", "/v3/sale/online", sale())
    assert (status, sorted(answer)) == (200, sorted(sample("sale_created")["answer"]))


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("totalAmount", None, "totalAmount"),
        ("totalAmount.amount", "144.89", "totalAmount.amount must be a number"),
        ("totalAmount.amount", 144.891, "totalAmount.amount must have at most two decimals"),
        ("totalAmount.amount", -144.89, "must not be negative"),
        ("totalAmount.amount", 19.99, "below minimum purchase value of 20.00"),
        ("totalAmount.amount", 1500.01, "above maximum purchase value of 1500.00"),
        ("totalAmount.currency", "NZD", "totalAmount.currency must be AUD"),
        ("returnUrls.successUrl", None, "returnUrls.successUrl"),
        ("returnUrls.failUrl", "/fail", "returnUrls.failUrl must be a URL"),
        ("returnUrls.callbackUrl", "", "returnUrls.callbackUrl"),
        ("reference", None, "reference"),
        ("reference", " ", "reference"),
        ("customer.mobileNumber", "", "customer.mobileNumber"),
        ("customer.firstName", None, "customer.firstName"),
        ("customer.surname", None, "customer.surname"),
        ("customer.email", None, "customer.email"),
        ("billingAddress", None, "billingAddress.addressLine1"),
        ("billingAddress.postcode", "", "billingAddress.postcode"),
        ("shippingAddress.suburb", None, "shippingAddress.suburb"),
        ("shippingAddress.countryCode", 7, "shippingAddress.countryCode"),
        ("products", None, "products"),
        ("products", [], "products"),
        ("products.0.name", "", "name is required"),
        ("products.0.price", 130, "price.amount must be a number"),
        ("products.0.price.currency", "NZD", "price.currency must be AUD"),
        ("products.0.quantity", 0, "products.quantity"),
        ("products.0.quantity", "1", "products.quantity"),
        ("products.0.taxIncluded", 0, "taxIncluded"),
        ("taxAmount", None, "taxAmount.amount"),
        ("shippingLines", None, "shippingLines"),
        ("shippingLines.0.carrier", None, "carrier is required"),
        ("shippingLines.0.price.amount", "7.99", "price.amount"),
    ],
)
async def test_a_sale_that_breaks_a_rule_is_refused_by_naming_it(till: Till, path: str, value: Any, says: str) -> None:
    status, error = await call(till, "POST", "/v3/sale/online", sale(path, value))
    assert status == 400
    assert says in error["error"]
    assert till.counter.sandbox.store.cases("R-1001") == []


@pytest.mark.parametrize("content", [[], "x", 7])
async def test_a_signed_body_that_is_no_object_is_refused(till: Till, content: Any) -> None:
    assert (await call(till, "POST", "/v3/sale/online", content))[0] == 400


@pytest.mark.parametrize("given", ["Bearer x", "Bearer 99999999999.00", BASIC, "Basic x"])
async def test_every_call_needs_an_access_token(till: Till, given: str) -> None:
    checkout = await till.decided()
    before = till.counter.ledger()
    for method, path, content in (
        ("GET", "/v3/configuration", None),
        ("POST", "/v3/sale/online", sale()),
        ("GET", f"/v3/sale/pos/{checkout.session}/status", None),
        ("PUT", f"/v3/sale/{checkout.session}/cancel", None),
        ("POST", f"/v3/sale/{checkout.session}/refund", sample("refund_created")["request"]),
    ):
        status, error = await call(till, method, path, content, authorization=given)
        assert (status, error) == (403, {"error": "Invalid access token"})
    assert till.counter.ledger() == before


async def test_an_access_token_is_good_for_a_day_and_outlives_a_restart(till: Till) -> None:
    bearer = f"Bearer {await access_token(till)}"
    simulators = till.counter.sandbox.simulators
    simulators["latitudepay"] = type(simulators["latitudepay"])(simulators["latitudepay"].desk)
    till.passes(hours=23)
    assert (await call(till, "GET", "/v3/configuration", authorization=bearer))[0] == 200
    till.passes(hours=1)
    status, error = await call(till, "GET", "/v3/configuration", authorization=bearer)
    assert (status, error["error"]) == (403, "The access token has expired")


async def test_the_media_type_names_the_brand_and_the_brand_the_currency(till: Till) -> None:
    for media_type, name, currency in ((AUSTRALIAN, "LatitudePay", "AUD"), (NEW_ZEALAND, "Genoapay", "NZD")):
        _, answer = await call(till, "GET", "/v3/configuration", media_type=media_type)
        assert (answer["name"], answer["availability"][0]["currency"]) == (name, currency)
    status, error = await call(till, "POST", "/v3/sale/online", sale(), media_type=NEW_ZEALAND)
    assert (status, error["error"]) == (400, "totalAmount.currency must be NZD")
    assert (await call(till, "GET", "/v3/configuration", media_type="application/json"))[0] == 400


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"amount": None}, "amount.amount must be a number"),
        ({"amount": {"amount": "10.5", "currency": "AUD"}}, "amount.amount must be a number"),
        ({"amount": {"amount": 10.555, "currency": "AUD"}}, "at most two decimals"),
        ({"amount": {"amount": 0, "currency": "AUD"}}, "more than what is left"),
        ({"amount": {"amount": 10.5}}, "amount.currency must be AUD"),
        ({"reason": 7}, "reason is required"),
        ({"reference": ""}, "reference is required"),
    ],
)
async def test_a_refund_that_breaks_a_rule_is_refused(till: Till, change: dict[str, Any], says: str) -> None:
    checkout = await till.decided()
    before = till.counter.ledger()
    content = {**sample("refund_created")["request"], **change}
    status, error = await call(till, "POST", f"/v3/sale/{checkout.session}/refund", content)
    assert status == 400
    assert says in error["error"]
    assert till.counter.ledger() == before


async def test_a_refund_without_a_key_is_not_idempotent(till: Till) -> None:
    checkout = await till.decided()
    for _ in range(2):
        content = sample("refund_created")["request"]
        assert (await call(till, "POST", f"/v3/sale/{checkout.session}/refund", content))[0] == 200
    assert [kind for kind, _, _ in till.counter.ledger()] == ["authorize", "capture", "refund", "refund"]


async def test_a_sale_without_a_key_is_opened_each_time(till: Till) -> None:
    tokens = {(await call(till, "POST", "/v3/sale/online", sale()))[1]["token"] for _ in range(2)}
    assert len(tokens) == 2
    first = await till.connector.create_checkout(till.counter.order(till.code), KEY)
    assert await till.connector.create_checkout(till.counter.order(till.code), KEY) == first


async def test_the_sandboxs_own_calls_know_their_sales(till: Till) -> None:
    assert await till.post("/sandbox/tamper", id="1", amount="1.00") == 404
    checkout = await till.decided()
    assert await till.post("/sandbox/tamper", id=checkout.session, currency="NZD") == 200
