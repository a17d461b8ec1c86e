"""The installation's clock. In sandbox mode it can be moved forwards (C1); in live mode it is the real time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from paymux.platform.database import Connection

# The number of `read_clock()`. Taken alone and first: who holds it waits for nobody who would wait for it.
_STAND_STILL = "SELECT pg_advisory_xact_lock(7296689150333)"
# A job that somebody has locked is being taken by a worker, so it is due already. To wait for it would be a deadlock:
# workers end their jobs in batches, each in another order than the rows are found here.
_BRING_FORWARD = """
UPDATE pgqueuer SET execute_after = execute_after - $1::interval
WHERE id = ANY(ARRAY(SELECT id FROM pgqueuer WHERE status = 'queued' FOR UPDATE SKIP LOCKED))
"""


class Clock:
    """Hands out the installation's time. Nobody calls `datetime.now` on the side.

    The offset is the row `installation.clock_offset`; `refresh` re-reads it, and every transaction
    that compares a due time does so first, so that a clock moved by another process is never missed.
    """

    def __init__(self, *, movable: bool) -> None:
        self.movable = movable
        self.offset = timedelta()

    def now(self) -> datetime:
        """The installation's time, in UTC."""
        return datetime.now(UTC) + self.offset

    @staticmethod
    def real() -> datetime:
        """The real time, in UTC: for signatures' timestamps, access tokens, leases and network limits (C1)."""
        return datetime.now(UTC)

    async def refresh(self, tx: Connection) -> datetime:
        """Re-read the offset within a transaction and return the installation's time, which nobody moves until it ends."""
        if self.movable:
            self.offset = await tx.fetchval("SELECT read_clock()")
        return self.now()

    @staticmethod
    async def stand_still(tx: Connection) -> None:
        """Let nobody read or move the clock until the transaction ends: the first thing in one that is going to move it.

        It waits for every transaction that has read the clock, so that the jobs which those enqueue are moved as well.
        """
        await tx.execute(_STAND_STILL)

    async def advance(self, tx: Connection, by: timedelta) -> datetime:
        """Move the installation's time forwards, and with it the due times of queued jobs (C1)."""
        await self.stand_still(tx)
        self.offset = await tx.fetchval(
            "UPDATE installation SET clock_offset = clock_offset + $1 RETURNING clock_offset", by
        )
        await tx.execute(_BRING_FORWARD, by)
        return self.now()
