"""`paymux deliveries`: webhooks and what became of them; one that was given up, or all of them, sent once more."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated, Any

import typer

from paymux.accounts import service
from paymux.cli_run import Json, moment, run, show
from paymux.notifications import delivery
from paymux.orders.core import Core
from paymux.orders.customer import ERASED
from paymux.orders.views import instant
from paymux.platform.database import Record

deliveries = typer.Typer(no_args_is_help=True, help="Webhooks to merchants.")
ALL = "all"


@deliveries.command("list", short_help="Webhooks that were given up, or all.")
def listed(
    merchant: Annotated[str, typer.Option(help="Client id or merchant id; none: of every merchant.")] = "",
    state: Annotated[str, typer.Option(help=f"{', '.join(delivery.STATES)} or {ALL}.")] = "exhausted",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most, the newest first.")] = 100,
    json: Json = False,
) -> None:
    """Webhooks, the newest first: those that were given up after their last try, or those of another state."""

    async def found(core: Core) -> list[dict[str, Any]]:
        if state not in (*delivery.STATES, ALL):
            raise ValueError(f"--state must be one of {', '.join(delivery.STATES)} or {ALL}.")
        async with core.database.transaction() as tx:
            owner = (await service.find_merchant(tx, merchant)).id if merchant else None
            rows = await delivery.list_deliveries(tx, owner, None if state == ALL else state, limit)
        return [_row(row) for row in rows]

    show(found, "{delivery}  {merchant}  {orderId}  {event}  {state}  {tries} tries", "deliveries", json)


def _row(row: Record) -> dict[str, Any]:
    return {
        "delivery": row["id"], "merchant": row["merchant_id"], "orderId": row["order_id"], "event": row["event"],
        "sequence": row["sequence"], "state": row["state"], "tries": row["attempts"],
        "nextAt": instant(row["next_at"]) if row["next_at"] else None,
        "deliveredAt": instant(row["delivered_at"]) if row["delivered_at"] else None,
    }  # fmt: skip


@deliveries.command("replay", short_help="Send a webhook once more, or all that were given up.")
def replay(
    merchant: Annotated[str, typer.Option(help="Whose it is: client id or merchant id.")],
    delivery_id: Annotated[
        str,
        typer.Argument(metavar="DELIVERY", help="Its id, as `paymux deliveries list` shows it.", show_default=False),
    ] = "",
    every: Annotated[
        bool, typer.Option("--all", help="All of the merchant's that were given up, the oldest first.")
    ] = False,
    since: Annotated[
        str, typer.Option(help="Of these the ones whose event occurred from then on, e.g. 2026-01-31; none: all.")
    ] = "",
    json: Json = False,
) -> None:
    """Send a webhook once more, with the same id and body, where it was sent before. A worker does it at once.

    When it fails again, one that was given up is given up at once; another goes on in its schedule. With --all it may be
    broken off and repeated: what has been delivered meanwhile is not sent again. Where an erasure took a customer out of the
    address, --all sends nothing, and says of how many; named by its id, one goes to what is left of the address.
    """  # fmt: skip

    async def work(core: Core) -> delivery.Replayed:
        if bool(delivery_id) == every:
            raise ValueError("Name one DELIVERY, or say --all.")
        if since and not every:
            raise ValueError("--since goes with --all.")
        from_then = moment("--since", since)
        async with core.database.transaction() as tx:
            owner = await service.find_merchant(tx, merchant)
            if not every and not await delivery.replay(tx, owner.id, delivery_id):
                raise ValueError(f"{owner.client_id} has no delivery {delivery_id}.")
        if not every:
            return delivery.Replayed(sent=1)
        return await delivery.replay_given_up(core.database, owner.id, ERASED, from_then)

    done = run(work, as_json=json)
    if json:
        typer.echo(
            jsonlib.dumps({"deliveries": done.sent, "erased": done.erased} if every else {"delivery": delivery_id})
        )
        return
    typer.echo(f"{done.sent} deliveries are sent once more." if every else f"{delivery_id} is sent once more.")
    if done.erased:
        typer.echo(f"{done.erased} are not: an erasure took the customer out of their address.")
