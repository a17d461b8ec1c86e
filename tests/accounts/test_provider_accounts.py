"""Accounts at providers: checked against the provider's facts, sealed, scoped to merchant and channel."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.accounts import service
from paymux.accounts.model import NewMerchant, ProviderAccount
from paymux.accounts.service import AccountFault
from paymux.connectors.registry import UnknownCode
from paymux.orders import rules
from paymux.platform.clock import Clock
from paymux.platform.database import Connection, Database
from paymux.platform.encryption import KeyRing
from paymux.platform.settings import Settings
from tests.accounts.conftest import AFTERPAY, AddConnector


class Setter:
    """Sets accounts of one merchant in one transaction."""

    def __init__(self, keyring: KeyRing, settings: Settings, shop: NewMerchant) -> None:
        self.keyring, self.settings, self.shop = keyring, settings, shop

    async def __call__(self, tx: Connection, code: str = "AFTERPAY_AU", **changes: Any) -> ProviderAccount:
        given: dict[str, Any] = {"environment": "test", "credentials": AFTERPAY} | changes
        return await service.set_provider_account(
            tx, self.keyring, Clock(movable=False), self.settings, self.shop.merchant.id, code, **given
        )


@pytest.fixture
def put(keyring: KeyRing, settings: Settings, shop: NewMerchant) -> Setter:
    return Setter(keyring, settings, shop)


async def test_an_account_comes_back_as_it_was_set(
    database: Database, put: Setter, keyring: KeyRing, shop: NewMerchant
) -> None:
    async with database.transaction() as tx:
        made = await put(tx, min_amount=Decimal("1.50"), max_amount=Decimal("900"), priority=3, active=False)
        mine = shop.merchant.id
        assert made.credentials == AFTERPAY
        assert (str(made.min_amount), str(made.max_amount), made.priority, made.active) == ("1.5", "900", 3, False)
        assert await service.provider_accounts(tx, keyring, mine, "") == [made]
        assert await service.provider_account(tx, keyring, mine, made.id) == made
        assert await service.account_for(tx, keyring, mine, "", "AFTERPAY_AU") == made
        assert await service.account_by_event_key(tx, keyring, made.event_key) == made
        assert await service.account_for(tx, keyring, mine, "", "AFTERPAY_NZ") is None
        assert await service.account_by_event_key(tx, keyring, "pek_unknown") is None


async def test_credentials_can_not_be_read_from_the_database(database: Database, put: Setter) -> None:
    async with database.transaction() as tx:
        await put(tx)
        row = await tx.fetchrow("SELECT * FROM provider_accounts")
    assert AFTERPAY["secret_key"].encode() not in row["credentials_sealed"]
    assert not any(AFTERPAY["secret_key"] in str(value) for name, value in row.items() if name != "credentials_sealed")


async def test_another_merchant_sees_none_of_it(
    database: Database, put: Setter, keyring: KeyRing, rival: NewMerchant
) -> None:
    async with database.transaction() as tx:
        await put(tx)
        assert await service.provider_accounts(tx, keyring, rival.merchant.id, "") == []
        assert await service.account_for(tx, keyring, rival.merchant.id, "", "AFTERPAY_AU") is None


async def test_setting_again_changes_it_and_keeps_id_and_event_url(database: Database, put: Setter) -> None:
    async with database.transaction() as tx:
        first = await put(tx)
        second = await put(tx, credentials={**AFTERPAY, "secret_key": "new"}, environment="live", priority=7)
    assert (second.id, second.event_key) == (first.id, first.event_key)
    assert (second.credentials["secret_key"], second.environment, second.priority) == ("new", "live", 7)


async def test_event_keys_are_random_and_differ(database: Database, put: Setter) -> None:
    async with database.transaction() as tx:
        keys = {(await put(tx, code)).event_key for code in ("AFTERPAY_AU", "AFTERPAY_NZ", "AFTERPAY_US")}
    assert len(keys) == 3
    assert all(len(key) >= 22 for key in keys)


async def test_a_channel_offers_only_what_is_set_on_it(
    database: Database, put: Setter, keyring: KeyRing, shop: NewMerchant, rival: NewMerchant
) -> None:
    mine = shop.merchant.id
    async with database.transaction() as tx:
        await service.add_channel(tx, mine, "app", "The app")
        await service.add_channel(tx, mine, "app", "The app, renamed")
        await put(tx)
        on_app = await put(tx, "AFTERPAY_NZ", channel="app")
        assert await service.provider_accounts(tx, keyring, mine, "app") == [on_app]
        assert [one.code for one in await service.provider_accounts(tx, keyring, mine, "")] == ["AFTERPAY_AU"]
        assert await service.channel_exists(tx, mine, "app")
        assert not await service.channel_exists(tx, mine, "kiosk")
        assert not await service.channel_exists(tx, rival.merchant.id, "app")


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"credentials": {}}, "merchant_id is required by AFTERPAY_AU; secret_key is required by AFTERPAY_AU"),
    ({"credentials": {**AFTERPAY, "secret_key": ""}}, "secret_key is required by AFTERPAY_AU"),
    ({"credentials": {**AFTERPAY, "secert_key": "x"}}, "secert_key is not a credential of AFTERPAY_AU"),
    ({"channel": "kiosk"}, "channel kiosk is unknown"),
    ({"environment": "production"}, "environment must be sandbox, test or live"),
    ({"min_amount": Decimal(-1)}, "min must be an amount from 0"),
    ({"max_amount": Decimal("NaN")}, "max must be an amount from 0"),
    ({"max_amount": Decimal("1e15")}, "max must be an amount from 0"),
    ({"max_amount": Decimal("1e400")}, "max must be an amount from 0"),
    ({"min_amount": Decimal("1.00001")}, "min must be an amount from 0"),
    ({"min_amount": Decimal(2), "max_amount": Decimal(1)}, "min must not be above max"),
    ({"priority": 0}, "priority must be from 1"),
    ({"priority": 2**31}, "priority must be from 1"),
]


@pytest.mark.parametrize(("changes", "rule"), REFUSED, ids=[rule for _, rule in REFUSED])
async def test_what_can_not_be_is_refused_by_name_and_nothing_is_written(
    changes: dict[str, Any], rule: str, database: Database, put: Setter
) -> None:
    with pytest.raises(AccountFault, match=rule) as refused:
        async with database.transaction() as tx:
            await put(tx, **changes)
    assert AFTERPAY["secret_key"] not in str(refused.value)
    async with database.connection() as held:
        assert await held.fetchval("SELECT count(*) FROM provider_accounts") == 0


async def test_every_fault_is_named_at_once(database: Database, put: Setter) -> None:
    async with database.transaction() as tx:
        with pytest.raises(AccountFault) as refused:
            await put(tx, credentials={"odd": "x"}, environment="x", priority=0, channel="kiosk")
    for word in ("odd", "merchant_id", "secret_key", "environment", "priority", "kiosk"):
        assert word in str(refused.value)


async def test_an_unknown_code_is_refused(database: Database, put: Setter) -> None:
    async with database.transaction() as tx:
        with pytest.raises(UnknownCode):
            await put(tx, "NOBODY")


async def test_a_closed_provider_takes_no_live_account(
    database: Database, put: Setter, add_connector: AddConnector
) -> None:
    add_connector("closed", "CLOSED_AU", 'retired = { date = "2025-01", source = "https://x.example" }')
    async with database.transaction() as tx:
        with pytest.raises(AccountFault, match="CLOSED_AU is not offered in live mode: closed 2025-01"):
            await put(tx, "CLOSED_AU", environment="live")
        assert (await put(tx, "CLOSED_AU", environment="sandbox")).code == "CLOSED_AU"


async def test_a_code_whose_business_alone_has_closed_takes_no_live_account(database: Database, put: Setter) -> None:
    """Zip goes on in Australia, and has left the United Kingdom."""
    given = {"api_key": "k"}
    async with database.transaction() as tx:
        with pytest.raises(AccountFault, match="ZIP_UK is not offered in live mode: closed 2022-08-25"):
            await put(tx, "ZIP_UK", environment="live", credentials=given)
        for code, environment in (("ZIP_UK", "sandbox"), ("ZIP_AU", "live")):
            assert (await put(tx, code, environment=environment, credentials=given)).code == code


@pytest.mark.parametrize(
    ("code", "offered"),
    [
        ("ZIP_AU", True), ("ZIP_UK", False), ("PACE", False), ("SPOTII", False), ("PAYJUSTNOW_SA", False),
        ("APLAZO_MX", True),
    ],
)  # fmt: skip
async def test_live_mode_offers_no_code_that_has_closed_or_lacks_a_fact(
    database: Database, put: Setter, settings: Settings, live_settings: Settings, code: str, offered: bool
) -> None:
    """PayJustNow's address of production and its request of a checkout are in no source."""
    async with database.transaction() as tx:
        account = replace(await put(tx), code=code)
    assert (rules.usable(settings, account), rules.usable(live_settings, account)) == (True, offered)


