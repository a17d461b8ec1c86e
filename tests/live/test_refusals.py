"""What keeps live mode from starting, as the operator sees it: one sentence, exit code 1, nothing listening (K4)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paymux.platform.identifiers import new_id
from paymux.platform.postgres import EmbeddedPostgres
from tests.processes import environment_of, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def proper(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a live installation that would start, on an empty database."""
    folder = tmp_path_factory.mktemp("proper")
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"primary": "k1", "keys": {"k1": "A" * 43 + "="}}))
    keys.chmod(0o600)
    return environment_of(
        PAYMUX_MODE="live", PAYMUX_HOME=str(folder), PAYMUX_PUBLIC_URL="https://pay.shop.example",
        PAYMUX_DATABASE_URL=postgres_server.create_database(new_id("none").lower(), "paymux"), PAYMUX_KEYS_FILE=str(keys),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("PAYMUX_PUBLIC_URL", "http://pay.shop.example", "PAYMUX_PUBLIC_URL must be an https URL"),
        ("PAYMUX_KEYS_FILE", None, "Live mode needs PAYMUX_KEYS_FILE"),
        ("PAYMUX_KEYS_FILE", "/nowhere/keys.json", "There is no key file at /nowhere/keys.json"),
        ("PAYMUX_DATABASE_URL", None, "No database: set PAYMUX_DATABASE_URL"),
        ("PAYMUX_DATABASE_URL", "postgresql://127.0.0.1:1/none", "The database can't be reached"),
    ],
)
def test_an_unsafe_setting_is_one_sentence(
    proper: dict[str, str], variable: str, value: str | None, reason: str
) -> None:
    environment = {key: text for key, text in (proper | {variable: value}).items() if text is not None}
    ended = run(environment, "serve")
    assert ended.code == 1
    assert reason in ended.said
    assert ended.said.count("\n") == 1, ended.said


def test_a_database_of_a_sandbox_refuses_live_mode(proper: dict[str, str], new_sandbox_database: str) -> None:
    live = run({**proper, "PAYMUX_DATABASE_URL": new_sandbox_database}, "serve")
    assert live.code == 1
    assert "the database holds the demo merchant" in live.said
    assert "accounts at simulators" in live.said


@pytest.fixture
def new_sandbox_database(postgres_server: EmbeddedPostgres, tmp_path: Path) -> str:
    """A database that a sandbox installation has prepared."""
    url = postgres_server.create_database(new_id("sand").lower(), "paymux")
    assert run(environment_of(PAYMUX_HOME=str(tmp_path), PAYMUX_DATABASE_URL=url), "db", "prepare").code == 0
    return url


def test_a_live_database_refuses_sandbox_mode(proper: dict[str, str], tmp_path: Path) -> None:
    assert run(proper, "merchants", "create", "A shop").code == 0
    sandbox = environment_of(PAYMUX_HOME=str(tmp_path), PAYMUX_DATABASE_URL=proper["PAYMUX_DATABASE_URL"])
    for words in (("db", "prepare"), ("serve",)):
        ended = run(sandbox, *words)
        assert (ended.code, "This database belongs to a live installation" in ended.said) == (1, True), ended.said


def test_the_embedded_database_has_to_be_allowed(proper: dict[str, str]) -> None:
    environment = {name: value for name, value in proper.items() if name != "PAYMUX_DATABASE_URL"}
    ended = run(environment, "dev")
    assert ended.code == 1
    assert ended.said == (
        "Live mode needs PAYMUX_DATABASE_URL, or PAYMUX_ALLOW_EMBEDDED=1 to run on the embedded database.\n"
    )


def test_a_database_without_a_schema_says_which_command_makes_it(
    proper: dict[str, str], postgres_server: EmbeddedPostgres
) -> None:
    empty = postgres_server.create_database(new_id("bare").lower(), "template1")
    ended = run({**proper, "PAYMUX_DATABASE_URL": empty}, "worker")
    assert (ended.code, ended.said) == (1, "The database has no schema yet: run `paymux db upgrade` first.\n")
