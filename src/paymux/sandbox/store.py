"""The sandbox's own store: SQLite in the installation's home, apart from paymux's database.

It is the witness: what stands in `ledger` moved at the provider, whatever paymux believes. A row is on
disk before the answer that tells of it leaves.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from paymux.platform.database import from_json, to_json

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cases (
  simulator TEXT NOT NULL, id TEXT NOT NULL, reference TEXT NOT NULL, waiting INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (simulator, id));
CREATE INDEX IF NOT EXISTS cases_by_reference ON cases (reference);
CREATE TABLE IF NOT EXISTS names (
  simulator TEXT NOT NULL, name TEXT NOT NULL, case_id TEXT NOT NULL, PRIMARY KEY (simulator, name));
CREATE TABLE IF NOT EXISTS ledger (
  number INTEGER PRIMARY KEY AUTOINCREMENT, provider TEXT NOT NULL, account TEXT NOT NULL, merchant TEXT NOT NULL,
  reference TEXT NOT NULL, provider_reference TEXT NOT NULL, kind TEXT NOT NULL, amount TEXT NOT NULL,
  currency TEXT NOT NULL, at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS ledger_by_reference ON ledger (reference);
CREATE TABLE IF NOT EXISTS answers (
  simulator TEXT NOT NULL, key TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (simulator, key));
CREATE TABLE IF NOT EXISTS notes (simulator TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (simulator, name));
CREATE TABLE IF NOT EXISTS events (
  id INTEGER PRIMARY KEY AUTOINCREMENT, due REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0, url TEXT NOT NULL,
  method TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL);
"""
# What a witness that was begun by an older version lacks: table, column and its kind.
_ADDED = (("events", "wanted", "TEXT NOT NULL DEFAULT ''"),)


