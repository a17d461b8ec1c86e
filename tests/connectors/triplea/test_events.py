"""TripleA's webhooks: their signature, and that each only makes us ask."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from paymux.connectors.contract import EventReading, Forged, Incoming
from tests.connectors.scripted import Scripted
from tests.connectors.triplea.conftest import PAYMENT, Till, sample, webhook

TOLD = sample("webhook")
# { printf '1580010000.'; jq -j .body src/paymux/connectors/triplea/samples/webhook.json; } | openssl dgst -sha256 -hmac whsec-demo
VECTOR = "5c65909de752d6e9f3637c826ec30f479a1a867efd1fcebb87a4d61205cf397c"


def documented() -> Incoming:
    return Incoming(method="POST", headers=TOLD["headers"], query={}, body=TOLD["body"].encode())


def test_the_signature_is_the_one_that_another_program_makes(scripted: Scripted) -> None:
    assert TOLD["headers"]["triplea-signature"] == f"t=1580010000,v1={VECTOR}"
    assert scripted.connector.verify_event(documented()) is None


@pytest.mark.parametrize(
    "header",
    ["", VECTOR, f"v1={VECTOR}", f"t=1580010001,v1={VECTOR}", f"t=1580010000,v1={VECTOR[:-1]}0", "t=1580010000,v1=",
     f"t=1580010000,v2={VECTOR}", "t=1580010000,v1=\udcff"],
)  # fmt: skip
def test_any_other_signature_is_a_forgery(scripted: Scripted, header: str) -> None:
    with pytest.raises(Forged):
        scripted.connector.verify_event(replace(documented(), headers={"triplea-signature": header}))


def test_a_webhook_without_a_signature_or_with_another_body_is_a_forgery(scripted: Scripted) -> None:
    for forged in (replace(documented(), headers={}), replace(documented(), body=documented().body + b" ")):
        with pytest.raises(Forged):
            scripted.connector.verify_event(forged)
    with pytest.raises(Forged):
        scripted.connector.verify_event(webhook(b"{}", secret="other"))


def test_a_webhook_names_the_payment_and_our_order_and_proves_no_state(scripted: Scripted) -> None:
    assert scripted.connector.read_event(documented()) == EventReading(session=PAYMENT, reference="R-1001")


@pytest.mark.parametrize(
    ("body", "reading"),
    [
        ({"webhook_data": {"order_txid": "R-1001"}}, EventReading(reference="R-1001")),
        ({"payment_reference": PAYMENT, "webhook_data": None}, EventReading(session=PAYMENT)),
    ],
)
def test_either_name_is_enough(scripted: Scripted, body: dict[str, object], reading: EventReading) -> None:
    assert scripted.connector.read_event(webhook(json.dumps(body).encode())) == reading


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"payment_reference": 7}', b'{"webhook_data": {}}'])
def test_a_webhook_that_names_nothing_is_not_read(scripted: Scripted, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"names no payment|validation error"):
        scripted.connector.read_event(webhook(body))


async def test_the_simulator_signs_what_it_tells_at_each_change_of_the_tier(till: Till) -> None:
    checkout, _ = await till.decides("pending")
    await till.sends(checkout, "100")
    told = await till.events(2)
    assert sorted(json.loads(one.body)["payment_tier"] for one in told) == ["good", "hold"]
    for one in told:
        assert till.connector.verify_event(one) is None
        assert till.connector.read_event(one) == EventReading(session=checkout.session, reference="R-1001")
