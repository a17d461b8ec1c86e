"""Provider events that are never acted on: forged, unreadable or too large. Kept for inspection, so much and so long (P1).

Whoever floods an event address can store REFUSED_A_DAY times REFUSED_BYTES of an account in a day, for REFUSED_KEPT: about
65 MB in all. Who does not know the address, which is a secret, stores nothing.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from paymux.accounts import service as accounts
from paymux.accounts.model import ProviderAccount
from paymux.audit import trail
from paymux.connectors.contract import Incoming
from paymux.orders import event_store
from paymux.orders.core import Core
from paymux.platform.database import Connection, from_json, to_json
from paymux.platform.encryption import KeyRing
from paymux.platform.identifiers import new_id
from paymux.platform.logs import redacted

log = structlog.get_logger()
SEALED_FOR = "provider-event"
REFUSED_KEPT = timedelta(days=30)
REFUSED_A_DAY = 100
"""Refused events of an account that are kept in a day; those after them are only logged."""
REFUSED_BYTES = 16 * 1024
"""So much of a refused event's body is kept."""
MOST_LISTED = 1_000


def as_kept(event: Incoming) -> dict[str, Any]:
    """An event as it is sealed and stored."""
    return {"method": event.method, "headers": dict(event.headers), "query": dict(event.query), "path": event.path,
            "body": base64.b64encode(event.body).decode()}  # fmt: skip


def emptied(keyring: KeyRing, method: str) -> bytes:
    """What an erasure leaves of an event, sealed: that one came."""
    kept = {"method": method, "headers": {}, "query": {}, "body": "", "erased": True}
    return keyring.seal(to_json(kept), SEALED_FOR)


def event_digest(event: Incoming) -> str:
    """What tells an event that has no name of its own from another."""
    return hashlib.sha256(to_json([event.method, dict(event.query)]).encode() + event.body).hexdigest()


async def keep(
    core: Core, tx: Connection, account: ProviderAccount, event: Incoming, why: str, size: int | None, now: datetime
) -> None:
    """Store a refused event, unless the account has as many of the day as are kept.

    `event` holds what was read of its body, `size` is what its sender says that it has, in bytes. What may be a secret
    in its headers is blanked: a forger's guess may be another's secret.
    """
    if await event_store.refused_since(tx, account.id, now - timedelta(days=1), REFUSED_A_DAY) >= REFUSED_A_DAY:
        log.warning("event.refused_and_not_kept", account=account.id, why=why)
        return
    kept = as_kept(replace(event, body=event.body[:REFUSED_BYTES]))
    kept |= {"headers": redacted(event.headers), "size": size, "digest": hashlib.sha256(event.body).hexdigest()}
    await event_store.insert(
        tx, new_id("pev"), account.id, f"forged:{event_digest(event)}", event.method,
        core.keyring.seal(to_json(kept), SEALED_FOR), "forged", why, now,
    )  # fmt: skip


async def listed(core: Core) -> list[dict[str, Any]]:
    """The latest events that were refused, newest first, without what they say: the operator's list."""
    async with core.database.transaction() as tx:
        rows = await event_store.refused(tx, MOST_LISTED)
    found = []
    for row in rows:
        kept = from_json(core.keyring.unseal(row["request_sealed"], SEALED_FOR))
        found.append({
            "event": row["id"], "merchant": row["merchant_id"], "provider": row["code"], "why": row["fault"],
            "method": row["method"], "bytes": kept.get("size"), "sha256": kept.get("digest"),
            "receivedAt": row["received_at"].isoformat(),
        })  # fmt: skip
    return found


async def shown(core: Core, number: str) -> dict[str, Any]:
    """One stored event as it came, for an operator who has to know; that he looked is told to the audit trail.

    Raises ValueError when there is none.
    """
    async with core.database.transaction() as tx:
        row = await event_store.event(tx, number)
        if row is None:
            raise ValueError(f"There is no event {number}.")
        account = await accounts.account_by_id(tx, core.keyring, row["account_id"])
        await trail.record(tx, "provider_event.shown", number, merchant_id=account.merchant_id)
    kept = from_json(core.keyring.unseal(row["request_sealed"], SEALED_FOR))
    return {
        "event": number, "merchant": account.merchant_id, "provider": account.code, "state": row["state"],
        "why": row["fault"], "receivedAt": row["received_at"].isoformat(), "method": kept["method"],
        "headers": redacted(kept["headers"]), "query": kept["query"], "bytes": kept.get("size"),
        "sha256": kept.get("digest"), "body": base64.b64decode(kept["body"]).decode(errors="replace"),
    }  # fmt: skip