@dataclass(slots=True)
class Case:
    """A checkout at a simulator and the payment it became. `data` is whatever the simulator keeps.

    `merchant` and `reference` come from paymux's sandbox label when there was one, else `reference` is
    what the provider was told. `names` are further ids by which the simulator finds the case.
    `waiting` means that a later `settle` may decide it.
    """

    id: str
    amount: Decimal
    currency: str
    reference: str
    merchant: str = ""
    account: str = ""
    title: str = ""
    code: str = ""
    status: str = "created"
    waiting: bool = True
    names: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One movement of money, `amount` in major units. `kind`: authorize, capture, void or refund."""

    kind: str
    amount: Decimal
    provider_reference: str


@dataclass(frozen=True, slots=True)
class QueuedEvent:
    """An event that waits for its delivery: how often it was tried, and the JSON by which its sender knows it was taken."""

    number: int
    tries: int
    url: str
    method: str
    headers: dict[str, str]
    body: bytes
    wanted: str


class SandboxStore:
    """Cases, ledger, idempotent answers and waiting events of all simulators."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        for table, column, kind in _ADDED:
            if not self._has(table, column):
                try:
                    self._db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
                except sqlite3.OperationalError:
                    # Another process opened it at the same time, and was first.
                    if not self._has(table, column):
                        raise

    def _has(self, table: str, column: str) -> bool:
        return column in [row[1] for row in self._db.execute(f"PRAGMA table_info({table})")]

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def save(self, simulator: str, case: Case, rows: tuple[LedgerRow, ...], at: datetime) -> None:
        """Keep a case and what it moved, in one transaction; on disk before this returns when money moved."""
        body = {name: getattr(case, name) for name in Case.__slots__}
        body["amount"] = str(case.amount)
        if rows:
            self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute(
                "INSERT INTO cases VALUES (?,?,?,?,?)"
                " ON CONFLICT (simulator, id) DO UPDATE SET waiting=excluded.waiting, body=excluded.body",
                (simulator, case.id, case.reference, int(case.waiting), to_json(body)),
            )
            for name in case.names:
                self._db.execute("INSERT OR IGNORE INTO names VALUES (?,?,?)", (simulator, name, case.id))
            for row in rows:
                self._db.execute(
                    "INSERT INTO ledger (provider, account, merchant, reference, provider_reference, kind, amount, currency, at)"
                    " VALUES (?,?,?,?,?,?,?,?,?)",
                    (
                        case.code or simulator, case.account, case.merchant, case.reference, row.provider_reference,
                        row.kind, format(row.amount, "f"), case.currency, at.isoformat(),
                    ),
                )  # fmt: skip
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        finally:
            if rows:
                self._db.execute("PRAGMA synchronous=NORMAL")

    def case(self, simulator: str, name: str) -> Case | None:
        """The case with this id, or with this further name."""
        row = self._db.execute(
            "SELECT body FROM cases WHERE simulator=? AND id=?"
            " UNION ALL SELECT c.body FROM names n JOIN cases c ON c.simulator=n.simulator AND c.id=n.case_id"
            " WHERE n.simulator=? AND n.name=? LIMIT 1",
            (simulator, name, simulator, name),
        ).fetchone()
        return _case(row[0]) if row else None

    def waiting(self, reference: str) -> list[tuple[str, Case]]:
        """The undecided cases of a merchant's order reference, newest first, with their simulators."""
        rows = self._db.execute(
            "SELECT simulator, body FROM cases WHERE reference=? AND waiting=1 ORDER BY rowid DESC", (reference,)
        ).fetchall()
        return [(simulator, _case(body)) for simulator, body in rows]

    def cases(self, reference: str) -> list[tuple[str, Case]]:
        """Every case of a merchant's order reference, newest first, with its simulator."""
        rows = self._db.execute(
            "SELECT simulator, body FROM cases WHERE reference=? ORDER BY rowid DESC", (reference,)
        ).fetchall()
        return [(simulator, _case(body)) for simulator, body in rows]

    def ledger(self, reference: str | None, limit: int = 10_000) -> list[dict[str, str]]:
        """The movements of an order reference, or the latest of all, oldest first."""
        where, bound = ("WHERE reference=?", (reference,)) if reference else ("", ())
        rows = self._db.execute(
            "SELECT provider, account, merchant, reference, provider_reference, kind, amount, currency, at"  # noqa: S608
            f" FROM ledger {where} ORDER BY number DESC LIMIT {int(limit)}",
            bound,
        ).fetchall()
        names = (
            "provider",
            "account",
            "merchant",
            "reference",
            "providerReference",
            "kind",
            "amount",
            "currency",
            "at",
        )
        return [dict(zip(names, row, strict=True)) for row in reversed(rows)]

    def answer(self, simulator: str, key: str) -> tuple[int, Any] | None:
        """The answer kept under a provider-side idempotency key."""
        row = self._db.execute(
            "SELECT status, body FROM answers WHERE simulator=? AND key=?", (simulator, key)
        ).fetchone()
        return (row[0], from_json(row[1])) if row else None

    def keep_answer(self, simulator: str, key: str, status: int, body: Any) -> None:
        """Keep an answer under a provider-side idempotency key; the first one stays."""
        self._db.execute("INSERT OR IGNORE INTO answers VALUES (?,?,?,?)", (simulator, key, status, to_json(body)))

    def note(self, simulator: str, name: str) -> Any:
        """Something a simulator keeps besides its cases (a registered webhook, a customer token), or None."""
        row = self._db.execute("SELECT body FROM notes WHERE simulator=? AND name=?", (simulator, name)).fetchone()
        return from_json(row[0]) if row else None

    def keep_note(self, simulator: str, name: str, body: Any) -> None:
        """Keep something besides the cases under a name; the last one stays."""
        self._db.execute("INSERT OR REPLACE INTO notes VALUES (?,?,?)", (simulator, name, to_json(body)))

    def queue_event(
        self, due: datetime, url: str, method: str, headers: dict[str, str], body: bytes, wanted: str = ""
    ) -> None:
        """Queue an event for delivery at `due` (the installation's time). `wanted`: the JSON that shows that it was taken."""
        self._db.execute(
            "INSERT INTO events (due, url, method, headers, body, wanted) VALUES (?,?,?,?,?,?)",
            (due.timestamp(), url, method, to_json(headers), body, wanted),
        )

    def due_events(self, now: datetime) -> list[QueuedEvent]:
        """The events that are due, the longest waiting first."""
        rows = self._db.execute(
            "SELECT id, tries, url, method, headers, body, wanted FROM events WHERE due<=? ORDER BY due, id LIMIT 50",
            (now.timestamp(),),
        ).fetchall()
        return [
            QueuedEvent(number, tries, url, method, from_json(headers), body, wanted)
            for number, tries, url, method, headers, body, wanted in rows
        ]

    def event_delivered(self, number: int) -> None:
        """Forget a delivered event."""
        self._db.execute("DELETE FROM events WHERE id=?", (number,))

    def event_failed(self, number: int, again: datetime | None) -> None:
        """Try an event again at `again`, or give it up."""
        if again is None:
            self.event_delivered(number)
        else:
            self._db.execute("UPDATE events SET tries=tries+1, due=? WHERE id=?", (again.timestamp(), number))


def _case(body: str) -> Case:
    fields = from_json(body)
    fields["amount"], fields["names"] = Decimal(fields["amount"]), tuple(fields["names"])
    return Case(**fields)