async def test_live_mode_takes_no_account_at_a_simulator(
    database: Database, keyring: KeyRing, live_settings: Settings, shop: NewMerchant
) -> None:
    async with database.transaction() as tx:
        with pytest.raises(AccountFault, match="sandbox mode only"):
            await Setter(keyring, live_settings, shop)(tx, environment="sandbox")


async def test_the_environment_says_where_calls_go(database: Database, put: Setter, settings: Settings) -> None:
    async with database.transaction() as tx:
        at = {
            name: service.connector_account(settings, await put(tx, environment=name)) for name in service.ENVIRONMENTS
        }
    assert at["sandbox"].hosts == {"api": "http://sandbox.test/afterpay"}
    assert at["test"].hosts == {"api": "https://global-api-sandbox.afterpay.com"}
    assert at["live"].hosts == {"api": "https://global-api.afterpay.com"}
    assert [name for name, one in at.items() if one.live] == ["live"]
    assert (at["live"].code.code, at["live"].facts.name, at["live"].credentials) == (
        "AFTERPAY_AU",
        "afterpay",
        AFTERPAY,
    )


async def test_a_codes_own_hosts_win_and_other_hosts_have_their_own_simulator(
    database: Database, put: Setter, settings: Settings, add_connector: AddConnector
) -> None:
    hosts = (
        '[codes.TWOHOST.hosts.api]\nlive = "https://two.example/"\ntest = "https://test.two.example"\n'
        '[codes.TWOHOST.hosts.auth]\nlive = "https://auth.two.example"\ntest = "https://auth.test.two.example"'
    )
    add_connector("twohost", "TWOHOST", hosts=hosts)
    async with database.transaction() as tx:
        live = service.connector_account(settings, await put(tx, "TWOHOST", environment="live"))
        sandbox = service.connector_account(settings, await put(tx, "TWOHOST", environment="sandbox"))
    assert live.hosts == {"api": "https://two.example", "auth": "https://auth.two.example"}
    assert sandbox.hosts == {"api": "http://sandbox.test/twohost", "auth": "http://sandbox.test/twohost-auth"}


async def test_the_operator_can_send_a_connector_elsewhere(database: Database, put: Setter, settings: Settings) -> None:
    proxied = settings.model_copy(update={"provider_hosts": {"afterpay": "https://egress.example/afterpay/"}})
    async with database.transaction() as tx:
        account = await put(tx, environment="live")
    assert service.connector_account(proxied, account).hosts == {"api": "https://egress.example/afterpay"}
