"""A fresh database, a key ring and the settings of a sandbox and of a live installation."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from paymux.accounts import service
from paymux.accounts.model import NewMerchant
from paymux.connectors import registry
from paymux.platform.clock import Clock
from paymux.platform.database import Database
from paymux.platform.encryption import KeyRing
from paymux.platform.settings import Mode, Settings

AFTERPAY = {"merchant_id": "M-1", "secret_key": "afterpay's own secret"}
AddConnector = Callable[..., Path]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.connect(database_url, 5)
    yield opened
    await opened.close()


@pytest.fixture
def settings(home: Path, database_url: str) -> Settings:
    return Settings(home=home, database_url=database_url, sandbox_url="http://sandbox.test/")


@pytest.fixture
def live_settings(home: Path, database_url: str, keyring: KeyRing) -> Settings:
    return Settings(
        home=home, database_url=database_url, mode=Mode.LIVE, public_url="https://pay.shop.example",
        keys_file=home / "keys.json",
    )  # fmt: skip


@pytest.fixture
def keyring(home: Path) -> KeyRing:
    return KeyRing.load(home / "keys.json", create=True)


@pytest.fixture
def clock() -> Clock:
    return Clock(movable=False)


@pytest.fixture
async def shop(database: Database, keyring: KeyRing, clock: Clock) -> NewMerchant:
    """A merchant with all his secrets."""
    async with database.transaction() as tx:
        return await service.create_merchant(tx, keyring, clock, "A shop")


@pytest.fixture
async def rival(database: Database, keyring: KeyRing, clock: Clock) -> NewMerchant:
    """Another merchant of the same installation."""
    async with database.transaction() as tx:
        return await service.create_merchant(tx, keyring, clock, "A rival")


@pytest.fixture
def add_connector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AddConnector:
    """Adds a throw-away connector that is like Afterpay but for its name, its one code and what is put in front."""

    def add(name: str, code: str, facts: str = "", hosts: str = "") -> Path:
        folder = tmp_path / name
        shutil.copytree(registry.all_providers()["afterpay"].folder, folder)
        text = (folder / "provider.toml").read_text()
        head, codes = text.split("[codes.", 1)
        rest = codes[codes.index("[capabilities]") :]
        head = head.replace('name = "afterpay"', f'name = "{name}"\n{facts}')
        own = f'[codes.{code}]\ntitle = "Like Afterpay"\n{hosts}\n'
        (folder / "provider.toml").write_text(f"{head}{own}{rest}")
        monkeypatch.setattr(registry, "_extra", (*registry._extra, folder))
        return folder

    return add
