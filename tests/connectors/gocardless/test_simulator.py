"""The simulator refuses what GoCardless would."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.gocardless.conftest import Till
from tests.connectors.till import KEY

MANDATE: dict[str, Any] = {"billing_requests": {"mandate_request": {"currency": "GBP"}}}


def reasons(body: Any) -> list[str]:
    return [fault.get("reason") or fault["field"] for fault in body["error"]["errors"]]


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({"Authorization": "Bearer wrong"}, 401, "access_token_not_found"),
        ({"GoCardless-Version": "2014-01-01"}, 400, "missing_version_header"),
    ],
)
async def test_who_calls_has_to_prove_it_and_name_the_version(
    till: Till, headers: dict[str, str], status: int, reason: str
) -> None:
    answered, body = await till.calls("GET", "/creditors", None, **headers)
    assert (answered, reasons(body)) == (status, [reason])


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"mandate_request": {"currency": "GBP"}}, 400, "invalid_document_structure"),
        ({"billing_requests": {}}, 422, "mandate_request"),
        ({"billing_requests": {"mandate_request": {"currency": "JPY"}}}, 422, "mandate_request.currency"),
        (
            {"billing_requests": {"mandate_request": {"currency": "GBP", "consent_type": "one_off"}}},
            422, "mandate_request.consent_type",
        ),
        ({"billing_requests": {**MANDATE["billing_requests"], "metadata": dict.fromkeys("abcd", "x")}}, 422, "metadata"),
        ({"billing_requests": {**MANDATE["billing_requests"], "metadata": {"a": 1}}}, 422, "metadata"),
    ],
)  # fmt: skip
async def test_a_billing_request_needs_its_form(till: Till, body: Any, status: int, reason: str) -> None:
    answered, said = await till.calls("POST", "/billing_requests", body)
    assert (answered, reasons(said)) == (status, [reason])


async def test_a_key_that_was_used_is_answered_by_what_it_made(till: Till) -> None:
    _, made = await till.calls("POST", "/billing_requests", MANDATE, **{"Idempotency-Key": KEY})
    status, body = await till.calls("POST", "/billing_requests", MANDATE, **{"Idempotency-Key": KEY})
    assert (status, reasons(body)) == (409, ["idempotent_creation_conflict"])
    assert body["error"]["errors"][0]["links"] == {"conflicting_resource_id": made["billing_requests"]["id"]}


async def test_a_payment_needs_a_mandate_in_its_currency(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    mandate = (await till.calls("GET", f"/billing_requests/{checkout.session}"))[1]["billing_requests"]["links"]
    for links, currency, field in (
        ({"mandate": "MD666"}, "GBP", "links.mandate"),
        ({"mandate": checkout.session}, "GBP", "links.mandate"),
        ({"mandate": mandate["mandate_request_mandate"]}, "EUR", "currency"),
        ({}, "GBP", "links.mandate"),
    ):
        body = {"payments": {"amount": 100, "currency": currency, "links": links}}
        status, said = await till.calls("POST", "/payments", body)
        assert (status, reasons(said)) == (422, [field])
    assert till.counter.ledger() == []


async def test_two_keys_are_two_payments(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    await till.connector.confirm(checkout, KEY)
    await till.connector.confirm(checkout, KEY[::-1])
    assert [kind for kind, _, _ in till.counter.ledger()] == ["authorize", "capture", "authorize", "capture"]


@pytest.mark.parametrize(
    ("amount", "total", "reason"),
    [
        (4000, 5000, "total_amount_confirmation_invalid"),
        (10001, 10001, "refund_amount_exceeds_payment"),
        (0, 0, "amount"),
    ],
)
async def test_a_refund_has_to_add_up(till: Till, amount: int, total: int, reason: str) -> None:
    checkout = await till.charges()
    body = {"amount": amount, "total_amount_confirmation": total, "links": {"payment": checkout.payment_id}}
    status, said = await till.calls("POST", "/refunds", {"refunds": body})
    assert (status, reasons(said)) == (422, [reason])
    assert len(till.counter.ledger()) == 2


async def test_five_refunds_are_the_most(till: Till) -> None:
    checkout = await till.charges()
    for total in range(1, 7):
        body = {"amount": 100, "total_amount_confirmation": 100 * total, "links": {"payment": checkout.payment_id}}
        status, said = await till.calls("POST", "/refunds", {"refunds": body})
        assert (status, reasons(said) if status == 422 else []) == (
            (201, []) if total <= 5 else (422, ["number_of_refunds_exceeded"])
        )


async def test_a_debit_that_is_not_collected_has_nothing_to_refund(till: Till) -> None:
    checkout = await till.charges("pending")
    body = {"amount": 100, "total_amount_confirmation": 100, "links": {"payment": checkout.payment_id}}
    status, said = await till.calls("POST", "/refunds", {"refunds": body})
    assert (status, reasons(said)) == (422, ["refund_payment_invalid_state"])
