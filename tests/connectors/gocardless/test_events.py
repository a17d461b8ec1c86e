"""Webhooks: signed together, kept apart, and never more than a reason to ask."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from paymux.connectors.contract import EventReading, Forged, Incoming
from tests.connectors.gocardless.conftest import Scripted, Till, sample


def published() -> Incoming:
    """The webhook of the official client's own tests, with its signature."""
    webhook = sample("webhook")
    return Incoming(method="POST", headers=webhook["headers"], query={}, body=webhook["body"].encode())


async def test_the_published_webhook_is_authentic(scripted: Scripted) -> None:
    assert scripted.connector.verify_event(published()) is None


@pytest.mark.parametrize(
    "headers", [{}, {"webhook-signature": ""}, {"webhook-signature": "0" * 64}, {"webhook-signature": "ü"}]
)
async def test_a_webhook_without_its_signature_is_forged(scripted: Scripted, headers: dict[str, str]) -> None:
    with pytest.raises(Forged):
        scripted.connector.verify_event(replace(published(), headers=headers))


async def test_a_webhook_that_was_changed_on_the_way_is_forged(scripted: Scripted) -> None:
    with pytest.raises(Forged):
        scripted.connector.verify_event(replace(published(), body=published().body.replace(b"MD000", b"MD001")))


async def test_the_events_of_a_webhook_are_taken_apart(scripted: Scripted) -> None:
    parts = scripted.connector.split_event(published())
    assert [name for name, _ in parts] == ["EV00BD05S5VM2T", "EV00BD05TB8K63"]
    assert [json.loads(part.body)["events"][0]["id"] for _, part in parts] == [name for name, _ in parts]


async def test_events_about_no_checkout_are_told_apart(scripted: Scripted) -> None:
    for _, part in scripted.connector.split_event(published()):
        with pytest.raises(ValueError, match="names no checkout"):
            scripted.connector.read_event(part)


async def test_what_the_simulator_tells_of_an_order_leads_to_it_and_proves_nothing(till: Till) -> None:
    checkout = await till.charges()
    await till.refunds(checkout, "40.00", "0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f7f01", "100.00")
    about = []
    for webhook in await till.events(4):
        assert till.connector.verify_event(webhook) is None
        for _, part in till.connector.split_event(webhook):
            kind = json.loads(part.body)["events"][0]["resource_type"]
            if kind != "mandates":
                about.append((kind, till.connector.read_event(part)))
    request = EventReading(session=checkout.session, reference="R-1001")
    payment = EventReading(payment_id=checkout.payment_id, reference="R-1001")
    assert [reading for kind, reading in about if kind == "billing_requests"] == [request]
    assert {reading for kind, reading in about if kind == "payments"} == {payment}
    assert {reading for kind, reading in about if kind == "refunds"} == {EventReading(reference="R-1001")}


async def test_an_event_without_metadata_still_names_its_payment(scripted: Scripted) -> None:
    body = {
        "events": [{"id": "EV1", "resource_type": "payments", "action": "confirmed", "links": {"payment": "PM123"}}]
    }
    event = Incoming(method="POST", headers={}, query={}, body=json.dumps(body).encode())
    assert scripted.connector.read_event(event) == EventReading(payment_id="PM123")
