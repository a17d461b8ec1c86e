"""What TripleA's simulator refuses, asked by plain HTTP and not through the connector."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.triplea.conftest import Till, sample

BODY: dict[str, Any] = {
    "type": "widget", "api_id": "HA1600000000paymux_t", "crypto_currency": "testBTC", "order_currency": "USD",
    "order_amount": "10.00", "notify_url": "", "payer_id": "guest_1", "payer_email": "alice.tan@triple-a.io",
    "success_url": "https://www.success.io/success.html", "cancel_url": "https://www.failure.io/cancel.html",
    "webhook_data": {"order_txid": "R-1001"},
}  # fmt: skip
REQUEST = "/api/v1/payment/request"


async def test_a_payment_is_requested_and_shown_with_the_documented_fields(till: Till) -> None:
    status, opened = await till.call("POST", REQUEST, BODY)
    assert status == 201
    assert set(sample("payment_requested")["answer"]) <= set(opened)
    status, shown = await till.call("GET", f"/api/v1/payment/{opened['payment_reference']}")
    later = {"status_date", "payment_tier_date", "expires_in"}
    assert set(sample("payment_details")["answer"]) - later <= set(shown)
    assert (status, shown["payment_tier"], shown["order_amount"]) == (200, "none", 10)


async def test_a_secret_that_nobody_gave_is_made_up(till: Till) -> None:
    secrets = {(await till.call("POST", REQUEST, BODY))[1]["notify_secret"] for _ in range(2)}
    assert len(secrets) == 2
    given = await till.call("POST", REQUEST, BODY | {"notify_secret": "mine"})
    assert given[1]["notify_secret"] == "mine"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "popup"), ("api_id", "HA1"), ("crypto_currency", "BTC"), ("order_currency", "BTC"),
        ("order_amount", "much"), ("order_amount", "NaN"), ("order_amount", "-1"), ("payer_id", None),
        ("payer_email", ""), ("success_url", "ftp://www.success.io"), ("cancel_url", None),
    ],
)  # fmt: skip
async def test_a_request_that_breaks_a_rule_is_refused_by_the_fields_name(till: Till, field: str, value: Any) -> None:
    status, answer = await till.call("POST", REQUEST, BODY | {field: value})
    assert status == 400
    assert field in answer["message"]


async def test_without_a_token_that_was_granted_nothing_is_answered(till: Till) -> None:
    for token in ("", "other"):
        assert (await till.call("POST", REQUEST, BODY, token))[0] == 401


@pytest.mark.parametrize("wrong", [{"client_id": "x"}, {"client_secret": "x"}, {"grant_type": "password"}])
async def test_a_token_is_granted_for_the_clients_own_credentials_only(till: Till, wrong: dict[str, str]) -> None:
    status, granted = await till.grant()
    assert (status, granted["expires_in"]) == (200, sample("access_token")["answer"]["expires_in"])
    assert (await till.grant(**wrong))[0] == 401
