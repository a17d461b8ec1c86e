"""Live mode starts on nothing that is known to everybody, moved, or readable on the way (K4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paymux.accounts import demo, service
from paymux.accounts.live_checks import UnsafeStart, refuse_unsafe_start
from paymux.accounts.model import NewMerchant
from paymux.platform.clock import Clock
from paymux.platform.database import Database
from paymux.platform.encryption import KeyRing
from paymux.platform.settings import Settings
from tests.accounts.conftest import AFTERPAY


async def test_a_proper_live_installation_starts(
    database: Database, live_settings: Settings, shop: NewMerchant
) -> None:
    await refuse_unsafe_start(live_settings, database)
    async with database.transaction() as tx:
        await service.stamp_mode(tx, live_settings)
    await refuse_unsafe_start(live_settings, database)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"public_url": ""}, "PAYMUX_PUBLIC_URL"),
        ({"public_url": "http://pay.shop.example"}, "PAYMUX_PUBLIC_URL"),
        ({"public_url": "https://"}, "PAYMUX_PUBLIC_URL"),
        ({"keys_file": None}, "PAYMUX_KEYS_FILE"),
        ({"keys_file": Path("/nowhere/keys.json")}, "PAYMUX_KEYS_FILE"),
        ({"database_url": ""}, "PAYMUX_ALLOW_EMBEDDED=1"),
    ],
)
async def test_unsafe_settings_are_refused(
    changes: dict[str, Any], reason: str, database: Database, live_settings: Settings
) -> None:
    with pytest.raises(UnsafeStart, match=reason):
        await refuse_unsafe_start(Settings(**(live_settings.model_dump() | changes)), database)


async def test_a_key_ring_in_the_environment_is_as_good_as_a_file(database: Database, live_settings: Settings) -> None:
    said = {"keys_file": None, "keys": '{"primary": "k1", "keys": {}}'}
    await refuse_unsafe_start(Settings(**(live_settings.model_dump() | said)), database)


async def test_the_embedded_database_is_taken_when_the_operator_says_so(
    database: Database, live_settings: Settings
) -> None:
    said = {"database_url": "", "allow_embedded": True}
    await refuse_unsafe_start(Settings(**(live_settings.model_dump() | said)), database)


async def test_a_database_with_the_demo_merchant_is_refused(
    database: Database, keyring: KeyRing, clock: Clock, settings: Settings, live_settings: Settings
) -> None:
    await demo.seed(database, keyring, clock, settings)
    await refuse_unsafe_start(settings, database)
    with pytest.raises(UnsafeStart, match="demo merchant"):
        await refuse_unsafe_start(live_settings, database)


async def test_the_demo_merchant_is_known_under_another_client_id_too(
    database: Database, keyring: KeyRing, clock: Clock, live_settings: Settings
) -> None:
    async with database.transaction() as tx:
        await service.create_merchant(tx, keyring, clock, "Renamed", merchant_id="mer_demo", client_id="other")
    with pytest.raises(UnsafeStart, match="demo merchant"):
        await refuse_unsafe_start(live_settings, database)


async def test_an_account_at_a_simulator_is_refused(
    database: Database, keyring: KeyRing, clock: Clock, settings: Settings, live_settings: Settings, shop: NewMerchant
) -> None:
    async with database.transaction() as tx:
        await service.set_provider_account(
            tx, keyring, clock, settings, shop.merchant.id, "AFTERPAY_AU", environment="sandbox", credentials=AFTERPAY
        )  # fmt: skip
    with pytest.raises(UnsafeStart, match="accounts at simulators"):
        await refuse_unsafe_start(live_settings, database)


async def test_a_moved_clock_is_refused(database: Database, live_settings: Settings) -> None:
    async with database.transaction() as tx:
        await service.stamp_mode(tx, live_settings)
        await tx.execute("UPDATE installation SET clock_offset = interval '1 second'")
    with pytest.raises(UnsafeStart, match="clock has been moved"):
        await refuse_unsafe_start(live_settings, database)


async def test_every_reason_is_told_at_once(database: Database, live_settings: Settings) -> None:
    bare = {"public_url": "", "keys_file": None, "database_url": ""}
    with pytest.raises(UnsafeStart) as refused:
        await refuse_unsafe_start(Settings(**(live_settings.model_dump() | bare)), database)
    for name in ("PAYMUX_PUBLIC_URL", "PAYMUX_KEYS_FILE", "PAYMUX_ALLOW_EMBEDDED"):
        assert name in str(refused.value)
