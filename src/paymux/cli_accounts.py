"""`paymux merchants | channels | provider-accounts | logos`: running it for real before there is a portal."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from paymux.accounts import demo, logos, service
from paymux.accounts.model import Merchant
from paymux.cli_run import Json, run, show, word
from paymux.money import plain
from paymux.orders.core import Core
from paymux.platform.callback_guard import check_callback_url
from paymux.platform.database import Connection, Record

merchants = typer.Typer(no_args_is_help=True, help="Merchants, their secrets and defaults.")
channels = typer.Typer(no_args_is_help=True, help="A merchant's channels.")
provider_accounts = typer.Typer(no_args_is_help=True, help="A merchant's accounts at payment providers.")
own_logos = typer.Typer(no_args_is_help=True, help="A merchant's own logos of payment methods.")

MerchantName = Annotated[str, typer.Argument(help="Client id or merchant id.")]
Code = Annotated[str, typer.Argument(help="The payment method's code, e.g. KLARNA.")]


def _do(work: Callable[[Core, Connection], Awaitable[dict[str, Any]]], as_json: bool) -> None:
    async def done(core: Core) -> dict[str, Any]:
        async with core.database.transaction() as tx:
            return await work(core, tx)

    shown = run(done, as_json=as_json)
    if as_json:
        typer.echo(jsonlib.dumps(shown))
        return
    width = max(16, *map(len, shown))
    for name, value in shown.items():
        typer.echo(f"{name:{width}} {word(value)}".rstrip())


@merchants.command("create")
def create(
    name: Annotated[str, typer.Argument(help="The merchant's name, for people.")],
    client_id: Annotated[str, typer.Option(help="A client id of your choice; made when not given.")] = "",
    json: Json = False,
) -> None:
    """Make a merchant. His secrets are printed once, and never again."""

    async def work(core: Core, tx: Connection) -> dict[str, Any]:
        if client_id == demo.CLIENT_ID and not core.settings.sandbox:
            raise service.AccountFault(f"{client_id} is the demo merchant's: live mode would not start with it.")
        made = await service.create_merchant(tx, core.keyring, core.clock, name, client_id=client_id or None)
        return {
            "merchantId": made.merchant.id, "clientId": made.merchant.client_id, "clientSecret": made.client_secret,
            "paymentSecret": made.payment_secret, "webhookSecret": made.webhook_secret,
        }  # fmt: skip

    _do(work, json)


@merchants.command("rotate")
def rotate(
    merchant: MerchantName,
    kind: Annotated[str, typer.Argument(help="Which: client, payment or webhook.")],
    json: Json = False,
) -> None:
    """Make a new secret. The old client and webhook secrets go on working for 24 hours, the payment secret ends at once."""

    async def work(core: Core, tx: Connection) -> dict[str, Any]:
        found = await service.find_merchant(tx, merchant)
        return {"merchantId": found.id, f"{kind}Secret": await service.rotate(tx, core.keyring, found.id, kind)}

    _do(work, json)


@merchants.command("set")
def change(
    merchant: MerchantName,
    redirect_url: Annotated[str | None, typer.Option(help="Where shoppers go after paying; empty unsets.")] = None,
    webhook_url: Annotated[str | None, typer.Option(help="Where webhooks go; empty unsets.")] = None,
    raw_provider_response: Annotated[
        str | None, typer.Option(help="on or off: the provider's own answer in webhooks.")
    ] = None,
    json: Json = False,
) -> None:
    """Change a merchant's defaults while the server runs."""

    async def work(core: Core, tx: Connection) -> dict[str, Any]:
        found = await service.find_merchant(tx, merchant)
        changes: dict[str, Any] = {}
        for name, url in (("redirect_url", redirect_url), ("webhook_url", webhook_url)):
            if url is not None:
                if url and (fault := check_callback_url(core.settings, url)):
                    raise service.AccountFault(f"--{name.replace('_', '-')} {fault}")
                changes[name] = url or None
        if raw_provider_response is not None:
            if raw_provider_response not in ("on", "off"):
                raise service.AccountFault("--raw-provider-response must be on or off")
            changes["raw_provider_response"] = raw_provider_response == "on"
        await service.set_merchant(tx, found.id, **changes)
        now = await service.merchant_by_id(tx, found.id)
        return {
            "merchantId": now.id, "clientId": now.client_id, "redirectUrl": now.redirect_url, "webhookUrl": now.webhook_url,
            "rawProviderResponse": now.raw_provider_response,
        }  # fmt: skip

    _do(work, json)


@merchants.command("list")
def list_merchants(json: Json = False) -> None:
    """Every merchant with his defaults, and no secret."""

    async def found(core: Core) -> list[dict[str, Any]]:
        async with core.database.connection() as held:
            return [_defaults(merchant) for merchant in await service.all_merchants(held)]

    show(found, "{merchantId}  {clientId}  {name}", "merchants", json)


def _defaults(merchant: Merchant) -> dict[str, Any]:
    return {
        "merchantId": merchant.id, "clientId": merchant.client_id, "name": merchant.name,
        "redirectUrl": merchant.redirect_url, "webhookUrl": merchant.webhook_url,
        "rawProviderResponse": merchant.raw_provider_response,
    }  # fmt: skip


