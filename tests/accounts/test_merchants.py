"""Merchants and their secrets: shown once, kept sealed or hashed, each his own."""

from __future__ import annotations

import asyncio

import pytest
from standardwebhooks import Webhook

from paymux.accounts import service
from paymux.accounts.model import NewMerchant
from paymux.accounts.service import AccountFault
from paymux.platform.clock import Clock
from paymux.platform.database import Connection, Database
from paymux.platform.encryption import KeyRing
from paymux.platform.settings import Settings


async def fits(database: Database, keyring: KeyRing, client_id: str, secret: str) -> str | None:
    async with database.connection() as held:
        found = await service.client_secret_fits(held, keyring, client_id, secret)
    return found.id if found else None


async def later(tx: Connection, hours: int) -> None:
    """Let the rotated secrets have been rotated so many hours ago."""
    await tx.execute(
        "UPDATE merchant_secrets SET valid_until_real = valid_until_real - make_interval(hours => $1)", hours
    )


async def test_a_new_merchant_gets_three_secrets_that_nobody_can_guess(shop: NewMerchant, rival: NewMerchant) -> None:
    made = [(one.client_secret, one.payment_secret, one.webhook_secret) for one in (shop, rival)]
    assert len({secret for three in made for secret in three}) == 6
    assert all(len(secret) >= 43 for three in made for secret in three)
    assert Webhook(shop.webhook_secret)


async def test_no_secret_can_be_read_from_the_database(database: Database, shop: NewMerchant) -> None:
    async with database.connection() as held:
        rows = await held.fetch("SELECT m.*, s.* FROM merchants m JOIN merchant_secrets s ON s.merchant_id = m.id")
    assert len(rows) == 3
    for secret in (shop.client_secret, shop.payment_secret, shop.webhook_secret):
        assert not any(secret in str(value) or secret.encode().hex() in str(value) for row in rows for value in row)


async def test_the_same_client_secret_of_two_merchants_leaves_two_different_traces(
    database: Database, keyring: KeyRing, clock: Clock
) -> None:
    async with database.transaction() as tx:
        for name in ("one", "two"):
            await service.create_merchant(tx, keyring, clock, name, known={"client": "the same"})
        assert await tx.fetchval("SELECT count(DISTINCT secret_hash) FROM merchant_secrets") == 2


async def test_only_his_own_secret_opens_the_door(
    database: Database, keyring: KeyRing, shop: NewMerchant, rival: NewMerchant
) -> None:
    assert await fits(database, keyring, shop.merchant.client_id, shop.client_secret) == shop.merchant.id
    assert await fits(database, keyring, shop.merchant.client_id, rival.client_secret) is None
    assert await fits(database, keyring, shop.merchant.client_id, shop.payment_secret) is None
    assert await fits(database, keyring, shop.merchant.id, shop.client_secret) is None
    assert await fits(database, keyring, "nobody", shop.client_secret) is None


@pytest.mark.parametrize("client_id", ["", "a\x00b", "\ud800", "\n"])
async def test_a_client_id_that_no_database_can_hold_is_simply_nobodys(
    client_id: str, database: Database, keyring: KeyRing
) -> None:
    assert await fits(database, keyring, client_id, "secret\x00\ud800") is None


async def test_a_rotated_client_secret_goes_on_for_24_hours(
    database: Database, keyring: KeyRing, shop: NewMerchant
) -> None:
    async with database.transaction() as tx:
        new = await service.rotate(tx, keyring, shop.merchant.id, "client")
        await later(tx, 23)
    for secret in (shop.client_secret, new):
        assert await fits(database, keyring, shop.merchant.client_id, secret) == shop.merchant.id
    async with database.transaction() as tx:
        await later(tx, 2)
    assert await fits(database, keyring, shop.merchant.client_id, shop.client_secret) is None
    assert await fits(database, keyring, shop.merchant.client_id, new) == shop.merchant.id


async def test_both_webhook_secrets_sign_for_24_hours_the_newest_first(
    database: Database, keyring: KeyRing, shop: NewMerchant
) -> None:
    async with database.transaction() as tx:
        new = await service.rotate(tx, keyring, shop.merchant.id, "webhook")
        assert Webhook(new)
        assert await service.webhook_secrets(tx, keyring, shop.merchant.id) == [new, shop.webhook_secret]
        await later(tx, 25)
        assert await service.webhook_secrets(tx, keyring, shop.merchant.id) == [new]


async def test_a_second_rotation_does_not_lengthen_the_life_of_the_oldest(
    database: Database, keyring: KeyRing, shop: NewMerchant
) -> None:
    async with database.transaction() as tx:
        second = await service.rotate(tx, keyring, shop.merchant.id, "webhook")
        await later(tx, 20)
    async with database.transaction() as tx:
        third = await service.rotate(tx, keyring, shop.merchant.id, "webhook")
        await later(tx, 5)
        assert await service.webhook_secrets(tx, keyring, shop.merchant.id) == [third, second]


