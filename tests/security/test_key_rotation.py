"""`paymux keys`: the ring is rotated under a working installation; nobody loses a secret, a token or a session."""

from __future__ import annotations

import asyncio
import base64
import json
from decimal import Decimal
from typing import Any

import pytest

from paymux.accounts import access_tokens, service
from paymux.orders import sealed_columns, store
from paymux.orders.given_words import configuration_of, form_of
from paymux.platform import encryption, resealing, sealed_store
from paymux.platform.encryption import KeyRing
from tests.installation import Form, Installation, Merchant, Shopper
from tests.processes import environment_of, run
from tests.security.reading import in_clear, named_in

LIMITS = {"provider_timeout": 10.0}
CODE = "PLANPAY_AU"


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process notices a rotation when it seals next."""
    monkeypatch.setattr(encryption, "LOOK_EVERY", 0.0)


async def types(installation: Installation, *words: str, code: int = 0) -> str:
    """Type a command beside the running installation; what it says."""
    environment = environment_of(
        PAYMUX_HOME=str(installation.settings.home), PAYMUX_DATABASE_URL=installation.settings.database_url,
        PAYMUX_PORT=str(installation.settings.port),
    )  # fmt: skip
    ran = await asyncio.to_thread(run, environment, "keys", *words)
    assert ran.code == code, ran.said
    return ran.out or ran.said


async def used(installation: Installation) -> dict[str, int]:
    return dict(await resealing.in_use(installation.database, sealed_columns.SEALED))


async def test_every_sealed_column_of_the_database_is_known_by_its_purpose(installation: Installation) -> None:
    async with installation.database.connection() as held:
        there = await sealed_store.sealed_columns(held)
    assert {(column.table, column.column) for column in sealed_columns.SEALED} == there


async def test_a_key_is_rotated_reencrypted_and_retired_while_orders_are_paid(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    async with installation.database.transaction() as tx:
        await service.set_merchant(tx, "mer_demo", raw_provider_response=True)
    body = merchant.order(CODE, getToken=True)
    first = await merchant.post("/orders", body, **{"Idempotency-Key": "kept-1"})
    await shopper.pays(first.body["redirectUrl"])
    await installation.quiet()
    told = installation.inbox.events(body["orderReference"], "ORDER_ASYNC_CALLBACK")
    token = told[-1]["data"]["token"]
    open_order = await merchant.creates(CODE)
    assert set(await used(installation)) == {"k1"}

    async def sells() -> None:
        for _ in range(6):
            await shopper.pays((await merchant.creates(CODE))["redirectUrl"])

    selling = asyncio.create_task(sells())
    await types(installation, "rotate")
    assert "run `paymux keys reencrypt` first" in await types(installation, "retire", "--now", code=1)
    said = json.loads(await types(installation, "reencrypt", "--json"))
    assert said["resealed"] > 50
    await selling
    await installation.quiet()
    await types(installation, "reencrypt")
    assert set(await used(installation)) == {"k2"}
    assert "less than 5 minutes ago" in await types(installation, "retire", code=1)
    await types(installation, "retire", "--now")
    assert list(json.loads((installation.settings.keys_path or installation.settings.home).read_text())["keys"]) == [
        "k2"
    ]

    # A process that starts now knows nothing of the first key, and yet everything that it sealed or digested.
    installation.keyring._ring = KeyRing.load(installation.settings.keys_path, create=False)._ring  # type: ignore[arg-type]
    again = Merchant(installation, merchant.client_id, "demo-secret")
    assert (await again.post("/orders", body, **{"Idempotency-Key": "kept-1"})).body == first.body
    assert (await shopper.pays(open_order["redirectUrl"]))["status"] == "SUCCESSFUL"
    charged = await again.post("/orders", again.order(CODE, token=token, customerPresent=True))
    assert (charged.status, charged.body["paymentStatus"]) == (201, "successful")
    assert (await again.refunds(body["orderReference"], "1", "R-1")).status == 201
    shown = json.loads(await types(installation, "status", "--json"))
    assert (shown["primary"], list(shown["texts"]), shown["missing"]) == ("k2", ["k2"], [])


async def test_what_somebody_holds_is_resealed_when_he_lets_go(installation: Installation, merchant: Merchant) -> None:
    opened = await merchant.creates(CODE)
    await installation.quiet()
    await types(installation, "rotate")
    async with installation.database.transaction() as tx:
        await tx.execute("SELECT 1 FROM orders WHERE reference = $1 FOR UPDATE", opened["orderReference"])
        working = asyncio.create_task(
            resealing.reseal_all(installation.database, installation.keyring, sealed_columns.SEALED, batch=3)
        )
        while (
            sum(texts for key, texts in (await used(installation)).items() if key != installation.keyring.primary) > 1
        ):
            assert not working.done()
            await asyncio.sleep(0.01)
        assert not working.done(), "the held order is waited for, not skipped"
    assert await working > 1
    assert set(await used(installation)) == {installation.keyring.primary}


async def test_a_text_that_no_key_opens_is_told_and_left_as_it_is(
    installation: Installation, merchant: Merchant
) -> None:
    opened = await merchant.creates(CODE)
    await installation.quiet()
    broken = encryption.mark_of("k0") + bytes(40)
    async with installation.database.transaction() as tx:
        kept = await tx.fetchval("SELECT request_sealed FROM orders WHERE reference = $1", opened["orderReference"])
        await tx.execute("UPDATE orders SET request_sealed = $1 WHERE reference = $2", broken, opened["orderReference"])
    assert "1 texts can't be opened" in await types(installation, "reencrypt", code=1)
    assert "NOT IN THE RING" in await types(installation, "status")
    async with installation.database.transaction() as tx:
        assert (
            await tx.fetchval("SELECT request_sealed FROM orders WHERE reference = $1", opened["orderReference"])
            == broken
        )
        await tx.execute("UPDATE orders SET request_sealed = $1 WHERE reference = $2", kept, opened["orderReference"])


async def _as_before(installation: Installation, reference: str, refund: str) -> None:
    """Rewrite an order and its refund as a version wrote them that sealed neither forms nor a merchant's words."""
    async with installation.database.transaction() as tx:
        order = await store.order_by_reference(tx, "mer_demo", reference)
        assert order is not None
        form, given = form_of(installation.keyring, order), configuration_of(installation.keyring, order)
        await tx.execute(
            "UPDATE orders SET checkout_form = $2, checkout_url = $3, checkout_form_sealed = NULL, partner_configuration = $4,"
            " partner_configuration_sealed = NULL WHERE id = $1",
            order.id, form and form.fields, form and form.url, dict(given),
        )  # fmt: skip
        await tx.execute(
            "UPDATE operations SET description = $2, description_sealed = NULL WHERE order_id = $1 AND kind = 'refund'",
            order.id, refund,
        )  # fmt: skip


