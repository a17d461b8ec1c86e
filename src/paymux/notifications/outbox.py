"""The outbox: an event's body is fixed in the transaction that decides it, with a delivery per endpoint (W1, W2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from paymux.notifications import store
from paymux.platform import jobs
from paymux.platform.database import Connection, to_json
from paymux.platform.encryption import KeyRing
from paymux.platform.identifiers import new_id

SEALED_FOR = "outbox"
TO_CALLBACK = "ORDER_ASYNC_CALLBACK"


async def announce(
    tx: Connection, keyring: KeyRing, *, merchant_id: str, order_id: str, event: str, sequence: int,
    data: Mapping[str, Any], occurred_at: datetime, webhook_url: str | None, callback_url: str | None,
    token_id: str | None = None,
) -> None:  # fmt: skip
    """Write an event and what it takes to deliver it. `callback_url` gets ORDER_ASYNC_CALLBACK only."""
    event_id = new_id("evt")
    await store.insert_event(
        tx, id=event_id, merchant_id=merchant_id, order_id=order_id, event=event, sequence=sequence,
        body_sealed=keyring.seal(to_json({"event": event, "data": dict(data)}), SEALED_FOR), token_id=token_id,
        occurred_at=occurred_at,
    )  # fmt: skip
    for url in dict.fromkeys((webhook_url, callback_url if event == TO_CALLBACK else None)):
        if url is not None:
            delivery_id = new_id("whd")
            await store.insert_delivery(tx, delivery_id, event_id, merchant_id, url, occurred_at)
            await jobs.enqueue(tx, "deliver", delivery_id)
