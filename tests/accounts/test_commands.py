"""`paymux merchants | channels | provider-accounts`, as an operator types them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import typer
from typer.testing import CliRunner

from paymux import cli_accounts
from paymux.accounts import logos, service
from paymux.platform import logs
from paymux.platform.database import Connection, Database
from paymux.platform.encryption import KeyRing
from paymux.platform.running import write_database_url
from tests.accounts.conftest import AFTERPAY

T = TypeVar("T")


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


class Operator:
    """Types commands against one installation, and looks into its database."""

    def __init__(self, home: Path, database_url: str) -> None:
        self.home, self.url = home, database_url
        self.environment = {"PAYMUX_HOME": str(home), "PAYMUX_DATABASE_URL": database_url}
        self.app = typer.Typer()
        for name in ("merchants", "channels", "provider_accounts"):
            self.app.add_typer(getattr(cli_accounts, name), name=name.replace("_", "-"))
        self.app.add_typer(cli_accounts.own_logos, name="logos")

    def __call__(self, *words: str | Path, **environment: str) -> Ran:
        answer = CliRunner().invoke(self.app, [str(word) for word in words], env={**self.environment, **environment})
        assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
        return Ran(answer.exit_code, answer.stdout, answer.stderr)

    def sees(self, look: Callable[[Connection, KeyRing], Awaitable[T]]) -> T:
        async def run() -> T:
            database = await Database.connect(self.url, 2)
            try:
                async with database.transaction() as tx:
                    return await look(tx, KeyRing.load(self.home / "keys.json", create=False))
            finally:
                await database.close()

        return asyncio.run(run())


@pytest.fixture
def operator(home: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Operator:
    # Typed in the tests' own process, whose logs are pytest's.
    monkeypatch.setattr(logs, "configure", lambda settings: None)
    return Operator(home, database_url)


@pytest.fixture
def made(operator: Operator) -> dict[str, str]:
    """A merchant made by command."""
    return dict(operator("merchants", "create", "A shop", "--client-id", "shop", "--json").json)


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    path = tmp_path / "afterpay.json"
    path.write_text(json.dumps(AFTERPAY))
    return path


def test_create_prints_secrets_that_work(operator: Operator, made: dict[str, str]) -> None:
    assert made.keys() == {"merchantId", "clientId", "clientSecret", "paymentSecret", "webhookSecret"}

    async def look(tx: Connection, keyring: KeyRing) -> None:
        found = await service.client_secret_fits(tx, keyring, "shop", made["clientSecret"])
        assert found is not None
        assert found.id == made["merchantId"]
        assert await service.payment_secret(tx, keyring, found.id) == made["paymentSecret"]
        assert await service.webhook_secrets(tx, keyring, found.id) == [made["webhookSecret"]]

    operator.sees(look)


def test_create_makes_a_client_id_when_none_is_given(operator: Operator) -> None:
    ids = {operator("merchants", "create", "A shop", "--json").json["clientId"] for _ in range(2)}
    assert len(ids) == 2


def test_without_json_it_is_for_people(operator: Operator) -> None:
    shown = operator("merchants", "create", "A shop", "--client-id", "shop")
    assert shown.code == 0
    assert [line.split()[0] for line in shown.out.splitlines()][:2] == ["merchantId", "clientId"]


def test_a_taken_client_id_is_refused_in_a_sentence(operator: Operator, made: dict[str, str]) -> None:
    again = operator("merchants", "create", "Another", "--client-id", made["clientId"])
    assert (again.code, again.out, again.err.strip()) == (1, "", "Client id shop is taken.")
    again = operator("merchants", "create", "Another", "--client-id", made["clientId"], "--json")
    assert (again.code, json.loads(again.err)) == (1, {"error": "Client id shop is taken."})


@pytest.mark.parametrize("name", ["clientId", "merchantId"])
def test_a_merchant_is_named_by_client_id_or_merchant_id(name: str, operator: Operator, made: dict[str, str]) -> None:
    rotated = operator("merchants", "rotate", made[name], "webhook", "--json").json
    assert rotated["merchantId"] == made["merchantId"]

    async def look(tx: Connection, keyring: KeyRing) -> list[str]:
        return await service.webhook_secrets(tx, keyring, made["merchantId"])

    assert operator.sees(look) == [rotated["webhookSecret"], made["webhookSecret"]]


def test_rotate_knows_three_kinds_and_existing_merchants(operator: Operator, made: dict[str, str]) -> None:
    for kind in ("client", "payment"):
        assert operator("merchants", "rotate", "shop", kind, "--json").json[f"{kind}Secret"] != made[f"{kind}Secret"]
    assert "client, payment or webhook" in operator("merchants", "rotate", "shop", "other").err
    assert "no merchant nobody" in operator("merchants", "rotate", "nobody", "client").err


def test_set_sets_unsets_and_leaves_alone(operator: Operator, made: dict[str, str]) -> None:
    first = operator(
        "merchants", "set", "shop", "--redirect-url", "https://shop.example/back", "--webhook-url",
        "http://127.0.0.1:9000/hook", "--raw-provider-response", "on", "--json",
    ).json  # fmt: skip
    assert (first["redirectUrl"], first["webhookUrl"], first["rawProviderResponse"]) == (
        "https://shop.example/back", "http://127.0.0.1:9000/hook", True,
    )  # fmt: skip
    assert operator("merchants", "set", "shop", "--json").json == first
    second = operator("merchants", "set", "shop", "--webhook-url", "", "--raw-provider-response", "off", "--json").json
    assert (second["redirectUrl"], second["webhookUrl"], second["rawProviderResponse"]) == (
        "https://shop.example/back", None, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--webhook-url", "http://shop.example/hook"), ("--redirect-url", "http://192.168.0.1/"),
        ("--redirect-url", "shop"), ("--redirect-url", "javascript:alert(1)"),
        ("--webhook-url", "https://user:pass@shop.example/"), ("--raw-provider-response", "maybe"),
    ],
)  # fmt: skip
def test_set_refuses_by_the_options_name(option: str, value: str, operator: Operator, made: dict[str, str]) -> None:
    refused = operator("merchants", "set", "shop", option, value)
    assert refused.code == 1
    assert refused.err.startswith(option)
    assert operator("merchants", "set", "shop", "--json").json["redirectUrl"] is None


def test_a_loopback_url_is_for_sandbox_mode_only(operator: Operator, live: dict[str, str]) -> None:
    assert operator("merchants", "create", "A shop", "--client-id", "shop", **live).code == 0
    refused = operator("merchants", "set", "shop", "--webhook-url", "http://127.0.0.1:9000/", **live)
    assert (refused.code, refused.err.strip()) == (1, "--webhook-url must be a valid HTTPS URL")


@pytest.fixture
def live(home: Path) -> dict[str, str]:
    """The environment of a live installation on the same database."""
    KeyRing.load(home / "keys.json", create=True)
    return {
        "PAYMUX_MODE": "live", "PAYMUX_PUBLIC_URL": "https://pay.shop.example",
        "PAYMUX_KEYS_FILE": str(home / "keys.json"),
    }  # fmt: skip


def test_live_mode_makes_no_merchant_with_the_demos_name(operator: Operator, live: dict[str, str]) -> None:
    refused = operator("merchants", "create", "Mine", "--client-id", "demo-merchant", **live)
    assert refused.code == 1
    assert "demo merchant" in refused.err
    assert operator("merchants", "create", "Mine", **live).code == 0


def test_a_channel_is_added_and_then_takes_accounts(
    operator: Operator, made: dict[str, str], credentials: Path
) -> None:
    words = ("provider-accounts", "set", "shop", "AFTERPAY_AU", "--environment", "test", "--credentials", credentials)
    refused = operator(*words, "--channel", "app")
    assert refused.code == 1
    assert "paymux channels add" in refused.err
    assert operator("channels", "add", "shop", "app", "--json").json == {
        "merchantId": made["merchantId"], "channel": "app",
    }  # fmt: skip
    assert operator(*words, "--channel", "app", "--json").json["channel"] == "app"
    for wrong in ("", "x" * 65, "a\x00b", "\n"):
        assert operator("channels", "add", "shop", wrong).code == 1


def test_an_account_is_set_with_all_that_the_options_say(
    operator: Operator, made: dict[str, str], credentials: Path
) -> None:
    shown = operator(
        "provider-accounts", "set", "shop", "AFTERPAY_AU", "--environment", "live", "--credentials", credentials, "--min",
        "10", "--max", "500.50", "--priority", "2", "--inactive", "--json",
    ).json  # fmt: skip
    assert shown["active"] is False

    async def look(tx: Connection, keyring: KeyRing) -> None:
        account = await service.provider_account(tx, keyring, made["merchantId"], shown["account"])
        assert (str(account.min_amount), str(account.max_amount), account.priority) == ("10", "500.5", 2)
        assert (account.environment, account.active, account.credentials) == ("live", False, AFTERPAY)
        assert shown["eventUrl"].endswith(f"/provider-events/{account.event_key}")

    operator.sees(look)
    again = operator(
        "provider-accounts", "set", "shop", "AFTERPAY_AU", "--environment", "test", "--credentials", credentials, "--active",
        "--json",
    ).json  # fmt: skip
    assert (again["account"], again["eventUrl"], again["active"]) == (shown["account"], shown["eventUrl"], True)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '"text"', '{"merchant_id": 7}', '{"merchant_id": null}', b"\xff\xfe"]
)
def test_a_credentials_file_of_another_form_is_refused_without_repeating_it(
    content: str | bytes, operator: Operator, made: dict[str, str], credentials: Path
) -> None:
    credentials.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused = operator(
        "provider-accounts", "set", "shop", "AFTERPAY_AU", "--environment", "test", "--credentials", credentials
    )
    assert (refused.code, refused.err.strip()) == (
        1, f"{credentials} must hold one JSON object of texts, a field for each credential.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("NOBODY", "--environment", "test"), "NOBODY is no known payment method code."),
        (("AFTERPAY_AU", "--environment", "production"), "environment must be sandbox, test or live"),
        (("AFTERPAY_AU", "--environment", "test", "--min", "ten"), "--min must be an amount"),
        (("AFTERPAY_AU", "--environment", "test", "--max", "1e400"), "max must be an amount from 0"),
        (("AFTERPAY_AU", "--environment", "test", "--priority", "0"), "priority must be from 1"),
        (("CLEARPAY", "--environment", "test", "--channel", "kiosk"), "channel kiosk is unknown"),
    ],
)
def test_a_wrong_account_is_refused_in_a_sentence(
    words: tuple[str, ...], said: str, operator: Operator, made: dict[str, str], credentials: Path
) -> None:
    refused = operator("provider-accounts", "set", "shop", *words, "--credentials", credentials)
    assert (refused.code, refused.out) == (1, "")
    assert said in refused.err
    assert AFTERPAY["secret_key"] not in refused.err


def test_the_running_installations_database_is_found_by_its_home(operator: Operator, home: Path) -> None:
    write_database_url(home, operator.url)
    assert operator("merchants", "create", "A shop", "--json", PAYMUX_DATABASE_URL="").code == 0


def test_with_no_database_known_a_sentence_says_what_to_do(operator: Operator) -> None:
    refused = operator("merchants", "create", "A shop", PAYMUX_DATABASE_URL="")
    assert refused.code == 1
    assert "PAYMUX_DATABASE_URL" in refused.err
    assert "paymux dev" in refused.err


def test_a_database_that_is_away_or_empty_is_said_in_a_sentence(operator: Operator, tmp_path: Path) -> None:
    away = operator("merchants", "create", "A shop", PAYMUX_DATABASE_URL=f"postgresql:///x?host={tmp_path}")
    assert away.code == 1
    assert away.err.startswith("The database can't be reached")
    assert operator("merchants", "create", "A shop").code == 0

    async def empty(tx: Connection, keyring: KeyRing) -> None:
        await tx.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    operator.sees(empty)
    refused = operator("merchants", "create", "A shop")
    assert (refused.code, refused.err.strip()) == (1, "The database has no schema yet: run `paymux db upgrade` first.")


def test_a_key_file_that_others_can_read_stops_every_command(operator: Operator, made: dict[str, str]) -> None:
    (operator.home / "keys.json").chmod(0o644)
    refused = operator("merchants", "rotate", "shop", "client")
    assert refused.code == 1
    assert "0600" in refused.err


def test_an_unsafe_live_start_is_said_in_a_sentence(operator: Operator, live: dict[str, str]) -> None:
    refused = operator("merchants", "create", "A shop", **{**live, "PAYMUX_PUBLIC_URL": "http://pay.shop.example"})
    assert refused.code == 1
    assert "PAYMUX_PUBLIC_URL must be an https URL" in refused.err


def test_the_commands_are_part_of_paymux(home: Path, database_url: str) -> None:
    environment = {**os.environ, "PAYMUX_HOME": str(home), "PAYMUX_DATABASE_URL": database_url}

    def paymux(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "paymux", *words], capture_output=True, text=True, env=environment, check=True
        )

    made = json.loads(paymux("merchants", "create", "A shop", "--json").stdout)
    shown = json.loads(paymux("channels", "add", made["clientId"], "app", "--json").stdout)
    assert shown["merchantId"] == made["merchantId"]
    assert "--credentials" in paymux("provider-accounts", "set", "--help").stdout


def test_a_logo_is_put_in_place_of_the_mark_and_taken_away(
    operator: Operator, made: dict[str, str], tmp_path: Path
) -> None:
    picture = tmp_path / "afterpay.svg"
    picture.write_bytes(b'<svg xmlns="http://www.w3.org/2000/svg"/>')
    shown = operator("logos", "set", "shop", "AFTERPAY_AU", picture, "--json").json
    assert (shown["merchantId"], shown["mediaType"]) == (made["merchantId"], "image/svg+xml")

    async def look(tx: Connection, keyring: KeyRing) -> dict[str, logos.Logo]:
        return await logos.of_merchant(tx, made["merchantId"])

    kept = operator.sees(look)["AFTERPAY_AU"]
    assert shown["imageUrl"].endswith(f"/images/logos/{kept.id}")
    assert operator("logos", "remove", "shop", "AFTERPAY_AU").code == 0
    assert operator.sees(look) == {}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("set", "shop", "NOBODY"), "NOBODY"),
        (("set", "nobody", "AFTERPAY_AU"), "nobody"),
        (("set", "shop", "AFTERPAY_AU"), "PNG, JPEG, WebP or SVG"),
    ],
)
def test_a_logo_that_can_not_be_shown_is_refused_in_a_sentence(
    words: tuple[str, ...], sentence: str, operator: Operator, made: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "logo.txt"
    file.write_text("no picture")
    refused = operator("logos", *words, file)
    assert refused.code == 1
    assert sentence in refused.err


def test_the_lists_show_what_there_is_and_no_secret(
    operator: Operator, made: dict[str, str], credentials: Path
) -> None:
    assert operator("merchants", "create", "Another", "--client-id", "other").code == 0
    operator("merchants", "set", "shop", "--webhook-url", "https://shop.example/hooks")
    operator("channels", "add", "shop", "nz", "--name", "New Zealand")
    given = ("--environment", "test", "--credentials", credentials)
    operator("provider-accounts", "set", "shop", "AFTERPAY_AU", *given, "--min", "10.50", "--priority", "3")
    operator("provider-accounts", "set", "shop", "AFTERPAY_NZ", *given, "--channel", "nz", "--inactive")

    merchants = operator("merchants", "list", "--json")
    assert [(row["clientId"], row["name"], row["webhookUrl"]) for row in merchants.json] == [
        ("shop", "A shop", "https://shop.example/hooks"),
        ("other", "Another", None),
    ]
    channels = operator("channels", "list", "shop", "--json")
    assert channels.json == [{"channel": "nz", "name": "New Zealand"}]
    accounts = operator("provider-accounts", "list", made["merchantId"], "--json")
    assert [list(row.values())[1:] for row in accounts.json] == [
        ["AFTERPAY_AU", "", "test", True, "10.5", None, 3],
        ["AFTERPAY_NZ", "nz", "test", False, None, None, 100],
    ]
    assert operator("provider-accounts", "list", "other", "--json").json == []
    for_people = operator("provider-accounts", "list", "shop").out
    assert "AFTERPAY_NZ  test  channel: nz  active: no\n2 accounts.\n" in for_people

    async def hidden(tx: Connection, keyring: KeyRing) -> list[str]:
        return [row["event_key"] for row in await tx.fetch("SELECT event_key FROM provider_accounts")]

    shown = merchants.out + channels.out + accounts.out + for_people
    secrets = [value for name, value in made.items() if name.endswith("Secret")]
    for secret in (*secrets, *AFTERPAY.values(), *operator.sees(hidden)):
        assert secret not in shown
    nobody = operator("channels", "list", "nobody", "--json")
    assert (nobody.code, json.loads(nobody.err)) == (1, {"error": "There is no merchant nobody."})
