"""All SQL of merchants' own pictures of payment methods."""

from __future__ import annotations

from datetime import datetime

from paymux.platform.database import Connection, Record


async def put(
    tx: Connection, merchant_id: str, code: str, logo_id: str, media_type: str, content: str, now: datetime
) -> None:
    """Keep a picture, in place of the one before; each has an id of its own, for its address may be kept by browsers."""
    await tx.execute(
        "INSERT INTO logos (merchant_id, code, id, media_type, content, set_at) VALUES ($1,$2,$3,$4,$5,$6)"
        " ON CONFLICT (merchant_id, code) DO UPDATE SET id = excluded.id, media_type = excluded.media_type,"
        " content = excluded.content, set_at = excluded.set_at",
        merchant_id, code, logo_id, media_type, content, now,
    )  # fmt: skip


async def remove(tx: Connection, merchant_id: str, code: str) -> bool:
    """Forget a picture; whether there was one."""
    return bool(
        await tx.fetchval("DELETE FROM logos WHERE merchant_id = $1 AND code = $2 RETURNING true", merchant_id, code)
    )


async def of_merchant(tx: Connection, merchant_id: str) -> list[Record]:
    """A merchant's pictures."""
    rows: list[Record] = await tx.fetch(
        "SELECT code, id, media_type, content FROM logos WHERE merchant_id = $1", merchant_id
    )
    return rows


async def by_id(tx: Connection, logo_id: str) -> Record | None:
    """A picture by the id in its public address."""
    return await tx.fetchrow("SELECT code, id, media_type, content FROM logos WHERE id = $1", logo_id)
