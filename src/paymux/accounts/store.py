"""All SQL of merchants, their secrets, channels, provider accounts and signing keys."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from paymux.platform.database import Connection, Record

_MERCHANT = "id, name, client_id, redirect_url, webhook_url, raw_provider_response"


async def stamp(tx: Connection, mode: str) -> tuple[str, bool]:
    """Stamp the database with a mode at its first start; the mode that it has then (K4), and whether this was the first."""
    first = await tx.fetchval("INSERT INTO installation (mode) VALUES ($1) ON CONFLICT DO NOTHING RETURNING true", mode)
    stamped: str = await tx.fetchval("SELECT mode FROM installation")
    return stamped, bool(first)


async def lock_installation(tx: Connection) -> None:
    """Let only one process at a time prepare the installation."""
    await tx.execute("SELECT 1 FROM installation FOR UPDATE")


async def clock_moved(tx: Connection) -> bool:
    return bool(await tx.fetchval("SELECT clock_offset <> interval '0' FROM installation"))


async def merchant(tx: Connection, merchant_id: str) -> Record | None:
    return await tx.fetchrow(f"SELECT {_MERCHANT} FROM merchants WHERE id = $1", merchant_id)  # noqa: S608


async def merchant_by_client(tx: Connection, client_id: str) -> Record | None:
    return await tx.fetchrow(f"SELECT {_MERCHANT} FROM merchants WHERE client_id = $1", client_id)  # noqa: S608


async def merchants(tx: Connection) -> list[Record]:
    """Every merchant, in the order in which they were made."""
    rows: list[Record] = await tx.fetch(f"SELECT {_MERCHANT} FROM merchants ORDER BY id")  # noqa: S608
    return rows


async def lock_merchant(tx: Connection, merchant_id: str) -> None:
    """Let only one change of a merchant's secrets happen at a time."""
    await tx.execute("SELECT 1 FROM merchants WHERE id = $1 FOR UPDATE", merchant_id)


async def insert_merchant(tx: Connection, merchant_id: str, name: str, client_id: str, now: datetime) -> bool:
    return bool(
        await tx.fetchval(
            "INSERT INTO merchants (id, name, client_id, created_at) VALUES ($1,$2,$3,$4) ON CONFLICT DO NOTHING RETURNING true",
            merchant_id,
            name,
            client_id,
            now,
        )
    )


async def update_merchant(tx: Connection, merchant_id: str, **changes: Any) -> None:
    sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(changes, 2))
    await tx.execute(f"UPDATE merchants SET {sets} WHERE id = $1", merchant_id, *changes.values())  # noqa: S608


async def add_secret(
    tx: Connection, secret_id: str, merchant_id: str, kind: str, secret_hash: str | None, secret_sealed: bytes | None
) -> None:
    await tx.execute(
        "INSERT INTO merchant_secrets (id, merchant_id, kind, secret_hash, secret_sealed, created_real)"
        " VALUES ($1,$2,$3,$4,$5, clock_timestamp())",
        secret_id, merchant_id, kind, secret_hash, secret_sealed,
    )  # fmt: skip


async def end_secrets(tx: Connection, merchant_id: str, kind: str, after: timedelta) -> None:
    """Let the present secrets of a kind end after a while."""
    await tx.execute(
        "UPDATE merchant_secrets SET valid_until_real = now() + $3 WHERE merchant_id = $1 AND kind = $2"
        " AND (valid_until_real IS NULL OR valid_until_real > now() + $3)",
        merchant_id, kind, after,
    )  # fmt: skip


async def secrets(tx: Connection, merchant_id: str, kind: str) -> list[Record]:
    """The valid secrets of a kind, newest first."""
    rows: list[Record] = await tx.fetch(
        "SELECT secret_hash, secret_sealed FROM merchant_secrets WHERE merchant_id = $1 AND kind = $2"
        " AND (valid_until_real IS NULL OR valid_until_real > now()) ORDER BY created_real DESC",
        merchant_id, kind,
    )  # fmt: skip
    return rows


async def add_channel(tx: Connection, merchant_id: str, alias: str, name: str) -> None:
    await tx.execute(
        "INSERT INTO channels (merchant_id, alias, name) VALUES ($1,$2,$3)"
        " ON CONFLICT (merchant_id, alias) DO UPDATE SET name = excluded.name",
        merchant_id, alias, name,
    )  # fmt: skip


