"""PayPal's webhooks: where they are registered, what they are about, and that they are only hints."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paymux.connectors.contract import EventReading, Incoming, Refused
from paymux.connectors.registry import all_providers
from tests.connectors.paypal.conftest import Till, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import ONE, TWO

WANTED = {
    "CHECKOUT.ORDER.APPROVED", "PAYMENT.AUTHORIZATION.CREATED", "PAYMENT.AUTHORIZATION.VOIDED", "PAYMENT.CAPTURE.COMPLETED",
    "PAYMENT.CAPTURE.DENIED", "PAYMENT.CAPTURE.PENDING", "PAYMENT.CAPTURE.REFUNDED", "PAYMENT.CAPTURE.REVERSED",
}  # fmt: skip


def event(body: Any) -> Incoming:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Incoming(method="POST", headers={}, query={}, body=content)


async def test_our_address_is_registered_once_and_gets_the_events_of_a_sale(till: Till) -> None:
    for _ in range(2):
        await till.connector.set_up_events(till.counter.inbox.url)
    (posted,) = [exchange for exchange in till.exchanges if exchange.method == "POST"]
    assert {kind["name"] for kind in posted.sent["event_types"]} == WANTED
    own, paid = await till.confirmed()
    await till.tries("refund", own, "40.00", ONE)
    told = [json.loads(received.body) for received in await till.events(3)]
    assert [one["event_type"] for one in told] == [
        "CHECKOUT.ORDER.APPROVED", "PAYMENT.CAPTURE.COMPLETED", "PAYMENT.CAPTURE.REFUNDED",
    ]  # fmt: skip
    readings = [till.connector.read_event(received) for received in await till.events(3)]
    assert readings[0] == EventReading(session=own.session, payment_id=own.session)
    assert readings[1] == EventReading(session=own.session, payment_id=paid.payment_id, reference="R-1001")
    assert readings[2] == EventReading(payment_id=paid.payment_id, reference="R-1001")
    assert "Bearer" in till.exchanges[0].headers["Authorization"]


async def test_the_events_of_an_authorisation_name_its_order(till: Till) -> None:
    await till.connector.set_up_events(till.counter.inbox.url)
    own = await till.holds()
    await till.tries("capture", own, "30.00", ONE)
    await till.tries("void", own, "70.00", TWO, "70.00")
    await till.tries("refund", own, "30.00", "7c1e2b34-0d5f-4a6b-8c9d-0e1f2a3b4c09", "30.00")
    readings = [till.connector.read_event(received) for received in await till.events(5)]
    assert [reading.session for reading in readings[:4]] == [own.session] * 4
    assert readings[4].reference == "R-1001"


async def test_an_address_that_hears_too_little_is_corrected(till: Till) -> None:
    body = {"url": till.counter.inbox.url, "event_types": [{"name": "PAYMENT.CAPTURE.COMPLETED"}]}
    # As the connector's own calls of this sandbox, so that it is the same app's list.
    label = {"X_Paymux_Sandbox_Label": "merchant=demo&reference=R-1001&code=PAYPAL"}
    assert (await till.call("POST", "/v1/notifications/webhooks", body, **label))[0] == 201
    await till.connector.set_up_events(till.counter.inbox.url)
    changed = till.exchanges[-1]
    assert changed.method == "PATCH"
    assert {kind["name"] for kind in json.loads(changed.answer.body)["event_types"]} == WANTED


async def test_an_address_that_hears_everything_is_left_alone(scripted: Scripted) -> None:
    url = "https://paymux.example/provider-events/k"
    scripted.says(200, {"webhooks": [{"id": "W1", "url": url, "event_types": [{"name": "*"}]}]})
    await scripted.connector.set_up_events(url)
    assert [method for method, _, _ in scripted.asked] == ["GET"]


async def test_an_address_that_paypal_refuses_is_told_as_a_refusal(till: Till) -> None:
    with pytest.raises(Refused):
        await till.connector.set_up_events("http://shop.example/events")


@pytest.mark.parametrize(
    ("name", "reading"),
    [
        ("event_order_approved", EventReading(session="47691911RX0426720", payment_id="47691911RX0426720")),
        ("event_capture_completed", EventReading(session="89T257400V0473133", payment_id="29Y24445UY2083144")),
        ("event_refunded", EventReading(payment_id="2GG279541U471931P", reference="R-1001")),
    ],
)
async def test_documented_events_are_about_their_order_and_prove_nothing(
    till: Till, name: str, reading: EventReading
) -> None:
    body = sample(name)["body"]
    assert till.connector.verify_event(event(body)) == body["id"]
    assert till.connector.read_event(event(body)) == reading
    assert reading.report is None
    assert all_providers()["paypal"].facts.events.kind == "unsigned"


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"[]", b'{"resource": 1}', b'{"resource_type": "refund", "resource": {}}']
)
async def test_an_event_that_names_nothing_is_unreadable(till: Till, body: bytes) -> None:
    assert till.connector.verify_event(event(body)) is None
    with pytest.raises(ValueError, match=r"."):
        till.connector.read_event(event(body))
