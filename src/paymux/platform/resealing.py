"""Everything sealed with an old key is sealed anew, and what older versions left in clear is sealed, in batches, while the
installation works on.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from paymux.platform import sealed_store
from paymux.platform.database import Database
from paymux.platform.encryption import KeyRing, Unreadable
from paymux.platform.sealed_store import ClearColumn, SealedColumn

BATCH = 200
PASSES = 100
PAUSE = 0.2


async def in_use(database: Database, columns: Sequence[SealedColumn]) -> Counter[str]:
    """How many texts of the database each key has sealed."""
    found: Counter[str] = Counter()
    async with database.connection() as held:
        for column in columns:
            found.update(await sealed_store.keys_in_use(held, column))
    return found


async def reseal_all(database: Database, keyring: KeyRing, columns: Sequence[SealedColumn], batch: int = BATCH) -> int:
    """Seal anew whatever another key than the primary one has sealed; how many texts that were.

    May be broken off and begun again. What others hold at the moment is passed over and comes in a later pass.
    Raises Unreadable for a text that no key of the ring opens, when everything else is done.
    """
    done, unreadable = 0, 0
    for _ in range(PASSES):
        unreadable = 0
        for column in columns:
            resealed, failed = await _pass(database, keyring, column, batch)
            done, unreadable = done + resealed, unreadable + failed
        left = await in_use(database, columns)
        if sum(texts for key, texts in left.items() if key != keyring.primary) <= unreadable:
            break
        await asyncio.sleep(PAUSE)
    if unreadable:
        raise Unreadable(f"{unreadable} texts can't be opened with any key of the ring; {done} others are sealed anew.")
    return done


async def _pass(database: Database, keyring: KeyRing, column: SealedColumn, batch: int) -> tuple[int, int]:
    """Once through a column: texts sealed anew, texts that can't be read."""
    done, unreadable, after = 0, 0, None
    while True:
        async with database.transaction() as tx:
            rows = await sealed_store.lock_sealed_otherwise(tx, column, keyring.primary, after, batch)
            if not rows:
                return done, unreadable
            good, sealed = [], []
            for row in rows:
                try:
                    sealed.append(keyring.reseal(row["sealed"], column.purposes))
                    good.append(row)
                except Unreadable:
                    unreadable += 1
            await sealed_store.write_sealed(tx, column, good, sealed)
        done += len(good)
        after = [rows[-1][name] for name in column.key]


async def seal_clear(database: Database, keyring: KeyRing, columns: Sequence[ClearColumn], batch: int = BATCH) -> int:
    """Seal whatever versions before left in clear; how many texts that were. May be broken off and begun again."""
    done = 0
    for _ in range(PASSES):
        for column in columns:
            done += await _clear_pass(database, keyring, column, batch)
        async with database.connection() as held:
            left = [await sealed_store.left_in_clear(held, column) for column in columns]
        if not any(left):
            break
        await asyncio.sleep(PAUSE)
    return done


async def _clear_pass(database: Database, keyring: KeyRing, column: ClearColumn, batch: int) -> int:
    done, after = 0, ""
    while True:
        async with database.transaction() as tx:
            rows = await sealed_store.lock_clear(tx, column, after, batch)
            if not rows:
                return done
            sealed = [keyring.seal(row["clear"], column.purpose) for row in rows]
            await sealed_store.write_sealed_for_clear(tx, column, rows, sealed)
        done, after = done + len(rows), rows[-1]["id"]
