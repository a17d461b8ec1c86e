"""The simulator demands what Zip demands, whoever calls it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.till import KEY
from tests.connectors.zip.conftest import Till, sample


def body(**order: Any) -> dict[str, Any]:
    asked: dict[str, Any] = sample("checkout_created")["request"]
    return {**asked, "order": {**asked["order"], **order}}


async def test_the_documented_checkout_is_accepted(till: Till) -> None:
    status, said = await till.call("POST", "/checkouts", body())
    assert (status, said["state"]) == (201, "created")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"order": {"amount": "110"}}, "amount"), ({"order": {"amount": 110.001}}, "amount"),
        ({"order": {"currency": "NZD"}}, "order.currency"), ({"order": {"amount": 111}}, "order.items"),
        ({"order": {"shipping": None}}, "shipping"), ({"order": {"shipping": {"pickup": False}}}, "address"),
        ({"shopper": None}, "shopper"), ({"config": {"redirect_uri": "http://shop.example/r"}}, "config.redirect_uri"),
        ({"order": {"reference": "R" * 201}}, "reference"),
    ],
)  # fmt: skip
async def test_a_checkout_that_breaks_a_rule_is_refused(till: Till, changes: dict[str, Any], field: str) -> None:
    asked = body(**changes.pop("order", {})) | changes
    status, said = await till.call("POST", "/checkouts", asked)
    assert (status, said["error"]["details"][0]["name"]) == (400, field)


async def test_what_moves_money_needs_an_idempotency_key(till: Till) -> None:
    own, _ = await till.confirmed()
    refund = {"charge_id": own.payment_id, "reason": "r", "amount": 1, "currency": "AUD"}
    assert (await till.call("POST", "/refunds", refund))[0] == 400
    first = await till.call("POST", "/refunds", refund, Idempotency_Key=KEY)
    assert first == await till.call("POST", "/refunds", refund, Idempotency_Key=KEY)
    assert len(till.rows()) == 3


async def test_without_the_key_or_the_version_nothing_is_answered(till: Till) -> None:
    assert (await till.call("GET", "/checkouts/au-co_1", Authorization="Bearer wrong"))[0] == 401
    assert (await till.call("GET", "/checkouts/au-co_1", Zip_Version=""))[0] == 400
    assert (await till.call("GET", "/checkouts/au-co_1"))[0] == 404


async def test_the_last_capture_releases_what_is_left(till: Till) -> None:
    own = await till.holds()
    path = f"/charges/{own.payment_id}/capture"
    await till.call("POST", path, {"amount": 10, "is_partial_capture": True}, Idempotency_Key="1")
    status, charge = await till.call("POST", path, {"amount": 70, "is_partial_capture": False}, Idempotency_Key="2")
    assert (status, charge["state"], charge["captured_amount"]) == (201, "captured", 80)
    assert (await till.paid_now(own)).voided == 20
