"""What `POST /orders` leaves behind when it can't be done: by whose fault, and how it is told (E3, E4)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.installation import Installation, Merchant, Shopper, free_port


async def test_a_refused_body_leaves_its_reference_free(merchant: Merchant) -> None:
    body = merchant.order()
    assert (await merchant.post("/orders", body | {"orderAmount": 1})).status == 400
    assert (await merchant.get(f"/orders/{body['orderReference']}")).status == 404
    assert (await merchant.post("/orders", body)).status == 201


async def test_a_used_reference_is_a_409(merchant: Merchant) -> None:
    body = merchant.order()
    assert (await merchant.post("/orders", body)).status == 201
    for again in (body, merchant.order("PLANPAY_AU", orderReference=body["orderReference"])):
        answer = await merchant.post("/orders", again)
        assert (answer.status, answer.body["code"], answer.body["error"]) == (409, "duplicate_reference", "Conflict")


async def test_a_provider_that_does_not_answer_leaves_a_pending_order(
    merchant: Merchant, installation: Installation
) -> None:
    body = merchant.order("PLANPAY_AU")
    await installation.fault("PLANPAY_AU", "create", "timeout_before", body["orderReference"])
    answer = await merchant.post("/orders", body)
    assert (answer.status, answer.body["paymentStatus"]) == (201, "pending"), "a time-out is unknown, never failed"
    assert (await merchant.status(body["orderReference"]))["status"] == "PENDING"


@pytest.fixture
async def cut_off(
    new_database: Callable[[], Awaitable[str]], tmp_path: Path
) -> AsyncIterator[tuple[Installation, Callable[[], Awaitable[None]]]]:
    """An installation, and the moment from which its providers can't be reached any more."""
    running = Installation(tmp_path, await new_database())
    await running.start()

    async def cut() -> None:
        await running._runner.cleanup()

    yield running, cut
    await running.stop()


async def test_a_provider_that_can_not_be_reached_ends_the_order_with_a_502_that_is_announced_and_repeated(
    cut_off: tuple[Installation, Callable[[], Awaitable[None]]],
) -> None:
    installation, cut = cut_off
    merchant, shopper = installation.merchant, Shopper(installation)
    opened = await merchant.creates("PLANPAY_AU")
    await shopper.pays(opened["redirectUrl"])
    await installation.quiet()
    await cut()
    body, key = merchant.order("PLANPAY_AU"), {"Idempotency-Key": "gone-1"}
    for _ in range(2):
        answer = await merchant.post("/orders", body, **key)
        assert (answer.status, answer.body["code"], answer.body["error"]) == (
            502,
            "provider_unreachable",
            "Bad Gateway",
        )
    assert (await merchant.post("/orders", body)).body["code"] == "duplicate_reference"
    assert (await merchant.status(body["orderReference"]))["status"] == "ERROR"
    refund = [await merchant.refunds(opened["orderReference"], "10", "R-1") for _ in range(2)]
    assert [(one.status, one.body["code"]) for one in refund] == [(502, "provider_unreachable")] * 2
    assert (await merchant.details(opened["orderReference"]))["refunds"][0]["status"] == "FAILED"
    await installation.quiet()
    (told,) = installation.inbox.events(body["orderReference"], "ORDER_ASYNC_CALLBACK")
    assert told["data"]["status"] == "ERROR"


async def test_without_its_database_it_says_503_writes_nothing_and_comes_back_by_itself(
    new_database: Callable[[], Awaitable[str]], postgres_server: Any, tmp_path: Path, eventually: Any
) -> None:
    url = await new_database()
    name = urlsplit(url).path.lstrip("/")
    installation = Installation(tmp_path, url, port=free_port())
    await installation.start()
    merchant = installation.merchant
    body = merchant.order("PLANPAY_AU")
    await merchant.token()
    admin = await asyncpg.connect(postgres_server.url("postgres"))
    try:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)

        async def away() -> bool:
            return (await merchant.post("/orders", body)).status == 503

        await eventually(away)
        for answer in (
            await merchant.post("/orders", body), await merchant.get("/options?amount=10&currency=AUD"),
            await merchant.get("/orders/x"), await merchant.refunds("x", "1", "R"),
            await installation.call("POST", f"{merchant.base}/provider-events/pek_x", data=b"x"),
        ):  # fmt: skip
            assert (answer.status, answer.body["code"], answer.body["error"]) == (
                503,
                "unavailable",
                "Service Unavailable",
            )
            assert int(answer.headers["Retry-After"]) > 0
        assert (await installation.call("GET", f"{merchant.base}/healthz")).status == 200
        assert (await installation.call("GET", f"{merchant.base}/readyz")).status == 503
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

        async def back() -> bool:
            return (await merchant.post("/orders", body)).status == 201

        await eventually(back)
        assert (await merchant.status(body["orderReference"]))["status"] == "PENDING"
    finally:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await admin.close()
        await installation.stop()


async def test_a_capture_after_the_authorisation_has_expired_is_a_409(
    merchant: Merchant, shopper: Shopper, installation: Installation
) -> None:
    opened = await merchant.creates("PLANPAY_AU", autoCapture=False)
    await shopper.pays(opened["redirectUrl"])
    await installation.advance(8 * 86_400)
    answer = await merchant.captures(opened["orderReference"], "10", "C-1")
    assert (answer.status, answer.body["code"]) == (409, "authorisation_expired")
