"""The witness's file: one that an older version began is completed when it is opened, whoever opens it beside."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from paymux.sandbox.store import SandboxStore

CONNECT = sqlite3.connect


def begun_by_an_older_version(path: Path) -> Path:
    SandboxStore(path).close()
    with closing(CONNECT(path)) as file:
        file.execute("ALTER TABLE events DROP COLUMN wanted")
    return path


def opened_beside(path: Path, monkeypatch: pytest.MonkeyPatch, beside: str) -> SandboxStore:
    """The witness, of which somebody else runs `beside` after it was seen to lack a column, before that is added."""

    class Slow(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql.startswith("ALTER"):
                with closing(CONNECT(path)) as other:
                    other.execute(beside)
            return super().execute(sql, *values)

    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", lambda *about, **more: CONNECT(*about, **more, factory=Slow))
        return SandboxStore(path)


def test_two_processes_may_open_a_witness_of_an_older_version_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = begun_by_an_older_version(tmp_path / "witness.db")
    added = "ALTER TABLE events ADD COLUMN wanted TEXT NOT NULL DEFAULT ''"
    with closing(opened_beside(path, monkeypatch, added)) as witness:
        now = datetime.now(UTC)
        witness.queue_event(now, "http://127.0.0.1/events", "POST", {}, b"{}", '"ok"')
        assert [event.wanted for event in witness.due_events(now)] == ['"ok"']


def test_a_witness_that_can_not_be_completed_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = begun_by_an_older_version(tmp_path / "witness.db")
    with pytest.raises(sqlite3.OperationalError):
        opened_beside(path, monkeypatch, "DROP TABLE events")
