"""While PostgreSQL is down everybody is told so at once and nothing is half done; when it is back, everything goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import psutil
import pytest

from paymux.checkout import returns
from paymux.orders.core import Core
from paymux.platform.database import DatabaseUnavailable
from paymux.platform.migrations import upgrade
from paymux.platform.postgres import EmbeddedPostgres
from tests.conftest import Eventually
from tests.installation import Answer, Installation, Merchant, Shopper
from tests.resilience.conftest import Held

# Longer than a test takes, so that a busy machine turns no answer into a lost one.
LIMITS = {"provider_timeout": 60.0, "lease": 3.0, "database_wait": 1.5}


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    """A server of this module's own, which it stops and starts."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("own-postgres"))
    url = server.start()
    try:
        with ThreadPoolExecutor(1) as thread:  # its event loop is not the tests' own
            thread.submit(lambda: asyncio.run(upgrade(url))).result()
        yield server
    finally:
        server.delete()


@pytest.fixture(scope="module")
async def installation(
    server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    running = Installation(tmp_path_factory.mktemp("home"), server.url("paymux"), **LIMITS)
    await running.start()
    yield running
    await running.stop()


def away(answer: Answer) -> None:
    assert (answer.status, answer.body["code"], answer.body["error"]) == (503, "unavailable", "Service Unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def away_in_words(answer: Answer, status: int) -> None:
    """A shopper reads a page, whose words are true whatever was done: 503 where that was surely nothing."""
    assert (answer.status, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert "please do not pay again" in answer.body
    assert "nothing was" not in answer.body
    assert int(answer.headers["Retry-After"]) > 0


async def test_without_its_database_everybody_is_told_at_once_and_it_comes_back_by_itself(
    installation: Installation, server: EmbeddedPostgres, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    url, before = installation.settings.base_url, await merchant.creates("AFTERPAY_AU")
    approved = await shopper.decides(before["redirectUrl"], "approve")
    body = merchant.order("AFTERPAY_AU")
    server.stop(hurry=True)
    async with asyncio.timeout(20):  # ten calls, each answered within a second or two
        for _ in range(2):
            away(await merchant.post("/orders", body))
            away(await merchant.get(f"/orders/{before['orderReference']}"))
            away(await merchant.refunds(before["orderReference"], "1", "R-1"))
            away_in_words(await installation.call("GET", approved), 503)
            away_in_words(await installation.call("GET", f"{url}/checkout/{before['orderToken']}"), 503)
            away(await installation.call("POST", f"{url}/provider-events/pek_x", data=b"x"))
        assert (await installation.call("GET", f"{url}/healthz")).status == 200
        ready = await installation.call("GET", f"{url}/readyz")
        assert (ready.status, ready.body["database"]) == (503, False)
    server.start()

    async def ready_again() -> bool:
        return (await installation.call("GET", f"{url}/readyz")).status == 200

    await eventually(ready_again)
    assert (await merchant.get(f"/orders/{body['orderReference']}")).status == 404, "nothing was half done"
    assert (await merchant.post("/orders", body)).status == 201, "its reference is free"
    assert (await installation.call("GET", approved)).status in (302, 303)
    # The worker is back, too, and so is the sandbox's reader of the clock.
    await installation.quiet()
    events = installation.inbox.events(before["orderReference"], "ORDER_ASYNC_CALLBACK")
    assert [event["data"]["status"] for event in events] == ["SUCCESSFUL"]
    await installation.advance(86_400)

    async def expired() -> bool:
        return bool((await merchant.status(body["orderReference"]))["status"] == "CANCELED")

    await eventually(expired)
    assert installation.balance(before["orderReference"]) == 100


async def test_a_database_that_is_there_and_says_nothing_is_given_up_on(
    installation: Installation, server: EmbeddedPostgres, merchant: Merchant, eventually: Eventually
) -> None:
    url, body = installation.settings.base_url, merchant.order("AFTERPAY_AU")
    await installation.quiet()
    postmaster = psutil.Process(server.pid)
    stopped = [postmaster, *postmaster.children()]
    for process in stopped:
        process.suspend()
    try:
        async with asyncio.timeout(20):
            away(await merchant.post("/orders", body))
            assert (await installation.call("GET", f"{url}/healthz")).status == 200
            assert (await installation.call("GET", f"{url}/readyz")).status == 503
    finally:
        for process in stopped:
            process.resume()

    async def back() -> bool:
        return (await merchant.post("/orders", body)).status == 201

    await eventually(back)


async def test_a_create_whose_database_went_away_meanwhile_goes_on_by_itself(
    installation: Installation, server: EmbeddedPostgres, merchant: Merchant, held: Held, eventually: Eventually
) -> None:
    body = merchant.order("AFTERPAY_AU")
    asked = asyncio.create_task(merchant.post("/orders", body, **{"Idempotency-Key": "key-1"}))
    await held.reached(1)
    server.stop(hurry=True)
    held.open()
    answer = await asked
    # Not 503: that would say that nothing was written.
    assert (answer.status, answer.body["code"]) == (500, "outcome_open")
    server.start()

    async def open_again() -> bool:
        found = await merchant.get(f"/orders/{body['orderReference']}")
        return found.status == 200 and found.body["status"] == "PENDING"

    await eventually(open_again)
    again = await merchant.post("/orders", body, **{"Idempotency-Key": "key-1"})
    assert (again.status, again.body["orderReference"]) == (201, body["orderReference"])


async def test_a_capture_whose_database_went_away_meanwhile_moves_once(
    installation: Installation, server: EmbeddedPostgres, merchant: Merchant, shopper: Shopper, eventually: Eventually,
    hold: Callable[[], Held],
) -> None:  # fmt: skip
    opened = await merchant.creates("AFTERPAY_AU", autoCapture=False)
    reference = opened["orderReference"]
    await installation.call("GET", await shopper.decides(opened["redirectUrl"], "approve"))
    await installation.quiet()
    gate = hold()
    asked = asyncio.create_task(merchant.captures(reference, "40", "C-1"))
    await gate.reached(1)
    server.stop(hurry=True)
    gate.open()
    assert (await asked).status == 500
    assert [amount for kind, amount in installation.ledger(reference) if kind == "capture"] == [40]
    server.start()

    async def healed() -> bool:
        answer = await merchant.get(f"/orders/{reference}/details")
        return answer.status == 200 and answer.body["orderCaptures"][0]["status"] == "SUCCESSFUL"

    await eventually(healed)
    assert (await merchant.captures(reference, "40", "C-1")).body["status"] == "SUCCESSFUL"
    assert [amount for kind, amount in installation.ledger(reference) if kind == "capture"] == [40]
    await installation.quiet()
    (told,) = installation.inbox.events(reference, "CAPTURE_STATUS_UPDATE")
    assert (told["data"]["status"], told["data"]["amount"]) == ("SUCCESSFUL", 40)


async def comes_back(installation: Installation, server: EmbeddedPostgres) -> None:
    """PostgreSQL starts again, and what it left behind goes on."""
    server.start()
    url = f"{installation.settings.base_url}/readyz"
    async with asyncio.timeout(30):
        while (await installation.call("GET", url)).status != 200:
            await asyncio.sleep(0.05)


async def test_a_return_whose_database_went_away_once_the_money_moved_is_not_told_that_nothing_was_done(
    installation: Installation, server: EmbeddedPostgres, merchant: Merchant, shopper: Shopper, eventually: Eventually,
    hold: Callable[[], Held],
) -> None:  # fmt: skip
    opened = await merchant.creates("AFTERPAY_AU")
    reference = opened["orderReference"]
    back = await shopper.decides(opened["redirectUrl"], "approve")
    gate = hold()
    returning = asyncio.create_task(installation.call("GET", back))
    await gate.reached(1)
    server.stop(hurry=True)
    gate.open()
    away_in_words(await returning, 500)
    moved = installation.ledger(reference)
    assert [kind for kind, _ in moved] == ["authorize", "capture"]
    await comes_back(installation, server)

    async def paid() -> bool:
        return bool((await merchant.status(reference))["status"] == "SUCCESSFUL")

    await eventually(paid)
    assert (await shopper.returns(back))["status"] == "SUCCESSFUL"
    assert installation.ledger(reference) == moved


class Lost:
    """The database is away for whoever comes here."""

    def __init__(self) -> None:
        self.met = 0

    async def __call__(self, *_: object) -> Any:
        self.met += 1
        raise DatabaseUnavailable("it is away")


async def test_who_only_reads_where_he_goes_back_to_is_told_that_nothing_was_done(
    installation: Installation, merchant: Merchant, shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = await merchant.creates("AFTERPAY_AU")
    back = await shopper.decides(opened["redirectUrl"], "approve")
    waiting = f"{installation.settings.base_url}/checkout/{opened['orderToken']}"
    lost = Lost()
    monkeypatch.setattr(returns, "merchant_url", lost)
    away_in_words(await installation.call("GET", back), 500)
    away_in_words(await installation.call("GET", back), 503)
    away_in_words(await installation.call("GET", waiting), 503)
    assert lost.met == 3
    monkeypatch.undo()
    assert (await shopper.returns(back))["status"] == "SUCCESSFUL", "the first of them had decided"
    assert [kind for kind, _ in installation.ledger(opened["orderReference"])] == ["authorize", "capture"]


async def half_captured(installation: Installation, merchant: Merchant, shopper: Shopper) -> str:
    """An order of which 40 were captured, which only the provider knows."""
    opened = await merchant.creates("AFTERPAY_AU", autoCapture=False)
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await installation.fault("afterpay", "capture", "error_after", reference)
    assert (await merchant.captures(reference, "40", "C-1")).body["status"] == "PENDING"
    return str(reference)


async def repaired(merchant: Merchant, reference: str, eventually: Eventually) -> None:
    """Read the order until it has its captured amount."""

    async def captured() -> bool:
        await merchant.status(reference)
        return Decimal((await merchant.details(reference))["capturedAmount"]) == 40

    await eventually(captured)


async def test_an_order_whose_provider_could_not_even_be_asked_is_not_open(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    reference = await half_captured(installation, merchant, shopper)
    lost = Lost()
    monkeypatch.setattr(Core, "connector", lost)
    away(await merchant.get(f"/orders/{reference}"))
    assert lost.met == 1
    monkeypatch.undo()
    await repaired(merchant, reference, eventually)


async def test_an_order_that_was_asked_about_when_the_database_went_away_is_open(
    installation: Installation, server: EmbeddedPostgres, merchant: Merchant, shopper: Shopper, eventually: Eventually,
    hold: Callable[[], Held],
) -> None:  # fmt: skip
    """Reading it may repair it, and what is decided there may move money."""
    reference = await half_captured(installation, merchant, shopper)
    gate = hold()
    asked = asyncio.create_task(merchant.get(f"/orders/{reference}"))
    await gate.reached(1)
    server.stop(hurry=True)
    gate.open()
    answer = await asked
    assert (answer.status, answer.body["code"]) == (500, "outcome_open")
    await comes_back(installation, server)
    await repaired(merchant, reference, eventually)


async def test_a_shopper_whose_checkout_is_being_opened_when_the_database_goes_away_reads_a_page(
    installation: Installation, server: EmbeddedPostgres, merchant: Merchant, shopper: Shopper, eventually: Eventually,
    hold: Callable[[], Held],
) -> None:  # fmt: skip
    body = merchant.order("AFTERPAY_AU")
    await installation.fault("afterpay", "create", "error_before", body["orderReference"])
    url = (await merchant.post("/orders", body)).body["redirectUrl"]
    assert "/checkout/" in url
    gate = hold()
    asked = asyncio.create_task(installation.call("GET", url))
    await gate.reached(1)
    server.stop(hurry=True)
    gate.open()
    away_in_words(await asked, 500)
    await comes_back(installation, server)

    async def goes_on() -> bool:
        return (await installation.call("GET", url)).status == 303

    await eventually(goes_on)
    assert (await shopper.pays(url))["status"] == "SUCCESSFUL"
