"""The sandbox's controls for tests: what its providers sent, and what a wrong order of a fault is told."""

from __future__ import annotations

import base64
import json
from decimal import Decimal

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


async def test_a_provider_that_wants_its_own_words_sends_an_event_until_it_hears_them(
    installation: Installation, merchant: Merchant, shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alipay takes no other answer for an acknowledgement, and sends again for a day."""
    simulator = installation.sandbox.simulators["alipay"]

    async def tries(reference: str) -> list[int]:
        shown = await installation.call("GET", f"{installation.settings.sandbox_base_url}/control/events")
        said = [(event["tries"], base64.b64decode(event["body"])) for event in shown.body]
        payment = installation.store.cases(reference)[0][1].id
        return sorted(number for number, body in said if payment.encode() in body)

    heard = await merchant.creates("ALIPAY_CN", purchaseCurrency="CNY")
    await shopper.pays(heard["redirectUrl"])
    await installation.quiet()
    assert await tries(heard["orderReference"]) == [0]

    monkeypatch.setattr(type(simulator), "acknowledgement", '{"result": {"resultCode": "OTHER"}}')
    unheard = await merchant.creates("ALIPAY_CN", purchaseCurrency="CNY")
    await shopper.pays(unheard["redirectUrl"])
    await installation.quiet()
    await installation.advance(2)
    await installation.quiet()
    assert await tries(unheard["orderReference"]) == [0, 1]
    assert installation.ledger(unheard["orderReference"]) == [("authorize", Decimal(100)), ("capture", Decimal(100))]
