"""`paymux customers erase`: a person goes, the books stay."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from paymux.accounts import service
from paymux.platform.database import to_json
from tests.api.test_provider_events import checkout_of, sends, signed
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.processes import Ran, environment_of, run
from tests.security.reading import in_clear, named_in, opened

LIMITS = {"provider_timeout": 10.0, "sandbox_hold": 12.0}
CODE = "PLANPAY_AU"

WHO = {
    "firstName": "Zenobiah", "lastName": "Quillfeather", "email": "zenobiah@quillfeather.example",
    "phoneNumber": "+61491570156",
}  # fmt: skip
WHERE = {
    "streetAddress": "77 Marmalade Crescent", "streetAddress2": "Flat Tangerine", "city": "Wagga Marked",
    "postalCode": "ZX9-7QQ",
}  # fmt: skip
WORDS = {**WHO, **WHERE}


async def erases(installation: Installation, *words: str) -> Ran:
    environment = environment_of(
        PAYMUX_HOME=str(installation.settings.home), PAYMUX_DATABASE_URL=installation.settings.database_url,
        PAYMUX_PORT=str(installation.settings.port),
    )  # fmt: skip
    return await asyncio.to_thread(run, environment, "customers", "erase", *words)


def hers(merchant: Merchant, code: str = CODE, **changes: Any) -> dict[str, Any]:
    """An order of the customer, who stands wherever an order may name her."""
    address = {**WHO, **WHERE, "country": "AU", "state": "NSW", "region": "NSW"}
    return merchant.order(
        code, customer=WHO, billingAddress=address, shippingAddress=address,
        dynamicRedirectUrl=f"https://shop.example/return?of={WHO['email']}", partnerOrderReference=f"7 {WHO['lastName']}",
        partnerConfiguration={"agent": "ADA-1", "sold to": [WHO["firstName"]]}, **changes,
    )  # fmt: skip


@pytest.fixture(autouse=True)
async def told_everything(installation: Installation) -> None:
    async with installation.database.transaction() as tx:
        await service.set_merchant(tx, "mer_demo", raw_provider_response=True)


async def test_a_customer_is_erased_everywhere_and_the_books_stay(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    body = hers(merchant, getToken=True)
    created = await merchant.post("/orders", body, **{"Idempotency-Key": "hers-1"})
    reference = body["orderReference"]
    await installation.fault(CODE, "events", "no_event", reference, 10)
    await shopper.decides(created.body["redirectUrl"], "approve")
    # The provider repeats her data to us, and its own words are told to the merchant.
    seen = await checkout_of(installation, reference)
    event, headers = signed(seen | {"buyer": WORDS}, "names-her")
    assert (await sends(installation, event, headers)).status == 200
    await installation.quiet()
    refund = {"refundReference": "R-1", "refundAmount": {"amount": 10}, "refundDescription": "asked for by ZENOBIAH"}
    assert (await merchant.post(f"/orders/{reference}/refund", refund)).status == 201
    other = await merchant.creates(CODE)
    await shopper.pays(other["redirectUrl"])
    await installation.quiet()
    token = installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")[-1]["data"]["token"]
    before, accounted = await merchant.details(reference), installation.ledger(reference)
    places = {place for place, _ in named_in(await opened(installation) | await in_clear(installation), WORDS)}
    assert places == {
        "orders.request_sealed", "orders.raw_sealed", "orders.partner_configuration_sealed", "operations.description_sealed",
        "provider_events.request_sealed", "outbox_events.body_sealed",
        # In clear where the merchant's own names of things name her, and nowhere else.
        "orders: redirect_url", "orders: partner_reference",
    }, "she stands wherever a customer may"  # fmt: skip

    said = await erases(installation, WHO["email"].upper(), "--note", "ticket 7", "--json")
    assert said.code == 0, said.said
    shown = json.loads(said.out)
    assert (len(shown["erased"]), shown["left"], shown["tokens"]) == (1, [], 1)
    assert shown["events"] > 0
    assert named_in({"what the command said": said.out + said.said}, WORDS) == []
    assert named_in(await opened(installation), WORDS) == []
    assert named_in(await in_clear(installation), WORDS) == []

    after = await merchant.details(reference)
    unchanged = [
        name for name in before if name not in ("updatedAt", "refunds", "transactionHistory", "partnerConfiguration")
    ]
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}
    assert [row["refundReason"] for row in after["refunds"]] == ["asked for by [erased]"]
    assert after["partnerConfiguration"] == {"agent": "ADA-1", "sold to": ["[erased]"]}
    assert installation.ledger(reference) == accounted
    async with installation.database.connection() as held:
        [event] = await held.fetch("SELECT * FROM order_events WHERE kind = 'erased'")
        [entry] = await held.fetch("SELECT * FROM audit_entries WHERE action = 'customer.erased'")
    assert (event["source"], event["detail"]["note"]) == ("operator", "ticket 7")
    assert (entry["actor_kind"], entry["order_id"], entry["detail"]["note"]) == (
        "operator",
        event["order_id"],
        "ticket 7",
    )
    assert "ada@shop.example" in (await opened(installation))["orders.request_sealed"], "somebody else's order is his"

    # What can happen to a paid order can happen to this one still.
    repeated = await merchant.post("/orders", body, **{"Idempotency-Key": "hers-1"})
    assert (repeated.status, repeated.body["orderId"]) == (201, created.body["orderId"])
    assert (await merchant.refunds(reference, "5", "R-2")).status == 201
    assert (await merchant.post("/orders", hers(merchant, token=token, customerPresent=True))).body[
        "code"
    ] == "token_not_valid"
    # Once more finds the same order, by the digest of the address, and nothing in it any more.
    again = await erases(installation, WHO["email"].title(), "--json")
    assert (again.code, json.loads(again.out)) == (0, shown | {"events": 0, "tokens": 0})


async def test_what_a_provider_sends_after_an_erasure_is_not_kept_and_the_order_is_found_again(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    created = (await merchant.post("/orders", hers(merchant))).body
    reference = created["orderReference"]
    await shopper.pays(created["redirectUrl"])
    await installation.quiet()
    assert (await erases(installation, WHO["email"])).code == 0
    event, headers = signed(await checkout_of(installation, reference) | {"buyer": WORDS}, "late")
    assert (await sends(installation, event, headers)).status == 200
    await installation.quiet()
    async with installation.database.connection() as held:
        [row] = await held.fetch(
            "SELECT * FROM provider_events WHERE order_id = $1 AND event_id LIKE '%late'", created["orderId"]
        )
    assert row["state"] == "decided"
    assert named_in(await opened(installation) | await in_clear(installation), WORDS) == []

    # A process of an older version that went on beside this one has kept it, and what the merchant says, he said anew.
    whole = to_json({"method": "POST", "headers": {}, "query": {}, "body": base64.b64encode(event).decode()})
    async with installation.database.transaction() as tx:
        sealed = installation.keyring.seal(whole, "provider-event")
        await tx.execute("UPDATE provider_events SET request_sealed = $2 WHERE id = $1", row["id"], sealed)
    refund = {"refundReference": "R-1", "refundAmount": {"amount": 10}, "refundDescription": f"for {WHO['firstName']}"}
    assert (await merchant.post(f"/orders/{reference}/refund", refund)).status == 201
    await installation.quiet()
    places = {place for place, _ in named_in(await opened(installation), WORDS)}
    assert places == {"provider_events.request_sealed", "operations.description_sealed"}
    said = await erases(installation, WHO["email"], "--json")
    assert (said.code, json.loads(said.out)["events"]) == (0, 1)
    assert named_in(await opened(installation) | await in_clear(installation), WORDS) == []
    assert [row["refundReason"] for row in (await merchant.details(reference))["refunds"]] == ["[erased]"]


async def test_an_address_that_names_her_is_kept_until_its_webhook_is_delivered_and_no_longer(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    url = f"{installation.inbox.url}/of?mail={WHO['email']}"
    created = (await merchant.post("/orders", hers(merchant, dynamicCallbackUrl=url))).body
    installation.inbox.status = 500
    try:
        await shopper.pays(created["redirectUrl"])
        await installation.quiet()
        for _ in range(2):
            said = await erases(installation, "--order", created["orderReference"])
            assert (said.code, "1 webhooks wait to be delivered to an address that names him" in said.said) == (1, True)
            # The address itself stays whole: it is where the merchant is told that he was paid.
            assert {place for place, _ in named_in(await in_clear(installation), WHO)} == {"deliveries: url"}
    finally:
        installation.inbox.status = 200
    before = len(installation.inbox.received)
    await installation.advance(60)

    async def gone() -> bool:
        return named_in(await in_clear(installation), WORDS) == []

    await eventually(gone)
    assert len(installation.inbox.received) > before
    async with installation.database.connection() as held:
        urls = await held.fetch(
            "SELECT d.url, d.state FROM deliveries d JOIN outbox_events e ON e.id = d.event_id WHERE e.order_id = $1"
            " AND e.event = 'ORDER_ASYNC_CALLBACK'",
            created["orderId"],
        )  # fmt: skip
    assert {tuple(row) for row in urls} == {
        (installation.inbox.url, "delivered"),
        (url.replace(WHO["email"], "[erased]"), "delivered"),
    }
    assert (await erases(installation, "--order", created["orderReference"])).code == 0


async def test_an_order_that_is_not_final_is_left_whole_and_named(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened_order = (await merchant.post("/orders", hers(merchant))).body
    reference = opened_order["orderReference"]
    said = await erases(installation, WHO["email"])
    assert (said.code, f"{reference} of mer_demo is PENDING" in said.said) == (1, True)
    assert (await shopper.pays(opened_order["redirectUrl"]))["status"] == "SUCCESSFUL"
    await installation.quiet()
    assert (await erases(installation, WHO["email"])).code == 0
    assert named_in(await opened(installation) | await in_clear(installation), WORDS) == []


async def test_one_order_is_erased_by_its_reference_for_its_merchant_alone(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    first, second = [(await merchant.post("/orders", hers(merchant))).body for _ in range(2)]
    for one in (first, second):
        await shopper.pays(one["redirectUrl"])
    await installation.quiet()
    async with installation.database.transaction() as tx:
        await service.create_merchant(tx, installation.keyring, installation.clock, "A rival", client_id="rival")
    by_rival = await erases(installation, "--order", first["orderReference"], "--merchant", "rival")
    assert (by_rival.code, "Erased from 0 orders" in by_rival.out) == (1, True)
    assert (await erases(installation, "--order", first["orderReference"], "--merchant", "demo-merchant")).code == 0
    assert WHO["email"] in (await opened(installation))["orders.request_sealed"], "the second order is not asked for"
    assert (await erases(installation, WHO["email"])).code == 0
    assert named_in(await opened(installation) | await in_clear(installation), WORDS) == []


async def test_what_came_for_no_order_and_names_the_customer_is_emptied(
    installation: Installation, merchant: Merchant
) -> None:
    async with installation.database.connection() as held:
        key = await held.fetchval("SELECT event_key FROM provider_accounts WHERE code = $1", CODE)
    url = f"{installation.settings.base_url}/provider-events/{key}"
    forged = json.dumps({"id": "evt_1", "buyer": {"email": WHO["email"], "name": WHO["lastName"]}}).encode()
    assert (await installation.call("POST", url, data=forged)).status == 401
    assert WHO["email"] in (await opened(installation))["provider_events.request_sealed"], "kept for inspection"
    said = json.loads((await erases(installation, WHO["email"], "--json")).out)
    assert said["events"] == 1
    assert named_in(await opened(installation), WORDS) == []


async def test_an_order_that_is_erased_by_its_reference_takes_along_what_was_refused_and_names_it(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    first, second = [(await merchant.post("/orders", hers(merchant))).body for _ in range(2)]
    for one in (first, second):
        await shopper.pays(one["redirectUrl"])
        seen = await checkout_of(installation, one["orderReference"])
        event, headers = signed(seen | {"buyer": WHO["lastName"]}, "refused")
        headers["webhook-signature"] = "v1,forged"
        assert (await sends(installation, event, headers)).status == 401
    await installation.quiet()
    said = json.loads((await erases(installation, "--order", first["orderReference"], "--json")).out)
    assert (len(said["erased"]), said["waiting"]) == (1, 0)
    async with installation.database.connection() as held:
        rows = await held.fetch(
            "SELECT request_sealed FROM provider_events WHERE verdict = 'forged' ORDER BY id DESC LIMIT 2"
        )
    kept = [json.loads(installation.keyring.unseal(row["request_sealed"], "provider-event")) for row in rows]
    assert ["erased" in event for event in kept] == [False, True], "the second order's is its own"


@pytest.mark.parametrize("words", [(), (WHO["email"], "--order", "X-1"), ("--order", "X-1", "--merchant", "nobody")])
async def test_a_question_that_is_not_clear_erases_nothing(installation: Installation, words: tuple[str, ...]) -> None:
    said = await erases(installation, *words)
    assert said.code == 1
    assert "Traceback" not in said.said
