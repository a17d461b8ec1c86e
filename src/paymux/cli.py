"""The command `paymux`: run an installation or its pieces, and see to its merchants."""

from __future__ import annotations

import json as jsonlib
import sys
from typing import Annotated

import typer

from paymux import __version__
from paymux.cli_run import Json, run, show, told, with_settings
from paymux.platform.settings import Settings, described

_PLACE = ("mode", "database_url", "home", "keys_file", "keys", "allow_embedded", "public_url")
_LOGS = ("log_level", "log_format")
_CALLS = ("provider_connect_timeout", "provider_timeout", "provider_calls", "provider_failures", "provider_pause",
          "provider_hosts", "sandbox_port", "sandbox_url")  # fmt: skip
_SERVE = ("host", "port", "trusted_proxies", *_PLACE, "max_requests", "body_timeout", "write_rate", "token_rate", *_CALLS,
          "callback_allow", "database_pool", "database_wait", "lease", "race_wait", "shutdown_grace", "crash_points",
          *_LOGS)  # fmt: skip
_WORKER = (*_PLACE, "host", "port", *_CALLS, "callback_allow", "database_pool", "job_concurrency", "delivery_timeout",
           "lease", "race_wait", "call_log_days", "shutdown_grace", "crash_points", *_LOGS)  # fmt: skip
_SANDBOX = (
    "host",
    "sandbox_port",
    "sandbox_url",
    "mode",
    "database_url",
    "home",
    "sandbox_hold",
    "sandbox_slow",
    *_LOGS,
)


def _environment(names: tuple[str, ...]) -> str:
    """The part of a command's help about the environment variables that it reads."""
    rows = "\n\n".join(f"\b\n{line}" for line in described(names))
    return f"Environment (there are no options; docs/operate.md explains each):\n\n{rows}"


app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, help="paymux: one API for every payment method."
)
db = typer.Typer(no_args_is_help=True, help="Bring the database to this version's schema.")
review = typer.Typer(no_args_is_help=True, help="What needs a person.")
app.add_typer(db, name="db")
app.add_typer(review, name="review")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"paymux {__version__}")
        raise typer.Exit


