"""A base backup and the WAL archive bring the database back to any moment, and the polls bring it up to the providers'."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation import free_port
from tests.processes import call, environment_of, run, running, until
from tests.resilience import books
from tests.resilience.servers import COPIER, Shelf
from tests.resilience.shop import Shop

JUMP = "UPDATE orders SET sequence = sequence + 1000"
"""What keeps a restored database from telling other news under numbers that were told before."""
_TOLD = "SELECT order_id, sequence, id FROM outbox_events"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    made = Shelf()
    yield made
    made.delete()


async def test_a_database_is_restored_to_the_moment_before_a_mistake(shelf: Shelf, tmp_path: Path) -> None:
    lost, archive = shelf.server("lost"), shelf.make("archive")
    lost.init()
    lost.start(archive_mode="on", archive_command=f"test ! -f {archive}/%f && cp %p {archive}/%f", wal_level="replica")
    await lost.value("CREATE DATABASE paymux", "postgres")
    await lost.lets_itself_be_copied()
    port, sandbox_port = free_port(), free_port()
    common = {
        "PAYMUX_HOME": str(tmp_path / "home"), "PAYMUX_PORT": str(port), "PAYMUX_SANDBOX_PORT": str(sandbox_port),
    }  # fmt: skip
    environment = environment_of(**common, PAYMUX_DATABASE_URL=lost.url)
    for words in (("db", "upgrade"), ("db", "prepare")):
        ran = run(environment, *words)
        assert ran.code == 0, ran.said
    shop = Shop(f"http://127.0.0.1:{port}")
    with running(environment, tmp_path, "serve", "worker", "sandbox") as processes:
        await until(f"http://127.0.0.1:{sandbox_port}/healthz", 200, processes["sandbox"])
        await until(f"{shop.base}/readyz", 200, processes["serve"])
        sold = [await shop.sells() for _ in range(3)]

        shelf.run("pg_basebackup", *lost.place, "-U", COPIER, "-D", shelf.folder / "base", "-X", "stream", "-c", "fast")
        shelf.run("pg_verifybackup", shelf.folder / "base")

        sold += [await shop.sells() for _ in range(3)]
        await shop.refunds(sold[0], "30")
        await shop.refunds(sold[4], "20")
        open_one = await shop.opens()
        moment = await lost.value("SELECT clock_timestamp()")
        await asyncio.sleep(0.1)
        # After that moment: a payment, a refund, an order, and the mistake.
        await call("POST", open_one["redirectUrl"], data={"outcome": "approve"})
        await shop.refunds(sold[1], "10")
        later = await shop.sells()
        await lost.value("UPDATE merchants SET webhook_url = NULL, redirect_url = 'https://wrong.example'")
        await lost.value("SELECT pg_switch_wal()")
    told = {(row["order_id"], row["sequence"]): row["id"] for row in await lost.rows(_TOLD)}
    last = await lost.value("SELECT last_archived_wal FROM pg_stat_archiver")
    assert last is not None
    lost.stop()

    restored = shelf.server("restored")
    (shelf.folder / "base").rename(restored.data)
    (restored.data / "recovery.signal").touch()
    restored.start(
        restore_command=f"cp {archive}/%f %p", recovery_target_time=moment.isoformat(), recovery_target_action="promote"
    )
    ends = time.monotonic() + 60
    while await restored.value("SELECT pg_is_in_recovery()"):
        assert time.monotonic() < ends, restored.said
        await asyncio.sleep(0.1)

    assert await restored.value("SELECT count(*) FROM merchants WHERE redirect_url = 'https://wrong.example'") == 0
    await restored.value(JUMP)
    again = environment_of(**common, PAYMUX_DATABASE_URL=restored.url)
    ran = run(again, "db", "upgrade")
    assert ran.code == 0, ran.said
    (tmp_path / "again").mkdir()
    with running(again, tmp_path / "again", "sandbox") as _:
        await until(f"http://127.0.0.1:{sandbox_port}/healthz", 200)
        found = await books.opened(restored, sandbox_port)
        assert set(found.orders) == {*sold, open_one["orderReference"]}
        assert found.not_derived == []
        assert [name for name in found.off if name in sold] == [sold[1]]
        # Refunded and paid at the provider after the moment, and unknown here: the provider's own ledger has it.
        assert later in found.moved

        with running(again, tmp_path / "again", "worker", "serve") as processes:
            await until(f"{shop.base}/readyz", 200, processes["serve"])
            await shop.sells()
            shown = run(again, "reconcile", "--provider", "AFTERPAY_AU", "--rate", "50", "--repair")
            assert "0 without an answer" in shown.out, shown.out + shown.said
            # Its shopper agreed after that moment, which nobody here remembers; his coming back, or the poll, finds it.
            ends = time.monotonic() + 90
            while await shop.status(open_one["orderReference"]) != "SUCCESSFUL":
                assert time.monotonic() < ends
                await asyncio.sleep(1)
        found = await books.opened(restored, sandbox_port)
        assert (found.off, found.not_derived) == ({}, [])
    news = {(row["order_id"], row["sequence"]): row["id"] for row in await restored.rows(_TOLD)}
    assert {place for place, event in news.items() if told.get(place, event) != event} == set(), "told otherwise before"
    [refunded] = await restored.rows(f"SELECT id FROM orders WHERE reference = '{sold[1]}'")  # noqa: S608
    assert any(order == refunded["id"] and sequence > 1000 for order, sequence in news), "the refund was not told anew"


def test_the_page_says_what_these_servers_were_told() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operate.md").read_text(encoding="utf-8")

    for words in (f"CREATE ROLE {COPIER} LOGIN REPLICATION", f"replication {COPIER} ", JUMP):
        assert words in page
