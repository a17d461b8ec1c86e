"""Deliveries to real endpoints: signed, at least once, with the schedule and every attempt kept (W3)."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
import structlog
from standardwebhooks import Webhook

from paymux.accounts import service as accounts
from paymux.notifications import delivery, store
from paymux.notifications.delivery import SCHEDULE, Replayed, list_deliveries, replay
from paymux.notifications.endpoint_limits import FAILURES, PAUSE
from paymux.orders.customer import ERASED
from paymux.platform import lanes
from paymux.platform.database import from_json
from tests.conftest import Eventually
from tests.notifications.conftest import Endpoint, Shop

NewEndpoint = Callable[[], Awaitable[Endpoint]]


def settled(shop: Shop, *states: str) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        return sorted(await shop.states()) == sorted(states)

    return ask


def tried(shop: Shop, times: int) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        return await shop.attempts() >= times

    return ask


async def only_id(shop: Shop) -> str:
    (row,) = await shop.rows("SELECT id FROM deliveries")
    delivery_id: str = row["id"]
    return delivery_id


async def replays(shop: Shop, merchant_id: str, delivery_id: str) -> bool:
    async with shop.database.transaction() as tx:
        return await replay(tx, merchant_id, delivery_id)


async def test_a_delivery_is_signed_as_standard_webhooks_say(
    shop: Shop, endpoint: Endpoint, eventually: Eventually
) -> None:
    await shop.is_told(endpoint)
    async with shop.delivering():
        await eventually(settled(shop, "delivered"))
    ((headers, body),) = endpoint.received
    assert Webhook(shop.secret).verify(body, dict(headers), json_parse=False) is None
    assert body == b'{"event":"ORDER_ASYNC_CALLBACK","data":{"orderReference":"ORD-1","amount":10.10}}'
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("paymux")
    assert headers["webhook-id"] == await only_id(shop)


async def test_the_signature_bears_real_time_although_the_clock_was_moved(
    shop: Shop, endpoint: Endpoint, eventually: Eventually
) -> None:
    await shop.advance(timedelta(days=3))
    await shop.is_told(endpoint)
    async with shop.delivering():
        await eventually(settled(shop, "delivered"))
    ((headers, body),) = endpoint.received
    Webhook(shop.secret).verify(body, dict(headers), json_parse=False)


async def test_after_a_rotation_the_old_and_the_new_secret_both_verify(
    shop: Shop, endpoint: Endpoint, eventually: Eventually
) -> None:
    async with shop.database.transaction() as tx:
        new = await accounts.rotate(tx, shop.keyring, shop.merchant_id, "webhook")
    await shop.is_told(endpoint)
    async with shop.delivering():
        await eventually(settled(shop, "delivered"))
    ((headers, body),) = endpoint.received
    for secret in (shop.secret, new):
        Webhook(secret).verify(body, dict(headers), json_parse=False)


async def test_a_failed_try_is_repeated_with_the_same_id_and_bytes(
    shop: Shop, endpoint: Endpoint, eventually: Eventually
) -> None:
    endpoint.status = 500
    await shop.is_told(endpoint, token_id=await shop.token("tok_of_the_shopper"))
    async with shop.delivering():
        await eventually(tried(shop, 1))
        endpoint.status = 204
        await shop.advance(timedelta(seconds=10))
        await eventually(settled(shop, "delivered"))
    (first, body), (second, again) = endpoint.received
    assert body == again
    assert first["webhook-id"] == second["webhook-id"]
    assert [row["status"] for row in await shop.rows("SELECT status FROM delivery_attempts ORDER BY number")] == [
        500,
        204,
    ]


async def test_the_payment_token_is_put_in_at_delivery_and_kept_nowhere_before(
    shop: Shop, endpoint: Endpoint, eventually: Eventually
) -> None:
    await shop.is_told(endpoint, token_id=await shop.token("tok_of_the_shopper"))
    (row,) = await shop.rows("SELECT body_sealed FROM outbox_events")
    assert "token" not in from_json(shop.keyring.unseal(row["body_sealed"], "outbox"))["data"]
    async with shop.delivering():
        await eventually(settled(shop, "delivered"))
    ((headers, body),) = endpoint.received
    assert from_json(body)["data"]["token"] == "tok_of_the_shopper"
    Webhook(shop.secret).verify(body, dict(headers), json_parse=False)


async def test_a_dead_endpoint_is_tried_by_the_schedule_and_then_exhausted(
    shop: Shop, endpoint: Endpoint, eventually: Eventually
) -> None:
    endpoint.status = 503
    await shop.is_told(endpoint)
    async with shop.delivering():
        for number, wait in enumerate(SCHEDULE, 1):
            await eventually(tried(shop, number))
            (row,) = await shop.rows(
                "SELECT next_at, (SELECT max(started_real) FROM delivery_attempts) AS at FROM deliveries"
            )
            due = row["next_at"] - row["at"] - shop.clock.offset
            assert wait <= due <= wait * 1.1 + timedelta(seconds=5)
            await shop.advance(wait * 1.1)
        await eventually(settled(shop, "exhausted"))
    assert len(endpoint.received) == len(SCHEDULE) + 1 == await shop.attempts()
    assert await shop.rows("SELECT 1 FROM pgqueuer") == []


async def test_an_exhausted_delivery_is_listed_and_delivered_by_a_replay(
    shop: Shop, endpoint: Endpoint, eventually: Eventually
) -> None:
    await shop.is_told(endpoint)
    delivery_id = await only_id(shop)
    async with shop.database.transaction() as tx:
        await tx.execute("DELETE FROM pgqueuer")
        await tx.execute("UPDATE deliveries SET state = 'exhausted', attempts = 11")
        (listed,) = await list_deliveries(tx, shop.merchant_id, "exhausted", 10)
        assert (listed["id"], listed["event"]) == (delivery_id, "ORDER_ASYNC_CALLBACK")
        assert await list_deliveries(tx, shop.merchant_id, "waiting", 10) == []
        assert await list_deliveries(tx, "mer_other", None, 10) == []
    assert not await replays(shop, "mer_other", delivery_id)
    assert await replays(shop, shop.merchant_id, delivery_id)
    async with shop.delivering():
        await eventually(settled(shop, "delivered"))
    assert endpoint.received[0][0]["webhook-id"] == delivery_id


async def test_a_replay_between_two_tries_does_not_make_two_schedules(
    shop: Shop, endpoint: Endpoint, eventually: Eventually
) -> None:
    endpoint.status = 500
    await shop.is_told(endpoint)
    async with shop.delivering():
        await eventually(tried(shop, 1))
        assert await replays(shop, shop.merchant_id, await only_id(shop))
        await eventually(tried(shop, 2))
        await shop.advance(timedelta(seconds=40))
        await eventually(tried(shop, 3))

        async def one_try_is_left() -> bool:
            return len(await shop.rows("SELECT 1 FROM pgqueuer")) == 1

        await eventually(one_try_is_left)
    assert await shop.attempts() == 3


async def test_two_tries_at_once_are_both_kept_and_one_schedule_goes_on(shop: Shop, endpoint: Endpoint) -> None:
    endpoint.status = 500
    endpoint.open.clear()
    await shop.is_told(endpoint)
    delivery_id, deliverer = await only_id(shop), shop.deliverer()
    tries = [asyncio.create_task(deliverer.deliver(delivery_id)) for _ in range(2)]
    while endpoint.under_way < 2:
        await asyncio.sleep(0.01)
    endpoint.open.set()
    await asyncio.gather(*tries)
    assert await shop.attempts() == 2
    assert [row["attempts"] for row in await shop.rows("SELECT attempts FROM deliveries")] == [1]
    assert len(await shop.rows("SELECT 1 FROM pgqueuer WHERE execute_after > now()")) == 1


async def test_a_success_is_not_undone_by_a_failure_that_comes_after_it(shop: Shop, new_endpoint: NewEndpoint) -> None:
    endpoint = await new_endpoint()
    endpoint.status = 500
    endpoint.open.clear()
    await shop.is_told(endpoint)
    delivery_id, deliverer = await only_id(shop), shop.deliverer()
    late = asyncio.create_task(deliverer.deliver(delivery_id))
    while not endpoint.under_way:
        await asyncio.sleep(0.01)
    async with shop.database.transaction() as tx:
        await tx.execute("UPDATE deliveries SET state = 'delivered', attempts = 1")
    endpoint.open.set()
    await late
    assert await shop.states() == ["delivered"]


async def test_a_redirect_is_not_followed_and_counts_as_failed(
    shop: Shop, new_endpoint: NewEndpoint, eventually: Eventually
) -> None:
    moved, target = await new_endpoint(), await new_endpoint()
    moved.status, moved.headers = 307, {"Location": target.url}
    await shop.is_told(moved)
    async with shop.delivering():
        await eventually(tried(shop, 1))
    assert await shop.states() == ["waiting"]
    assert target.received == []


async def test_an_endpoint_that_does_not_answer_in_time_is_a_failed_try(
    shop: Shop, endpoint: Endpoint, eventually: Eventually
) -> None:
    endpoint.open.clear()
    await shop.is_told(endpoint)
    async with shop.delivering():
        await eventually(tried(shop, 1))
    (row,) = await shop.rows("SELECT status, fault FROM delivery_attempts")
    assert row["status"] is None
    assert "Timeout" in row["fault"]


async def test_where_callbacks_may_not_go_the_attempt_says_so(shop: Shop, eventually: Eventually) -> None:
    inside = Endpoint(url="http://10.0.0.1/hook")
    await shop.is_told(inside)
    async with shop.delivering():
        await eventually(tried(shop, 1))
    (row,) = await shop.rows("SELECT status, fault FROM delivery_attempts")
    assert (row["status"], row["fault"]) == (None, "10.0.0.1 is not an address that callbacks may reach")


async def test_an_endpoint_that_hangs_delays_no_other(
    shop: Shop, new_endpoint: NewEndpoint, eventually: Eventually
) -> None:
    hanging, healthy = await new_endpoint(), await new_endpoint()
    hanging.open.clear()
    for _ in range(60):
        await shop.is_told(hanging)
    await shop.is_told(healthy)
    async with shop.delivering():
        await eventually(hanging.came)
        await eventually(healthy.came)
        assert 0 < hanging.most_under_way <= 4
        hanging.open.set()


async def test_a_merchants_names_that_are_never_answered_take_up_his_own_share_of_look_ups(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The name server, not ours, is played: it is silent until the test is over.
    over, asked = threading.Event(), []

    def silent(host: str, *_: Any) -> list[Any]:
        asked.append(host)
        over.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    shop.settings = shop.settings.model_copy(update={"delivery_timeout": 0.1, "job_concurrency": 20})
    for number in range(10):
        await shop.is_told(Endpoint(url=f"http://h{number}.dead.example/hook"))
    deliverer = shop.deliverer()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", silent)
            for row in await shop.rows("SELECT id FROM deliveries"):
                await deliverer.deliver(row["id"])
    finally:
        over.set()
    assert await shop.attempts() == 10
    assert 0 < len(asked) <= 20 / 4


async def test_an_endpoint_that_is_dead_is_left_alone_and_what_waits_for_it_keeps_its_schedule(
    shop: Shop, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = 0.0
    monkeypatch.setattr(lanes, "monotonic", lambda: monotonic() + moved)
    endpoint.open.clear()
    for _ in range(FAILURES + 1):
        await shop.is_told(endpoint)
    *dead, waits = [row["id"] for row in await shop.rows("SELECT id FROM deliveries ORDER BY id")]
    deliverer = shop.deliverer()
    await asyncio.gather(*(deliverer.deliver(one) for one in dead))
    assert len(endpoint.received) == await shop.attempts() == FAILURES

    async with shop.database.transaction() as tx:
        await tx.execute("DELETE FROM pgqueuer")
    await deliverer.deliver(waits)
    assert len(endpoint.received) == await shop.attempts() == FAILURES, "nothing went out, and no try was counted"
    (job,) = await shop.rows("SELECT payload, execute_after > now() AS later FROM pgqueuer")
    assert (job["payload"].decode(), job["later"]) == (waits, True)

    moved += PAUSE + 1
    endpoint.open.set()
    await deliverer.deliver(waits)
    assert sorted(await shop.states()) == ["delivered", *["waiting"] * FAILURES]


async def test_no_connection_to_the_database_is_held_while_an_endpoint_answers(shop: Shop, endpoint: Endpoint) -> None:
    endpoint.open.clear()
    await shop.is_told(endpoint)
    trying = asyncio.create_task(shop.deliverer().deliver(await only_id(shop)))
    while not endpoint.under_way:
        await asyncio.sleep(0.01)
    assert shop.database.pool.get_size() == shop.database.pool.get_idle_size()
    endpoint.open.set()
    await trying


async def test_a_delivery_whose_worker_broke_off_before_it_was_recorded_is_made_again(
    shop: Shop, endpoint: Endpoint, eventually: Eventually
) -> None:
    endpoint.open.clear()
    await shop.is_told(endpoint)
    broken = asyncio.create_task(shop.deliverer().deliver(await only_id(shop)))
    while not endpoint.under_way:
        await asyncio.sleep(0.01)
    broken.cancel()
    with pytest.raises(asyncio.CancelledError):
        await broken
    assert await shop.attempts() == 0
    endpoint.open.set()
    async with shop.delivering():
        await eventually(settled(shop, "delivered"))
    assert len(endpoint.received) == 2


async def test_a_log_of_a_try_names_no_query_and_no_body(
    shop: Shop, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.is_told(endpoint)
    with structlog.testing.capture_logs() as logged:
        await shop.deliverer().deliver(await only_id(shop))
    (entry,) = [one for one in logged if one["event"] == "webhook.tried"]
    assert entry["outcome"] == "delivered"
    assert "in-the-query" not in str(logged)
    assert "ORD-1" not in str(logged)


async def test_a_delivery_that_is_gone_or_done_needs_nothing(shop: Shop, endpoint: Endpoint) -> None:
    deliverer = shop.deliverer()
    await deliverer.deliver("whd_unknown")
    await shop.is_told(endpoint)
    async with shop.database.transaction() as tx:
        await tx.execute("UPDATE deliveries SET state = 'delivered'")
    await deliverer.deliver(await only_id(shop))
    assert endpoint.received == []


def test_the_schedule_is_the_promised_one() -> None:
    hours = [timedelta(hours=h) for h in (2, 6, 12, 24, 24)]
    minutes = [timedelta(minutes=m) for m in (2, 10, 30)]
    assert list(SCHEDULE) == [timedelta(seconds=5), timedelta(seconds=30), *minutes, *hours]


async def test_all_of_a_merchants_that_were_given_up_are_replayed_the_oldest_first_and_nobody_elses(
    shop: Shop, endpoint: Endpoint, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(6):
        await shop.is_told(endpoint)
    ids = [row["id"] for row in await shop.rows("SELECT id FROM deliveries ORDER BY id")]
    async with shop.database.transaction() as tx:
        await tx.execute("DELETE FROM pgqueuer")
        await tx.execute("UPDATE deliveries SET state = 'exhausted', attempts = 11 WHERE id <> $1", ids[2])
        await tx.execute("UPDATE deliveries SET state = 'delivered' WHERE id = $1", ids[2])
        await tx.execute("UPDATE outbox_events SET occurred_at = occurred_at - interval '1 day'"
                         " WHERE id = (SELECT event_id FROM deliveries WHERE id = $1)", ids[0])  # fmt: skip
        noon = await tx.fetchval("SELECT min(occurred_at) + interval '12 hours' FROM outbox_events")
    monkeypatch.setattr(delivery, "REPLAYED_AT_ONCE", 2)

    assert await delivery.replay_given_up(shop.database, "mer_other", ERASED) == Replayed()
    assert await delivery.replay_given_up(shop.database, shop.merchant_id, ERASED, noon) == Replayed(sent=4)

    later = [ids[1], *ids[3:]]
    assert [row["payload"].decode() for row in await shop.rows("SELECT payload FROM pgqueuer ORDER BY id")] == later
    told = await shop.rows("SELECT subject FROM audit_entries WHERE action = 'delivery.replayed' ORDER BY id")
    assert [row["subject"] for row in told] == later
    assert [row["id"] for row in await shop.rows("SELECT id FROM deliveries WHERE state = 'exhausted'")] == [ids[0]]
    rest = await delivery.replay_given_up(shop.database, shop.merchant_id, ERASED)
    assert rest == Replayed(sent=1), "without a time, those before it, too"
    async with shop.delivering():
        await eventually(settled(shop, *["delivered"] * 6))
    assert sorted(headers["webhook-id"] for headers, _ in endpoint.received) == sorted({*ids} - {ids[2]})


async def test_what_fails_again_while_all_are_replayed_is_not_taken_a_second_time(
    shop: Shop, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await shop.is_told(endpoint)
    async with shop.database.transaction() as tx:
        await tx.execute("UPDATE deliveries SET state = 'exhausted', attempts = 11")
    reopen, taken = store.reopen_all, []

    async def and_fails(tx: Any, merchant_id: str, found: list[str]) -> None:
        await reopen(tx, merchant_id, found)
        taken.extend(found)
        await tx.execute("UPDATE deliveries SET state = 'exhausted' WHERE id = ANY($1)", found)

    monkeypatch.setattr(store, "reopen_all", and_fails)
    monkeypatch.setattr(delivery, "REPLAYED_AT_ONCE", 1)
    async with asyncio.timeout(30):
        assert await delivery.replay_given_up(shop.database, shop.merchant_id, ERASED) == Replayed(sent=3)
    assert len(taken) == len(set(taken)) == 3


async def test_of_two_that_replay_all_at_once_neither_stops_before_the_end(
    shop: Shop, endpoint: Endpoint, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One waits for the other, who had a whole batch of those that it found: behind them there are more."""
    for _ in range(5):
        await shop.is_told(endpoint)
    async with shop.database.transaction() as tx:
        await tx.execute("UPDATE deliveries SET state = 'exhausted', attempts = 11")
    monkeypatch.setattr(delivery, "REPLAYED_AT_ONCE", 2)

    async def waits() -> bool:
        rows = await shop.rows(
            "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%exhausted%'"
        )
        return bool(rows)

    async with shop.database.transaction() as other:
        await other.execute(
            "UPDATE deliveries SET state = 'waiting' WHERE id IN (SELECT id FROM deliveries ORDER BY id LIMIT 2)"
        )
        replaying = asyncio.create_task(delivery.replay_given_up(shop.database, shop.merchant_id, ERASED))
        await eventually(waits)
    assert await asyncio.wait_for(replaying, 30) == Replayed(sent=3)
    assert await shop.rows("SELECT id FROM deliveries WHERE state = 'exhausted'") == []
