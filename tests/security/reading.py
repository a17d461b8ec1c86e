"""Reading all that an installation keeps: what anybody with the database sees, and what its keys open beside that."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

from paymux.orders.sealed_columns import SEALED
from paymux.platform.encryption import Unreadable
from tests.installation import Installation


async def in_clear(installation: Installation) -> dict[str, str]:
    """What anybody with the database sees."""
    async with installation.database.connection() as held:
        return await tables_in_clear(held)


async def tables_in_clear(held: Any) -> dict[str, str]:
    """Every column of every table as text, the job queue's own too: `table: column`. Binary ones also as they are."""
    tables = [row[0] for row in await held.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    found = {}
    for table in tables:
        columns = await held.fetch(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = $1",
            table,
        )
        for name, kind in columns:
            rows = await held.fetch(f'SELECT "{name}"::text AS shown, "{name}" AS part FROM "{table}"')  # noqa: S608
            parts = [row["shown"] or "" for row in rows]
            if kind == "bytea":
                parts += [(row["part"] or b"").decode("latin-1") for row in rows]
            found[f"{table}: {name}"] = "\n".join(parts)
    return found


async def opened(installation: Installation) -> dict[str, str]:
    """Every sealed column as the installation's keys open it; bodies of providers' events decoded."""
    found = {}
    async with installation.database.connection() as held:
        for column in SEALED:
            rows = await held.fetch(
                f"SELECT {column.column} AS sealed FROM {column.table} WHERE {column.column} IS NOT NULL"  # noqa: S608
            )
            texts = [_unsealed(installation, row["sealed"], column.purposes) for row in rows]
            if column.table == "provider_events":
                texts += [base64.b64decode(json.loads(text)["body"]).decode(errors="replace") for text in texts]
            found[f"{column.table}.{column.column}"] = "\n".join(texts)
    return found


def _unsealed(installation: Installation, sealed: bytes, purposes: Iterable[str]) -> str:
    for purpose in purposes:
        try:
            return installation.keyring.unseal(sealed, purpose)
        except Unreadable:
            continue
    raise AssertionError(f"nothing opens what was sealed for {purposes}")


def named_in(places: dict[str, str], words: dict[str, str]) -> list[tuple[str, str]]:
    """Which of these words stand where, whatever their case: (place, the word's name)."""
    lower = {place: text.casefold() for place, text in places.items()}
    return [(place, name) for place, text in lower.items() for name, word in words.items() if _stands(word, text)]


def _stands(word: str, text: str) -> bool:
    forms: set[Any] = {word.casefold(), base64.b64encode(word.encode()).decode().casefold(), word.encode().hex()}
    return any(form in text for form in forms)
