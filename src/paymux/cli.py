"""The command `paymux`: run an installation or its pieces, and see to its merchants."""

from __future__ import annotations

import asyncio
import json as jsonlib
from collections.abc import Coroutine
from typing import Annotated, Any

import typer

from paymux.platform.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="paymux: one API for every payment method.")
db = typer.Typer(no_args_is_help=True, help="The database.")
review = typer.Typer(no_args_is_help=True, help="What needs a person.")
app.add_typer(db, name="db")
app.add_typer(review, name="review")


def _run(work: Coroutine[Any, Any, None]) -> None:
    import uvloop

    uvloop.run(work)


def _settings() -> Settings:
    from paymux.platform import logs

    settings = Settings()
    logs.configure(settings)
    return settings


@app.command()
def dev() -> None:
    """Start everything: database, API, worker, sandbox and a demo merchant. Ctrl-C stops it all; the data stays."""
    from paymux.supervisor import run_dev

    raise typer.Exit(run_dev(Settings()))


@app.command()
def serve() -> None:
    """Run the API on PAYMUX_HOST:PAYMUX_PORT. Needs PAYMUX_DATABASE_URL or a running `paymux dev`."""
    from paymux import processes

    _run(processes.serve(_settings()))


@app.command()
def worker() -> None:
    """Run the worker: webhooks, polls, deadlines, provider events. Start as many as you like."""
    from paymux import processes

    _run(processes.work(_settings()))


@app.command()
def sandbox() -> None:
    """Run the sandbox with every simulator on PAYMUX_SANDBOX_PORT. Sandbox mode only."""
    from paymux import processes

    _run(processes.play(_settings()))


@db.command("upgrade")
def upgrade() -> None:
    """Bring the database to this version's schema. Safe to run twice and from several machines at once."""
    from paymux.platform.migrations import upgrade as run_upgrade
    from paymux.platform.running import database_url

    typer.echo(f"The database is at {asyncio.run(run_upgrade(database_url(Settings())))}.")


@db.command("prepare", hidden=True)
def prepare() -> None:
    """Upgrade, and seed the demo merchant in sandbox mode: what `paymux dev` does before it starts the rest."""
    from paymux.supervisor import prepare as run_prepare

    _run(run_prepare(_settings()))


@review.command("list")
def review_list(json: Annotated[bool, typer.Option(help="Machine-readable.")] = False) -> None:
    """Orders that software alone can't settle, and why."""
    from paymux.orders import review as reviewing
    from paymux.processes import opened

    async def show() -> None:
        async with opened(Settings()) as core:
            rows = await reviewing.listed(core)
        if json:
            typer.echo(jsonlib.dumps(rows, indent=2))
            return
        for row in rows:
            typer.echo(f"{row['merchant']}  {row['orderReference']}  {row['status']}  {row['reason']}")
        typer.echo(f"{len(rows)} to review.")

    _run(show())


@review.command("resolve")
def review_resolve(
    reference: Annotated[str, typer.Argument(help="The merchant's order reference.")],
    as_: Annotated[str, typer.Option("--as", help="succeeded or failed: what the provider says happened.")],
    note: Annotated[str, typer.Option(help="Who looked it up, and where.")],
    merchant: Annotated[
        str, typer.Option(help="Client id or merchant id, when several merchants use the reference.")
    ] = "",
    json: Annotated[bool, typer.Option(help="Machine-readable.")] = False,
) -> None:
    """Settle what an order is waiting for, through the same decision as a live answer."""
    from paymux.orders import review as reviewing
    from paymux.processes import opened

    async def settle() -> None:
        async with opened(Settings()) as core:
            row = await reviewing.resolve(core, reference, as_, note, merchant)
        typer.echo(jsonlib.dumps(row, indent=2) if json else f"{row['orderReference']} is {row['status']}.")

    try:
        _run(settle())
    except ValueError as fault:
        typer.echo(str(fault), err=True)
        raise typer.Exit(1) from None


def _add_accounts() -> None:
    from paymux import cli_accounts

    for name in ("merchants", "channels", "provider_accounts"):
        app.add_typer(getattr(cli_accounts, name), name=name.replace("_", "-"))


def main() -> None:
    """The entry point."""
    _add_accounts()
    app()
