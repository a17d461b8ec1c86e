"""What TendoPay's simulator refuses as TendoPay does, asked by plain HTTP and not through the connector."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.tendopay.conftest import CREDENTIALS, Till, sample, signed


def order(**changes: Any) -> dict[str, Any]:
    """The documented order, signed for the sandbox; None takes a field away."""
    fields = {name: value for name, value in sample("order_created")["request"].items() if name != "x_signature"}
    return signed({name: value for name, value in (fields | changes).items() if value is not None})


async def test_the_documented_order_is_accepted(till: Till) -> None:
    status, answer = await till.call("/payments/api/v2/order", order(), await till.token())
    assert (status, answer.keys()) == (200, sample("order_created")["answer"].keys())


@pytest.mark.parametrize(
    "changes",
    [
        {"tp_amount": None}, {"tp_amount": 0}, {"tp_amount": "100.50"}, {"tp_currency": "USD"}, {"tp_currency": None},
        {"tp_merchant_order_id": None}, {"tp_redirect_url": "purchase"}, {"tp_description": "x" * 51},
        {"tp_items": "shirt"},
    ],
)  # fmt: skip
async def test_an_order_that_breaks_a_rule_is_refused(till: Till, changes: dict[str, Any]) -> None:
    status, answer = await till.call("/payments/api/v2/order", order(**changes), await till.token())
    assert (status, list(answer)) == (422, ["error"])


async def test_nothing_is_done_without_a_token_and_a_signature(till: Till) -> None:
    assert (await till.call("/payments/api/v2/order", order(), "another"))[0] == 401
    unsigned = order() | {"tp_amount": 999}
    status, answer = await till.call("/payments/api/v2/order", unsigned, await till.token())
    assert (status, answer) == (422, {"error": "Invalid signature"})
    wrong = {"grant_type": "client_credentials", **CREDENTIALS, "client_secret": "x"}
    assert (await till.call("/oauth/token", wrong))[0] == 401


async def test_a_transaction_is_shown_with_the_documented_fields(till: Till) -> None:
    checkout = await till.pays()
    asked = signed({"tp_transaction_id": checkout.payment})
    _, shown = await till.call("/payments/api/v2/showTransaction", asked, await till.token())
    assert shown.keys() == sample("notification")["body"].keys()
    assert signed({name: value for name, value in shown.items() if name != "x_signature"}) == shown
    for path in ("showTransaction", "cancelPayment"):
        body = signed({"tp_transaction_id": "1"})
        assert (await till.call(f"/payments/api/v2/{path}", body, await till.token()))[0] == 422
