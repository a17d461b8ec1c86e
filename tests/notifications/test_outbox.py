"""The outbox: an event and its deliveries exist with the decision, one per endpoint (W1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.notifications.conftest import Endpoint, Shop

NewEndpoint = Callable[[], Awaitable[Endpoint]]


async def urls(shop: Shop) -> set[str]:
    return {row["url"] for row in await shop.rows("SELECT url FROM deliveries")}


async def test_a_final_state_is_told_to_both_endpoints(shop: Shop) -> None:
    webhook, callback = Endpoint(url="https://shop.example/a"), Endpoint(url="https://shop.example/b")
    await shop.is_told(webhook, callback)
    assert await urls(shop) == {webhook.url, callback.url}
    assert len(await shop.rows("SELECT 1 FROM pgqueuer")) == 2


async def test_the_orders_own_callback_gets_nothing_but_final_states(shop: Shop) -> None:
    webhook, callback = Endpoint(url="https://shop.example/a"), Endpoint(url="https://shop.example/b")
    for event in ("ORDER_STATUS_UPDATE", "REFUND_CALLBACK", "CAPTURE_STATUS_UPDATE"):
        await shop.is_told(webhook, callback, event)
    assert await urls(shop) == {webhook.url}


async def test_the_same_url_twice_is_one_endpoint(shop: Shop) -> None:
    both = Endpoint(url="https://shop.example/a")
    await shop.is_told(both, both)
    assert len(await shop.rows("SELECT 1 FROM deliveries")) == 1


async def test_an_event_for_nobody_is_kept_all_the_same(shop: Shop) -> None:
    await shop.is_told(None, None)
    assert len(await shop.rows("SELECT 1 FROM outbox_events")) == 1
    assert await urls(shop) == set()
    assert await shop.rows("SELECT 1 FROM pgqueuer") == []


async def test_a_decision_that_is_rolled_back_tells_nobody(shop: Shop) -> None:
    async def decide_and_fail() -> None:
        async with shop.database.transaction() as tx:
            await shop.announce(tx, Endpoint(url="https://shop.example/a"), None, "ORDER_ASYNC_CALLBACK")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await decide_and_fail()
    for table in ("outbox_events", "deliveries", "pgqueuer"):
        assert await shop.rows(f"SELECT 1 FROM {table}") == []  # noqa: S608


async def test_what_is_told_is_not_readable_in_the_database(shop: Shop) -> None:
    await shop.is_told(Endpoint(url="https://shop.example/a"))
    (row,) = await shop.rows("SELECT body_sealed FROM outbox_events")
    assert b"ORD-1" not in row["body_sealed"]
