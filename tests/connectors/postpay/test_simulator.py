"""What Postpay's simulator refuses, asked by plain HTTP and not through the connector."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.postpay.conftest import Till, sample
from tests.connectors.scripted import changed

PLACE = {"first_name": "A", "last_name": "B", "phone": "0500000000", "line1": "DIFC", "city": "Dubai", "country": "AE"}
ORDER: dict[str, Any] = {
    "order_id": "A-1", "total_amount": 5000, "tax_amount": 0, "currency": "AED", "billing_address": PLACE,
    "shipping": {"id": "1", "name": "Standard", "amount": 0, "address": PLACE},
    "customer": {"email": "ada@shop.example", "first_name": "A", "last_name": "B", "account": "guest"},
    "items": [{"reference": "S-1", "name": "Shirt", "unit_price": 5000, "qty": 1}],
    "merchant": {"confirmation_url": "https://shop.example/ok", "cancel_url": "https://shop.example/no"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("order_id", ""), ("total_amount", 0), ("total_amount", 50.0), ("tax_amount", None), ("currency", "EUR"),
        ("billing_address", None), ("shipping.address.city", ""), ("customer.email", ""), ("items", []),
        ("items.0.qty", 0), ("items.0.unit_price", "5000"), ("merchant.cancel_url", "/no"),
    ],
)  # fmt: skip
async def test_an_order_that_breaks_a_rule_is_refused(till: Till, path: str, value: Any) -> None:
    body = changed(ORDER, path, value)
    status, answer = await till.call("POST", "/checkouts", body)
    assert (status, answer.keys()) == (400, sample("error")["answer"].keys())


async def test_a_whole_order_is_opened_with_the_fields_that_the_modules_read(till: Till) -> None:
    status, answer = await till.call("POST", "/checkouts", {**ORDER, "shipping": None})
    assert status == 200
    assert answer.keys() >= sample("checkout_created")["answer"].keys()


async def test_without_credentials_nothing_is_answered(till: Till) -> None:
    for who in ("", "Basic eDp5", "Bearer aWRfZGVtbzpza190ZXN0X2RlbW8="):
        assert (await till.call("GET", "/orders", who=who))[0] == 401


async def test_orders_are_listed_by_status_and_in_pages(till: Till) -> None:
    for number in (1, 2, 3):
        await till.call("POST", "/checkouts", {**ORDER, "order_id": f"A-{number}"})
    _, first = await till.call("GET", "/orders?page_size=2")
    assert (first["count"], [order["order_id"] for order in first["results"]]) == (3, ["A-3", "A-2"])
    assert first["next"] is not None
    _, second = await till.call("GET", "/orders?page=2&page_size=2")
    assert (second["next"], [order["order_id"] for order in second["results"]]) == (None, ["A-1"])
    assert (await till.call("GET", "/orders?status=captured"))[1]["results"] == []
    assert (await till.call("GET", "/orders?page_size=51"))[0] == 400
