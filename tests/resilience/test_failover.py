"""The primary dies under traffic, ahead of its synchronous standby, which takes over: nothing acknowledged is lost.

Its process may die, so that its port refuses whoever comes, or its machine, which is silent from then on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from paymux.platform.postgres import OWNER
from tests.installation import free_port
from tests.processes import environment_of, run, running, until
from tests.resilience import books
from tests.resilience.servers import COPIER, Shelf
from tests.resilience.shop import Shop

BEHIND = 2.0
"""Seconds of traffic that the standby hears nothing of; less than a COMMIT waits before it is given up on."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    made = Shelf()
    yield made
    made.delete()


@pytest.mark.parametrize("silent", [False, True], ids=["its port refuses", "its machine is silent"])
async def test_no_acknowledged_order_is_lost_when_the_primary_dies_and_the_shops_sell_on(
    shelf: Shelf, tmp_path: Path, silent: bool
) -> None:
    primary, standby = shelf.server("primary"), shelf.server("standby")
    primary.init()
    primary.start()
    await primary.value("CREATE DATABASE paymux", "postgres")
    await primary.lets_itself_be_copied()
    port, sandbox_port = free_port(), free_port()
    ways = [f"127.0.0.1:{server.port}" for server in (primary, standby)]
    both = f"postgresql://{OWNER}@{','.join(ways)}/paymux?target_session_attrs=read-write"
    environment = environment_of(
        PAYMUX_HOME=str(tmp_path / "home"), PAYMUX_DATABASE_URL=both, PAYMUX_PORT=str(port),
        PAYMUX_SANDBOX_PORT=str(sandbox_port), PAYMUX_LEASE="3",
    )  # fmt: skip
    for words in (("db", "upgrade"), ("db", "prepare")):
        ran = run(environment, *words)
        assert ran.code == 0, ran.said
    whole = f"host=127.0.0.1 port={primary.port} user={COPIER} application_name=standby"
    shelf.run("pg_basebackup", "-d", whole, "-D", standby.data, "-R", "-X", "stream", "-c", "fast")
    standby.start()
    await primary.value("ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (standby)'")
    await primary.value("SELECT pg_reload_conf()")
    while await primary.value("SELECT sync_state FROM pg_stat_replication") != "sync":
        await asyncio.sleep(0.1)

    shops = [Shop(f"http://127.0.0.1:{port}", f"SHOP{n}") for n in range(3)]
    with running(environment, tmp_path, "serve", "worker", "sandbox") as processes:
        await until(f"http://127.0.0.1:{sandbox_port}/healthz", 200, processes["sandbox"])
        await until(f"http://127.0.0.1:{port}/readyz", 200, processes["serve"])
        stop = asyncio.Event()
        trading = [asyncio.create_task(shop.trades(stop)) for shop in shops]
        await _until(lambda: sum(len(shop.acknowledged) for shop in shops) >= 10)

        with standby.suspended():
            known = [len(shop.acknowledged) for shop in shops]
            await asyncio.sleep(BEHIND)
            # Both at once, so that nothing reaches the standby out of the buffers of the dead primary's machine.
            if silent:
                primary.freeze()
            else:
                primary.power_cut()
            standby.power_cut()
        before = [reference for shop in shops for reference in shop.acknowledged]
        told = [len(shop.acknowledged) - already for shop, already in zip(shops, known, strict=True)]
        # One answer of each shop may have been under way; the next order needs a commit that the standby has to confirm.
        assert max(told) <= 1, f"acknowledged without the standby: {told}"
        standby.start()
        await until(f"http://127.0.0.1:{port}/readyz", 503, processes["serve"])
        standby.promote()
        await until(f"http://127.0.0.1:{port}/readyz", 200, processes["serve"])
        await _until(lambda: sum(len(shop.acknowledged) for shop in shops) >= len(before) + 10)
        # Nor does the dead one, which stands first, keep a process that starts only now.
        ran = run(environment, "db", "upgrade")
        assert ran.code == 0, ran.said
        stop.set()
        failures = sum(await asyncio.gather(*trading))

        assert failures > 0, "the primary's death was not noticed: this proves nothing"
        assert processes["serve"].process.poll() is None
        assert processes["worker"].process.poll() is None
        acknowledged = [reference for shop in shops for reference in shop.acknowledged]
        assert set(before) < set(acknowledged)
        assert set(acknowledged) <= {row["reference"] for row in await standby.rows("SELECT reference FROM orders")}

        # What was under way when the primary died comes to its end by the worker alone.
        ends = time.monotonic() + 120
        while (found := await books.opened(standby, sandbox_port)).off and time.monotonic() < ends:
            await asyncio.sleep(1)
        assert found.off == {}
        assert found.not_derived == []
        assert sum(row["status"] == "SUCCESSFUL" for row in found.orders.values()) >= 10


async def _until(done: object) -> None:
    assert callable(done)
    ends = time.monotonic() + 90
    while not done():
        assert time.monotonic() < ends, "it did not come about"
        await asyncio.sleep(0.1)