@app.callback()
def _begin(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    from paymux.platform.acting import acting_as, operator

    acting_as(operator())


@app.command(epilog=_environment(tuple(Settings.model_fields)), short_help="Everything at once, on this machine.")
def dev() -> None:
    """Start everything: database, API, worker, sandbox and a demo merchant. Ctrl-C stops it all; the data stays.

    In live mode: database (see PAYMUX_ALLOW_EMBEDDED), API and worker, and nothing of the sandbox.
    """
    from paymux.supervisor import run_dev

    raise typer.Exit(run_dev(told(Settings)))


@app.command(epilog=_environment(_SERVE), short_help="Run the API.")
def serve() -> None:
    """Run the API on PAYMUX_HOST:PAYMUX_PORT. Needs PAYMUX_DATABASE_URL or a running `paymux dev`.

    Start as many as you like. SIGTERM ends it: no new requests, running ones get PAYMUX_SHUTDOWN_GRACE seconds.
    """
    from paymux import processes

    told(lambda: with_settings(processes.serve))


@app.command(epilog=_environment(_WORKER), short_help="Run the worker: webhooks, polls, deadlines.")
def worker() -> None:
    """Run the worker: webhooks, polls, deadlines, provider events. Start as many as you like.

    SIGTERM ends it: running jobs get PAYMUX_SHUTDOWN_GRACE seconds, the rest is for another worker or the next start.
    """
    from paymux import processes

    told(lambda: with_settings(processes.work))


@app.command(epilog=_environment(_SANDBOX), short_help="Run every provider's simulator.")
def sandbox() -> None:
    """Run the sandbox with every provider's simulator on PAYMUX_SANDBOX_PORT. Sandbox mode only."""
    from paymux import processes

    told(lambda: with_settings(processes.play))


@db.command("upgrade", epilog=_environment(("database_url", "home")))
def upgrade() -> None:
    """Bring the database to this version's schema. Safe to run twice and from several machines at once."""
    from paymux.platform.migrations import upgrade as run_upgrade
    from paymux.platform.running import database_url

    reached = told(lambda: with_settings(lambda settings: run_upgrade(database_url(settings))))
    typer.echo(f"The database is at {reached}.")


@db.command("prepare", hidden=True)
def prepare() -> None:
    """Upgrade, and seed the demo merchant in sandbox mode: what `paymux dev` does before it starts the rest."""
    from paymux.supervisor import prepare as run_prepare

    told(lambda: with_settings(run_prepare))


@review.command("list")
def review_list(json: Json = False) -> None:
    """Orders that software alone can't settle, and why."""
    from paymux.orders import review as reviewing

    show(reviewing.listed, "{merchant}  {orderReference}  {status}  {reason}", "to review", json)


@review.command("events", short_help="Provider events that fitted no order for a day.")
def review_events(json: Json = False) -> None:
    """Provider events that fitted no order for a day: payments, perhaps, that nobody here opened."""
    from paymux.orders import provider_events

    line = "{receivedAt}  {merchant}  {provider}  {event}  {providerEvent}"
    show(provider_events.given_up, line, "that fit no order", json)


@review.command("refused", short_help="Provider events that were refused.")
def review_refused(json: Json = False) -> None:
    """Provider events that were refused: forged, unreadable or too large. Kept for 30 days, a hundred a day per account."""
    from paymux.orders import refused_events

    line = "{receivedAt}  {merchant}  {provider}  {event}  {bytes} bytes  {why}"
    show(refused_events.listed, line, "refused", json)


@review.command("event", short_help="One provider event as it came.")
def review_event(event: Annotated[str, typer.Argument(help="Its id, pev_…, as the lists show it.")]) -> None:
    """One provider event as it came, personal data and all; the audit trail tells that you looked. Headers are redacted."""
    from paymux.orders import refused_events
    from paymux.platform.database import to_json

    typer.echo(to_json(run(lambda core: refused_events.shown(core, event))))


@review.command("resolve", short_help="Settle what an order is waiting for.")
def review_resolve(
    reference: Annotated[str, typer.Argument(help="The merchant's order reference.")],
    as_: Annotated[str, typer.Option("--as", help="succeeded or failed: what the provider says happened.")],
    note: Annotated[str, typer.Option(help="Who looked it up, and where.")],
    merchant: Annotated[
        str, typer.Option(help="Client id or merchant id, when several merchants use the reference.")
    ] = "",
    operation: Annotated[str, typer.Option(help="The operation that is meant, as refund/R-1, when several wait.")] = "",
    payment: Annotated[
        str,
        typer.Option(
            help="The provider's id of a payment whose answer never came: later captures and refunds need it."
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Settle what an order is waiting for, through the same decision as a live answer."""
    from paymux.orders import review as reviewing

    row = run(lambda core: reviewing.resolve(core, reference, as_, note, merchant, operation, payment), as_json=json)
    typer.echo(jsonlib.dumps(row, indent=2) if json else f"{row['orderReference']} is {row['status']}.")


def main() -> None:
    """The entry point. Of an unforeseen fault it is said where it arose, without its words: they quote what was worked on."""
    if sys.argv[1:] != ["dev"]:  # which only watches, and starts in half the time without them
        add_the_rest()
    try:
        app(prog_name="paymux")
    except Exception as fault:
        from paymux.platform import logs

        typer.echo(logs.told((type(fault), fault, fault.__traceback__)), err=True)
        sys.exit(1)


def add_the_rest() -> None:
    """Add the commands about merchants and connectors, whose modules the others need not load."""
    from paymux import (
        cli_accounts,
        cli_audit,
        cli_connectors,
        cli_customers,
        cli_deliveries,
        cli_keys,
        cli_providers,
        cli_reconcile,
    )

    for name in ("merchants", "channels", "provider_accounts"):
        app.add_typer(getattr(cli_accounts, name), name=name.replace("_", "-"))
    app.add_typer(cli_accounts.own_logos, name="logos")
    app.add_typer(cli_keys.keys, name="keys")
    app.add_typer(cli_customers.customers, name="customers")
    app.add_typer(cli_deliveries.deliveries, name="deliveries")
    app.add_typer(cli_providers.providers, name="providers")
    app.add_typer(cli_connectors.connectors, name="connectors")
    app.command("audit", short_help="An order's whole story.")(cli_audit.audit)
    app.command("reconcile", short_help="Compare orders with the provider's own view.")(cli_reconcile.reconcile)
    differing = "Orders that differed from the provider's own view."
    review.command("differences", short_help=differing)(cli_reconcile.differences)