@channels.command("list", short_help="A merchant's channels.")
def list_channels(merchant: MerchantName, json: Json = False) -> None:
    """A merchant's channels. The default one, which has no alias, is not among them."""

    async def found(core: Core) -> list[dict[str, Any]]:
        async with core.database.connection() as held:
            owner = await service.find_merchant(held, merchant)
            return [{"channel": row["alias"], "name": row["name"]} for row in await service.channels(held, owner.id)]

    show(found, "{channel}  {name}", "channels", json)


@channels.command("add", short_help="Add a channel to a merchant.")
def add_channel(
    merchant: MerchantName,
    alias: Annotated[str, typer.Argument(help="The alias that API calls send as `channel`.")],
    name: Annotated[str, typer.Option(help="A name for people.")] = "",
    json: Json = False,
) -> None:
    """Add a channel to a merchant. It offers only the accounts that are set on it."""

    async def work(core: Core, tx: Connection) -> dict[str, Any]:
        if not 1 <= len(alias) <= 64 or not alias.isprintable():
            raise service.AccountFault("alias must be 1 to 64 printable characters")
        found = await service.find_merchant(tx, merchant)
        await service.add_channel(tx, found.id, alias, name or alias)
        return {"merchantId": found.id, "channel": alias}

    _do(work, json)


@provider_accounts.command("set", short_help="Make or change an account at a provider.")
def set_account(
    merchant: MerchantName,
    code: Code,
    environment: Annotated[str, typer.Option(help="test, live, or sandbox (our simulator).")],
    credentials: Annotated[Path, typer.Option(help="A JSON file with the credentials.", exists=True, dir_okay=False)],
    channel: Annotated[str, typer.Option(help="A channel's alias; none: the default channel.")] = "",
    min: Annotated[str, typer.Option(help="Least amount, major units.")] = "",
    max: Annotated[str, typer.Option(help="Greatest amount, major units.")] = "",
    priority: Annotated[int, typer.Option(help="1 is shown first.")] = 100,
    active: Annotated[bool, typer.Option("--active/--inactive", help="Whether it is offered.")] = True,
    json: Json = False,
) -> None:
    """Make or change a merchant's account at a provider."""

    async def work(core: Core, tx: Connection) -> dict[str, Any]:
        given = _credentials(credentials)
        found = await service.find_merchant(tx, merchant)
        account = await service.set_provider_account(
            tx, core.keyring, core.clock, core.settings, found.id, code, environment=environment, credentials=given,
            channel=channel, min_amount=_amount("--min", min), max_amount=_amount("--max", max), priority=priority,
            active=active,
        )  # fmt: skip
        return {
            "account": account.id, "code": account.code, "channel": account.channel, "environment": account.environment,
            "active": account.active, "eventUrl": service.event_url(core.settings, account),
        }  # fmt: skip

    _do(work, json)


@provider_accounts.command("list", short_help="A merchant's accounts, without credentials.")
def list_accounts(merchant: MerchantName, json: Json = False) -> None:
    """A merchant's accounts on all his channels: neither their credentials nor the address of their events."""

    async def found(core: Core) -> list[dict[str, Any]]:
        async with core.database.connection() as held:
            owner = await service.find_merchant(held, merchant)
            return [_account(row) for row in await service.accounts_in_words(held, owner.id)]

    show(found, "{account}  {code}  {environment}  channel: {channel}  active: {active}", "accounts", json)


def _account(row: Record) -> dict[str, Any]:
    least, greatest = (None if row[name] is None else plain(row[name]) for name in ("min_amount", "max_amount"))
    return {
        "account": row["id"], "code": row["code"], "channel": row["channel"], "environment": row["environment"],
        "active": row["active"], "minAmount": least, "maxAmount": greatest, "priority": row["priority"],
    }  # fmt: skip


def _credentials(path: Path) -> dict[str, str]:
    try:
        given = jsonlib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        given = None
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise service.AccountFault(f"{path} must hold one JSON object of texts, a field for each credential.")
    return given


def _amount(name: str, text: str) -> Decimal | None:
    if not text:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        raise service.AccountFault(f"{name} must be an amount") from None


@own_logos.command("set", short_help="Show a logo of the merchant's own.")
def set_logo(
    merchant: MerchantName,
    code: Code,
    file: Annotated[Path, typer.Argument(help="A PNG, JPEG, WebP or SVG picture.", exists=True, dir_okay=False)],
    json: Json = False,
) -> None:
    """Show a picture of the merchant's own for a payment method, in place of the neutral mark."""

    async def work(core: Core, tx: Connection) -> dict[str, Any]:
        found = await service.find_merchant(tx, merchant)
        logo = await logos.put(tx, core.clock, found.id, code, file.read_bytes())
        url = f"{core.settings.base_url}/images/logos/{logo.id}"
        return {"merchantId": found.id, "code": code, "mediaType": logo.media_type, "imageUrl": url}

    _do(work, json)


@own_logos.command("remove")
def remove_logo(merchant: MerchantName, code: Code, json: Json = False) -> None:
    """Show the neutral mark of a payment method again."""

    async def work(core: Core, tx: Connection) -> dict[str, Any]:
        found = await service.find_merchant(tx, merchant)
        await logos.remove(tx, found.id, code)
        return {"merchantId": found.id, "code": code}

    _do(work, json)
