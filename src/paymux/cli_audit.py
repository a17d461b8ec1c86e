"""`paymux audit`: the whole story of an order, for whoever has to answer for it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from paymux.cli_faults import FAULTS, sentence
from paymux.orders import story
from paymux.orders.views import instant
from paymux.platform.database import to_json
from paymux.platform.settings import Settings


def audit(
    order: Annotated[str, typer.Argument(help="The merchant's order reference, or the order id.")],
    merchant: Annotated[
        str, typer.Option(help="Client id or merchant id, when several merchants use the reference.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """All that happened to an order and who did it: events, operations, calls to the provider, webhooks, audit entries.

    In time order. Without secrets and personal data: of ids and tokens in a call's path the last four characters.
    """

    async def read() -> story.Story:
        from paymux.processes import opened

        async with opened(Settings()) as core:
            return await story.told(core, order, merchant)

    try:
        found = asyncio.run(read())
    except FAULTS as fault:
        typer.echo(sentence(fault), err=True)
        raise typer.Exit(1) from None
    if json:
        typer.echo(to_json(found.json()))
        return
    now = found.order
    typer.echo(f"{now.reference} ({now.id}) of {found.merchant} at {now.code}: {now.status}, {now.capture_status}")
    for moment in found.moments:
        typer.echo(f"{instant(moment.at)}  {moment.what:14} {moment.text}")
