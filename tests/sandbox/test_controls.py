"""The sandbox's controls for tests: what its providers sent."""

from __future__ import annotations

import base64

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
