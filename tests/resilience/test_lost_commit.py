"""A COMMIT whose answer nobody got is never called nothing: the shop repeats its call, and it is done once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from paymux.connectors.provider_http import CallMade
from paymux.orders import ending
from paymux.orders.decide import Deciding, deciding
from paymux.platform.clock import Clock
from paymux.platform.database import CommitUnknown, Connection, Database, DatabaseUnavailable
from tests.conftest import Eventually
from tests.installation import Answer, Installation, Merchant, Shopper, free_port
from tests.orders.test_statuses import paid

_BEGIN, _COMMIT, _COMMITTED = b"BEGIN;\0", b"COMMIT;\0", b"COMMIT\0"
LIMITS = {"provider_timeout": 20.0, "lease": 3.0, "database_wait": 1.5}
"""A statement, a COMMIT too, is given up on after three times `database_wait`."""


class Wire:
    """The way to a PostgreSQL server on a socket of the file system, which can be cut at a point of what goes over it."""

    def __init__(self, url: str) -> None:
        asked = urlsplit(url)
        self._socket = f"{parse_qs(asked.query)['host'][0]}/.s.PGSQL.5432"
        self._port = free_port()
        self.url = f"postgresql://{asked.username}@127.0.0.1:{self._port}{asked.path}?sslmode=disable"
        self._mark: bytes | None = None
        self._arrives, self._down = True, False
        self._open: set[asyncio.StreamWriter] = set()
        self.cuts = 0

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._port)

    def cut_behind_commit(self, mark: str, *, arrives: bool) -> None:
        """Cut the next transaction that names `mark` at its COMMIT: once the server did it, or before it hears of it."""
        self._mark, self._arrives, self.cuts = mark.encode(), arrives, 0

    def go_down(self) -> None:
        """Cut everybody, and let nobody through."""
        self._down = True
        for end in self._open:
            end.close()

    def come_up(self) -> None:
        self._down = False

    async def close(self) -> None:
        self.go_down()
        self._server.close()
        await self._server.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._down:
            writer.close()
            return
        back, forth = await asyncio.open_unix_connection(self._socket)
        ends = {writer, forth}
        self._open |= ends
        answers = asyncio.create_task(self._pass(back, writer))
        try:
            with contextlib.suppress(ConnectionError):
                commit = await self._until_the_cut(reader, forth)
                answers.cancel()
                await asyncio.wait({answers})
                if commit and self._arrives:
                    forth.write(commit)
                    await back.readuntil(_COMMITTED)
        finally:
            answers.cancel()
            for end in ends:
                end.close()
            self._open -= ends

    async def _until_the_cut(self, reader: asyncio.StreamReader, forth: asyncio.StreamWriter) -> bytes:
        """Pass on what the client says; the COMMIT that is to be cut, or nothing when the client left without."""
        marked = False
        while said := await reader.read(65536):
            marked = (marked and _BEGIN not in said) or (self._mark is not None and self._mark in said)
            if marked and _COMMIT in said:
                self._mark, self.cuts = None, self.cuts + 1
                return said
            forth.write(said)
            await forth.drain()
        return b""

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while said := await reader.read(65536):
                writer.write(said)
                await writer.drain()
        writer.close()


@pytest.fixture(scope="module")
async def wire(new_database: Callable[[], Awaitable[str]]) -> AsyncIterator[Wire]:
    made = Wire(await new_database())
    await made.listen()
    yield made
    await made.close()


@pytest.fixture(scope="module")
async def installation(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    running = Installation(tmp_path_factory.mktemp("home"), wire.url, **LIMITS)
    await running.start()
    yield running
    await running.stop()


def is_open(answer: Answer) -> None:
    assert (answer.status, answer.body["code"]) == (500, "outcome_open")
    assert "nothing" not in answer.body["message"]


def refunds(installation: Installation, reference: str) -> list[Decimal]:
    return [amount for kind, amount in installation.ledger(reference) if kind == "refund"]


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_create_whose_commit_nobody_answered_is_open_and_its_repeat_opens_one_order(
    installation: Installation, merchant: Merchant, wire: Wire, eventually: Eventually, arrives: bool
) -> None:
    body = merchant.order("AFTERPAY_AU")
    reference, key = body["orderReference"], f"key-of-{body['orderReference']}"
    wire.cut_behind_commit(reference, arrives=arrives)
    is_open(await merchant.post("/orders", body, **{"Idempotency-Key": key}))
    assert wire.cuts == 1
    assert (await merchant.get(f"/orders/{reference}")).status == (200 if arrives else 404)

    async def repeated() -> bool:
        again = await merchant.post("/orders", body, **{"Idempotency-Key": key})
        assert again.status == 201 or again.body["code"] == "in_progress"
        return again.status == 201

    await eventually(repeated)
    assert (await merchant.status(reference))["status"] == "PENDING"


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_refund_whose_commit_nobody_answered_is_open_and_its_repeat_moves_once(
    installation: Installation, merchant: Merchant, shopper: Shopper, wire: Wire, eventually: Eventually, arrives: bool
) -> None:
    reference = await paid(merchant, shopper, "AFTERPAY_AU")
    await installation.quiet()
    name = f"LOST-{arrives}"
    wire.cut_behind_commit(name, arrives=arrives)
    is_open(await merchant.refunds(reference, "40", name))
    assert wire.cuts == 1
    assert len((await merchant.details(reference))["refunds"]) == arrives
    again = await merchant.refunds(reference, "40", name)
    assert again.status == 201, again.body

    async def done() -> bool:
        return [one["status"] for one in (await merchant.details(reference))["refunds"]] == ["SUCCESSFUL"]

    await eventually(done)
    assert refunds(installation, reference) == [40]


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_cancel_whose_commit_nobody_answered_is_open_and_may_be_repeated(
    installation: Installation, merchant: Merchant, wire: Wire, arrives: bool
) -> None:
    reference = (await merchant.creates("PLANPAY_AU"))["orderReference"]
    await installation.quiet()
    wire.cut_behind_commit("CANCELED", arrives=arrives)
    is_open(await merchant.post(f"/orders/{reference}/cancel", {}))
    assert wire.cuts == 1
    again = await merchant.post(f"/orders/{reference}/cancel", {})
    assert (again.status, again.body["status"], again.body["cancelledBy"]) == (201, "CANCELED", "MERCHANT")


async def test_a_cancel_whose_database_goes_away_once_the_provider_has_closed_the_checkout_is_open(
    installation: Installation, merchant: Merchant, wire: Wire, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = (await merchant.creates("PLANPAY_AU"))["orderReference"]
    await installation.quiet()
    closes = ending.close_checkout

    async def close(*asked: object) -> ending.Closed:
        closed: ending.Closed = await closes(*asked)  # type: ignore[arg-type]
        wire.go_down()
        return closed

    monkeypatch.setattr(ending, "close_checkout", close)
    answer = await merchant.post(f"/orders/{reference}/cancel", {})
    monkeypatch.undo()
    wire.come_up()
    is_open(answer)

    async def cancelled() -> bool:
        again = await merchant.post(f"/orders/{reference}/cancel", {})
        return again.status == 201 and again.body["cancelledBy"] == "MERCHANT"

    await eventually(cancelled)


async def test_a_refund_that_waits_for_a_standby_which_is_away_is_open_and_moves_once_it_is_back(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    reference = await paid(merchant, shopper, "AFTERPAY_AU")
    await installation.quiet()
    await _synchronous(installation, "FIRST 1 (nobody)")
    try:
        is_open(await merchant.refunds(reference, "40", "R-1"))
        # The commit still waits: nothing shows yet, and a repeat, which waits for it, was itself not done.
        assert (await merchant.details(reference))["refunds"] == []
        assert (await merchant.refunds(reference, "40", "R-1")).status == 503
    finally:
        await _synchronous(installation, "")

    async def done() -> bool:
        return (await merchant.refunds(reference, "40", "R-1")).status == 201 and refunds(installation, reference) == [
            40
        ]

    await eventually(done)
    await installation.quiet()
    assert refunds(installation, reference) == [40]


async def _synchronous(installation: Installation, names: str) -> None:
    async with installation.database.connection() as held:
        await held.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        await held.execute("SELECT pg_reload_conf()")
    while await _shown(installation) != names:
        await asyncio.sleep(0.05)


async def _shown(installation: Installation) -> str:
    async with installation.database.connection() as held:
        return str(await held.fetchval("SHOW synchronous_standby_names"))


@pytest.fixture
async def tried(installation: Installation) -> AsyncIterator[str]:
    """A table whose rows count how often something was done; a row `refused` is refused by the server at COMMIT, once."""
    async with installation.database.connection() as held:
        await held.execute("""
            CREATE TABLE tried (what text);
            CREATE SEQUENCE refusals;
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              IF NEW.what = 'refused' AND nextval('refusals') = 1 THEN
                RAISE SQLSTATE '40001';
              END IF;
              RETURN NULL;
            END $$;
            CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON tried DEFERRABLE INITIALLY DEFERRED
              FOR EACH ROW EXECUTE FUNCTION refuse();
        """)
    yield "INSERT INTO tried VALUES ($1)"
    async with installation.database.connection() as held:
        await held.execute("DROP TABLE tried; DROP FUNCTION refuse; DROP SEQUENCE refusals")


async def _does(database: Database, insert: str, what: str, calls: list[str]) -> None:
    async def work(tx: Connection) -> None:
        calls.append(what)
        await tx.execute(insert, what)

    await database.decided(work)


async def _done(database: Database, what: str) -> int:
    async with database.connection() as held:
        return int(await held.fetchval("SELECT count(*) FROM tried WHERE what = $1", what))


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_decision_whose_commit_nobody_answered_is_not_made_again_by_itself(
    installation: Installation, wire: Wire, tried: str, arrives: bool
) -> None:
    calls: list[str] = []
    wire.cut_behind_commit("once-only", arrives=arrives)
    with pytest.raises(CommitUnknown):
        await _does(installation.database, tried, "once-only", calls)
    assert (len(calls), await _done(installation.database, "once-only")) == (1, arrives)


async def test_a_decision_whose_commit_the_server_refused_is_made_again(installation: Installation, tried: str) -> None:
    calls: list[str] = []
    await _does(installation.database, tried, "refused", calls)
    assert (len(calls), await _done(installation.database, "refused")) == (2, 1)


async def test_a_database_that_is_lost_before_the_commit_has_surely_done_nothing(
    installation: Installation, wire: Wire, tried: str, eventually: Eventually
) -> None:
    with pytest.raises(DatabaseUnavailable) as told:
        async with installation.database.transaction() as tx:
            await tx.execute(tried, "too early")
            wire.go_down()
            with contextlib.suppress(
                asyncpg.InterfaceError
            ):  # once the pool has noticed, the connection says nothing more
                while not tx.is_closed():
                    await asyncio.sleep(0)
    wire.come_up()
    assert not isinstance(told.value, CommitUnknown)

    async def nothing() -> bool:
        with contextlib.suppress(DatabaseUnavailable):
            return await _done(installation.database, "too early") == 0
        return False

    await eventually(nothing)


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_call_to_a_provider_that_a_lost_commit_wrote_down_is_told_once(
    installation: Installation, merchant: Merchant, wire: Wire, arrives: bool
) -> None:
    core, order_id, path = (
        installation.core,
        (await merchant.creates("AFTERPAY_AU"))["orderId"],
        f"/told-once/{arrives}",
    )
    await installation.quiet()
    core.calls.recorder("pac_any", order_id)(CallMade("GET", "provider.example", path, 200, None, 5, Clock.real()))

    async def nothing(desk: Deciding) -> None:
        assert desk.order.id == order_id

    wire.cut_behind_commit(path, arrives=arrives)
    with pytest.raises(CommitUnknown):
        await deciding(core, order_id, "poll", nothing)
    await deciding(core, order_id, "poll", nothing)
    async with installation.database.connection() as held:
        assert await held.fetchval("SELECT count(*) FROM provider_calls WHERE path = $1", path) == 1