async def test_a_rotated_payment_secret_ends_at_once(database: Database, keyring: KeyRing, shop: NewMerchant) -> None:
    async with database.transaction() as tx:
        new = await service.rotate(tx, keyring, shop.merchant.id, "payment")
    async with database.connection() as held:
        assert await service.payment_secret(held, keyring, shop.merchant.id) == new != shop.payment_secret
        valid = await held.fetchval(
            "SELECT count(*) FROM merchant_secrets WHERE kind = 'payment' AND (valid_until_real IS NULL OR valid_until_real > now())"
        )
    assert valid == 1


async def test_rotations_that_race_leave_one_secret_without_an_end(
    database: Database, keyring: KeyRing, shop: NewMerchant
) -> None:
    async def other() -> str:
        async with database.transaction() as tx:
            return await service.rotate(tx, keyring, shop.merchant.id, "client")

    async with database.transaction() as tx:
        await service.rotate(tx, keyring, shop.merchant.id, "client")
        waiting = asyncio.create_task(other())
        async with database.connection() as held:
            while not await held.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ):
                assert not waiting.done()
                await asyncio.sleep(0)
    await waiting
    async with database.connection() as held:
        endless = await held.fetchval(
            "SELECT count(*) FROM merchant_secrets WHERE kind = 'client' AND valid_until_real IS NULL"
        )
    assert endless == 1


async def test_a_rotation_touches_nobody_else(
    database: Database, keyring: KeyRing, shop: NewMerchant, rival: NewMerchant
) -> None:
    async with database.transaction() as tx:
        for kind in service.KINDS:
            await service.rotate(tx, keyring, shop.merchant.id, kind)
        assert await service.payment_secret(tx, keyring, rival.merchant.id) == rival.payment_secret
        assert await service.webhook_secrets(tx, keyring, rival.merchant.id) == [rival.webhook_secret]
        with pytest.raises(AccountFault, match="client, payment or webhook"):
            await service.rotate(tx, keyring, shop.merchant.id, "other")


async def test_a_client_id_of_ones_own_is_taken_once_and_has_a_form(
    database: Database, keyring: KeyRing, clock: Clock
) -> None:
    async with database.transaction() as tx:
        made = await service.create_merchant(tx, keyring, clock, "First", client_id="web-shop")
        assert (await service.find_merchant(tx, "web-shop")).id == made.merchant.id
        assert (await service.find_merchant(tx, made.merchant.id)).client_id == "web-shop"
        with pytest.raises(AccountFault, match="web-shop is taken"):
            await service.create_merchant(tx, keyring, clock, "Second", client_id="web-shop")
        for wrong in ("", "a b", "a:b", "a\x00", "ü", "x" * 65):
            with pytest.raises(AccountFault, match="client id must be"):
                await service.create_merchant(tx, keyring, clock, "Third", client_id=wrong)
        for wrong in ("", "  ", "a\x00", "x" * 201):
            with pytest.raises(AccountFault, match="name must be"):
                await service.create_merchant(tx, keyring, clock, wrong)
        with pytest.raises(AccountFault, match="no merchant nobody"):
            await service.find_merchant(tx, "nobody")


async def test_a_merchants_defaults_are_set_unset_and_left_alone(
    database: Database, shop: NewMerchant, rival: NewMerchant
) -> None:
    async with database.transaction() as tx:
        await service.set_merchant(tx, shop.merchant.id, webhook_url="https://s.example/w", raw_provider_response=True)
        await service.set_merchant(tx, shop.merchant.id, redirect_url="https://s.example/r")
        now = await service.merchant_by_id(tx, shop.merchant.id)
        assert (now.webhook_url, now.redirect_url, now.raw_provider_response) == (
            "https://s.example/w", "https://s.example/r", True,
        )  # fmt: skip
        await service.set_merchant(tx, shop.merchant.id, webhook_url=None)
        assert (await service.merchant_by_id(tx, shop.merchant.id)).webhook_url is None
        assert await service.merchant_by_id(tx, rival.merchant.id) == rival.merchant


async def test_a_database_of_the_other_mode_is_refused(
    database: Database, settings: Settings, live_settings: Settings
) -> None:
    async with database.transaction() as tx:
        await service.stamp_mode(tx, settings)
        await service.stamp_mode(tx, settings)
        with pytest.raises(AccountFault, match="belongs to a sandbox installation and refuses mode live"):
            await service.stamp_mode(tx, live_settings)
