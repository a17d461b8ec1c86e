"""The processes of an installation: API, worker and sandbox, each started, run and stopped in one place."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from paymux.accounts import live_checks
from paymux.accounts import service as accounts
from paymux.notifications.delivery import Deliverer
from paymux.orders import clockwork, daily_reconciliation, provider_accounts, provider_events, retention
from paymux.orders.core import Core
from paymux.platform import crash_points
from paymux.platform.acting import Actor, acting_as
from paymux.platform.clock import Clock
from paymux.platform.database import PATIENCE, Connection, Database, DatabaseUnavailable
from paymux.platform.encryption import KeyRing
from paymux.platform.http import HttpClient
from paymux.platform.jobs import Chore, JobHandler, Worker
from paymux.platform.ports import demand_free
from paymux.platform.running import database_url
from paymux.platform.settings import Settings

log = structlog.get_logger()


def open_keyring(settings: Settings) -> KeyRing:
    """The installation's key ring; made at first start in sandbox mode, required in live mode (K3)."""
    if settings.keys is not None:
        return KeyRing.given(settings.keys.get_secret_value())
    if settings.keys_path is None:
        raise SystemExit("Live mode needs PAYMUX_KEYS_FILE: the file with the keys that encrypt secrets.")
    return KeyRing.load(settings.keys_path, create=settings.sandbox)


@asynccontextmanager
async def opened(settings: Settings, database_wait: float = PATIENCE) -> AsyncIterator[Core]:
    """A process's means, checked for a safe start (K4), closed at the end.

    `database_wait` is how many seconds its work waits for a database connection.
    """
    keyring = open_keyring(settings)
    crash_points.arm(settings.crash_points if settings.sandbox else None)
    database = await Database.connect(database_url(settings), settings.database_pool, database_wait)
    client = HttpClient.of(settings)
    clock = Clock(movable=settings.sandbox)
    try:
        await live_checks.refuse_unsafe_start(settings, database)
        async with database.transaction() as tx:
            await accounts.stamp_mode(tx, settings, keyring.primary)
            await clock.refresh(tx)
        yield Core(database=database, keyring=keyring, clock=clock, settings=settings, client=client)
    finally:
        await client.close()
        await database.close()


async def serve(settings: Settings) -> None:
    """Run the API until SIGINT or SIGTERM; running requests get `shutdown_grace` seconds to end. Raises PortTaken."""
    demand_free("PAYMUX_PORT", settings.host, settings.port)
    # Imported here: the worker and the sandbox would carry the web framework along, 20 MB each.
    import uvicorn

    from paymux.api.app import make_app
    from paymux.api.connections import connections

    for name in (signal.SIGINT, signal.SIGTERM):
        # Uvicorn raises what it caught once more when it has ended, which would end us before all is closed.
        asyncio.get_running_loop().add_signal_handler(name, lambda: None)
    async with opened(settings, settings.database_wait) as core:
        config = uvicorn.Config(
            make_app(core), host=settings.host, port=settings.port, log_config=None, access_log=False,
            server_header=False, timeout_graceful_shutdown=int(settings.shutdown_grace), timeout_keep_alive=30,
            proxy_headers=False,
            http=connections(settings), loop="uvloop", backlog=2048, ws="none",
        )  # fmt: skip
        await uvicorn.Server(config).serve()


async def work(settings: Settings) -> None:
    """Run the worker until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with opened(settings) as core:
        worker = make_worker(core)
        woken = await clockwork.sweep(core)
        await daily_reconciliation.schedule(core)
        log.info("worker.started", swept=woken)
        await worker.run(stop)


def _attributed(name: str, handler: JobHandler) -> JobHandler:
    """The same, whose changes are the job's in the audit trail."""

    async def run(payload: str) -> None:
        acting_as(Actor("system", name))
        await handler.run(payload)

    return JobHandler(run, handler.limit)


def make_worker(core: Core) -> Worker:
    """The worker with every handler of this installation."""

    async def secrets_of(tx: Connection, merchant_id: str) -> list[str]:
        return await accounts.webhook_secrets(tx, core.keyring, merchant_id)

    deliverer = Deliverer(core.database, core.keyring, core.clock, core.settings, secrets_of)
    handlers = {
        "order_timer": JobHandler(lambda payload: clockwork.run_timer(core, payload)),
        "provider_event": JobHandler(lambda payload: provider_events.run_event(core, payload)),
        "provider_account": JobHandler(lambda payload: provider_accounts.set_up_events(core, payload), limit=2),
        "deliver": JobHandler(deliverer.deliver),
        daily_reconciliation.JOB: JobHandler(lambda payload: daily_reconciliation.run(core, payload), limit=4),
        daily_reconciliation.OLDEST_FIRST: JobHandler(
            lambda payload: daily_reconciliation.run_oldest_first(core, payload), limit=4
        ),
    }
    handlers = {name: _attributed(name, handler) for name, handler in handlers.items()}
    chores = (Chore("retention", retention.EVERY, lambda: retention.forget(core)),)
    closing = (deliverer.close,)
    return Worker(core.database, handlers, core.settings.job_concurrency, chores=chores, closing=closing)


async def play(settings: Settings) -> None:
    """Run the sandbox with every simulator until SIGINT or SIGTERM. Sandbox mode only."""
    if not settings.sandbox:
        raise SystemExit("The sandbox does not run in live mode.")
    demand_free("PAYMUX_SANDBOX_PORT", settings.host, settings.sandbox_port)
    from aiohttp import web

    from paymux.sandbox.app import Sandbox, open_store

    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    clock, database = Clock(movable=True), await Database.connect(database_url(settings), 2)
    last = asyncio.get_running_loop().time() - 1

    async def refresh() -> None:
        nonlocal last
        if asyncio.get_running_loop().time() - last > timedelta(milliseconds=50).total_seconds():
            last = asyncio.get_running_loop().time()
            # A provider goes on while our database is away, by the time that it knew last.
            with contextlib.suppress(DatabaseUnavailable):
                async with database.connection() as held:
                    await clock.refresh(held)

    store = open_store(settings.home)
    runner = web.AppRunner(Sandbox(settings, store, clock, refresh=refresh).app(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, settings.host, settings.sandbox_port).start()
    log.info("sandbox.started", port=settings.sandbox_port)
    await stop.wait()
    await runner.cleanup()
    store.close()
    await database.close()
