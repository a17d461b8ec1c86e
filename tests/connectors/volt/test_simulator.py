"""What Volt's simulator refuses as Volt does, asked by plain HTTP and not through the connector."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.connectors.scripted import changed
from tests.connectors.till import KEY
from tests.connectors.volt.conftest import CREDENTIALS, HEADERS, Till, sample

URLS = {way: {"url": f"https://mywebsite.com/{way}"} for way in ("success", "failure", "pending", "cancel")}
PAYMENT = {
    "currency": "EUR", "amount": 10000, "internalReference": "H35X48Y4FWOD6G3S", "paymentSystem": "OPEN_BANKING_EU",
    "openBankingEU": {"type": "SERVICES"}, "payer": {"reference": "JDOE-101", "firstName": "John", "lastName": "Doe"},
    "communication": {"return": {"urls": URLS}},
}  # fmt: skip


async def test_the_documented_payment_is_accepted_and_shown(till: Till) -> None:
    headers = {**HEADERS, "Authorization": await till.token(), "Idempotency-Key": KEY}
    status, made = await till.request("POST", "-gateway/payments", PAYMENT, **headers)
    assert (status, made["status"]) == (201, "NEW_PAYMENT")
    assert made.keys() <= sample("payment")["answer"].keys()
    status, shown = await till.request("GET", f"-gateway/payments/{made['id']}", **headers)
    assert (status, shown) == (200, made)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("amount", 0), ("amount", "100.00"), ("currency", "GBP"), ("paymentSystem", "CARDS"), ("internalReference", ""),
        ("openBankingEU.type", "GIFT"), ("payer.reference", ""), ("payer.lastName", None),
        ("communication.return.urls.cancel.url", "/cancel"),
    ],
)  # fmt: skip
async def test_a_payment_that_breaks_a_rule_is_refused(till: Till, path: str, value: Any) -> None:
    body = changed(PAYMENT, path, value)
    headers = {**HEADERS, "Authorization": await till.token(), "Idempotency-Key": KEY}
    status, answer = await till.request("POST", "-gateway/payments", body, **headers)
    assert (status, answer["exception"]["message"]) == (400, "Validation exception")
    assert answer["exception"]["errorList"]


@pytest.mark.parametrize("missing", ["Authorization", "Idempotency-Key", *HEADERS])
async def test_every_header_is_wanted(till: Till, missing: str) -> None:
    headers = {**HEADERS, "Authorization": await till.token(), "Idempotency-Key": KEY, missing: ""}
    status, _ = await till.request("POST", "-gateway/payments", PAYMENT, **headers)
    assert status == (401 if missing == "Authorization" else 400)


async def test_a_token_is_given_for_json_at_the_gateway_alone(till: Till) -> None:
    keys = {"grant_type": "password", **CREDENTIALS}
    assert (await till.request("POST", "-gateway/oauth", aiohttp.FormData(keys)))[0] == 400
    assert (await till.request("POST", "-gateway/oauth", keys | {"grant_type": "client_credentials"}))[0] == 401
    url = f"{till.counter.base_url}/volt/oauth"
    async with aiohttp.ClientSession() as http, http.post(url, json=keys) as elsewhere:
        assert elsewhere.status == 404
    assert (await till.request("POST", "-gateway/oauth", keys))[1].keys() == sample("token")["answer"].keys()


async def test_what_was_not_received_can_not_be_refunded(till: Till) -> None:
    checkout, _ = await till.decides("pending")
    path, who = f"/payments/{checkout.session}/request-refund", await till.token()
    status, _ = await till.request("POST", path, {"amount": 100, "externalReference": "A1"}, Authorization=who)
    assert status == 422
