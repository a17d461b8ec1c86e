"""Merchants, their secrets and their accounts at providers: made, changed, read. Everything scoped to its merchant (K3)."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from paymux.accounts import store
from paymux.accounts.model import Merchant, NewMerchant, ProviderAccount
from paymux.audit import trail
from paymux.connectors.contract import Account
from paymux.connectors.registry import provider_of
from paymux.money import exact, fits
from paymux.platform import jobs
from paymux.platform.callback_guard import check_callback_url
from paymux.platform.clock import Clock
from paymux.platform.database import Connection, Record, from_json, to_json
from paymux.platform.encryption import KeyRing
from paymux.platform.identifiers import new_id, new_secret
from paymux.platform.settings import Settings

OLD_SECRET_LIFE = timedelta(hours=24)
KINDS = ("client", "payment", "webhook")
ENVIRONMENTS = ("sandbox", "test", "live")
_CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MOST = Decimal(10) ** 15
_LEAST_PRIORITY, _LAST_PRIORITY = 1, 1_000_000
_SEALED_FOR = {"payment": "payment-secret", "webhook": "webhook-secret"}


class AccountFault(ValueError):
    """What was asked of an account can't be: the sentence names the field and the rule."""


async def stamp_mode(tx: Connection, settings: Settings, key: str = "") -> None:
    """Stamp the database with our mode, or refuse the other one (K4); `key` names the key that seals. Raises AccountFault."""
    stamped, first = await store.stamp(tx, str(settings.mode))
    if first:
        await trail.record(tx, "installation.stamped", "installation", mode=stamped, sealed_with=key)
    if stamped != str(settings.mode):
        raise AccountFault(f"This database belongs to a {stamped} installation and refuses mode {settings.mode}.")


def _merchant(row: Record) -> Merchant:
    return Merchant(**dict(row))


async def merchant_by_id(tx: Connection, merchant_id: str) -> Merchant:
    """A merchant that is known to exist."""
    return _merchant(await store.merchant(tx, merchant_id))


async def known_merchant(tx: Connection, merchant_id: str) -> Merchant | None:
    """The merchant of an id, if there is one."""
    row = await store.merchant(tx, merchant_id)
    return _merchant(row) if row else None


async def find_merchant(tx: Connection, name: str) -> Merchant:
    """A merchant by client id or merchant id. Raises AccountFault."""
    row = await store.merchant_by_client(tx, name) or await store.merchant(tx, name)
    if row is None:
        raise AccountFault(f"There is no merchant {name}.")
    return _merchant(row)


async def all_merchants(tx: Connection) -> list[Merchant]:
    """Every merchant, in the order in which they were made."""
    return [_merchant(row) for row in await store.merchants(tx)]


async def merchant_by_client(tx: Connection, client_id: str) -> Merchant | None:
    row = await store.merchant_by_client(tx, client_id)
    return _merchant(row) if row else None


async def create_merchant(
    tx: Connection, keyring: KeyRing, clock: Clock, name: str, *, merchant_id: str | None = None,
    client_id: str | None = None, known: Mapping[str, str] | None = None,
) -> NewMerchant:  # fmt: skip
    """Make a merchant with secrets of his own. Raises AccountFault for a client id that is taken, or a name that can't be."""
    if not name.strip() or not name.isprintable() or len(name) > 200:
        raise AccountFault("The name must be 1 to 200 printable characters.")
    if client_id is not None and not _CLIENT_ID.fullmatch(client_id):
        raise AccountFault("The client id must be 1 to 64 letters, digits, points, hyphens or underscores.")
    merchant_id, client_id = merchant_id or new_id("mer"), client_id or f"cli_{secrets.token_hex(12)}"
    if not await store.insert_merchant(tx, merchant_id, name, client_id, clock.now()):
        raise AccountFault(f"Client id {client_id} is taken.")
    made = {kind: (known or {}).get(kind) or new_merchant_secret(kind) for kind in KINDS}
    for kind, secret in made.items():
        await _add_secret(tx, keyring, merchant_id, kind, secret)
    await trail.record(tx, "merchant.created", merchant_id, merchant_id=merchant_id, client=client_id)
    return NewMerchant(
        merchant=await merchant_by_id(tx, merchant_id), client_secret=made["client"], payment_secret=made["payment"],
        webhook_secret=made["webhook"],
    )  # fmt: skip


def new_merchant_secret(kind: str) -> str:
    """A new secret: client and payment 256 bits URL-safe, webhook as Standard Webhooks writes them."""
    if kind == "webhook":
        return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    return new_secret({"client": "sec", "payment": "pay"}[kind], 256)


