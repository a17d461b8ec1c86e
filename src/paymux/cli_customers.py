"""`paymux customers`: what a person may ask of the merchants that keep his data."""

from __future__ import annotations

import getpass
import json as jsonlib
from typing import Annotated, Any

import typer

from paymux.accounts import service
from paymux.cli_run import Json, run
from paymux.orders import erasure
from paymux.orders.core import Core

customers = typer.Typer(no_args_is_help=True, help="What is kept of customers.")


@customers.callback()
def _group() -> None:
    """A group, though it holds one command."""


@customers.command("erase", short_help="Erase a customer's personal data.")
def erase(
    email: Annotated[str, typer.Argument(help="The customer's e-mail address: every order that names it.")] = "",
    order: Annotated[str, typer.Option(help="One order's reference instead.")] = "",
    merchant: Annotated[str, typer.Option(help="Client id or merchant id; none: of every merchant.")] = "",
    note: Annotated[str, typer.Option(help="Why: kept with each order. Not the customer's name.")] = "",
    json: Json = False,
) -> None:
    """Erase a customer's personal data: from orders, providers' events, webhooks and kept answers; his payment tokens end.

    What accounting needs stays: references, amounts, dates, items, the country. An order that is not final yet is left
    whole and named; an event that still waits for its order, and the address of a webhook that is yet to be delivered, are
    left and counted. Ends with 1 when any are left, or nothing was found. An erased order is found again, by the same address.
    """

    shown = run(lambda core: _erased(core, email, order, merchant, note), as_json=json)
    if json:
        typer.echo(jsonlib.dumps(shown))
    else:
        _show(shown)
    if shown["left"] or shown["waiting"] or shown["deliveries"] or not (shown["erased"] or shown["events"]):
        raise typer.Exit(1)


async def _erased(core: Core, email: str, order: str, merchant: str, note: str) -> dict[str, Any]:
    if bool(email) == bool(order):
        raise service.AccountFault("Name the customer's e-mail address, or one order by --order.")
    owner = ""
    if merchant:
        async with core.database.connection() as held:
            owner = (await service.find_merchant(held, merchant)).id
    asked = erasure.Asked(email=email, reference=order, merchant_id=owner, by=getpass.getuser(), note=note[:500])
    return await erasure.erase(core, asked)


def _show(shown: dict[str, Any]) -> None:
    erased = f"Erased from {len(shown['erased'])} orders and {shown['events']} provider events"
    typer.echo(f"{erased}; {shown['tokens']} tokens ended.")
    for row in shown["left"]:
        still = f"{row['orderReference']} of {row['merchant']} is {row['status']}"
        typer.echo(f"{still}: erase again when it is final.", err=True)
    if shown["waiting"]:
        typer.echo(
            f"{shown['waiting']} provider events that name him or his order are not decided yet, or have no order yet: "
            "erase again in a day.",
            err=True,
        )
    if shown["deliveries"]:
        typer.echo(
            f"{shown['deliveries']} webhooks wait to be delivered to an address that names him: it goes once they are "
            "delivered or given up. Erase again then.",
            err=True,
        )
