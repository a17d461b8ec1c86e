"""What is said of a database that can't be opened: enough to mend it, and nothing of its password."""

from __future__ import annotations

import asyncpg
import pytest

from paymux.platform.database import Database, DatabaseUnavailable
from paymux.platform.migrations import upgrade


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://paymux:let/mein@127.0.0.1:1/paymux", "postgresql://paymux:let#mein@127.0.0.1:1/paymux",
        "postgresql://paymux:let?mein@127.0.0.1:1/paymux", "postgresql://paymux:let[mein@127.0.0.1:1/paymux",
        "postgresql://paymux:letmein@127.0.0.1:1/paymux", "paymux:letmein@127.0.0.1/paymux",
        "postgresql://paymux:let@mein@127.0.0.1:1/paymux", "postgresql://paymux:let@mein@127.0.0.1:1,127.0.0.1:2/paymux",
        "postgresql://paymux:1/letmein@127.0.0.1:1,127.0.0.1:2/paymux", "postgresql://a,letmein#@127.0.0.1:1/paymux",
    ],
)  # fmt: skip
async def test_a_database_that_can_not_be_opened_is_told_without_any_part_of_its_password(url: str) -> None:
    for opens in (Database.connect(url, 2), upgrade(url)):
        with pytest.raises((DatabaseUnavailable, OSError, asyncpg.InterfaceError)) as told:
            await opens
        assert "let" not in str(told.value)
        assert "mein" not in str(told.value)
