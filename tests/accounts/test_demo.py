"""The demo merchant: there after the first start, complete after every one, and never overwritten."""

from __future__ import annotations

import asyncio

import pytest

from paymux.accounts import demo, service
from paymux.accounts.service import AccountFault
from paymux.connectors.registry import all_codes
from paymux.platform.clock import Clock
from paymux.platform.database import Database
from paymux.platform.encryption import KeyRing
from paymux.platform.settings import Settings
from tests.accounts.conftest import AFTERPAY, AddConnector


async def test_the_demo_merchant_has_his_known_secrets_and_an_account_for_every_code(
    database: Database, keyring: KeyRing, clock: Clock, settings: Settings
) -> None:
    await demo.seed(database, keyring, clock, settings)
    async with database.connection() as held:
        found = await service.client_secret_fits(held, keyring, "demo-merchant", "demo-secret")
        assert found is not None
        assert found.id == "mer_demo"
        assert await service.payment_secret(held, keyring, "mer_demo") == "demo-payment-secret"
        assert await service.webhook_secrets(held, keyring, "mer_demo") == ["whsec_ZGVtby13ZWJob29rLXNlY3JldA=="]
        accounts = await service.provider_accounts(held, keyring, "mer_demo", "")
    assert {account.code for account in accounts} == set(all_codes())
    assert len({account.priority for account in accounts}) == len(accounts)
    assert all(account.active and account.environment == "sandbox" for account in accounts)
    afterpay = next(account for account in accounts if account.code == "AFTERPAY_AU")
    assert afterpay.credentials == demo.simulator_credentials(all_codes()["AFTERPAY_AU"][0])
    assert afterpay.credentials


async def test_a_second_start_changes_nothing_that_the_merchant_changed(
    database: Database, keyring: KeyRing, clock: Clock, settings: Settings
) -> None:
    await demo.seed(database, keyring, clock, settings)
    async with database.transaction() as tx:
        secret = await service.rotate(tx, keyring, "mer_demo", "payment")
        await service.set_merchant(tx, "mer_demo", webhook_url="https://demo.example/hook")
        own = await service.set_provider_account(
            tx, keyring, clock, settings, "mer_demo", "AFTERPAY_AU", environment="test", credentials=AFTERPAY, active=False
        )  # fmt: skip
    await demo.seed(database, keyring, clock, settings)
    async with database.connection() as held:
        assert await service.payment_secret(held, keyring, "mer_demo") == secret
        assert (await service.merchant_by_id(held, "mer_demo")).webhook_url == "https://demo.example/hook"
        assert await service.account_for(held, keyring, "mer_demo", "", "AFTERPAY_AU") == own


async def test_a_connector_that_is_new_is_there_after_the_next_start(
    database: Database, keyring: KeyRing, clock: Clock, settings: Settings, add_connector: AddConnector
) -> None:
    await demo.seed(database, keyring, clock, settings)
    add_connector("newcomer", "NEWCOMER")
    await demo.seed(database, keyring, clock, settings)
    async with database.connection() as held:
        account = await service.account_for(held, keyring, "mer_demo", "", "NEWCOMER")
    assert account is not None
    assert account.active


async def test_starts_at_the_same_time_make_one_demo_merchant(
    database: Database, keyring: KeyRing, clock: Clock, settings: Settings
) -> None:
    async with database.transaction() as tx:
        await service.stamp_mode(tx, settings)
    await asyncio.gather(*(demo.seed(database, keyring, clock, settings) for _ in range(3)))
    async with database.connection() as held:
        assert await held.fetchval("SELECT count(*) FROM merchants") == 1
        assert await held.fetchval("SELECT count(*) FROM merchant_secrets") == 3


async def test_there_is_no_demo_merchant_in_live_mode(
    database: Database, keyring: KeyRing, clock: Clock, live_settings: Settings
) -> None:
    with pytest.raises(AccountFault, match="sandbox mode only"):
        await demo.seed(database, keyring, clock, live_settings)
    async with database.connection() as held:
        assert await held.fetchval("SELECT count(*) FROM merchants") == 0


async def test_a_live_database_gets_no_demo_merchant(
    database: Database, keyring: KeyRing, clock: Clock, settings: Settings, live_settings: Settings
) -> None:
    async with database.transaction() as tx:
        await service.stamp_mode(tx, live_settings)
    with pytest.raises(AccountFault, match="belongs to a live installation"):
        await demo.seed(database, keyring, clock, settings)
    async with database.connection() as held:
        assert await held.fetchval("SELECT count(*) FROM merchants") == 0