async def test_what_an_older_version_left_in_clear_is_read_and_then_sealed(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    given = {"agent": "Marked-Agent", "share": Decimal("1.10")}
    opened = await merchant.creates("HUMM_AU", partnerConfiguration=given)
    page = f"{merchant.base}/checkout/{opened['orderToken']}"
    paid = await merchant.creates(CODE)
    await shopper.pays(paid["redirectUrl"])
    refund = {"refundReference": "R-1", "refundAmount": {"amount": 1}, "refundDescription": "Marked-Reason"}
    assert (await merchant.post(f"/orders/{paid['orderReference']}/refund", refund)).status == 201
    words = {"the form": "ada@shop.example", "the configuration": "Marked-Agent", "the description": "Marked-Reason"}

    async def shown() -> tuple[Any, ...]:
        refunds = (await merchant.details(paid["orderReference"]))["refunds"]
        at_once = (await merchant.details(opened["orderReference"]))["partnerConfiguration"], refunds[0]["refundReason"]
        form = Form()
        form.feed((await installation.call("GET", page)).body)
        return *at_once, form.action, form.fields

    async def left() -> dict[str, str]:
        return {name: place for place, name in named_in(await in_clear(installation), words)}

    sealed = await shown()
    assert sealed[:2] == (given, "Marked-Reason")
    assert "ada@shop.example" in sealed[3].values()
    assert await left() == {}
    async with installation.database.connection() as held:
        url = await held.fetchval("SELECT checkout_url FROM orders WHERE id = $1", opened["orderId"])
    assert url == page, "whoever can't read the form sends the shopper round to who can"

    await _as_before(installation, opened["orderReference"], "")
    await _as_before(installation, paid["orderReference"], "Marked-Reason")
    assert set(await left()) == set(words)
    assert await shown() == sealed
    assert json.loads(await types(installation, "reencrypt", "--json"))["wereClear"] == 4, "with the paid order's {}"
    assert await left() == {}
    assert await shown() == sealed
    assert json.loads(await types(installation, "reencrypt", "--json"))["wereClear"] == 0
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"


async def test_a_ring_of_the_environment_is_printed_as_it_has_to_be_set(installation: Installation) -> None:
    assert installation.settings.keys_path is not None
    ring = installation.settings.keys_path.read_text()
    given = environment_of(
        PAYMUX_HOME=str(installation.settings.home),
        PAYMUX_DATABASE_URL=installation.settings.database_url,
        PAYMUX_KEYS=ring,
    )
    rotated = await asyncio.to_thread(run, given, "keys", "rotate")
    assert rotated.code == 0, rotated.said
    before, after = json.loads(ring), json.loads(rotated.out)
    assert len(after["keys"]) == len(before["keys"]) + 1
    assert after["digest"] == before["digest"]
    assert installation.settings.keys_path.read_text() == ring, "the file is somebody else's"
    status = await asyncio.to_thread(run, given | {"PAYMUX_KEYS": rotated.out}, "keys", "status", "--json")
    shown = json.loads(status.out)
    assert (shown["primary"], shown["missing"]) == (after["primary"], [])
    both = given | {"PAYMUX_KEYS_FILE": str(installation.settings.keys_path)}
    refused = await asyncio.to_thread(run, both, "keys", "status")
    assert (refused.code, "can't both be set" in refused.said) == (1, True)
    for told in (refused.said, status.out + status.said):
        assert not any(key in told for key in [*before["keys"].values(), *after["keys"].values()])


async def test_the_signing_key_is_rotated_and_nobody_is_logged_out(
    installation: Installation, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await merchant.creates(CODE)
    old = await merchant.token()
    said = await types(installation, "rotate-signing")
    assert (await merchant.get("/options?amount=10&currency=AUD")).status == 200, "what was signed before stays valid"
    # The API has met no token of the new key: it finds it by itself, and lets nobody sign with a key that will end.
    monkeypatch.setattr(access_tokens, "KEYS_FRESH", 0.0)
    new = Merchant(installation, merchant.client_id, "demo-secret")
    kid = _head(await new.token())["kid"]
    assert kid in said
    assert kid != _head(old)["kid"]
    assert (await merchant.get("/options?amount=10&currency=AUD")).status == 200


async def test_a_compromised_signing_key_opens_nothing_any_more(
    installation: Installation, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_tokens, "KEYS_FRESH", 0.0)
    stolen = Merchant(installation, merchant.client_id, "demo-secret")
    assert (await stolen.get("/options?amount=10&currency=AUD")).status == 200
    await types(installation, "rotate-signing", "--compromised")
    assert (await stolen.get("/options?amount=10&currency=AUD")).status == 401
    new = Merchant(installation, merchant.client_id, "demo-secret")
    assert (await new.get("/options?amount=10&currency=AUD")).status == 200
    merchant._token = ""


def _head(token: str) -> dict[str, Any]:
    text = token.split(".")[0]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found
