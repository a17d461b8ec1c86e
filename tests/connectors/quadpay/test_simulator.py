"""What QuadPay's simulator refuses as QuadPay does, asked by plain HTTP and not through the connector."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.partpay import Till
from tests.connectors.quadpay.conftest import sample
from tests.connectors.scripted import changed


async def token_of(till: Till) -> str:
    _, granted = await till.granted()
    token: str = granted["access_token"]
    return token


async def test_the_documented_order_is_accepted_and_told_as_it_was_opened(till: Till) -> None:
    token, request = await token_of(till), sample("order_created")["request"]
    status, opened = await till.call("POST", "/order", request, token)
    assert (status, opened.keys()) == (200, sample("order_created")["answer"].keys())
    _, told = await till.call("GET", f"/order/{opened['orderId']}", None, token)
    assert (told["orderStatus"], told["merchantReference"], told["items"]) == ("Created", "98765", request["items"])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("amount", "34.99"), ("amount", "105.001"), ("consumer.email", ""), ("billing", {"city": "New York"}),
        ("items", [{"name": "x", "price": "1"}]), ("items", [{"name": "x", "quantity": 1, "price": "a"}]),
        ("merchant.redirectConfirmUrl", "/confirm"), ("merchantReference", 98765), ("taxAmount", -1),
    ],
)  # fmt: skip
async def test_an_order_that_breaks_a_rule_is_refused(till: Till, path: str, value: Any) -> None:
    body = changed(sample("order_created")["request"], path, value)
    status, error = await till.call("POST", "/order", body, await token_of(till))
    assert status in (400, 422)
    assert error["message"]


async def test_an_unpaid_order_is_neither_captured_nor_voided(till: Till) -> None:
    token = await token_of(till)
    _, opened = await till.call("POST", "/order", sample("order_created")["request"], token)
    for verb in ("capture", "void"):
        body = {"amount": 105, "merchantReference": "1"}
        assert (await till.call("POST", f"/order/{opened['orderId']}/{verb}", body, token))[0] == 422
    assert (await till.call("POST", "/order/none/void", {"amount": 1, "merchantReference": "1"}, token))[0] == 404
