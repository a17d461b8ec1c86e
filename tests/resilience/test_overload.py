"""Past its capacity the API says so at once, goes on with what it has accepted, and loses nothing of it."""

from __future__ import annotations

import asyncio
import contextlib

from paymux.platform.database import DatabaseUnavailable
from tests.installation import Answer, Installation, Merchant
from tests.resilience.conftest import Held

LIMITS = {"max_requests": 5, "provider_timeout": 60.0, "lease": 30.0, "body_timeout": 0.5, "database_wait": 0.5}


def turned_away(answer: Answer, code: str = "overloaded") -> None:
    """The documented shape: a status, a word, a sentence, the request's id, and when to come again (E1, E3)."""
    body = answer.body
    assert (answer.status, body["statusCode"], body["error"], body["code"]) == (503, 503, "Service Unavailable", code)
    assert body["message"]
    assert body["requestId"].startswith("req_")
    assert int(answer.headers["Retry-After"]) > 0


async def healthy(installation: Installation) -> None:
    for path in ("/healthz", "/readyz"):
        assert (await installation.call("GET", installation.settings.base_url + path)).status == 200


async def test_a_full_process_turns_new_orders_away_and_does_what_it_accepted(
    installation: Installation, merchant: Merchant, held: Held
) -> None:
    url = installation.settings.base_url
    await merchant.token()
    bodies = [merchant.order("AFTERPAY_AU") for _ in range(6)]
    accepted = [asyncio.create_task(merchant.post("/orders", body)) for body in bodies[:4]]
    await held.reached(4)
    turned_away(await merchant.post("/orders", bodies[4]))
    turned_away(await merchant.get("/options?amount=10&currency=AUD"))
    turned_away(await installation.call("POST", f"{url}/token", data={"client_id": "x"}))
    await healthy(installation)
    # What goes on with work that was accepted earlier has a place yet.
    assert (await merchant.get("/orders/nobody-s")).status == 404
    held.open()
    answers = await asyncio.gather(*accepted)
    assert [answer.status for answer in answers] == [201] * 4
    for body in bodies[:4]:
        assert (await merchant.status(body["orderReference"]))["status"] == "PENDING"
    assert (await merchant.get(f"/orders/{bodies[4]['orderReference']}")).status == 404, "nothing was written"
    assert (await merchant.post("/orders", bodies[4])).status == 201, "the reference is free"


async def test_whoever_waits_for_the_database_is_told_before_long(
    installation: Installation, merchant: Merchant
) -> None:
    body = merchant.order("AFTERPAY_AU")
    await merchant.token()
    await installation.quiet()
    async with contextlib.AsyncExitStack() as taken:
        with contextlib.suppress(DatabaseUnavailable):
            while True:
                await taken.enter_async_context(installation.database.connection())
        turned_away(await merchant.post("/orders", body), "unavailable")
        turned_away(await merchant.get("/orders/nobody-s"), "unavailable")
        await healthy(installation)
    assert (await merchant.post("/orders", body)).status == 201


async def test_a_body_that_trickles_holds_no_place_for_long(installation: Installation, merchant: Merchant) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", installation.settings.port)
    head = (
        f"POST /orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {await merchant.token()}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n{"
    )
    writer.write(head.encode())
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"body_too_slow"' in answer


async def test_a_shopper_who_returns_is_served_while_new_orders_are_not(
    installation: Installation, merchant: Merchant, held: Held
) -> None:
    accepted = [asyncio.create_task(merchant.creates("AFTERPAY_AU")) for _ in range(4)]
    await held.reached(4)
    turned_away(await merchant.post("/orders", merchant.order()))
    answer = await installation.call("GET", f"{installation.settings.base_url}/return/otk_unknown")
    assert answer.status == 404
    held.open()
    await asyncio.gather(*accepted)
