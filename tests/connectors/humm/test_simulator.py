"""The simulator demands what humm demands."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from paymux.connectors.contract import Refused
from tests.connectors.humm.conftest import Till, sample, signed


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("x_amount", "1.00", "signature"),
        ("x_signature", "0" * 64, "signature"),
        ("x_url_cancel", "", "x_url_cancel is required"),
        ("x_customer_phone", "1" * 13, "too long"),
        ("x_currency", "NZD", "x_currency"),
        ("x_test", "maybe", "x_test"),
        ("x_transaction_timeout", "1441", "x_transaction_timeout"),
        ("x_amount", "free", "x_amount"),
        ("x_amount", "0", "x_amount"),
        ("x_reference", "Grüße", "ASCII"),
        ("x_account_id", "1", "unknown"),
        ("platform", "Default", "platform"),
    ],
)
async def test_a_form_that_breaks_a_rule_opens_nothing(till: Till, field: str, value: str, says: str) -> None:
    opened, _ = await till.opens()
    form = dict(opened.form or {}) | {field: value}
    if says != "signature":
        form = signed({name: text for name, text in form.items() if name != "x_signature"})
    status, said = await till.posts(opened, form)
    assert status == 400
    assert says in said
    assert till.counter.sandbox.store.cases("R-1001") == []


async def test_the_documented_form_opens_a_purchase(till: Till) -> None:
    opened, _ = await till.opens()
    assert (await till.posts(opened, sample("form")["fields"]))[0] == 303


async def test_the_same_form_again_leads_to_the_same_purchase_and_opens_a_cancelled_one_anew(till: Till) -> None:
    opened, _ = await till.opens()
    first = await till.posts(opened)
    assert await till.posts(opened) == first
    await till.counter.shopper(first[1], "cancel")
    assert await till.posts(opened) == first
    assert (await till.counter.shopper(first[1], "approve"))["x_result"] == "completed"
    assert (await till.counter.shopper(first[1], "cancel"))["x_result"] == "completed", "it is decided once"
    assert len(till.counter.ledger()) == 2


async def test_a_purchase_can_not_be_paid_after_its_time(till: Till) -> None:
    order = till.counter.order("HUMM_AU")
    opened, _ = await till.opens(expires_at=order.created_at + timedelta(minutes=10), created_at=order.created_at)
    page = (await till.posts(opened))[1]
    till.counter.sandbox.clock.offset += timedelta(minutes=11)
    assert await till.counter.shopper(page, "approve") == {"via": "cancel"}
    assert till.counter.ledger() == []


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"signature": "0"}, 401, None),
        ({"x_merchant_number": "1"}, 400, "MERR0001"),
        ({"x_amount": "much"}, 400, "MERR0004"),
        ({"x_reason": ""}, 400, "MERR0004"),
        ({"x_purchase_number": "1"}, 400, "MERR0003"),
        ({"x_amount": "100.01"}, 400, "MERR0003"),
        ({"x_amount": "-1"}, 400, "MERR0003"),
    ],
)
async def test_a_refund_that_breaks_a_rule_moves_nothing(
    till: Till, changes: dict[str, str], status: int, message: str | None
) -> None:
    checkout = await till.pays()
    body: dict[str, Any] = sample("refund")["request"] | {"x_purchase_number": checkout.payment}
    if "signature" not in changes:
        fields = {name: value for name, value in (body | changes).items() if name != "signature"}
        signature = signed(fields)["x_signature"]
        changes = changes | {"signature": signature}
    url = f"{till.counter.base_url}/humm/api/ExternalRefund/v1/processrefund"
    async with aiohttp.ClientSession() as http, http.post(url, json=body | changes) as answer:
        assert answer.status == status
        if message is not None:
            assert await answer.json() == {"Message": message}
    assert len(till.counter.ledger()) == 2


async def test_an_unpaid_purchase_is_not_refunded(till: Till) -> None:
    checkout, query = await till.decides("decline")
    with pytest.raises(Refused, match="MERR0003"):
        await till.moves("refund", replace(checkout, payment_id=query["x_gateway_reference"]), "10.00")
