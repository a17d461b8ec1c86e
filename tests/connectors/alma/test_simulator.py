"""What the simulator refuses as Alma does, asked by plain HTTP and not through the connector."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.connectors.alma.conftest import Till, sample


def payment(name: str, value: Any) -> dict[str, Any]:
    """The documented payment with one field changed, or taken away by None."""
    body: dict[str, Any] = copy.deepcopy(sample("payment_created")["request"])
    body["payment"][name] = value
    if value is None:
        del body["payment"][name]
    return body


async def test_the_documented_payment_is_accepted_and_shown_with_every_documented_field(till: Till) -> None:
    status, answer = await till.call("POST", "/v1/payments", sample("payment_created")["request"])
    assert (status, answer["state"], answer["purchase_amount"]) == (200, "not_started", 10000)
    assert sample("payment_created")["answer"].keys() - {"kind"} <= answer.keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("purchase_amount", None),
        ("purchase_amount", "10000"),
        ("purchase_amount", 100.5),
        ("purchase_amount", 0),
        ("purchase_amount", 99),
        ("purchase_amount", 1_000_001),
        ("return_url", None),
        ("return_url", "not a url"),
        ("ipn_callback_url", ""),
        ("installments_count", "3"),
        ("expires_after", 1.5),
        ("locale", "french"),
        ("custom_data", "x"),
        ("cart", {"items": [{"title": "Shirt", "quantity": 1}]}),
        ("cart", {"items": [{"title": "Shirt", "quantity": 1, "line_price": -1}]}),
        ("cart", {"items": [{"title": "Shirt", "quantity": 0, "line_price": 0}]}),
    ],
)
async def test_a_payment_that_breaks_a_rule_is_refused(till: Till, name: str, value: Any) -> None:
    status, error = await till.call("POST", "/v1/payments", payment(name, value))
    assert status == 400
    assert error["message"]


@pytest.mark.parametrize("key", ["Alma-Auth sk_test_other", "Bearer sk_test_paymux-sandbox", "sk_test_paymux-sandbox"])
async def test_every_call_needs_the_key(till: Till, key: str) -> None:
    paid = await till.pays()
    path = f"/v1/payments/{paid.session}"
    for method, where, body in (
        ("GET", "/v1/me", None),
        ("POST", "/v1/payments", sample("payment_created")["request"]),
        ("GET", path, None),
        ("PUT", f"{path}/cancel", None),
        ("POST", f"{path}/refund", {"amount": 100}),
    ):
        assert (await till.call(method, where, body, key))[0] == 401
    assert [kind for kind, _ in till.rows()] == ["authorize", "capture"]


async def test_a_refund_without_an_amount_is_the_whole(till: Till) -> None:
    paid = await till.pays()
    status, answer = await till.call("POST", f"/v1/payments/{paid.session}/refund", {"merchant_reference": "x"})
    assert (status, answer["amount_already_refunded"], answer["state"]) == (200, 10000, "paid")
