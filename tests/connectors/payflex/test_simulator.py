"""What Payflex's simulator refuses as Payflex does, asked by plain HTTP and not through the connector."""

from __future__ import annotations

import pytest

from tests.connectors.partpay import Till
from tests.connectors.payflex.conftest import sample
from tests.connectors.scripted import changed


async def token_of(till: Till) -> str:
    status, granted = await till.granted()
    assert (status, granted["token_type"], granted["expires_in"]) == (200, "Bearer", 86400)
    token: str = granted["access_token"]
    return token


async def test_the_documented_order_is_accepted_and_told_as_documented(till: Till) -> None:
    token = await token_of(till)
    status, opened = await till.call("POST", "/order/productSelect", sample("order_created")["request"], token)
    assert (status, opened.keys()) == (200, sample("order_created")["answer"].keys() - {"message"})
    status, told = await till.call("GET", f"/order/{opened['orderId']}", None, token)
    assert (status, told["orderStatus"], told["amount"], told["token"]) == (200, "Created", 299.99, opened["token"])
    assert sample("order_approved")["answer"].keys() <= told.keys()


@pytest.mark.parametrize(
    "path", ["amount", "consumer", "consumer.phoneNumber", "merchant.redirectCancelUrl", "merchantReference"]
)
async def test_an_order_without_a_required_field_is_refused(till: Till, path: str) -> None:
    body = changed(sample("order_created")["request"], path, ...)
    status, error = await till.call("POST", "/order/productSelect", body, await token_of(till))
    assert (status, error.keys()) == (400, {"errorCode", "message"})


@pytest.mark.parametrize(("price", "status"), [("0.00", 200), ("-0.01", 400), ("0.001", 400)])
async def test_a_line_may_cost_nothing_and_no_less(till: Till, price: str, status: int) -> None:
    item = {"name": "Gift", "sku": "G-1", "quantity": "1", "price": price}
    body = {**sample("order_created")["request"], "items": [item]}
    assert (await till.call("POST", "/order/productSelect", body, await token_of(till)))[0] == status


@pytest.mark.parametrize("changed", ["client_id", "client_secret", "audience", "grant_type"])
async def test_a_token_is_granted_for_the_right_credentials_only(till: Till, changed: str) -> None:
    assert (await till.granted(**{changed: "other"}))[0] == 401


async def test_without_a_token_in_force_nothing_is_answered(till: Till) -> None:
    token = await token_of(till)
    assert (await till.call("GET", "/configuration", None, token))[0] == 200
    assert (await till.call("GET", "/configuration"))[0] == 401
    assert (await till.call("GET", "/configuration", None, token + "x"))[0] == 401
    till.passes(hours=25)
    assert (await till.call("GET", "/configuration", None, token))[0] == 401


async def test_an_unpaid_order_is_not_refunded(till: Till) -> None:
    token = await token_of(till)
    _, opened = await till.call("POST", "/order/productSelect", sample("order_created")["request"], token)
    body = {"requestId": "1", "amount": 1, "merchantRefundReference": "1"}
    status, error = await till.call("POST", f"/order/{opened['orderId']}/refund", body, token)
    assert (status, error["errorCode"]) == (400, "MRM007")
