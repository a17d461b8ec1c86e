"""What wakes the timers of an order: one job for each time that is due, however long the order stays open."""

from __future__ import annotations

from tests.conftest import Eventually
from tests.installation import Installation, Merchant


async def test_an_order_that_stays_unpaid_keeps_as_many_jobs_as_it_has_timers(
    installation: Installation, merchant: Merchant, eventually: Eventually
) -> None:
    opened = await merchant.creates("KEEPTILL")

    async def polls() -> int:
        async with installation.database.connection() as held:
            count: int = await held.fetchval("SELECT polls FROM orders WHERE id = $1", opened["orderId"])
        return count

    async def jobs() -> int:
        async with installation.database.connection() as held:
            count: int = await held.fetchval(
                "SELECT count(*) FROM pgqueuer WHERE starts_with(convert_from(payload, 'UTF8'), $1)",
                f"{opened['orderId']}|poll|",
            )
        return count

    for done in range(5):
        await installation.advance(600)

        async def polled(done: int = done) -> bool:
            return await polls() > done

        await eventually(polled)
    # The next poll, and what would have repeated the last one had its worker died.
    await installation.advance(60)

    async def one_is_left() -> bool:
        return await jobs() == 1

    await eventually(one_is_left)
    due = (await merchant.details(opened["orderReference"]))["nextStep"]
    assert due["what"] == "poll"
