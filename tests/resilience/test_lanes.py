"""One slow or dead provider starves no other, and nobody takes a call that never left for one whose outcome is unknown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import pytest
from aiohttp import web

from paymux.platform import lanes
from paymux.platform.http import Answer, HttpClient, NotSent, Unclear
from paymux.platform.lanes import Lanes
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper

LIMITS = {"provider_failures": 3, "provider_pause": 3600.0, "lease": 30.0}


@dataclass
class Provider:
    """An HTTP server that answers what it is told to, when it is told to."""

    status: int = 200
    calls: int = 0
    url: str = ""
    free: asyncio.Event = field(default_factory=asyncio.Event)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def answer(self, request: web.Request) -> web.Response:
        async with self.came:
            self.calls += 1
            self.came.notify_all()
        await self.free.wait()
        return web.Response(status=self.status)

    async def reached(self, calls: int) -> None:
        async with self.came:
            await asyncio.wait_for(self.came.wait_for(lambda: self.calls >= calls), 30)


@asynccontextmanager
async def served() -> AsyncIterator[Provider]:
    provider, app = Provider(), web.Application()
    provider.free.set()
    app.router.add_route("*", "/{path:.*}", provider.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}/pay"
    try:
        yield provider
    finally:
        provider.free.set()
        await runner.cleanup()


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with served() as one:
        yield one


@pytest.fixture
async def other() -> AsyncIterator[Provider]:
    async with served() as one:
        yield one


@dataclass
class Time:
    """The time that the lanes see: it stands still until it is moved."""

    moved: float = 0.0

    def __call__(self) -> float:
        return monotonic() + self.moved


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(lanes, "monotonic", time)
    return time


Call = Callable[[str], Awaitable[Answer]]


@asynccontextmanager
async def client(**limits: Any) -> AsyncIterator[Call]:
    made = {"at_once": 50, "failures": 3, "pause": 600.0, "wait": 10.0} | limits
    http = HttpClient(connect=2.0, total=made.pop("total", 20.0), lanes=Lanes(**made))

    async def call(url: str) -> Answer:
        return await http.send("POST", url, headers={})

    try:
        yield call
    finally:
        await http.close()


async def test_a_provider_that_hangs_keeps_its_own_places_only(provider: Provider, other: Provider) -> None:
    provider.free.clear()
    async with client(at_once=2) as call:
        hanging = [asyncio.ensure_future(call(provider.url)) for _ in range(4)]
        await provider.reached(2)
        with pytest.raises(NotSent, match="too many calls"):
            await call(provider.url)
        assert (await call(other.url)).status == 200
        assert provider.calls == 2, "the others wait for a place"
        provider.free.set()
        assert [(await answer).status for answer in hanging] == [200] * 4
        assert (await call(provider.url)).status == 200


async def test_who_waits_too_long_for_a_place_has_sent_nothing(provider: Provider) -> None:
    provider.free.clear()
    async with client(at_once=1, wait=0.05) as call:
        hanging = asyncio.ensure_future(call(provider.url))
        await provider.reached(1)
        with pytest.raises(NotSent, match="under way"):
            await call(provider.url)
        provider.free.set()
        assert (await hanging).status == 200
        assert provider.calls == 1


async def test_after_failures_in_a_row_nothing_goes_out_until_one_has_tried(
    provider: Provider, other: Provider, time: Time
) -> None:
    provider.status = 503
    async with client() as call:
        for _ in range(3):
            assert (await call(provider.url)).status == 503
        for _ in range(3):
            with pytest.raises(NotSent, match="in a row"):
                await call(provider.url)
        assert provider.calls == 3
        assert (await call(other.url)).status == 200

        time.moved += 601
        provider.free.clear()
        trial = asyncio.ensure_future(call(provider.url))
        await provider.reached(4)
        with pytest.raises(NotSent):
            await call(provider.url)
        provider.free.set()
        assert (await trial).status == 503
        with pytest.raises(NotSent):
            await call(provider.url)

        time.moved += 601
        provider.status = 200
        assert [(await call(provider.url)).status for _ in range(3)] == [200, 200, 200]
        assert provider.calls == 7


async def test_a_trial_that_its_caller_gives_up_leaves_the_next_one_to_try(provider: Provider, time: Time) -> None:
    provider.status = 500
    async with client() as call:
        for _ in range(3):
            await call(provider.url)
        time.moved += 601
        provider.free.clear()
        trial = asyncio.ensure_future(call(provider.url))
        await provider.reached(4)
        trial.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trial
        provider.free.set()
        provider.status = 200
        assert (await call(provider.url)).status == 200


async def test_a_refusal_is_no_failure_and_one_answer_ends_a_row(provider: Provider) -> None:
    async with client() as call:
        for status in (500, 500, 401, 500, 500, 404, 429, 422, 400, 409):
            provider.status = status
            assert (await call(provider.url)).status == status


async def test_time_outs_and_lost_connections_count(provider: Provider) -> None:
    provider.free.clear()
    async with client(total=0.2) as call:
        for _ in range(3):
            with pytest.raises(Unclear):
                await call(provider.url)
        with pytest.raises(NotSent, match="in a row"):
            await call(provider.url)
    async with client() as call:
        for _ in range(3):
            with pytest.raises(NotSent, match="Connector"):
                await call("http://127.0.0.1:1/pay")
        with pytest.raises(NotSent, match="in a row"):
            await call("http://127.0.0.1:1/pay")


async def authorised(merchant: Merchant, shopper: Shopper) -> str:
    opened = await merchant.creates("AFTERPAY_AU", autoCapture=False)
    await shopper.installation.call("GET", await shopper.decides(opened["redirectUrl"], "approve"))
    reference: str = opened["orderReference"]
    assert (await merchant.status(reference))["captureStatus"] == "AUTHORIZED"
    return reference


async def trip(installation: Installation, merchant: Merchant) -> None:
    """Let creates fail until nothing goes out to Afterpay any more."""
    await installation.fault("afterpay", "create", "error_before", times=10)
    answers = [(await merchant.post("/orders", merchant.order("AFTERPAY_AU"))).status for _ in range(4)]
    assert answers[0] == 201, "unknown, and tried again"
    assert answers[-1] == 502, "it certainly never left"
    await installation.call("DELETE", f"{installation.settings.sandbox_base_url}/control/faults")


async def test_a_closed_lane_never_makes_a_failure_of_a_call_whose_outcome_is_unknown(
    installation: Installation, merchant: Merchant, shopper: Shopper, time: Time, eventually: Eventually
) -> None:
    reference = await authorised(merchant, shopper)
    await installation.fault("afterpay", "capture", "timeout_after", reference)
    lost = await merchant.captures(reference, "40", "C-1")
    assert (lost.status, lost.body["status"]) == (201, "PENDING")
    await trip(installation, merchant)

    await installation.advance(40)  # now it would be asked about, but nothing goes out
    await installation.quiet()
    (capture,) = (await merchant.details(reference))["orderCaptures"]
    assert capture["status"] == "PENDING"
    # A second one certainly never leaves: that is no secret, and its reference stands for it.
    never_left = await merchant.captures(reference, "10", "C-2")
    assert (never_left.status, never_left.body["code"]) == (502, "provider_unreachable")
    body = merchant.order("AFTERPAY_AU")
    assert (await merchant.post("/orders", body)).status == 502
    assert (await merchant.status(body["orderReference"]))["status"] == "ERROR"
    assert (await merchant.post("/orders", merchant.order("PLANPAY_AU"))).status == 201, "another provider is as before"

    time.moved += 3601

    async def found() -> bool:
        # The first who asks tries the lane alone; who comes meanwhile is put off, and comes again.
        await installation.advance(700)
        await installation.quiet()
        captures = {one["captureId"]: one["status"] for one in (await merchant.details(reference))["orderCaptures"]}
        assert captures["C-1"] != "FAILED"
        return captures == {"C-1": "SUCCESSFUL", "C-2": "FAILED"}

    await eventually(found)
    assert [amount for kind, amount in installation.ledger(reference) if kind == "capture"] == [40]


async def test_what_the_system_itself_owes_waits_for_an_open_lane(
    installation: Installation, merchant: Merchant, shopper: Shopper, time: Time
) -> None:
    opened = await merchant.creates("AFTERPAY_AU")
    back = await shopper.decides(opened["redirectUrl"], "approve")
    await trip(installation, merchant)
    await installation.call("GET", back)
    assert (await merchant.status(opened["orderReference"]))["status"] == "PENDING"
    time.moved += 3601
    await installation.advance(700)
    await installation.quiet()
    assert (await merchant.status(opened["orderReference"]))["status"] == "SUCCESSFUL"
    assert installation.balance(opened["orderReference"]) == 100
