"""What the simulator refuses as Tamara does, asked by plain HTTP and not through the connector."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.scripted import changed
from tests.connectors.tamara.conftest import Till, sample


def checkout(path: str, value: Any) -> dict[str, Any]:
    """The documented checkout with one field changed, or taken away by None."""
    return changed(sample("checkout_created")["request"], path, ... if value is None else value)


async def test_the_documented_checkout_is_accepted(till: Till) -> None:
    status, answer = await till.call("POST", "/checkout", sample("checkout_created")["request"])
    assert (status, answer["status"], answer.keys()) == (200, "new", sample("checkout_created")["answer"].keys())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("total_amount.amount", "300"),
        ("total_amount.amount", 300.001),
        ("total_amount.amount", 0),
        ("total_amount.currency", "EUR"),
        ("country_code", "AE"),
        ("description", "x" * 257),
        ("payment_type", "LATER"),
        ("instalments", 1),
        ("locale", "de_DE"),
        ("items", []),
        ("items.0.sku", None),
        ("items.0.quantity", 0),
        ("consumer.phone_number", "call me"),
        ("consumer.last_name", None),
        ("shipping_address", None),
        ("shipping_address.line1", ""),
        ("tax_amount", None),
        ("shipping_amount.currency", "AED"),
        ("merchant_url.cancel", "not a url"),
    ],
)
async def test_a_checkout_that_breaks_a_rule_is_refused(till: Till, path: str, value: Any) -> None:
    status, error = await till.call("POST", "/checkout", checkout(path, value))
    assert status == 400
    assert error["errors"][0]["error_code"]


async def test_every_call_needs_the_token(till: Till) -> None:
    opened = await till.confirms()
    total = {"amount": 100, "currency": "SAR"}
    for method, path, body in (
        ("POST", "/checkout", sample("checkout_created")["request"]),
        ("GET", f"/merchants/orders/{opened.session}", None),
        ("POST", f"/orders/{opened.session}/authorise", None),
        ("POST", f"/orders/{opened.session}/cancel", {"total_amount": total}),
        ("POST", "/payments/capture", {"order_id": opened.session, "total_amount": total, "shipping_info": {}}),
        ("POST", f"/payments/simplified-refund/{opened.session}", {"total_amount": total, "comment": "x"}),
    ):
        assert (await till.call(method, path, body, "Bearer other"))[0] == 401
    assert [kind for kind, _ in till.rows()] == ["authorize"]


@pytest.mark.parametrize("outcome", ["approve", "decline", "cancel", "pending", "error"])
async def test_an_order_that_was_not_authorised_can_not_be_moved(till: Till, outcome: str) -> None:
    opened, _ = await till.decides(outcome)
    total = {"amount": 100, "currency": "SAR"}
    for path, body in (
        (f"/orders/{opened.session}/cancel", {"total_amount": total}),
        ("/payments/capture", {"order_id": opened.session, "total_amount": total, "shipping_info": {}}),
        (f"/payments/simplified-refund/{opened.session}", {"total_amount": total, "comment": "x"}),
    ):
        assert (await till.call("POST", path, body))[0] == 409
    assert till.rows() == []


async def test_a_restarted_simulator_remembers_what_moved(till: Till) -> None:
    opened = await till.captures()
    simulators = till.counter.sandbox.simulators
    simulators["tamara"] = type(simulators["tamara"])(simulators["tamara"].desk)
    assert (await till.paid_now(opened)).captured == 100
