"""What one `POST /orders` really asks of PostgreSQL, read from the database's own log, as a script for pgbench.

The script keeps every statement, every transaction and every value as they came. Only what must differ from order to
order (the ids and tokens that were made up for it) gets a number of pgbench's own behind it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

# The application's name, then what it did; continuation lines begin with a tab.
_PREFIX = "<%a> "
_LINE = re.compile(r"^<(?P<who>[^>]*)> (?P<kind>LOG|DETAIL):  (?P<text>.*)", re.S)
_EXECUTE = re.compile(r"^(?:execute [^:]*|statement): (?P<sql>.*)", re.S)
_PARAMETER = re.compile(r"\$(\d+) = (NULL|'(?:[^']|'')*')")
_SETTINGS = {"log_statement": "'all'", "log_line_prefix": f"'{_PREFIX}'"}
_NUMBER = ":n"
_RELOAD = "SELECT pg_reload_conf()"
_RELOADED_AFTER = 0.5


@dataclass
class Statement:
    """A statement and its parameters as literals (`NULL`, or quoted)."""

    sql: str
    parameters: list[str] = field(default_factory=list)


def captured(url: str, log: Path, who: str, act: Callable[[], None]) -> list[Statement]:
    """What the process named `who` asked of the database during `act`."""
    _ask(url, *(f"ALTER SYSTEM SET {name} = {value}" for name, value in _SETTINGS.items()), _RELOAD)
    time.sleep(_RELOADED_AFTER)
    before = log.stat().st_size
    act()
    _ask(url, *(f"ALTER SYSTEM RESET {name}" for name in _SETTINGS), _RELOAD)
    time.sleep(_RELOADED_AFTER)
    with log.open("rb") as said:
        said.seek(before)
        return read(said.read().decode(errors="replace"), who)


def _ask(url: str, *statements: str) -> None:
    async def ask() -> None:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(ask())


def read(text: str, who: str) -> list[Statement]:
    """The statements of `who` in a log."""
    found: list[Statement] = []
    mine = False
    for entry in re.split(r"\n(?!\t)", text):
        line = _LINE.match(entry.replace("\n\t", "\n"))
        if line is None:
            continue
        if line["kind"] == "LOG":
            said = _EXECUTE.match(line["text"])
            mine = line["who"] == who and said is not None
            if mine and said is not None:
                found.append(Statement(said["sql"].strip().rstrip(";")))
        elif mine and found and line["text"].lower().startswith("parameters: "):
            found[-1].parameters = [value for _, value in _PARAMETER.findall(line["text"])]
    return found


def transactions(statements: list[Statement]) -> int:
    """How many transactions these are: a statement outside of BEGIN and COMMIT is one of its own."""
    number, inside = 0, False
    for statement in statements:
        word = statement.sql.split(None, 1)[0].rstrip(";").upper()
        if word == "BEGIN":
            inside = True
        elif not inside or word in ("COMMIT", "ROLLBACK"):
            number, inside = number + 1, False
    return number


def script(url: str, one: list[Statement], other: list[Statement]) -> str:
    """A pgbench script that does what two captured orders had in common. Raises RuntimeError when they differ."""
    if [statement.sql for statement in one] != [statement.sql for statement in other]:
        raise RuntimeError("two orders asked different things of the database")
    pairs = [pair for a, b in zip(one, other, strict=True) for pair in zip(a.parameters, b.parameters, strict=True)]
    made_up = {mine for mine, others in pairs if mine != others}
    lines = [rf"\set {_NUMBER[1:]} random(1, 4611686018427387904)"]
    for statement, types in zip(one, asyncio.run(_types(url, one)), strict=True):
        lines.append(_filled(statement, types, made_up) + ";")
    return "\n".join(lines) + "\n"


async def _types(url: str, statements: list[Statement]) -> list[list[str]]:
    connection = await asyncpg.connect(url)
    try:
        return [
            [kind.name for kind in (await connection.prepare(statement.sql)).get_parameters()]
            if statement.parameters
            else []
            for statement in statements
        ]
    finally:
        await connection.close()


def _filled(statement: Statement, types: list[str], made_up: set[str]) -> str:
    def value(found: re.Match[str]) -> str:
        literal, kind = statement.parameters[int(found[1]) - 1], types[int(found[1]) - 1]
        if literal in made_up and kind == "text":
            return f"({_quoted(literal)} || {_NUMBER}::text)"
        if literal in made_up and kind == "text[]":
            return f"array(SELECT each || {_NUMBER}::text FROM unnest({_quoted(literal)}::text[]) AS each)"  # noqa: S608
        return f"{_quoted(literal)}::{_cast(kind)}"

    sql = re.sub(r"--[^\n]*", "", statement.sql)
    return re.sub(r"\s+", " ", re.sub(r"\$(\d+)", value, sql)).strip()


def _quoted(literal: str) -> str:
    # pgbench takes a colon and a letter for a variable of its own, within quotes, too.
    if literal == "NULL":
        return literal
    return "E" + literal.replace("\\", "\\\\").replace(":", "\\x3a")


def _cast(kind: str) -> str:
    return kind if not kind.startswith("_") else f"{kind[1:]}[]"
