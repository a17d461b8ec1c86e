"""The simulator refuses what Sezzle would."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.sezzle.conftest import Till


def session(**order: Any) -> dict[str, Any]:
    url = {"href": "https://shop.example/", "method": "GET"}
    amount = {"amount_in_cents": 1000, "currency": "USD"}
    return {
        "complete_url": url, "cancel_url": url,
        "order": {"intent": "AUTH", "reference_id": "R-1", "order_amount": amount, **order},
    }  # fmt: skip


@pytest.mark.parametrize("token", ["", "wrong", "9999999999.0000", "1.0000"])
async def test_who_calls_needs_a_token_that_is_good(till: Till, token: str) -> None:
    status, body = await till.calls("GET", "/webhooks", token=token)
    assert (status, body[0]["code"]) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({**session(), "complete_url": None}, "complete_url.href"),
        ({**session(), "cancel_url": {"href": "nowhere"}}, "cancel_url.href"),
        ({**session(), "order": None}, "order"),
        (session(intent="SALE"), "order.intent"),
        (session(reference_id="R 1"), "order.reference_id"),
        (session(order_amount={"amount_in_cents": 99, "currency": "USD"}), "order_amount.amount_in_cents"),
        (session(order_amount={"amount_in_cents": 1000, "currency": "EUR"}), "order_amount.currency"),
        (session(order_amount={"amount_in_cents": "1000", "currency": "USD"}), "order_amount.amount_in_cents"),
        (session(items=[{"name": "Shirt", "quantity": 1, "price": {"amount_in_cents": 1, "currency": "USD"}}]), "order.items"),
        ({**session(), "customer": {"billing_address": {"city": "Sydney"}}}, "customer.billing_address"),
    ],
)  # fmt: skip
async def test_a_session_needs_its_form(till: Till, body: Any, location: str) -> None:
    status, said = await till.calls("POST", "/session", body)
    assert (status, said[0]["location"]) == (422, location)


async def test_nothing_moves_before_the_shopper_has_agreed(till: Till) -> None:
    _, made = await till.calls("POST", "/session", session())
    for verb, body in (
        ("capture", {"capture_amount": {"amount_in_cents": 1, "currency": "USD"}}),
        ("release", {}),
        ("refund", {}),
    ):
        status, said = await till.calls("POST", f"/order/{made['order']['uuid']}/{verb}", body)
        assert (status, said[0]["code"]) == (422, "not_authorized")


async def test_an_authorisation_that_has_expired_can_not_be_captured(till: Till) -> None:
    checkout = await till.holds()
    till.passes(minutes=31)
    body = {"capture_amount": {"amount_in_cents": 100, "currency": "USD"}}
    status, said = await till.calls("POST", f"/order/{checkout.session}/capture", body)
    assert (status, said[0]["code"]) == (422, "authorization_expired")


async def test_a_move_is_in_the_orders_currency(till: Till) -> None:
    checkout = await till.holds()
    body = {"capture_amount": {"amount_in_cents": 100, "currency": "CAD"}}
    status, said = await till.calls("POST", f"/order/{checkout.session}/capture", body)
    assert (status, said[0]["location"]) == (422, "currency")


async def test_a_customer_that_nobody_became_has_no_orders(till: Till) -> None:
    status, said = await till.calls("POST", "/customer/c-666/order", session()["order"])
    assert (status, said[0]["code"]) == (404, "not_found")
