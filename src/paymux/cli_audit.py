"""`paymux audit`: the whole story of an order, for whoever has to answer for it."""

from __future__ import annotations

from typing import Annotated

import typer

from paymux.cli_run import Json, run
from paymux.orders import story
from paymux.orders.views import instant
from paymux.platform.database import to_json


def audit(
    order: Annotated[str, typer.Argument(help="The merchant's order reference, or the order id.")],
    merchant: Annotated[
        str, typer.Option(help="Client id or merchant id, when several merchants use the reference.")
    ] = "",
    json: Json = False,
) -> None:
    """All that happened to an order and who did it: events, operations, calls to the provider, webhooks, audit entries.

    In time order. Without secrets and personal data: of ids and tokens in a call's path the last four characters.
    """

    found = run(lambda core: story.told(core, order, merchant), as_json=json)
    if json:
        typer.echo(to_json(found.json()))
        return
    now = found.order
    typer.echo(f"{now.reference} ({now.id}) of {found.merchant} at {now.code}: {now.status}, {now.capture_status}")
    for moment in found.moments:
        typer.echo(f"{instant(moment.at)}  {moment.what:14} {moment.text}")
