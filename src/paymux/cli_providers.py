"""`paymux providers`: what there is to pay with, and whether the credentials given for it work."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated, Any

import typer

from paymux.accounts import demo, service
from paymux.accounts.model import ProviderAccount
from paymux.cli_faults import FAULTS, sentence
from paymux.cli_run import Json, with_core
from paymux.connectors.contract import Refused
from paymux.connectors.facts import Capabilities, CodeFacts, ProviderFacts
from paymux.connectors.registry import all_codes, provider_of
from paymux.orders import provider_accounts
from paymux.orders.core import Core
from paymux.platform.http import NotSent, Unclear
from paymux.platform.logs import without_secrets

providers = typer.Typer(help="List all codes; check an account's credentials.")

PASSED, FAILED, UNREACHABLE, NOT_TESTABLE = "passed", "failed", "unreachable", "not testable"
_EXIT = {PASSED: 0, FAILED: 1, UNREACHABLE: 1, NOT_TESTABLE: 2}
# What a person asks about first; the whole list is in the JSON and in docs/providers.md.
_SHORT = {
    "deferred_capture": "capture later", "partial_capture": "partial capture", "void": "void", "refund": "refund",
    "partial_refund": "partial refund", "token": "token", "cancel": "cancel", "check": "check",
}  # fmt: skip


@providers.callback(invoke_without_command=True)
def listed(context: typer.Context, json: Json = False) -> None:
    """Every payment method code: its connector, how sure its facts are (A best), what it can do, whether it has closed."""
    if context.invoked_subcommand is not None:
        return
    rows = [_row(code, provider.facts, facts) for code, (provider, facts) in sorted(all_codes().items())]
    if json:
        typer.echo(jsonlib.dumps(rows, indent=2))
        return
    for row in rows:
        able = ", ".join(word for name, word in _SHORT.items() if name in row["capabilities"])
        closed = f"; {row['retired']['says']}" if row["retired"] else ""
        typer.echo(f"{row['code']:24} {row['connector']:16} {row['confidence']:10} {able}{closed}")
        if row["sources"]:
            typer.echo(f"{'':24} {row['sources'][0]}")
    typer.echo(f"{len(rows)} codes. More of each: paymux providers --json, and docs/providers.md.")


def _row(code: str, provider: ProviderFacts, facts: CodeFacts) -> dict[str, Any]:
    retired = provider.closed(facts)
    return {
        "code": code, "title": facts.title, "connector": provider.name, "confidence": provider.confidence,
        "countries": list(facts.countries), "currencies": list(facts.currencies),
        "minAmount": str(facts.min), "maxAmount": str(facts.max), "requiredFields": list(facts.required),
        "capabilities": [name for name in Capabilities.model_fields if name in provider.able(facts)],
        "events": {"kind": str(provider.events.kind), "setUp": provider.events.set_up},
        "credentials": list(provider.credentials),
        "retired": {**retired.model_dump(), "says": retired.says} if retired else None,
        "unverified": [*provider.unverified, *facts.unverified],
        "missing": facts.missing or None,
        "sources": [source.where for source in provider.sources],
    }  # fmt: skip


@providers.command("check", short_help="Test an account's credentials.")
def check(
    code: Annotated[str, typer.Argument(help="The payment method's code, e.g. KLARNA.")],
    merchant: Annotated[
        str, typer.Option(help="Client id or merchant id; in sandbox mode the demo merchant when not given.")
    ] = "",
    channel: Annotated[str, typer.Option(help="A channel's alias; none: the default channel.")] = "",
    json: Json = False,
) -> None:
    """Test a merchant's credentials at a provider by its cheapest harmless call.

    For a code of the generic contract this tests the service behind the account's `endpoint` against the contract,
    and says in words what is wrong. No money moves. Ends with 0 when it passed, 1 when not, and 2 when the provider
    has no harmless call to test with.
    """
    try:
        shown = with_core(lambda core: checked(core, code, merchant, channel))
    except FAULTS as fault:
        shown = _said(code, FAILED, sentence(fault))
    if json:
        typer.echo(jsonlib.dumps(shown))
    else:
        typer.echo(f"{shown['code']}: {shown['result']}. {shown['said']}", err=shown["result"] != PASSED)
    raise typer.Exit(_EXIT[shown["result"]])


def _said(code: str, result: str, sentence: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "result": result, "said": sentence, **more}


async def checked(core: Core, code: str, merchant: str, channel: str) -> dict[str, Any]:
    """What the check of an account brought, as the command shows it. Raises what `cli_faults` words."""
    provider, _ = provider_of(code)
    if not merchant and not core.settings.sandbox:
        raise service.AccountFault("Say whose account to check: --merchant CLIENT_ID.")
    async with core.database.connection() as held:
        owner = await service.find_merchant(held, merchant or demo.CLIENT_ID)
        account = await service.account_for(held, core.keyring, owner.id, channel, code)
    if account is None:
        place = f"channel {channel}" if channel else "the default channel"
        raise service.AccountFault(
            f"{owner.client_id} has no account of {code} on {place}: make one with `paymux provider-accounts set`."
        )
    about = {"merchant": owner.client_id, "account": account.id, "environment": account.environment}
    if not provider.facts.capabilities.check:
        return _said(code, NOT_TESTABLE, f"{provider.facts.title} has no harmless call to test with.", **about)
    return await _outcome(core, code, account, about)


async def _outcome(core: Core, code: str, account: ProviderAccount, about: dict[str, str]) -> dict[str, Any]:
    try:
        return _said(code, PASSED, _sentence(await provider_accounts.check(core, account)), **about)
    except Refused as no:
        reason = _sentence(without_secrets(no.reason) or "The provider refused")
        return _said(code, FAILED, reason, **about, providerCode=no.code)
    except NotSent as fault:
        return _said(code, UNREACHABLE, f"The provider could not be reached ({fault}).", **about)
    except Unclear as fault:
        return _said(code, FAILED, f"The provider's answer can't be understood ({fault}).", **about)


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
