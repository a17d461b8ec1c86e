"""What Pace's simulator refuses as Pace does, asked by plain HTTP and not through the connector."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.pace.conftest import AT_SIMULATOR, Till, sample
from tests.connectors.scripted import changed

BODY: dict[str, Any] = {
    "items": [{"itemId": "1", "itemType": "simple", "name": "Shirt", "quantity": 1, "unitPrice": 10000}],
    "currency": "SGD", "referenceID": "000000012", "amountFloat": 100.0, "webhookUrl": "",
    "redirectUrls": {"success": "https://shop.example/verify", "failed": "https://shop.example/verify"},
}  # fmt: skip


async def test_a_transaction_is_opened_with_the_documented_fields(till: Till) -> None:
    status, answer = await till.call("POST", "/v1/checkouts", BODY)
    assert status == 200
    assert set(sample("created")["answer"]) == set(answer)
    assert (answer["status"], answer["amount"]["value"]) == ("pending_confirmation", 10000)
    status, shown = await till.call("GET", f"/v1/checkouts/{answer['transactionID']}")
    assert (status, shown) == (200, answer)


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        ("currency", "EUR", "currency"), ("amountFloat", "100", "amountFloat"), ("amountFloat", 9.99, "amountFloat"),
        ("amountFloat", True, "amountFloat"), ("referenceID", "", "referenceID"), ("items", [], "items"),
        ("items.0.unitPrice", 100.5, "unitPrice"), ("items.0.quantity", 0, "quantity"),
        ("redirectUrls.failed", "ftp://shop.example", "failed"), ("redirectUrls", None, "redirectUrls"),
    ],
)  # fmt: skip
async def test_a_transaction_that_breaks_a_rule_is_refused_with_a_correlation_id(
    till: Till, path: str, value: Any, word: str
) -> None:
    body = changed(BODY, path, value)
    status, answer = await till.call("POST", "/v1/checkouts", body)
    assert status == 400
    assert word in answer["error"]["message"]
    assert set(answer) == set(sample("error")["answer"])


async def test_without_the_merchants_credentials_nothing_is_answered(till: Till) -> None:
    for who in ("", "Basic aWRfZGVtbzpzZWNyZXRfZGVtbw==", AT_SIMULATOR.replace("Basic", "Bearer")):
        assert (await till.call("GET", "/v1/checkouts/plans", who=who))[0] == 401


async def test_the_plans_have_the_documented_fields(till: Till) -> None:
    status, answer = await till.call("GET", "/v1/checkouts/plans")
    assert status == 200
    documented = sample("plans")["answer"]["list"][0]
    (dollars,) = (plan for plan in answer["list"] if plan["currencyCode"] == "SGD")
    assert {name: dollars[name]["value"] for name in ("minAmount", "maxAmount")} == {
        name: documented[name]["value"] for name in ("minAmount", "maxAmount")
    }


async def test_one_reference_may_have_several_transactions(till: Till) -> None:
    ids = {(await till.call("POST", "/v1/checkouts", BODY))[1]["transactionID"] for _ in range(2)}
    assert len(ids) == 2
