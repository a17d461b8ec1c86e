"""Writing the audit trail: in the transaction of the change itself, so that neither is ever there without the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paymux.audit import store
from paymux.audit.calls import ProviderCall
from paymux.platform.acting import acting
from paymux.platform.database import Connection
from paymux.platform.logs import redacted


async def record(
    tx: Connection, action: str, subject: str, *, merchant_id: str | None = None, order_id: str | None = None,
    calls: Sequence[ProviderCall] = (), **detail: Any,
) -> None:  # fmt: skip
    """Append what whoever acts now has done to a subject (an id), in the caller's transaction.

    `detail` is redacted by name and by look; it holds ids, kinds and amounts, never a person's data.
    """
    await store.write(tx, acting(), action, subject, merchant_id, order_id, redacted(detail), calls)


async def record_calls(tx: Connection, calls: Sequence[ProviderCall]) -> None:
    """Append calls to a provider after which nothing changed."""
    if calls:
        await store.write(tx, acting(), None, "", None, None, {}, calls)


def names_of(changes: Mapping[str, Any]) -> list[str]:
    """The names of what was changed, for an entry that must not hold the values."""
    return sorted(changes)