async def _add_secret(tx: Connection, keyring: KeyRing, merchant_id: str, kind: str, secret: str) -> None:
    if kind == "client":
        await store.add_secret(tx, new_id("sec"), merchant_id, kind, client_digest(keyring, merchant_id, secret), None)
    else:
        await store.add_secret(tx, new_id("sec"), merchant_id, kind, None, keyring.seal(secret, _SEALED_FOR[kind]))


def client_digest(keyring: KeyRing, merchant_id: str, secret: str) -> str:
    """The keyed hash of a client secret, the only trace of it that is kept (K3)."""
    return keyring.digest(f"client-secret|{merchant_id}|{secret}")


async def rotate(tx: Connection, keyring: KeyRing, merchant_id: str, kind: str) -> str:
    """A new secret of a kind. Raises AccountFault.

    The old client secret goes on for 24 h, so that shops change without an outage, and so does the old webhook secret (W3:
    both sign). The payment secret ends at once: a return carries one hash (R1), so that two could never sign it.
    """
    if kind not in KINDS:
        raise AccountFault(f"The kind must be {', '.join(KINDS[:-1])} or {KINDS[-1]}.")
    await store.lock_merchant(tx, merchant_id)
    await store.end_secrets(tx, merchant_id, kind, timedelta(0) if kind == "payment" else OLD_SECRET_LIFE)
    secret = new_merchant_secret(kind)
    await _add_secret(tx, keyring, merchant_id, kind, secret)
    await trail.record(tx, "merchant.rotated", merchant_id, merchant_id=merchant_id, kind=kind)
    return secret


async def set_merchant(tx: Connection, merchant_id: str, **changes: Any) -> None:
    """Change `redirect_url`, `webhook_url` (None unsets) or `raw_provider_response`."""
    if changes:
        await store.update_merchant(tx, merchant_id, **changes)
        await trail.record(
            tx, "merchant.changed", merchant_id, merchant_id=merchant_id, changed=trail.names_of(changes)
        )


async def client_secret_fits(tx: Connection, keyring: KeyRing, client_id: str, client_secret: str) -> Merchant | None:
    """The merchant of a client id and secret; None when either is wrong, in the same time."""
    # What PostgreSQL can't hold as text is nobody's client id.
    merchant = await merchant_by_client(tx, client_id if client_id.isprintable() else "")
    owner = merchant.id if merchant else ""
    kept = [row["secret_hash"] for row in await store.secrets(tx, owner, "client")]
    digest = client_digest(keyring, owner, client_secret)
    same = [secrets.compare_digest(one, digest) for one in kept or ["0" * len(digest)]]
    return merchant if kept and any(same) else None


async def payment_secret(tx: Connection, keyring: KeyRing, merchant_id: str) -> str:
    """The secret that signs returns (R1)."""
    return keyring.unseal((await store.secrets(tx, merchant_id, "payment"))[0]["secret_sealed"], _SEALED_FOR["payment"])


async def webhook_secrets(tx: Connection, keyring: KeyRing, merchant_id: str) -> list[str]:
    """The secrets that sign webhooks, newest first: two for 24 h after a rotation (W3)."""
    rows = await store.secrets(tx, merchant_id, "webhook")
    return [keyring.unseal(row["secret_sealed"], _SEALED_FOR["webhook"]) for row in rows]


async def add_channel(tx: Connection, merchant_id: str, alias: str, name: str) -> None:
    """Add a channel to a merchant, or give it another name."""
    await store.add_channel(tx, merchant_id, alias, name)
    await trail.record(tx, "channel.added", alias, merchant_id=merchant_id)


channel_exists = store.channel_exists
channels = store.channels
accounts_in_words = store.accounts_in_words


