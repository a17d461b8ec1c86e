"""Webhooks of version V2: whose they are, and that they only lead to asking.

The signatures were made by `printf TEXT | openssl dgst -sha256 -hmac sandbox-myfatoorah-webhook-secret -binary | base64`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from paymux.connectors.contract import EventReading, Forged, Incoming
from tests.connectors.myfatoorah.conftest import Till, sample
from tests.connectors.scripted import Scripted

PAYMENT = "rG4ETkYia36ddIC0PubjaU8yrsuVrPSScCi0ogQAN2U="
REFUND = "DGLaDkRbETol/D4dWziOdfX9J/5YmZ1zGR1yjfCO7ns="
NOTHING = "y0xAyyjgYMsRaRm8K3lOwTwMpPo3I/vSODnIy8YxQjU="
REFUNDED = {
    "Event": {"Code": 2, "Name": "REFUND_STATUS_CHANGED", "Reference": "WH-2"},
    "Data": {
        "Refund": {"Id": "275988", "Status": "REFUNDED"},
        "Amount": {"ValueInBaseCurrency": "10.000"},
        "ReferencedInvoice": {"Id": "6409988"},
    },
}


def told(body: Any, signature: str | None = PAYMENT) -> Incoming:
    headers = {} if signature is None else {"myfatoorah-signature": signature}
    content = body if isinstance(body, str) else json.dumps(body)
    return Incoming(method="POST", headers=headers, query={}, body=content.encode())


def paid(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = sample("event_signed")["body"]
    body["Data"]["Invoice"] |= changes
    return body


def test_a_documented_payment_event_is_accepted_by_its_own_id(scripted: Scripted) -> None:
    assert scripted.connector.verify_event(told(paid())) == "WH-1"
    assert scripted.connector.read_event(told(paid())) == EventReading(session="6409988")


@pytest.mark.parametrize("amount", ['"10.000"', "10.000"])
def test_a_refund_event_is_about_the_refunded_invoice(scripted: Scripted, amount: str) -> None:
    event = told(json.dumps(REFUNDED).replace('"10.000"', amount), REFUND)
    assert scripted.connector.verify_event(event) == "WH-2"
    assert scripted.connector.read_event(event) == EventReading(session="6409988")


def test_null_is_signed_as_nothing(scripted: Scripted) -> None:
    body = {
        "Event": {"Code": 1, "Name": "PAYMENT_STATUS_CHANGED"},
        "Data": {
            "Invoice": {"Id": 6409988, "Status": "PENDING", "ExternalIdentifier": None},
            "Transaction": {"Status": "FAILED", "PaymentId": "0707"},
        },
    }
    assert scripted.connector.verify_event(told(body, NOTHING)) is None


@pytest.mark.parametrize(
    "event",
    [
        told(paid(), None),
        told(paid(), ""),
        told(paid(), PAYMENT.lower()),
        told(paid(), REFUND),
        told(paid(Id="6409989")),
        told(paid(Status="PENDING")),
        told(paid(ExternalIdentifier=None)),
        told(paid(Id={"a": 1})),
        told({"Event": {"Code": 3}, "Data": {}}),
        told({"EventType": 1, "Event": "TransactionsStatusChanged", "Data": {"InvoiceId": 6409988}}),
        told({"Event": {"Code": 1}}),
        told({"Event": {"Code": [1]}, "Data": {}}),
        told("[]"),
        told("no json"),
    ],
)
def test_anything_else_is_forged(scripted: Scripted, event: Incoming) -> None:
    with pytest.raises(Forged):
        scripted.connector.verify_event(event)


def test_another_secret_is_forged_and_an_empty_one_signs_for_nobody(till: Till) -> None:
    for secret in ("other", ""):
        with pytest.raises(Forged):
            till.counter.connector(till.code, webhook_secret=secret).verify_event(told(paid()))


@pytest.mark.parametrize("body", [{}, {"Event": {"Code": 9}, "Data": {}}, "[]", paid(Id=None), paid(Id=True)])
def test_an_event_that_names_no_invoice_can_not_be_read(scripted: Scripted, body: Any) -> None:
    with pytest.raises(ValueError, match=r"invoice|object"):
        scripted.connector.read_event(told(body))


async def test_the_simulator_tells_of_payments_and_refunds_with_signatures(till: Till) -> None:
    held = await till.decided()
    assert await till.post("/sandbox/portal-refund", id=held.session, amount="10") == 201
    for sent in await till.events(2):
        assert till.connector.verify_event(sent)
        assert till.connector.read_event(sent).session == held.session
