"""Every command, call of the API and job that changes something leaves an entry that says who did it: none is left out."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import typer
from fastapi.routing import APIRoute

from paymux import cli
from paymux.accounts import demo
from paymux.api.app import make_app
from paymux.orders import daily_reconciliation
from paymux.platform.identifiers import new_id
from paymux.platform.jobs import enqueue_many
from paymux.platform.postgres import EmbeddedPostgres
from paymux.processes import make_worker
from tests.api.test_provider_events import checkout_of, event_url, signed
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.processes import Ran, environment_of, run

pytestmark = pytest.mark.timeout(300)

RECORDS = {
    "audit_entries": "the trail itself",
    "provider_calls": "each row says who was called, for which operation, and when",
    "provider_events": "each row says what came, at whose address, and when",
    "delivery_attempts": "each row says what was tried, and when", "deliveries": "the sum of its attempts",
    "timers": "what is due next, of an order's own", "pgqueuer": "the queue", "pgqueuer_log": "the queue's",
    "pgqueuer_statistics": "the queue's",
    "pgqueuer_schedules": "the queue's",
    "reconciliations": "each row is a daily run, its day and its counts", "schema_revision": "told as database.upgraded",
}  # fmt: skip
"""Tables whose rows need no entry beside them, each with its reason."""


async def _state(held: Any) -> dict[str, str]:
    """A digest of every other table."""
    tables = [row[0] for row in await held.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    found = {}
    for table in sorted(set(tables) - set(RECORDS)):
        what = "mode, clock_offset" if table == "installation" else "*"  # a worker's sign of life is no change
        rows = await held.fetch(f"SELECT t::text AS row FROM (SELECT {what} FROM {table}) AS t ORDER BY 1")  # noqa: S608
        found[table] = hashlib.sha256("\n".join(row["row"] for row in rows).encode()).hexdigest()
    return found


class Seen(list[tuple[str, str]]):
    """The entries that came meanwhile, (actor's kind, action), and the tables that were changed meanwhile."""

    changed: set[str]


@asynccontextmanager
async def seen(url: str, settled: Callable[[], Awaitable[None]] | None = None) -> AsyncIterator[Seen]:
    """What a change leaves behind. In the end: a table has changed only if there is an entry."""
    held = await asyncpg.connect(url)
    try:
        if settled is not None:
            await settled()
        entries = Seen()
        before, last = await _state(held), await held.fetchval("SELECT coalesce(max(id), '') FROM audit_entries")
        yield entries
        if settled is not None:
            await settled()
        after = await _state(held)
        rows = await held.fetch("SELECT actor_kind, action FROM audit_entries WHERE id > $1 ORDER BY id", last)
        entries.extend((row["actor_kind"], row["action"]) for row in rows)
        entries.changed = {table for table in after if before.get(table) != after[table]}
        assert entries or not entries.changed, f"{entries.changed} changed, and nobody did it"
    finally:
        await held.close()


# -- commands -----------------------------------------------------------------------------------------

READS = {
    "audit", "keys status", "providers", "providers check", "review list", "review events", "review refused",
    "review differences", "deliveries list", "merchants list", "channels list", "provider-accounts list",
}  # fmt: skip
"""They change nothing of ours; what `providers check` calls is in `provider_calls`."""
RUNNING = {"dev", "serve", "worker", "sandbox"}
"""Processes: what they do stands under whoever asked, or under the job."""
OUTSIDE = {"connectors new": "writes into a checkout, and knows no installation"}
CHANGES = {
    "db upgrade": {"database.upgraded"}, "db prepare": {"installation.stamped", "merchant.created", "provider_account.set"},
    "keys create": {"key_file.created"}, "keys rotate": {"key.rotated"}, "keys reencrypt": {"texts.reencrypted"},
    "keys retire": {"key.retired"}, "keys rotate-signing": {"signing_key.rotated"},
    "merchants create": {"merchant.created"}, "merchants rotate": {"merchant.rotated"}, "merchants set": {"merchant.changed"},
    "channels add": {"channel.added"}, "logos set": {"logo.set"}, "logos remove": {"logo.removed"},
    "provider-accounts set": {"provider_account.set"},
    "customers erase": {"customer.erased"}, "reconcile": {"reconciliation.repaired"}, "review resolve": {"review.resolved"},
    "review event": {"provider_event.shown"}, "deliveries replay": {"delivery.replayed"},
}  # fmt: skip
"""What each command that changes something, or looks into a person's data, has to leave behind."""


def commands() -> set[str]:
    """Every command that `paymux` knows, by its words."""

    def below(command: Any, words: tuple[str, ...]) -> list[str]:
        inner = getattr(command, "commands", {})
        own = [" ".join(words)] if not inner or getattr(command, "invoke_without_command", False) else []
        return own + [name for word, one in inner.items() for name in below(one, (*words, word))]

    if not any(group.name == "keys" for group in cli.app.registered_groups):
        cli.add_the_rest()
    return {name for name in below(typer.main.get_command(cli.app), ()) if name}


def test_every_command_is_known_to_read_or_to_leave_an_entry() -> None:
    assert commands() == READS | RUNNING | set(OUTSIDE) | set(CHANGES)


class Operator:
    """Types commands, each of which has to leave its entry, as the operator's."""

    def __init__(self, environment: dict[str, str], settled: Callable[[], Awaitable[None]] | None = None) -> None:
        self.environment, self.url, self.settled = environment, environment["PAYMUX_DATABASE_URL"], settled
        self.typed: set[str] = set()

    async def types(self, name: str, *words: str | Path, code: int = 0) -> Ran:
        async with seen(self.url, self.settled) as entries:
            ran = await asyncio.to_thread(run, self.environment, *name.split(), *words)
        assert ran.code == code, ran.said
        assert {("operator", action) for action in CHANGES[name]} <= set(entries), (name, list(entries), ran.said)
        self.typed.add(name)
        return ran

    async def reads(self, name: str, *words: str) -> None:
        async with seen(self.url, self.settled) as entries:
            ran = await asyncio.to_thread(run, self.environment, *name.split(), *words)
        assert ran.code == 0, ran.said
        assert (list(entries), entries.changed) == ([], set()), name
        self.typed.add(name)


async def test_what_makes_an_installation_is_told_from_its_first_revision_on(
    postgres_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    url = postgres_server.create_database(new_id("first").lower())
    environment = environment_of(PAYMUX_HOME=str(tmp_path), PAYMUX_DATABASE_URL=url)
    early = await asyncio.to_thread(run, environment, "keys", "create", tmp_path / "early.json")
    assert early.code == 0
    assert "no database yet" in early.said
    held = await asyncpg.connect(url)
    try:
        upgraded = await asyncio.to_thread(run, environment, "db", "upgrade")
        assert upgraded.code == 0, upgraded.said
        told = [
            (row["actor_kind"], row["action"]) for row in await held.fetch("SELECT * FROM audit_entries ORDER BY id")
        ]
        assert told[0] == ("operator", "database.upgraded")
        assert set(told[1:]) == {("operator", "database.index_built")}
        operator = Operator(environment)
        await operator.types("keys create", tmp_path / "ring.json")
        await operator.types("db prepare")
        detail = await held.fetchval("SELECT detail FROM audit_entries WHERE action = 'installation.stamped'")
        assert json.loads(detail) == {"mode": "sandbox", "sealed_with": "k1"}
        again = await asyncio.to_thread(run, environment, "db", "upgrade")
        assert again.code == 0
        counted = "SELECT count(*) FROM audit_entries WHERE action = 'database.upgraded'"
        assert await held.fetchval(counted) == 1, "nothing to do, nothing to tell"
    finally:
        await held.close()
    assert operator.typed | {"db upgrade"} == {"keys create", "db prepare", "db upgrade"}


@pytest.fixture
def operator(installation: Installation) -> Operator:
    settings = installation.settings
    return Operator(
        environment_of(
            PAYMUX_HOME=str(settings.home), PAYMUX_DATABASE_URL=settings.database_url, PAYMUX_PORT=str(settings.port),
            PAYMUX_SANDBOX_PORT=str(settings.sandbox_port),
        ),
        installation.quiet,
    )  # fmt: skip


async def test_every_other_command_that_changes_something_leaves_an_entry_of_the_operators(
    installation: Installation, merchant: Merchant, shopper: Shopper, operator: Operator, tmp_path: Path
) -> None:
    await operator.types("merchants create", "A shop", "--client-id", "told-shop")
    await operator.types("merchants set", "told-shop", "--redirect-url", "https://shop.example/")
    await operator.types("merchants rotate", "told-shop", "webhook")
    await operator.types("channels add", "told-shop", "web")
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps({"merchant_id": "M-1", "secret_key": "a-key"}))
    given = ("told-shop", "AFTERPAY_AU", "--environment", "sandbox", "--credentials", file)
    await operator.types("provider-accounts set", *given)
    await operator.reads("providers check", "AFTERPAY_AU", "--merchant", demo.CLIENT_ID)

    picture = tmp_path / "logo.svg"
    picture.write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="8"/></svg>')
    await operator.types("logos set", "told-shop", "AFTERPAY_AU", picture)
    await operator.types("logos remove", "told-shop", "AFTERPAY_AU")

    opened = await merchant.creates("AFTERPAY_AU")
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    reference = opened["orderReference"]
    async with installation.database.transaction() as tx:
        await tx.execute("UPDATE orders SET needs_review = 'look at it' WHERE reference = $1", reference)
    await operator.types("review resolve", reference, "--as", "succeeded", "--note", "Ada")
    await operator.types("customers erase", "--order", reference, "--note", "asked for it")
    await operator.reads("audit", reference)

    missed = await merchant.creates("PLANPAY_AU")
    await installation.fault("PLANPAY_AU", "events", "no_event", missed["orderReference"], times=5)
    await shopper.decides(missed["redirectUrl"], "approve")
    await operator.types("reconcile", "--provider", "PLANPAY_AU", "--repair", "--rate", "100")

    url = await event_url(installation)
    assert (await installation.call("POST", url, data=b"{}")).status == 401
    async with installation.database.connection() as held:
        number = await held.fetchval("SELECT max(id) FROM provider_events WHERE verdict = 'forged'")
    await operator.types("review event", number)

    async with installation.database.connection() as held:
        delivery = await held.fetchrow("SELECT id, merchant_id FROM deliveries WHERE state = 'delivered' LIMIT 1")
    await operator.types("deliveries replay", delivery["id"], "--merchant", delivery["merchant_id"])

    await operator.types("keys rotate")
    await operator.types("keys reencrypt")
    await operator.types("keys retire", "--now")
    await operator.types("keys rotate-signing")
    of_a_merchant = {"channels list", "provider-accounts list"}
    for name in sorted(READS - {"audit", "providers check"}):
        await operator.reads(name, *(["told-shop"] if name in of_a_merchant else []))
    assert operator.typed | {"db upgrade", "db prepare", "keys create"} == READS | set(CHANGES)


# -- the API ------------------------------------------------------------------------------------------

ASKS_ONLY = {
    "GET /healthz", "GET /readyz", "GET /options", "GET /orders/{reference}", "GET /orders/{reference}/details",
    "POST /orders/{reference}/details", "GET /.well-known/jwks.json", "GET /docs", "GET /images/providers/{code}.svg",
    "GET /images/logos/{logo_id}",
    "POST /merchants/customer/sessions", "POST /token", "GET /provider-events/{event_key}",
}  # fmt: skip
"""Nothing is kept of these. Where reading an order, or an event by GET, leads to asking the provider, the decision that
follows is told as any other."""
Made = tuple[Callable[[], Awaitable[Any]], tuple[str, str]]


async def _lost_create(installation: Installation, merchant: Merchant) -> str:
    """The URL of our own page, to which an order leads whose checkout could not be opened."""
    await installation.fault("AFTERPAY_AU", "create", "error_before")
    url: str = (await merchant.creates("AFTERPAY_AU"))["redirectUrl"]
    assert url.startswith(f"{installation.settings.base_url}/checkout/")
    return url


async def _returning(merchant: Merchant, shopper: Shopper, **more: Any) -> tuple[str, str]:
    """An order whose shopper has approved, and the URL that his browser goes back to."""
    opened = await merchant.creates("AFTERPAY_AU", **more)
    return opened["orderReference"], await shopper.decides(opened["redirectUrl"], "approve")


async def _changes(installation: Installation, merchant: Merchant, shopper: Shopper) -> dict[str, Made]:
    """How each call of the API that changes something is made, and the entry that it has to leave."""
    held, back = await _returning(merchant, shopper, autoCapture=False)
    await installation.call("GET", back)
    (_, by_get), (_, by_post) = await _returning(merchant, shopper), await _returning(merchant, shopper)
    unpaid = (await merchant.creates("AFTERPAY_AU"))["orderReference"]
    told = await merchant.creates("PLANPAY_AU")
    await installation.fault("PLANPAY_AU", "events", "no_event", told["orderReference"], times=5)
    await shopper.decides(told["redirectUrl"], "approve")
    body, headers = signed(await checkout_of(installation, told["orderReference"]), "a-true-one")
    page, events = await _lost_create(installation, merchant), await event_url(installation)
    path, _, query = by_post.partition("?")
    registered = path.replace("/return/", "/return?state=") + f"&{query}"
    return {
        "POST /orders": (lambda: merchant.creates("AFTERPAY_AU"), ("merchant", "order.created")),
        "POST /orders/{reference}/capture": (lambda: merchant.captures(held, "40", "C"), ("merchant", "order.capture")),
        "POST /orders/{reference}/void": (lambda: merchant.voids(held, "10", "V"), ("merchant", "order.void")),
        "POST /orders/{reference}/refund": (lambda: merchant.refunds(held, "5", "R"), ("merchant", "order.refund")),
        "POST /orders/{reference}/cancel": (
            lambda: merchant.post(f"/orders/{unpaid}/cancel", {}), ("merchant", "order.decided")
        ),
        "POST /sandbox/clock": (lambda: merchant.post("/sandbox/clock", {"advance": 1}), ("merchant", "clock.advanced")),
        "/return/{order_token}": (lambda: installation.call("GET", by_get), ("shopper", "order.decided")),
        "/return": (lambda: installation.call("POST", registered), ("shopper", "order.decided")),
        "GET /checkout/{order_token}": (lambda: installation.call("GET", page), ("shopper", "order.decided")),
        "POST /provider-events/{event_key}": (
            lambda: installation.call("POST", events, data=body, headers=headers), ("system", "order.decided")
        ),
    }  # fmt: skip


async def test_every_call_of_the_api_that_changes_something_leaves_an_entry(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    made = await _changes(installation, merchant, shopper)
    for name, (call, entry) in made.items():
        async with seen(installation.settings.database_url, installation.quiet) as entries:
            await call()
        assert entries.changed, f"{name} changed nothing here: the story is wrong"
        assert entry in entries, (name, list(entries))

    routes = {
        route.path if len(methods) > 1 else f"{next(iter(methods))} {route.path}"
        for route in _routes(make_app(installation.core).routes)
        if (methods := route.methods or set())
    }
    assert routes == ASKS_ONLY | set(made), "a new call of the API asks only, or leaves an entry: list it"


def _routes(routes: Sequence[Any]) -> list[APIRoute]:
    """Every route of ours, those of included routers too, whichever way this version of FastAPI keeps them."""
    found = [route for route in routes if isinstance(route, APIRoute)]
    for route in routes:
        if (inner := getattr(route, "original_router", None)) is not None:
            found += _routes(inner.routes)
    return found


# -- the system ---------------------------------------------------------------------------------------


async def test_every_job_that_changes_something_leaves_an_entry_of_the_systems(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    told: dict[str, str] = {
        "order_timer": "order.decided", "provider_event": "order.decided", "compare": "reconciliation.found",
        "provider_account": "provider_account.events_set_up", "deliver": "delivery.exhausted",
    }  # fmt: skip
    worker = make_worker(installation.core)
    # The job of an older version begins a day that it planned, or gives its run up: nothing that is told of.
    assert set(worker._handlers) == {*told, daily_reconciliation.OLDEST_FIRST}
    assert [chore.name for chore in worker._chores] == ["retention"]

    opened = await merchant.creates("PLANPAY_AU", cancellationTimeout=60)  # its deadline: order_timer
    paid = await merchant.creates("PLANPAY_AU")
    await shopper.decides(paid["redirectUrl"], "approve")  # and never comes back: provider_event
    await installation.quiet()
    # A delivery before its last try, at an endpoint that fails.
    installation.inbox.status = 500
    try:
        late = await merchant.creates("PLANPAY_AU")
        await installation.quiet()
        async with installation.database.transaction() as tx:
            await tx.execute(
                "UPDATE deliveries SET attempts = 10 WHERE event_id IN (SELECT id FROM outbox_events WHERE order_id = $1)",
                late["orderId"],
            )
            rows = await tx.fetch(
                "SELECT d.id FROM deliveries d JOIN outbox_events e ON e.id = d.event_id WHERE e.order_id = $1",
                late["orderId"],
            )
            await enqueue_many(tx, "deliver", [f"{row['id']}|10" for row in rows])
        await installation.quiet()
    finally:
        installation.inbox.status = 200
    # A payment that nobody told of, looked at by the daily comparison.
    missed = await merchant.creates("PLANPAY_AU")
    await installation.fault("PLANPAY_AU", "events", "no_event", missed["orderReference"], times=5)
    await installation.advance(61)
    await installation.quiet()
    async with installation.database.transaction() as tx:
        await tx.execute("DELETE FROM timers WHERE order_id = $1", missed["orderId"])
    await shopper.decides(missed["redirectUrl"], "approve")
    await daily_reconciliation.schedule(installation.core)
    await installation.advance(86_400)

    async def found() -> bool:
        async with installation.database.connection() as held:
            rows = await held.fetch("SELECT actor, action FROM audit_entries WHERE actor_kind = 'system'")
        return set(told.items()) <= {(row["actor"], row["action"]) for row in rows}

    assert opened
    await eventually(found)
