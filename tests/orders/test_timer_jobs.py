"""What wakes the timers of an order: one job for each time that is due, however long the order stays open."""

from __future__ import annotations

from datetime import timedelta

from paymux.orders import clockwork
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


async def test_the_start_up_sweep_goes_on_until_every_lapsed_timer_is_woken(
    installation: Installation, merchant: Merchant
) -> None:
    opened = [(await merchant.creates("KEEPTILL"))["orderId"] for _ in range(3)]
    await installation.quiet()
    async with installation.database.transaction() as tx:
        # As a restored database has them: timers due, and no jobs that wake them.
        for order_id in opened:
            await tx.execute("DELETE FROM pgqueuer WHERE payload LIKE convert_to($1, 'UTF8')", f"{order_id}|%")
        await tx.execute(
            "UPDATE timers SET due_at = now() - $2::interval WHERE order_id = ANY($1)", opened, timedelta(days=1)
        )
        lapsed = await tx.fetchval("SELECT count(*) FROM timers WHERE order_id = ANY($1)", opened)
    assert lapsed > 3

    assert await clockwork.sweep(installation.core, batch=2) >= lapsed
    await installation.quiet()
    async with installation.database.connection() as held:
        left = await held.fetchval(
            "SELECT count(*) FROM timers WHERE order_id = ANY($1) AND due_at < now() - interval '1 hour'", opened
        )
    assert left == 0, "what was due has been done"
