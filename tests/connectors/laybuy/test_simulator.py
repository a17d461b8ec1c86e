"""What Laybuy's simulator refuses as Laybuy does, asked by plain HTTP and not through the connector."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.laybuy.conftest import Till, sample
from tests.connectors.scripted import changed


async def test_the_documented_order_is_accepted(till: Till) -> None:
    status, answer = await till.call("POST", "/order/create", sample("order_created")["request"])
    assert (status, answer["result"], answer.keys()) == (200, "SUCCESS", sample("order_created")["answer"].keys())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("amount", 149.97), ("amount", "much"), ("amount", 0), ("currency", "EUR"), ("returnUrl", "/confirm"),
        ("merchantReference", ""), ("customer.phone", ""), ("customer.email", None), ("items", []),
        ("items.0.quantity", 0), ("items.0.price", 79.98), ("items.1.description", ""),
    ],
)  # fmt: skip
async def test_an_order_that_breaks_a_rule_is_an_error_with_status_200(till: Till, path: str, value: Any) -> None:
    body = changed(sample("order_created")["request"], path, value)
    status, answer = await till.call("POST", "/order/create", body)
    assert (status, answer["result"]) == (200, "ERROR")
    assert answer["error"]


async def test_without_credentials_nothing_is_answered(till: Till) -> None:
    for who in ("", "Basic eDp5", "Bearer MTAwMDU5OnNhbmRib3gtbGF5YnV5LWtleQ=="):
        assert (await till.call("GET", "/order/merchant/1", who=who))[0] == 401


async def test_an_order_is_read_in_full_once_it_is_confirmed(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    assert (await till.call("GET", "/order/merchant/R-1001"))[1] == sample("order_not_found")["answer"]
    token = {"token": checkout.session}
    assert (await till.call("POST", "/order/confirm", token))[1]["result"] == "ERROR"
    _, confirmed = await till.call("POST", "/order/confirm", {**token, "amount": 100, "currency": "NZD"})
    for path in ("/order/merchant/R-1001", f"/order/{confirmed['orderId']}"):
        _, order = await till.call("GET", path)
        assert sample("order_found")["answer"].keys() == order.keys()
    assert (await till.call("GET", f"/order/cancel/{checkout.session}"))[1] == sample("cancel_too_late")["answer"]
    assert (await till.call("GET", "/order/cancel/none"))[1] == sample("cancel_unknown")["answer"]


async def test_a_new_order_cancels_the_open_one_of_the_same_shopper_where_the_rule_is_on(till: Till) -> None:
    await till.call("POST", "/sandbox/one-open-order")
    tokens = []
    for reference in ("A-1", "A-2"):
        body = sample("order_created")["request"] | {"merchantReference": reference}
        tokens.append((await till.call("POST", "/order/create", body))[1]["token"])
    standing = [(await till.call("GET", f"/order/status/{reference}"))[1]["status"] for reference in ("A-1", "A-2")]
    assert standing == ["CANCELLED", "WAITING"]
    assert len(set(tokens)) == 2
