"""The sandbox's controls for tests: what its providers sent, and what a wrong order of a fault is told."""

from __future__ import annotations

import base64
import json

import pytest

from paymux.platform.database import from_json
from tests.installation import Installation, Merchant, Shopper

CODE = "PLANPAY_AU"


async def test_the_events_that_providers_sent_are_shown_as_they_went(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(CODE)
    await shopper.pays(opened["redirectUrl"])
    await installation.quiet()

    shown = await installation.call("GET", f"{installation.settings.sandbox_base_url}/control/events")

    said = [(event, base64.b64decode(event["body"])) for event in shown.body]
    [event, body] = [(event, body) for event, body in said if opened["orderReference"].encode() in body][-1]
    assert event["url"].startswith(f"{installation.settings.base_url}/provider-events/pek_")
    assert event["method"] == "POST"
    assert from_json(body)["data"]["reference"] == opened["orderReference"]
    # As good as the provider's own: it is the same request, and taken as a repeat.
    again = await installation.call("POST", event["url"], data=body, headers=event["headers"])
    assert again.status == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"nonsense", ["the body must be a JSON object"]),
        (json.dumps({"provider": CODE, "operation": "pay", "fault": "slow"}).encode(), [
            "operation: must be one of cancel, capture, charge_token, confirm, create, events, refund, status, void"
        ]),
        (json.dumps({"provider": CODE, "operation": "refund"}).encode(), ["fault: Field required"]),
    ],
)  # fmt: skip
async def test_a_wrong_order_of_a_fault_is_told_what_is_wrong(
    installation: Installation, body: bytes, said: list[str]
) -> None:
    url = f"{installation.settings.sandbox_base_url}/control/faults"
    answer = await installation.call("POST", url, data=body)
    assert (answer.status, answer.body) == (400, {"error": said})
    assert (await installation.call("GET", url)).body == []
