"""What Affirm's simulator refuses as Affirm does, asked by plain HTTP and not through the connector."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.affirm.conftest import Till, sample
from tests.connectors.scripted import changed
from tests.connectors.till import ONE

PLACE = sample("address")["address"]
ORDER: dict[str, Any] = {
    "merchant": {
        "public_api_key": "AFFIRMDEMOPUBLIC", "user_confirmation_url": "https://shop.example/ok",
        "user_cancel_url": "https://shop.example/no", "user_confirmation_url_action": "POST",
    },
    "items": [{"display_name": "Shirt", "sku": "S-1", "unit_price": 5000, "qty": 1}],
    "shipping": {"name": {"full": "John Doe"}, "address": PLACE},
    "order_id": "A-1", "currency": "USD", "total": 5000,
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("merchant", None), ("merchant.public_api_key", "OTHER"), ("merchant.user_confirmation_url", "/ok"),
        ("merchant.user_confirmation_url_action", "PUT"), ("items", []), ("items.0.qty", 0), ("items.0.unit_price", 50.0),
        ("items.0.sku", ""), ("shipping", None), ("shipping.address.postal_code", ""), ("shipping.name", {"first": "J"}),
        ("shipping.address.country_code", "CA"), ("currency", "CAD"), ("total", 0), ("total", "5000"), ("order_id", "x" * 129),
    ],
)  # fmt: skip
async def test_an_order_that_breaks_a_rule_is_refused(till: Till, path: str, value: Any) -> None:
    body = changed(ORDER, path, value)
    status, answer = await till.call("POST", "/api/v2/checkout/direct", body)
    assert status in (400, 401)
    assert answer.keys() == {"status_code", "type", "code", "message", "field"}


async def test_without_keys_or_country_nothing_is_answered(till: Till) -> None:
    for who, country, expected in (("", "USA", 401), ("Basic eDp5", "USA", 401), (None, "US", 400)):
        more = {"who": who} if who is not None else {}
        assert (await till.call("GET", "/api/v1/transactions/X", country=country, **more))[0] == expected


async def test_a_checkout_is_authorised_once_and_only_when_it_was_confirmed(till: Till) -> None:
    opened, checkout = await till.opens()
    body = {"transaction_id": checkout.session, "order_id": "A-1"}
    assert (await till.call("POST", "/api/v1/transactions", body))[0] == 400
    await till.counter.shopper(opened.url, "approve")
    status, loan = await till.call("POST", "/api/v1/transactions", body, key=ONE)
    assert (status, loan["status"], loan["checkout_id"]) == (200, "authorized", checkout.session)
    assert (await till.call("POST", "/api/v1/transactions", body, key=ONE))[1] == loan
    assert (await till.call("POST", "/api/v1/transactions", body))[0] == 400


async def test_events_are_shown_only_when_they_are_asked_for(till: Till) -> None:
    checkout = await till.confirms()
    path = f"/api/v1/transactions/{checkout.payment_id}"
    assert "events" not in (await till.call("GET", path))[1]
    assert [e["type"] for e in (await till.call("GET", f"{path}?expand=events"))[1]["events"]] == ["auth"]
    assert (await till.call("GET", f"/api/v1/transactions/{checkout.session}"))[0] == 404
