"""What goes by its age goes in batches, however much of it there is, and is told to the audit trail."""

from __future__ import annotations

from datetime import timedelta

import pytest

from paymux.orders import create, retention
from tests.installation import Installation, Merchant


async def test_idempotency_keys_go_with_their_answers_once_their_time_is_over_in_batches(
    installation: Installation, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = merchant.order("PLANPAY_AU")
    for n in range(4):
        made = await merchant.post(
            "/orders", body | {"orderReference": f"KEPT-{n}"}, **{"Idempotency-Key": f"kept-{n}"}
        )
        assert made.status == 201
    async with installation.database.transaction() as tx:
        now = await installation.core.clock.refresh(tx)
        for n, age in enumerate(
            (create.KEY_LIFE + timedelta(seconds=1),) * 3 + (create.KEY_LIFE - timedelta(hours=1),)
        ):
            await tx.execute("UPDATE idempotency_keys SET created_at = $2 WHERE key = $1", f"kept-{n}", now - age)

    monkeypatch.setattr(retention, "BATCH", 2)
    await retention.forget(installation.core)

    async with installation.database.connection() as held:
        left = await held.fetch("SELECT key FROM idempotency_keys WHERE starts_with(key, 'kept-')")
        told = await held.fetch(
            "SELECT actor_kind, detail FROM audit_entries WHERE action = 'idempotency_keys.forgotten' ORDER BY id"
        )
    assert [row["key"] for row in left] == ["kept-3"]
    assert [(row["actor_kind"], row["detail"]["rows"], row["detail"]["older_than_days"]) for row in told] == [
        ("system", 2, 30),
        ("system", 1, 30),
    ]
