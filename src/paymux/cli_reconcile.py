"""`paymux reconcile`: our orders beside what their provider says; and the list of those that differ."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated, Any

import typer

from paymux.accounts import service as accounts
from paymux.cli_run import Json, moment, run
from paymux.orders import reconciliation
from paymux.orders.core import Core
from paymux.orders.daily_reconciliation import LOOKS_BACK


def reconcile(
    provider: Annotated[str, typer.Option(help="A connector's name, or a payment method code.")],
    merchant: Annotated[str, typer.Option(help="Only this merchant's orders: client id or merchant id.")] = "",
    since: Annotated[
        str, typer.Option("--from", help="Orders created from then on, e.g. 2026-01-31; none: for 30 days.")
    ] = "",
    until: Annotated[str, typer.Option("--to", help="Orders created before then; none: now.")] = "",
    repair: Annotated[
        bool, typer.Option("--repair", help="Decide on what the provider says, as on any of its answers.")
    ] = False,
    rate: Annotated[float, typer.Option(min=0.1, max=100, help="Calls a second to the provider at most.")] = (
        reconciliation.RATE
    ),
    json: Json = False,
) -> None:
    """Compare orders with their provider's own view, status and amounts, and list what differs.

    The provider is asked order by order. What is still on its way is no difference. Ends with 1 when something differs
    in the end, or an order could not be asked about.
    """
    found, counts = run(lambda core: _compared(core, provider, merchant, (since, until), repair, rate), as_json=json)
    if json:
        typer.echo(jsonlib.dumps({**counts, "orders": found}, indent=2))
    else:
        for row in found:
            _show(row)
        typer.echo(
            f"{counts['asked']} orders compared, {counts['differing']} differ, {counts['repaired']} repaired, "
            f"{counts['unanswered']} without an answer."
        )
    if counts["differing"] or counts["unanswered"]:
        raise typer.Exit(1)


async def _compared(
    core: Core, provider: str, merchant: str, span: tuple[str, str], repair: bool, rate: float
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    name, owner = reconciliation.connector_named(provider), None
    async with core.database.transaction() as tx:
        now = await core.clock.refresh(tx)
        if merchant:
            owner = (await accounts.find_merchant(tx, merchant)).id
    until = moment("--to", span[1]) or now
    asked = reconciliation.Asked(name, moment("--from", span[0]) or until - LOOKS_BACK, until, owner)
    counts = {"asked": 0, "differing": 0, "repaired": 0, "unanswered": 0}
    found = []
    async for seen in reconciliation.reconcile(core, asked, repair=repair, pace=reconciliation.Pace(rate)):
        counts["asked"] += 1
        counts["differing"] += bool(seen.differences)
        counts["repaired"] += bool(seen.repaired)
        counts["unanswered"] += not seen.answered
        if seen.differences or seen.repaired or not seen.answered:
            found.append(seen.json())
    return found, counts


def _show(row: dict[str, Any]) -> None:
    head = f"{row['merchant']}  {row['orderReference']}  {row['provider']}  {row['status']}"
    if not row["answered"]:
        typer.echo(f"{head}  no answer")
    for kind, end in (("differences", ""), ("repaired", "  repaired")):
        for one in row[kind]:
            typer.echo(f"{head}  {one['what']}: {one['ours']} here, {one['theirs']} there{end}")


def differences(json: Json = False) -> None:
    """Orders that differed from their provider's own view when they were last compared (`paymux reconcile`, or daily)."""
    rows = run(reconciliation.listed, as_json=json)
    if json:
        typer.echo(jsonlib.dumps(rows, indent=2))
        return
    for row in rows:
        _show({**row, "answered": True, "repaired": []})
    typer.echo(f"{len(rows)} differ.")
