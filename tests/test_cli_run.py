"""What holds for every command of `paymux`: its logs are set up before anything can log, and a fault is told in a sentence."""

from __future__ import annotations

import contextvars
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from paymux import cli, processes
from paymux.platform import logs
from paymux.platform.database import DatabaseUnavailable
from paymux.platform.key_file import make_file
from paymux.platform.settings import Settings
from tests.audit.test_every_change import commands
from tests.installation import free_port
from tests.processes import environment_of

APART = {"dev", "providers", "connectors new"}
"""They open nothing: the first only starts the others, which do; the other two look at what is installed."""
BY_THEMSELVES = {"db upgrade", "db prepare", "keys create", "sandbox"}
"""They open a database, and not the rest of an installation, which need not be there yet."""
# Ends as `paymux` does, in an installation that breaks in a way that nobody has foreseen.
_BREAKING = """
from paymux import cli, processes
def opened(settings):
    word = settings.database_url
    raise RuntimeError(f"no way into {word}")
processes.opened = opened
cli.main()
"""


def words_of(name: str, file: Path) -> list[str]:
    """The command with a file's name for all that it demands, and `--json` where it can."""
    command: Any = typer.main.get_command(cli.app)
    words = name.split()
    for word in words:
        command = command.commands[word]
    for param in command.params:
        if param.required:
            words += [str(file)] if param.param_type_name == "argument" else [param.opts[0], str(file)]
        elif "--json" in param.opts:
            words.append("--json")
    return words


@pytest.mark.parametrize("name", sorted(commands() - APART))
def test_a_command_sets_its_logs_up_first_and_tells_a_fault_in_a_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def opened(settings: Settings, wait: float = 0) -> AsyncIterator[None]:
        seen.append("opened")
        raise DatabaseUnavailable("it is away")
        yield

    monkeypatch.setattr(logs, "configure", lambda settings: seen.append("logs"))
    monkeypatch.setattr(processes, "opened", opened)
    make_file(tmp_path / "keys.json")
    file = tmp_path / "file.json"
    if name != "keys create":
        file.write_text("{}")
    environment = {
        "PAYMUX_HOME": str(tmp_path), "PAYMUX_DATABASE_URL": f"postgresql://paymux:hidden@127.0.0.1:{free_port()}/none",
        "PAYMUX_PORT": str(free_port()), "PAYMUX_SANDBOX_PORT": str(free_port()),
    }  # fmt: skip

    ran = contextvars.copy_context().run(CliRunner().invoke, cli.app, words_of(name, file), env=environment)

    assert isinstance(ran.exception, SystemExit | None), ran.exception
    assert seen == (["logs"] if name in BY_THEMSELVES else ["logs", "opened"]), ran.stderr
    assert ran.output
    assert "hidden" not in ran.output
    assert "Traceback" not in ran.output
    if "--json" in words_of(name, file) and ran.stdout:
        json.loads(ran.stdout)


def test_of_a_fault_that_nobody_has_foreseen_it_is_said_where_it_arose_and_nothing_that_was_worked_on(
    tmp_path: Path,
) -> None:
    environment = environment_of(PAYMUX_HOME=str(tmp_path), PAYMUX_DATABASE_URL="postgresql://paymux:hidden@db/paymux")
    for words in (["review", "list", "--json"], ["merchants", "create", "A shop"], ["audit", "A-1"]):
        ran = subprocess.run(
            [sys.executable, "-c", _BREAKING, *words], env=environment, capture_output=True, text=True, check=False
        )
        assert (ran.returncode, ran.stdout) == (1, "")
        assert "in opened" in ran.stderr
        assert ran.stderr.rstrip().endswith("RuntimeError")
        assert "hidden" not in ran.stderr
