"""Webhooks: subscribed once, signed with the private key, and never more than a reason to ask."""

from __future__ import annotations

from typing import Any

import pytest

from paymux.connectors.contract import EventReading, Forged, Incoming
from tests.connectors.sezzle.conftest import Scripted, Till, sample
from tests.connectors.till import ONE

# By openssl: dgst -sha256 -hmac sz_pr_example over the sample's body.
HEX = "26959f32ab858f2b9364621cf4f071ba5c239e4ed50e6f88f75795865d7e9e49"
BASE64 = "JpWfMquFjyuTZGIc9PBxulwjnk7VDm+I91eVhl1+nkk="


def webhook(name: str = "event_order_authorized", signature: str | None = HEX) -> Incoming:
    headers = {} if signature is None else {"sezzle-signature": signature}
    return Incoming(method="POST", headers=headers, query={}, body=sample(name)["body"].encode())


@pytest.mark.parametrize("signature", [HEX, BASE64])
async def test_a_signed_webhook_names_its_order(scripted: Scripted, signature: str) -> None:
    event = webhook(signature=signature)
    assert scripted.connector.verify_event(event) == "fdb263a1-a1dd-4feb-8749-c8a447977ebb"
    assert scripted.connector.read_event(event) == EventReading(session="f36605a0-4a96-46d1-9d01-a0b17140dc57")


@pytest.mark.parametrize("signature", [None, "", "0" * 64, HEX.upper(), "ü"])
async def test_a_webhook_without_its_signature_is_forged(scripted: Scripted, signature: str | None) -> None:
    with pytest.raises(Forged):
        scripted.connector.verify_event(webhook(signature=signature))


async def test_a_webhook_about_a_customer_is_about_no_order(scripted: Scripted) -> None:
    with pytest.raises(ValueError, match="Field required"):
        scripted.connector.read_event(webhook("event_customer_tokenized"))


async def test_an_address_is_subscribed_once_and_told_of_every_step(till: Till) -> None:
    for _ in range(2):
        await till.connector.set_up_events(till.counter.inbox.url)
    assert await till.connector.check() == "read the webhooks of the account: 1 registered"
    checkout, _ = await till.decides("approve")
    await till.moves("refund", checkout, "40.00", ONE)
    told = await till.events(3)
    for event in told:
        assert till.connector.verify_event(event)
        assert till.connector.read_event(event) == EventReading(session=checkout.session)


@pytest.mark.parametrize(
    ("listed", "asked"),
    [
        (None, "POST"), ([], "POST"), ([{"uuid": "w-1", "url": "https://other.example", "events": []}], "POST"),
        ([{"uuid": "w-1", "url": "https://paymux.example/e", "events": ["customer.tokenized"]}], "PATCH"),
        (
            [{"uuid": "w-1", "url": "https://paymux.example/e",
              "events": ["order.refunded", "order.captured", "order.authorized"]}],
            "GET",
        ),
    ],
)  # fmt: skip
async def test_only_what_is_missing_is_subscribed(scripted: Scripted, listed: Any, asked: str) -> None:
    scripted.says(200, listed)
    scripted.says(200, {"uuid": "w-1", "links": []})
    await scripted.connector.set_up_events("https://paymux.example/e")
    method, path, body = scripted.asked[-1]
    assert method == asked
    if asked != "GET":
        assert path == ("/v2/webhooks/w-1" if asked == "PATCH" else "/v2/webhooks")
        assert body == {
            "url": "https://paymux.example/e", "events": ["order.authorized", "order.captured", "order.refunded"],
        }  # fmt: skip
