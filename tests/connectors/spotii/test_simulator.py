"""What Spotii's simulator refuses as Spotii does, asked by plain HTTP and not through the connector."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.connectors.scripted import changed
from tests.connectors.spotii.conftest import Till, sample


def order(**changes: Any) -> dict[str, Any]:
    """The documented checkout, of an amount that is allowed and with its sums named."""
    body: dict[str, Any] = copy.deepcopy(sample("checkout_opened")["request"]) | {"total": "300.00", **changes}
    body["order"] |= {"tax_amount": "0", "shipping_amount": "0", "discount": "0"}
    return body


async def test_the_documented_checkout_is_opened(till: Till) -> None:
    status, answer = await till.call("POST", "/api/v1.0/checkouts/", order(), await till.token())
    assert status == 200
    assert sample("checkout_opened")["answer"].keys() <= answer.keys()


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("total", "199.99", "total"), ("total", "much", "total"), ("currency", "EUR", "currency"),
        ("reference", "", "reference"), ("confirm_callback_url", None, "confirm_callback_url"),
        ("order.customer.email", "", "email"), ("order.billing_address.line1", "", "line1"),
        ("order.lines", [], "order"), ("order.lines.0.currency", "SAR", "lines"),
    ],
)  # fmt: skip
async def test_a_checkout_that_breaks_a_rule_is_refused_with_a_message_by_field(
    till: Till, path: str, value: Any, field: str
) -> None:
    body = changed(order(), path, value)
    status, answer = await till.call("POST", "/api/v1.0/checkouts/", body, await till.token())
    assert status == 400
    assert answer[field]


async def test_without_a_token_that_was_granted_nothing_is_answered(till: Till) -> None:
    for token in ("", "other", "sandbox-private"):
        assert (await till.call("GET", "/api/v1.0/orders/R-1001/", token=token))[0] == 401


async def test_a_second_checkout_of_a_reference_takes_the_place_of_the_open_one(till: Till) -> None:
    first, _ = await till.opens("300.00")
    second, checkout = await till.opens("300.00")
    await till.counter.shopper(first.url, "approve")
    path, token = f"/api/v1.0/orders/{checkout.session}", await till.token()
    assert (await till.call("GET", path, token=token))[1]["capture_expiration"] is None
    await till.counter.shopper(second.url, "approve")
    status, answer = await till.call("POST", f"{path}/capture", token=token)
    assert (status, answer) == (200, {"status": "SUCCESS", "amount": "300.00", "currency": "AED"})
    assert (await till.call("POST", f"{path}/capture/", token=token))[0] == 402
    assert (await till.call("POST", f"{path}/refund", {"total": "1", "currency": "SAR"}, token))[0] == 400
