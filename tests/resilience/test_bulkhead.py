"""Whoever hangs keeps his own places among a worker's jobs: the others' timers, events and webhooks go on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from paymux.orders import clockwork
from paymux.platform.jobs import JobPlaces, NotYet
from paymux.platform.shares import LONGEST_TURN, Shares
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper

LIMITS = {"provider_timeout": 120.0, "lease": 120.0}
JOBS = 40


class Gate:
    """Holds the calls to one provider before they leave, until it is opened; the others' pass."""

    def __init__(self, installation: Installation, provider: str) -> None:
        self._exchange, self._part = installation.core.client._exchange, f"/{provider}/"
        self.free, self.under_way, self.most = asyncio.Event(), 0, 0
        self.passed = Counter[str]()

    async def exchange(self, method: str, url: str, *request: Any) -> Any:
        if self._part not in url:
            return await self._exchange(method, url, *request)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.free.wait()
            self.passed[url] += 1
            return await self._exchange(method, url, *request)
        finally:
            self.under_way -= 1


@pytest.fixture
def gate(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Closed for Afterpay from now on."""
    made = Gate(installation, "afterpay")
    monkeypatch.setattr(installation.core.client, "_exchange", made.exchange)
    yield made
    made.free.set()


async def test_a_worker_goes_on_for_the_others_while_forty_of_its_jobs_are_due_at_a_provider_that_hangs(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually, gate: Gate
) -> None:
    gate.free.set()
    hanging = [(await merchant.creates("AFTERPAY_AU"))["orderReference"] for _ in range(JOBS)]
    await installation.quiet()
    gate.passed.clear()
    gate.free.clear()

    await installation.advance(31)

    async def all_were_taken_up() -> bool:
        async with installation.database.connection() as held:
            seen: int = await held.fetchval(
                "SELECT count(*) FROM pgqueuer WHERE status = 'picked' OR attempts > 0 AND entrypoint = 'order_timer'"
            )
        return gate.under_way > 0 and seen >= JOBS

    await eventually(all_were_taken_up)
    opened = await merchant.creates("PLANPAY_AU")
    healthy = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])

    async def it_was_told() -> bool:
        return bool(installation.inbox.events(healthy, "ORDER_STATUS_UPDATE", "ORDER_ASYNC_CALLBACK"))

    await eventually(it_was_told)
    polled = (await merchant.creates("PLANPAY_AU"))["orderReference"]
    await installation.advance(31)

    async def it_was_polled() -> bool:
        async with installation.database.connection() as held:
            return bool(await held.fetchval("SELECT polls FROM orders WHERE reference = $1", polled))

    await eventually(it_was_polled)
    assert not gate.passed, "Afterpay has answered nothing all the while"
    assert 0 < gate.under_way <= gate.most <= JOBS / 4

    gate.free.set()

    async def all_were_polled_once() -> bool:
        async with installation.database.connection() as held:
            rows = await held.fetch("SELECT polls FROM orders WHERE reference = ANY($1::text[])", hanging)
        return [row["polls"] for row in rows] == [1] * JOBS

    await eventually(all_were_polled_once)


async def test_of_an_operation_that_found_no_place_nothing_was_touched_and_it_comes_again_by_itself(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually, gate: Gate
) -> None:
    gate.free.set()
    opened = await merchant.creates("AFTERPAY_AU", autoCapture=False)
    reference = opened["orderReference"]
    await installation.call("GET", await shopper.decides(opened["redirectUrl"], "approve"))
    await installation.fault("afterpay", "capture", "error_before", reference)
    assert (await merchant.captures(reference, "40", "C-1")).body["status"] == "PENDING"
    await installation.quiet()

    async def state() -> tuple[Any, ...]:
        async with installation.database.connection() as held:
            op = await held.fetchrow(
                "SELECT o.* FROM operations o JOIN orders ON orders.id = o.order_id"
                " WHERE o.reference = 'C-1' AND orders.reference = $1", reference,
            )  # fmt: skip
            timer = await held.fetchrow("SELECT * FROM timers WHERE what = 'operation' AND subject = $1", op["id"])
        return tuple(op.values()), tuple(timer.values()), f"{op['order_id']}|operation|{op['id']}"

    before = await state()
    with ExitStack() as places:
        while True:
            try:
                places.enter_context(installation.core.places.place("afterpay"))
            except NotYet:
                break
        calls = gate.passed.total()
        await installation.advance(31)
        with pytest.raises(NotYet) as put_off:
            await clockwork.run_timer(installation.core, before[2])

        async def the_worker_put_it_off_too() -> bool:
            async with installation.database.connection() as held:
                return bool(
                    await held.fetchval(
                        "SELECT 1 FROM pgqueuer WHERE status = 'queued' AND attempts > 0"
                        " AND convert_from(payload, 'utf8') LIKE $1", before[2] + "%",
                    )
                )  # fmt: skip

        await eventually(the_worker_put_it_off_too)
        assert put_off.value.after is not None
        assert put_off.value.after <= timedelta(seconds=LONGEST_TURN)
        assert await state() == before
        assert gate.passed.total() == calls

    async def it_is_settled() -> bool:
        (capture,) = (await merchant.details(reference))["orderCaptures"]
        return bool(capture["status"] == "SUCCESSFUL")

    await eventually(it_is_settled)
    assert [amount for kind, amount in installation.ledger(reference) if kind == "capture"] == [40]


def hanging_at(places: JobPlaces, hanging: ExitStack, provider: str) -> int:
    """Let jobs hang at a provider until it gets no place any more; how many do."""
    for number in range(1000):
        try:
            hanging.enter_context(places.place(provider))
        except NotYet:
            return number
    return 1000


def test_the_more_providers_hang_the_less_the_next_one_gets_and_webhooks_keep_theirs() -> None:
    with ExitStack() as hanging:
        places = JobPlaces(JOBS, 50)
        got = [hanging_at(places, hanging, name) for name in ("first", "second", "third", "healthy")]
    assert got[0] == JOBS / 4
    assert got == sorted(got, reverse=True)
    assert got[-1] >= 1
    assert sum(got) <= JOBS / 2


def test_a_provider_that_takes_few_calls_gets_no_more_jobs_than_that() -> None:
    with ExitStack() as hanging:
        assert hanging_at(JobPlaces(JOBS, 2), hanging, "provider") == 2


def test_a_place_that_is_given_back_is_anybodys() -> None:
    shares = Shares(in_all=2, each=1)
    assert [shares.take("a"), shares.take("a"), shares.take("b")] == [True, False, True]
    assert not shares.take("c")
    shares.give_back("a")
    assert [shares.take("c"), shares.take("a")] == [True, False]


def test_who_is_turned_away_comes_back_one_after_the_other_as_fast_as_places_become_free() -> None:
    with ExitStack() as hanging:
        places, told = JobPlaces(JOBS, 50), []
        hanging_at(places, hanging, "provider")
        for _ in range(20):
            with pytest.raises(NotYet) as put_off:
                hanging.enter_context(places.place("provider"))
            assert put_off.value.after is not None
            told.append(put_off.value.after)
    assert told == sorted(told)
    assert timedelta(0) < told[0] < told[-1] <= timedelta(seconds=LONGEST_TURN)
