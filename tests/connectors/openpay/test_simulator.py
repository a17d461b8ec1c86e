"""What Openpay's simulator refuses as Openpay does, asked by plain HTTP and not through the connector."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.openpay.conftest import Till, sample
from tests.connectors.scripted import changed

ORDERS = "/v1/merchant/orders"


async def test_the_documented_order_is_opened(till: Till) -> None:
    status, answer = await till.call("POST", ORDERS, sample("order_opened")["request"])
    assert status == 201
    assert answer.keys() == sample("order_opened")["answer"].keys()
    _, order = await till.call("GET", f"{ORDERS}/{answer['orderId']}")
    assert order.keys() == sample("order_lodged")["answer"].keys()
    assert (await till.call("POST", f"{ORDERS}/{answer['orderId']}/capturepayment"))[0] == 422


@pytest.mark.parametrize(
    ("path", "value", "status"),
    [
        ("purchasePrice", 10.34, 400), ("purchasePrice", 99, 422), ("customerJourney.origin", "PosApp", 400),
        ("customerJourney.online.failUrl", None, 400), ("customerJourney.online.planCreationType", "Instant", 400),
        ("customerJourney.online.customerDetails.email", "", 400), ("cart.0.itemQty", 1, 400),
        ("customerJourney.online.customerDetails.deliveryAddress.state", None, 400),
    ],
)  # fmt: skip
async def test_an_order_that_breaks_a_rule_is_refused_with_its_problem(
    till: Till, path: str, value: Any, status: int
) -> None:
    body = changed(sample("order_opened")["request"], path, value)
    answered, problem = await till.call("POST", ORDERS, body)
    assert (answered, problem["status"]) == (status, status)
    assert problem["title"]


async def test_without_credentials_nothing_is_answered(till: Till) -> None:
    for who in ("", "Basic eDp5", "Bearer MzI4NTpzYW5kYm94LW9wZW5wYXktdG9rZW4="):
        assert (await till.call("GET", f"{ORDERS}/limits", who=who))[0] == 401


async def test_a_form_with_another_token_opens_nothing(till: Till) -> None:
    opened, checkout = await till.opens()
    for token in ("", "other", checkout.session):
        assert (await till.posts(opened, {"TransactionToken": token}))[0] == 400


async def test_a_part_is_less_than_the_price(till: Till) -> None:
    checkout = await till.confirms()
    for body in ({"reducePriceBy": 10_000}, {"reducePriceBy": 0}, {}, {"fullRefund": False, "reducePriceBy": "1"}):
        assert (await till.call("POST", f"{ORDERS}/{checkout.session}/refund", body))[0] in (400, 422)
