"""All SQL that goes over sealed columns of whatever table: which key sealed what, and everything under the newest key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paymux.platform.database import Connection, Record
from paymux.platform.encryption import mark_of


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column whose texts are sealed for one of these purposes, and the (text) columns that name a row."""

    table: str
    column: str
    purposes: tuple[str, ...]
    key: tuple[str, ...] = ("id",)


@dataclass(frozen=True, slots=True)
class ClearColumn:
    """A column in which versions before left in clear what `sealed` holds now.

    `text` is the SQL of what is to be sealed, `empty` of what the column holds when nothing is in it.
    """

    table: str
    column: str
    sealed: str
    purpose: str
    text: str
    empty: str = "NULL"


async def sealed_columns(tx: Connection) -> set[tuple[str, str]]:
    """Every (table, column) of the database whose name says that it is sealed."""
    rows = await tx.fetch(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND column_name LIKE '%\\_sealed'"
    )
    return {(row["table_name"], row["column_name"]) for row in rows}


async def keys_in_use(tx: Connection, column: SealedColumn) -> dict[str, int]:
    """How many texts of a column each key has sealed, by the key's name."""
    rows = await tx.fetch(
        f"SELECT convert_from(substring({column.column} FROM 2 FOR get_byte({column.column}, 0)), 'UTF8') AS key,"  # noqa: S608
        f" count(*) AS texts FROM {column.table} WHERE octet_length({column.column}) > 1 GROUP BY 1"
    )
    return {row["key"]: row["texts"] for row in rows}


async def lock_sealed_otherwise(
    tx: Connection, column: SealedColumn, primary: str, after: Sequence[str] | None, limit: int
) -> list[Record]:
    """The next rows, by their key, that another key than `primary` has sealed, locked; those that somebody holds are left out."""
    names, mark = ", ".join(column.key), mark_of(primary)
    later = ", ".join(f"${number}" for number in range(4, 4 + len(column.key)))
    behind = f"AND ({names}) > ({later})" if after else ""
    rows: list[Record] = await tx.fetch(
        f"SELECT {names}, {column.column} AS sealed FROM {column.table} WHERE {column.column} IS NOT NULL"  # noqa: S608
        f" AND substring({column.column} FROM 1 FOR $1) <> $2 {behind} ORDER BY {names} LIMIT $3"
        " FOR NO KEY UPDATE SKIP LOCKED",
        len(mark), mark, limit, *(after or ()),
    )  # fmt: skip
    return rows


async def write_sealed(tx: Connection, column: SealedColumn, rows: Sequence[Record], sealed: Sequence[bytes]) -> None:
    """Write new sealed texts into locked rows."""
    names = ", ".join(column.key)
    arrays = ", ".join(f"${number}::text[]" for number in range(2, 2 + len(column.key)))
    same = " AND ".join(f"t.{name} = new.{name}" for name in column.key)
    await tx.execute(
        f"UPDATE {column.table} t SET {column.column} = new.sealed FROM unnest($1::bytea[], {arrays})"  # noqa: S608
        f" AS new (sealed, {names}) WHERE {same}",
        list(sealed), *([row[name] for row in rows] for name in column.key),
    )  # fmt: skip


async def left_in_clear(tx: Connection, column: ClearColumn) -> int:
    """How many rows hold something in a column that is not written any more."""
    left: int = await tx.fetchval(
        f"SELECT count(*) FROM {column.table} WHERE {column.column} IS DISTINCT FROM {column.empty}"  # noqa: S608
    )
    return left


async def lock_clear(tx: Connection, column: ClearColumn, after: str, limit: int) -> list[Record]:
    """The next rows, by their id, that hold something in clear, locked; those that somebody holds are left out."""
    rows: list[Record] = await tx.fetch(
        f"SELECT id, {column.text} AS clear FROM {column.table} WHERE {column.column} IS DISTINCT FROM {column.empty}"  # noqa: S608
        " AND id > $1 ORDER BY id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED",
        after, limit,
    )  # fmt: skip
    return rows


async def write_sealed_for_clear(
    tx: Connection, column: ClearColumn, rows: Sequence[Record], sealed: Sequence[bytes]
) -> None:
    """Write what locked rows held in clear, sealed, and empty the clear column."""
    await tx.execute(
        f"UPDATE {column.table} t SET {column.sealed} = new.sealed, {column.column} = {column.empty}"  # noqa: S608
        " FROM unnest($1::bytea[], $2::text[]) AS new (sealed, id) WHERE t.id = new.id",
        list(sealed), [row["id"] for row in rows],
    )  # fmt: skip