async def set_provider_account(
    tx: Connection, keyring: KeyRing, clock: Clock, settings: Settings, merchant_id: str, code: str, *,
    environment: str, credentials: Mapping[str, str], channel: str = "", min_amount: Decimal | None = None,
    max_amount: Decimal | None = None, priority: int = 100, active: bool = True,
) -> ProviderAccount:  # fmt: skip
    """Make or change a merchant's account at a provider. Raises AccountFault, UnknownCode."""
    provider, code_facts = provider_of(code)
    facts = provider.facts
    wrong = [f"{name} is not a credential of {code}" for name in credentials if name not in facts.credentials]
    wrong += [
        f"{name} is required by {code}"
        for name, fact in facts.credentials.items()
        if fact.required and not credentials.get(name)
    ]
    if (endpoint := credentials.get("endpoint")) and (fault := check_callback_url(settings, endpoint)):
        wrong.append(f"endpoint {fault}")
    wrong += _faulty_limits(min_amount, max_amount, priority)
    if environment not in ENVIRONMENTS:
        wrong.append(f"environment must be {', '.join(ENVIRONMENTS[:-1])} or {ENVIRONMENTS[-1]}")
    if environment == "sandbox" and not settings.sandbox:
        wrong.append("environment sandbox exists in sandbox mode only")
    if environment == "live" and (closed := facts.closed(code_facts)) is not None:
        wrong.append(f"{code} is not offered in live mode: {closed.says}")
    if channel and not await store.channel_exists(tx, merchant_id, channel):
        wrong.append(f"channel {channel} is unknown; make it with: paymux channels add")
    if wrong:
        raise AccountFault("; ".join(wrong))
    row = await store.put_account(
        tx, id=new_id("pac"), merchant_id=merchant_id, channel=channel, code=code, environment=environment,
        credentials_sealed=keyring.seal(to_json(dict(credentials)), "credentials"), event_key=new_secret("pek"),
        min_amount=min_amount, max_amount=max_amount, priority=priority, active=active, created_at=clock.now(),
    )  # fmt: skip
    await trail.record(
        tx, "provider_account.set", row["id"], merchant_id=merchant_id, code=code, channel=channel,
        environment=environment, priority=priority, active=active, min=min_amount, max=max_amount,
        fields=trail.names_of(credentials),
    )  # fmt: skip
    if facts.capabilities.set_up_events and active:
        # A worker registers our event URL there, in its own time.
        await jobs.enqueue(tx, "provider_account", row["id"])
    return _account(keyring, row)


def _faulty_limits(min_amount: Decimal | None, max_amount: Decimal | None, priority: int) -> list[str]:
    wrong = []
    for name, amount in (("min", min_amount), ("max", max_amount)):
        if amount is not None and not (amount.is_finite() and 0 <= amount < _MOST and fits(amount, 4)):
            wrong.append(f"{name} must be an amount from 0 to {_MOST:f} with at most 4 decimals")
    if not wrong and min_amount is not None and max_amount is not None and min_amount > max_amount:
        wrong.append("min must not be above max")
    if not _LEAST_PRIORITY <= priority <= _LAST_PRIORITY:
        wrong.append(f"priority must be from {_LEAST_PRIORITY} to {_LAST_PRIORITY}")
    return wrong


def _account(keyring: KeyRing, row: Record) -> ProviderAccount:
    least, most = row["min_amount"], row["max_amount"]
    return ProviderAccount(
        id=row["id"], merchant_id=row["merchant_id"], channel=row["channel"], code=row["code"],
        environment=row["environment"], event_key=row["event_key"], priority=row["priority"], active=row["active"],
        min_amount=None if least is None else exact(least), max_amount=None if most is None else exact(most),
        credentials=from_json(keyring.unseal(row["credentials_sealed"], "credentials")),
    )  # fmt: skip


async def provider_accounts(tx: Connection, keyring: KeyRing, merchant_id: str, channel: str) -> list[ProviderAccount]:
    """A merchant's provider accounts on a channel; channels inherit nothing."""
    return [_account(keyring, row) for row in await store.accounts(tx, merchant_id, channel)]


async def provider_account(tx: Connection, keyring: KeyRing, merchant_id: str, account_id: str) -> ProviderAccount:
    return _account(keyring, await store.account(tx, merchant_id, account_id))


async def account_for(
    tx: Connection, keyring: KeyRing, merchant_id: str, channel: str, code: str
) -> ProviderAccount | None:
    row = await store.account_for(tx, merchant_id, channel, code)
    return _account(keyring, row) if row else None


async def account_by_event_key(tx: Connection, keyring: KeyRing, event_key: str) -> ProviderAccount | None:
    row = await store.account_by_event_key(tx, event_key)
    return _account(keyring, row) if row else None


async def account_by_id(tx: Connection, keyring: KeyRing, account_id: str) -> ProviderAccount:
    return _account(keyring, await store.account_by_id(tx, account_id))


def event_url(settings: Settings, account: ProviderAccount) -> str:
    """Where the provider sends this account's events."""
    return f"{settings.base_url}/provider-events/{account.event_key}"


def connector_account(settings: Settings, account: ProviderAccount) -> Account:
    """What a connector is given: facts, credentials, and base URLs by the account's environment."""
    provider, code = provider_of(account.code)
    hosts = {}
    for name, host in {**provider.facts.hosts, **code.hosts}.items():
        if account.environment == "sandbox":
            hosts[name] = f"{settings.sandbox_base_url}/{provider.name}" + ("" if name == "api" else f"-{name}")
        else:
            hosts[name] = (host.live if account.environment == "live" else host.test).rstrip("/")
    if provider.name in settings.provider_hosts:
        hosts["api"] = settings.provider_hosts[provider.name].rstrip("/")
    return Account(
        code=code,
        facts=provider.facts.for_code(code),
        credentials=account.credentials,
        hosts=hosts,
        live=account.environment == "live",
    )
