"""`paymux customers erase`: a person goes, the books stay."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from paymux.accounts import service
from tests.api.test_provider_events import checkout_of, sends, signed
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
    assert (await erases(installation, WHO["email"])).code == 1, "nobody of that address is left"


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


@pytest.mark.parametrize("words", [(), (WHO["email"], "--order", "X-1"), ("--order", "X-1", "--merchant", "nobody")])
async def test_a_question_that_is_not_clear_erases_nothing(installation: Installation, words: tuple[str, ...]) -> None:
    said = await erases(installation, *words)
    assert said.code == 1
    assert "Traceback" not in said.said
