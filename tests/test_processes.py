"""`paymux serve | worker | sandbox | db upgrade`, each apart: their help, their refusals, and an installation made of them."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from paymux import __version__, cli
from paymux.platform.postgres import EmbeddedPostgres
from paymux.platform.settings import Settings
from tests.conftest import Eventually
from tests.installation import Installation, free_port
from tests.processes import ORDER, call, environment_of, run, running, until

EVERYTHING = {f"PAYMUX_{name.upper()}" for name in Settings.model_fields}
NEEDED = {
    "dev": EVERYTHING,
    "serve": {"PAYMUX_HOST", "PAYMUX_PORT", "PAYMUX_DATABASE_URL", "PAYMUX_PUBLIC_URL", "PAYMUX_TRUSTED_PROXIES"},
    "worker": {"PAYMUX_DATABASE_URL", "PAYMUX_JOB_CONCURRENCY", "PAYMUX_DELIVERY_TIMEOUT", "PAYMUX_CALLBACK_ALLOW"},
    "sandbox": {"PAYMUX_SANDBOX_PORT", "PAYMUX_SANDBOX_HOLD", "PAYMUX_HOME", "PAYMUX_DATABASE_URL"},
    "db upgrade": {"PAYMUX_DATABASE_URL", "PAYMUX_HOME"},
}


@pytest.mark.parametrize("name", NEEDED)
def test_the_help_of_a_process_explains_every_variable_that_it_reads(name: str) -> None:
    shown = CliRunner().invoke(cli.app, [*name.split(), "--help"])
    assert shown.exit_code == 0
    explained = dict(re.findall(r"^ *(PAYMUX_\w+)  (\S.*\[.+\])$", shown.stdout, re.M))
    assert set(explained) >= NEEDED[name]
    assert "None [" not in shown.stdout


def test_every_variable_stands_in_the_help_of_a_process_that_reads_it() -> None:
    shown = "".join(CliRunner().invoke(cli.app, [name, "--help"]).stdout for name in ("serve", "worker", "sandbox"))
    assert EVERYTHING - set(re.findall(r"^ *(PAYMUX_\w+)  ", shown, re.M)) == set()


def test_the_list_of_commands_says_each_in_a_whole_phrase() -> None:
    cli.add_the_rest()
    for words in (
        [],
        ["review"],
        ["keys"],
        ["merchants"],
        ["channels"],
        ["deliveries"],
        ["provider-accounts"],
        ["logos"],
        ["customers"],
        ["providers"],
    ):
        shown = CliRunner().invoke(cli.app, [*words, "--help"]).stdout.partition("Commands:")[2]
        assert shown
        assert "..." not in shown, words


def test_the_version_is_told() -> None:
    shown = CliRunner().invoke(cli.app, ["--version"])
    assert (shown.exit_code, shown.stdout) == (0, f"paymux {__version__}\n")


def test_every_command_and_option_has_a_help() -> None:
    def walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
        yield path, command
        for name, child in getattr(command, "commands", {}).items():
            if not child.hidden:
                yield from walk(child, f"{path} {name}")

    import typer

    cli.add_the_rest()
    commands = dict(walk(typer.main.get_command(cli.app), "paymux"))
    assert {"paymux providers check", "paymux connectors new", "paymux keys create", "paymux review resolve"} <= set(
        commands
    )
    for path, command in commands.items():
        assert command.help, path
        for parameter in command.params:
            assert parameter.name == "help" or getattr(parameter, "help", None), f"{path} {parameter.name}"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"PAYMUX_PORT": "eighty"}, "PAYMUX_PORT: "),
        ({"PAYMUX_LOG_LEVEL": "loud"}, "PAYMUX_LOG_LEVEL: 'loud' is none of DEBUG, INFO, WARNING and ERROR.\n"),
        (
            {"PAYMUX_KEYS": "{}", "PAYMUX_KEYS_FILE": "keys.json"},
            "PAYMUX_KEYS and PAYMUX_KEYS_FILE can't both be set: ",
        ),
    ],
)
def test_a_wrong_setting_is_one_sentence(settings: dict[str, str], said: str) -> None:
    ended = run(environment_of(**settings), "serve")
    assert ended.code == 1
    assert ended.said.startswith(f"The settings can't be used: {said}")
    assert ended.said.count("\n") == 1


def test_a_key_file_is_made_once(tmp_path: Path) -> None:
    environment, words = environment_of(PAYMUX_HOME=str(tmp_path)), ("keys", "create", tmp_path / "keys.json")
    assert run(environment, *words).code == 0
    kept = (tmp_path / "keys.json").read_bytes()
    again = run(environment, *words)
    assert (again.code, "exists already" in again.said) == (1, True)
    assert (tmp_path / "keys.json").read_bytes() == kept


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_an_installation_of_single_processes_is_ready_with_database_and_worker_only(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "server")
    port, sandbox_port = free_port(), free_port()
    environment = environment_of(
        PAYMUX_HOME=str(tmp_path / "home"), PAYMUX_DATABASE_URL=server.start(), PAYMUX_PORT=str(port),
        PAYMUX_SANDBOX_PORT=str(sandbox_port),
    )  # fmt: skip
    base = f"http://127.0.0.1:{port}"
    try:
        for words in (("db", "upgrade"), ("db", "upgrade"), ("db", "prepare")):
            assert run(environment, *words).code == 0
        with running(environment, tmp_path, "serve", "sandbox") as processes:
            alone = await until(f"{base}/readyz", 503, processes["serve"])
            assert (alone.body["database"], alone.body["worker"]) == (True, False)
            assert (await call("GET", f"{base}/healthz")).status == 200
            taken = run(environment, "serve")
            assert (taken.code, taken.said) == (
                1, f"Port {port} is taken: stop what uses it, or set PAYMUX_PORT to another port.\n",
            )  # fmt: skip
            with running(environment, tmp_path, "worker"):
                await until(f"{base}/readyz", 200)
                await _pay(base)
                url = f"{base}/readyz"
                server.stop()
                gone = await until(url, 503)
                assert gone.body["database"] is False
                assert (await call("GET", f"{base}/healthz")).status == 200
                server.start()
                await until(url, 200)
    finally:
        server.delete()


async def _pay(base: str) -> None:
    form = {
        "client_id": "demo-merchant",
        "client_secret": "demo-secret",
        "grant_type": "client_credentials",
        "scope": "api-user",
    }
    token = (await call("POST", f"{base}/token", data=form)).body["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    created = await call("POST", f"{base}/orders", json=ORDER, headers=headers)
    assert created.status == 201, created.body
    back = await call("POST", created.body["redirectUrl"], data={"outcome": "approve"})
    assert (await call("GET", back.location)).status == 200
    status = await call("GET", f"{base}/orders/{ORDER['orderReference']}", headers=headers)
    assert status.body["status"] == "SUCCESSFUL"


def test_a_taken_port_of_the_sandbox_is_one_sentence(tmp_path: Path, database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        ended = run(
            environment_of(PAYMUX_HOME=str(tmp_path), PAYMUX_DATABASE_URL=database_url, PAYMUX_SANDBOX_PORT=str(port)),
            "sandbox",
        )
    assert ended.code == 1
    assert ended.said == f"Port {port} is taken: stop what uses it, or set PAYMUX_SANDBOX_PORT to another port.\n"


def test_providers_are_listed_for_programs_and_for_people() -> None:
    cli.add_the_rest()
    rows = json.loads(CliRunner().invoke(cli.app, ["providers", "--json"]).stdout)
    by_code = {row["code"]: row for row in rows}
    afterpay, latitude, generic = by_code["AFTERPAY_AU"], by_code["LATITUDEPAY_AU"], by_code["PLANPAY_AU"]
    assert (afterpay["connector"], afterpay["confidence"], afterpay["retired"]) == ("afterpay", "A", None)
    assert "partial_refund" in afterpay["capabilities"]
    assert "charge_token" not in afterpay["capabilities"]
    assert afterpay["sources"]
    assert latitude["retired"]["date"]
    assert (generic["connector"], generic["confidence"], generic["credentials"]) == (
        "generic",
        "unverified",
        ["endpoint", "secret"],
    )
    text = CliRunner().invoke(cli.app, ["providers"]).stdout
    assert re.search(rf"^LATITUDEPAY_AU +latitudepay .*; closed {latitude['retired']['date']}", text, re.M)
    assert f"{len(rows)} codes." in text


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_worker_that_starts_does_what_is_due_though_its_jobs_are_gone_and_plans_the_days_comparison(
    tmp_path: Path, database_url: str, eventually: Eventually
) -> None:
    """As after a restored backup, or a queue that was emptied: timers stand there, and nothing wakes anybody for them."""
    running_here = Installation(tmp_path / "home", database_url)
    await running_here.start()
    try:
        opened = await running_here.merchant.creates("AFTERPAY_AU")
        await running_here.quiet()
        # The only worker goes: what happens from here on is done by the process below.
        running_here._stop.set()
        await running_here._working
        await running_here.advance(2 * 86_400)
        async with running_here.database.transaction() as tx:
            await tx.execute("DELETE FROM pgqueuer")
            assert await tx.fetchval("SELECT count(*) FROM reconciliations") == 0
        settings = running_here.settings
        environment = environment_of(
            PAYMUX_HOME=str(settings.home), PAYMUX_DATABASE_URL=database_url, PAYMUX_PORT=str(settings.port),
            PAYMUX_SANDBOX_PORT=str(settings.sandbox_port),
        )  # fmt: skip
        with running(environment, tmp_path, "worker") as processes:

            async def done() -> bool:
                assert processes["worker"].process.poll() is None, processes["worker"].said
                return bool((await running_here.merchant.status(opened["orderReference"]))["status"] == "CANCELED")

            await eventually(done)

            async def planned() -> bool:
                async with running_here.database.connection() as held:
                    return bool(
                        await held.fetchval(
                            "SELECT EXISTS (SELECT FROM reconciliations WHERE state = 'planned' AND day > now()::date)"
                            " AND EXISTS (SELECT FROM pgqueuer WHERE entrypoint = 'compare' AND status = 'queued')"
                        )
                    )

            await eventually(planned)
    finally:
        await running_here.stop()
