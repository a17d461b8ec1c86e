"""Anybody may ask whether a process is ready, as often as he likes: it costs one look, and does not make it unready."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from paymux.api.readiness import COUNTED_FOR, SEEN_FOR, Readiness, SharedLook
from paymux.orders import store
from paymux.platform import jobs
from tests.conftest import Eventually
from tests.installation import Installation

CROWD = 150


class Looks:
    """Looks that are held until they are opened, and their number; a clock that stands still."""

    def __init__(self) -> None:
        self.taken, self.time = 0, 100.0
        self.begun, self.opened = asyncio.Event(), asyncio.Event()

    async def look(self) -> int:
        self.taken += 1
        mine = self.taken
        self.begun.set()
        await self.opened.wait()
        return mine

    def now(self) -> float:
        return self.time


async def test_all_who_ask_while_a_look_is_taken_have_its_answer_and_so_have_those_shortly_after() -> None:
    looks = Looks()
    shared = SharedLook(looks.look, 1.0, looks.now)
    crowd = [asyncio.create_task(shared.answer()) for _ in range(1_800)]
    await looks.begun.wait()
    late = [asyncio.create_task(shared.answer()) for _ in range(10)]
    looks.time += 60
    await asyncio.sleep(0)
    looks.opened.set()
    assert set(await asyncio.gather(*crowd, *late)) == {1}
    looks.time += 0.9
    assert await shared.answer() == 1
    looks.time += 0.2
    assert await shared.answer() == 2, "then somebody looks again"
    assert looks.taken == 2


async def test_who_asked_first_and_left_takes_nobody_elses_answer_along() -> None:
    looks = Looks()
    shared = SharedLook(looks.look, 1.0, looks.now)
    first = asyncio.create_task(shared.answer())
    await looks.begun.wait()
    second = asyncio.create_task(shared.answer())
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    looks.opened.set()
    assert await second == 1
    assert looks.taken == 1


async def test_a_look_that_failed_fails_for_all_who_waited_and_is_taken_again_later() -> None:
    times = 0

    async def look() -> int:
        nonlocal times
        times += 1
        if times == 1:
            raise RuntimeError("no")
        return times

    looks = Looks()
    shared = SharedLook(look, 1.0, looks.now)
    heard = await asyncio.gather(*(shared.answer() for _ in range(5)), return_exceptions=True)
    assert [type(one) for one in heard] == [RuntimeError] * 5
    looks.time += 1.1
    assert await shared.answer() == 2


async def test_a_crowd_that_asks_whether_a_process_is_ready_costs_it_one_look_with_its_counts_too(
    installation: Installation, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = installation.settings.base_url

    async def ready() -> bool:
        return (await installation.call("GET", f"{base}/readyz")).status == 200

    await eventually(ready)
    counted, age, count, state = Looks(), jobs.worker_age, store.count_to_review, Readiness.state
    looks, asked = Looks(), 0

    async def held_age(tx: Any) -> int | None:
        await looks.look()
        return await age(tx)

    async def held_count(tx: Any) -> int:
        await counted.look()
        return await count(tx)

    async def state_of(self: Readiness) -> Any:
        nonlocal asked
        asked += 1
        return await state(self)

    monkeypatch.setattr(jobs, "worker_age", held_age)
    monkeypatch.setattr(store, "count_to_review", held_count)
    monkeypatch.setattr(Readiness, "state", state_of)
    clock = Looks()  # whatever the machine takes, no answer of this crowd is older than it may be
    monkeypatch.setattr("paymux.api.readiness.WITHIN", 60.0)
    app: Any = installation.server.config.app
    app_readiness = app.state.readiness
    app_readiness._state._now = app_readiness._counts._now = clock.now
    app_readiness._state._holds_until = app_readiness._counts._holds_until = 0.0
    try:
        paths = ["/readyz?verbose" if n % 3 else "/readyz" for n in range(CROWD)]
        crowd = [asyncio.create_task(installation.call("GET", base + path)) for path in paths]

        async def all_there() -> bool:
            # aiohttp has a hundred connections to a host; so many wait at once.
            return asked >= 100

        await eventually(all_there)
        assert looks.taken == 1, "one looks, the others wait for what he sees"
        looks.opened.set()
        await counted.begun.wait()
        assert counted.taken == 1
        counted.opened.set()
        answers = await asyncio.gather(*crowd)
        assert {answer.status for answer in answers} == {200}
        assert ["ordersToReview" in answer.body for answer in answers] == ["verbose" in path for path in paths]
        assert (looks.taken, counted.taken) == (1, 1)

        clock.time += SEEN_FOR + 0.1
        assert (await installation.call("GET", f"{base}/readyz?verbose")).body["ordersToReview"] >= 0
        assert (looks.taken, counted.taken) == (2, 1), "what is counted holds longer"
        clock.time += COUNTED_FOR
        await installation.call("GET", f"{base}/readyz?verbose")
        assert (looks.taken, counted.taken) == (3, 2)
    finally:
        app_readiness._state = SharedLook(app_readiness._seen, SEEN_FOR)
        app_readiness._counts = SharedLook(app_readiness._counted, COUNTED_FOR)
