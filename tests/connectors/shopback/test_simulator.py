"""What ShopBack's simulator refuses, asked by plain HTTP and not through the connector."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.scripted import changed
from tests.connectors.shopback.conftest import Till, sample
from tests.connectors.till import KEY, ONE, TWO

ORDER = sample("order")["request"]


async def initiated(till: Till) -> tuple[str, dict[str, Any]]:
    """A merchant's token, and the answer to the documented order."""
    token = await till.token()
    status, answer = await till.request("POST", "/order/initiate", ORDER, Authorization=token)
    assert status == 200
    return token, answer


async def test_the_documented_order_is_opened_and_read_as_documented(till: Till) -> None:
    token, opened = await initiated(till)
    assert opened.keys() == sample("order")["answer"].keys()
    status, order = await till.request("GET", f"/order/{opened['orderUuid']}", Authorization=token)
    documented = sample("order_status")["answer"]
    assert (status, order.keys()) == (200, documented.keys() - {"paymentMethod"})
    for name in ("status", "orderType", "merchantRef", "merchantOrderId", "consumerEmail"):
        assert order[name] == documented[name]


@pytest.mark.parametrize(
    ("path", "value", "status"),
    [
        ("totalAmount", "100", 400), ("totalAmount", 0.5, 400), ("totalAmount", 1000.01, 400), ("totalAmount", True, 400),
        ("totalAmount", 10.001, 400), ("currency", "HKD", 404), ("currency", None, 404), ("billingAddress", None, 400),
        ("shippingAddress", "SG", 400), ("billingAddress.countryCode", "TH", 412), ("items", [], 400),
        ("items", [{"sku": "1"}], 400), ("items.0.quantity", 1.5, 400), ("items.0.price", "5", 400),
        ("shippingMethod", "DRONE", 400),
    ],
)  # fmt: skip
async def test_an_order_that_breaks_a_rule_is_refused(till: Till, path: str, value: Any, status: int) -> None:
    body = changed(ORDER, path, value)
    said, answer = await till.request("POST", "/order/initiate", body, Authorization=await till.token())
    assert (said, answer.keys()) == (status, sample("error")["answer"].keys())


async def test_without_a_token_that_is_good_nothing_is_answered(till: Till) -> None:
    token, opened = await initiated(till)
    for who in ("", "Bearer x", token.replace("Bearer", "Basic"), token + "0", "Bearer ÿ"):
        status, answer = await till.request("GET", f"/order/{opened['orderUuid']}", Authorization=who)
        assert (status, answer["errorMessages"]) == (412, ["Provided token is invalid or expired"])


async def test_a_token_is_good_for_eight_hours(till: Till) -> None:
    token, opened = await initiated(till)
    till.passes(hours=7, minutes=59)
    assert (await till.request("GET", f"/order/{opened['orderUuid']}", Authorization=token))[0] == 200
    till.passes(minutes=2)
    assert (await till.request("GET", f"/order/{opened['orderUuid']}", Authorization=token))[0] == 412


@pytest.mark.parametrize(
    ("body", "status"),
    [({"username": "x", "password": "y"}, 401), ({"username": "x"}, 422), ([], 422), (None, 422)],
)
async def test_a_login_that_is_wrong_is_refused(till: Till, body: Any, status: int) -> None:
    assert await till.request("POST", "/auth/login", body) == (status, {})


async def test_a_repeated_id_gets_the_first_result_whatever_is_asked(till: Till) -> None:
    ask = {"Authorization": await till.token(), "X-ShopBack-Idempotent-Id": KEY}
    first = await till.request("POST", "/order/initiate", ORDER, **ask)
    assert await till.request("POST", "/order/initiate", ORDER | {"totalAmount": 50}, **ask) == first
    other = await till.request("POST", "/order/initiate", ORDER, **(ask | {"X-ShopBack-Idempotent-Id": TWO}))
    assert (other[0], other[1]["errorMessages"]) == (412, ["Order with requested external ids already exists"])


async def test_an_order_is_known_by_its_private_id_only(till: Till) -> None:
    token, opened = await initiated(till)
    for name in (opened["orderContextToken"], str(opened["orderId"])):
        assert (await till.request("GET", f"/order/{name}", Authorization=token))[0] == 404
    assert (await till.request("POST", f"/order/{name}/refund", {}, Authorization=token))[0] == 404


@pytest.mark.parametrize(
    "changes",
    [{"amount": 0}, {"amount": "5"}, {"description": None}, {"description": "x" * 1025}, {"items": [{"name": "x"}]}],
)
async def test_a_refund_that_breaks_a_rule_is_refused(till: Till, changes: dict[str, Any]) -> None:
    checkout, token = await till.decided(), await till.token()
    body = {"amount": 5, "description": "broken"} | changes
    ask = {"Authorization": token, "X-ShopBack-Idempotent-Id": ONE}
    assert (await till.request("POST", f"/order/{checkout.session}/refund", body, **ask))[0] == 400
    good = {"amount": 5, "description": "broken", "items": [{"sku": "S-1"}]}
    status, answer = await till.request("POST", f"/order/{checkout.session}/refund", good, **ask)
    assert (status, answer.keys()) == (200, sample("refund")["answer"].keys())
    assert (answer["status"], answer["type"]) == ("ACCEPTED", "PARTIAL")
