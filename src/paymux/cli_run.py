"""How every command runs: settings read, logs set up, its means opened and closed, and what went wrong said in a sentence."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from paymux.platform.settings import Settings

if TYPE_CHECKING:
    from paymux.orders.core import Core

T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


def run(work: Callable[[Core], Awaitable[T]], *, as_json: bool = False) -> T:
    """What a command's work brings, done with the installation's means; a fault is told as `told` does."""
    return told(lambda: with_core(work), as_json=as_json)


def show(found: Callable[[Core], Awaitable[list[dict[str, Any]]]], line: str, total: str, as_json: bool) -> None:
    """Show rows, each as `line` says with their fields' names, and how many there are; or all of them as JSON."""
    rows = run(found, as_json=as_json)
    if as_json:
        typer.echo(jsonlib.dumps(rows, indent=2))
        return
    for row in rows:
        typer.echo(line.format_map({name: word(value) for name, value in row.items()}))
    typer.echo(f"{len(rows)} {total}.")


def word(value: Any) -> str:
    """As a person says it: yes, no, none."""
    if value is None or value == "":
        return "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def told(work: Callable[[], T], *, as_json: bool = False) -> T:
    """What the work brings. What an operator can mend is one sentence on standard error, and exit code 1.

    `as_json`: the sentence as an object with the field `error`.
    """
    from paymux.cli_faults import FAULTS, sentence

    try:
        return work()
    except FAULTS as fault:
        message = sentence(fault)
        typer.echo(jsonlib.dumps({"error": message}) if as_json else message, err=True)
        raise typer.Exit(1) from None


def moment(option: str, text: str) -> datetime | None:
    """What an option says of a time, in UTC where it names no zone; None for an empty one. Raises ValueError."""
    if not text:
        return None
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{option} must be a date or a time in ISO 8601, such as 2026-01-31.") from None
    return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)


def with_core(work: Callable[[Core], Awaitable[T]]) -> T:
    """What the work brings, with the installation's means open meanwhile. Raises what `cli_faults` words."""
    from paymux.processes import opened

    async def opening(settings: Settings) -> T:
        async with opened(settings) as core:
            return await work(core)

    return with_settings(opening)


def with_settings(work: Callable[[Settings], Coroutine[Any, Any, T]]) -> T:
    """What the work brings, in an event loop of its own, its logs as the settings want them. Raises as `with_core` does."""
    import uvloop

    from paymux.platform import logs

    settings = Settings()
    logs.configure(settings)
    return uvloop.run(work(settings))