async def channel_exists(tx: Connection, merchant_id: str, alias: str) -> bool:
    return bool(
        await tx.fetchval("SELECT true FROM channels WHERE merchant_id = $1 AND alias = $2", merchant_id, alias)
    )


async def channels(tx: Connection, merchant_id: str) -> list[Record]:
    rows: list[Record] = await tx.fetch(
        "SELECT alias, name FROM channels WHERE merchant_id = $1 ORDER BY alias", merchant_id
    )
    return rows


async def accounts_in_words(tx: Connection, merchant_id: str) -> list[Record]:
    """What is no secret of a merchant's accounts on all his channels: neither credentials nor the address of events."""
    rows: list[Record] = await tx.fetch(
        "SELECT id, channel, code, environment, min_amount, max_amount, priority, active FROM provider_accounts"
        " WHERE merchant_id = $1 ORDER BY channel, priority, code",
        merchant_id,
    )
    return rows


async def put_account(tx: Connection, **columns: Any) -> Record:
    """Make or change a provider account; its id and event key stay."""
    names = ", ".join(columns)
    places = ", ".join(f"${n}" for n in range(1, len(columns) + 1))
    kept = {"id", "merchant_id", "channel", "code", "event_key", "created_at"}
    sets = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in kept)
    return await tx.fetchrow(
        f"INSERT INTO provider_accounts ({names}) VALUES ({places})"  # noqa: S608
        f" ON CONFLICT (merchant_id, channel, code) DO UPDATE SET {sets} RETURNING *",
        *columns.values(),
    )


async def accounts(tx: Connection, merchant_id: str, channel: str) -> list[Record]:
    rows: list[Record] = await tx.fetch(
        "SELECT * FROM provider_accounts WHERE merchant_id = $1 AND channel = $2", merchant_id, channel
    )
    return rows


async def account(tx: Connection, merchant_id: str, account_id: str) -> Record:
    return await tx.fetchrow(
        "SELECT * FROM provider_accounts WHERE merchant_id = $1 AND id = $2", merchant_id, account_id
    )


async def account_for(tx: Connection, merchant_id: str, channel: str, code: str) -> Record | None:
    return await tx.fetchrow(
        "SELECT * FROM provider_accounts WHERE merchant_id = $1 AND channel = $2 AND code = $3",
        merchant_id,
        channel,
        code,
    )


async def account_by_event_key(tx: Connection, event_key: str) -> Record | None:
    return await tx.fetchrow("SELECT * FROM provider_accounts WHERE event_key = $1", event_key)


async def account_by_id(tx: Connection, account_id: str) -> Record:
    return await tx.fetchrow("SELECT * FROM provider_accounts WHERE id = $1", account_id)


async def has_sandbox_accounts(tx: Connection) -> bool:
    return bool(await tx.fetchval("SELECT EXISTS (SELECT FROM provider_accounts WHERE environment = 'sandbox')"))


async def codes_of(tx: Connection, merchant_id: str) -> set[str]:
    rows = await tx.fetch("SELECT code FROM provider_accounts WHERE merchant_id = $1 AND channel = ''", merchant_id)
    return {row["code"] for row in rows}


async def signing_keys(tx: Connection) -> list[Record]:
    """The signing keys that still verify, the one to sign with first. A retired key goes when its last token has ended.

    That is a day after the last process has noticed, for which an hour is far more than enough.
    """
    rows: list[Record] = await tx.fetch(
        "SELECT * FROM signing_keys WHERE retired_real IS NULL OR retired_real > now() - interval '25 hours'"
        " ORDER BY retired_real DESC NULLS FIRST, created_real DESC"
    )
    return rows


async def add_signing_key(tx: Connection, kid: str, private_sealed: bytes, public_jwk: dict[str, Any]) -> None:
    await tx.execute(
        "INSERT INTO signing_keys (kid, private_sealed, public_jwk) VALUES ($1,$2,$3)", kid, private_sealed, public_jwk
    )


async def retire_signing_keys(tx: Connection) -> None:
    """Sign with none of the present keys any more."""
    await tx.execute("UPDATE signing_keys SET retired_real = now() WHERE retired_real IS NULL")


async def drop_retired_signing_keys(tx: Connection) -> None:
    """Believe nothing any more that a retired key has signed."""
    await tx.execute("DELETE FROM signing_keys WHERE retired_real IS NOT NULL")


async def lock_signing_keys(tx: Connection) -> None:
    """Only one process makes the first key."""
    await tx.execute("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE")
