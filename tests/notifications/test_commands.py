"""`paymux deliveries`: a webhook that was given up is listed, counted, and sent once more."""

from __future__ import annotations

import asyncio
import json

from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.processes import Ran, environment_of, run


async def types(installation: Installation, *words: str) -> Ran:
    settings = installation.settings
    environment = environment_of(
        PAYMUX_HOME=str(settings.home), PAYMUX_DATABASE_URL=settings.database_url, PAYMUX_LOG_LEVEL="ERROR"
    )
    return await asyncio.to_thread(run, environment, "deliveries", *words)


async def given_up(installation: Installation) -> int:
    answer = await installation.call("GET", f"{installation.settings.base_url}/readyz?verbose")
    counted: int = answer.body["webhooksGivenUp"]
    return counted


async def test_a_webhook_that_was_given_up_is_listed_counted_and_sent_once_more(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("PLANPAY_AU")
    await shopper.pays(opened["redirectUrl"])
    await installation.quiet()
    reference = opened["orderReference"]
    before = len([1 for headers, body in installation.inbox.received if reference.encode() in body])
    assert before > 0
    async with installation.database.transaction() as tx:
        delivery = await tx.fetchval(
            "UPDATE deliveries SET state = 'exhausted', attempts = 11, delivered_at = NULL"
            " WHERE event_id = (SELECT max(id) FROM outbox_events WHERE order_id = $1) RETURNING id",
            opened["orderId"],
        )

    async def counted() -> bool:
        return await given_up(installation) == 1

    await eventually(counted)

    [row] = json.loads((await types(installation, "list", "--json")).out)
    assert (row["delivery"], row["orderId"], row["state"], row["tries"]) == (
        delivery, opened["orderId"], "exhausted", 11,
    )  # fmt: skip
    listed = await types(installation, "list", "--merchant", merchant.client_id)
    assert (
        listed.out
        == f"{delivery}  {row['merchant']}  {opened['orderId']}  {row['event']}  exhausted  11 tries\n1 deliveries.\n"
    )
    delivered = json.loads((await types(installation, "list", "--state", "delivered", "--limit", "1", "--json")).out)
    assert [one["state"] for one in delivered] == ["delivered"]

    replayed = await types(installation, "replay", delivery, "--merchant", merchant.client_id)
    assert (replayed.code, replayed.out) == (0, f"{delivery} is sent once more.\n")

    async def heard() -> bool:
        return len([1 for headers, body in installation.inbox.received if reference.encode() in body]) == before + 1

    await eventually(heard)
    await installation.quiet()

    async def counted_no_more() -> bool:
        return await given_up(installation) == 0

    await eventually(counted_no_more)
    assert json.loads((await types(installation, "list", "--json")).out) == []


async def test_all_webhooks_that_were_given_up_in_an_outage_are_sent_once_more_by_one_command(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = [await merchant.creates("PLANPAY_AU") for _ in range(2)]
    for one in opened:
        await shopper.pays(one["redirectUrl"])
    await installation.quiet()
    orders = [one["orderId"] for one in opened]
    async with installation.database.transaction() as tx:
        gone = await tx.fetch(
            "UPDATE deliveries SET state = 'exhausted', attempts = 11, delivered_at = NULL"
            " WHERE event_id IN (SELECT id FROM outbox_events WHERE order_id = ANY($1)) RETURNING id",
            orders,
        )
    expected = sorted(row["id"] for row in gone)
    assert len(expected) > 3
    installation.inbox.received.clear()

    replayed = await types(
        installation, "replay", "--all", "--merchant", merchant.client_id, "--since", "2026-01-31", "--json"
    )
    assert (replayed.code, json.loads(replayed.out)) == (
        0, {"deliveries": len(expected), "erased": 0},
    )  # fmt: skip
    await installation.quiet()

    assert sorted(headers["webhook-id"] for headers, _ in installation.inbox.received) == expected
    async with installation.database.connection() as held:
        told = await held.fetch(
            "SELECT actor_kind, merchant_id FROM audit_entries WHERE action = 'delivery.replayed' AND subject = ANY($1)",
            expected,
        )
    assert [tuple(row.values()) for row in told] == [("operator", "mer_demo")] * len(expected)
    again = await types(installation, "replay", "--all", "--merchant", merchant.client_id)
    assert (again.code, again.out) == (0, "0 deliveries are sent once more.\n")


async def test_what_an_erasure_took_out_of_an_address_is_not_posted_to_by_the_replay_of_all(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    one = await merchant.creates("PLANPAY_AU")
    await shopper.pays(one["redirectUrl"])
    await installation.quiet()
    async with installation.database.transaction() as tx:
        gone = await tx.fetch(
            "UPDATE deliveries SET state = 'exhausted', attempts = 11, delivered_at = NULL"
            " WHERE event_id IN (SELECT id FROM outbox_events WHERE order_id = $1) RETURNING id",
            one["orderId"],
        )
        erased = gone[0]["id"]
        await tx.execute("UPDATE deliveries SET url = url || '?mail=[erased]' WHERE id = $1", erased)
    installation.inbox.received.clear()

    said = await types(installation, "replay", "--all", "--merchant", merchant.client_id)
    await installation.quiet()
    assert (said.code, said.out) == (
        0, f"{len(gone) - 1} deliveries are sent once more.\n1 are not: an erasure took the customer out of their address.\n",
    )  # fmt: skip
    assert sorted(headers["webhook-id"] for headers, _ in installation.inbox.received) == sorted(
        row["id"] for row in gone[1:]
    )
    assert (await types(installation, "replay", erased, "--merchant", merchant.client_id)).code == 0, (
        "by its id it goes"
    )
    await installation.quiet()
    assert installation.inbox.received[-1][0]["webhook-id"] == erased


async def test_what_can_not_be_listed_or_replayed_is_said_in_a_sentence(installation: Installation) -> None:
    for words, said in (
        (("list", "--state", "lost"), "--state must be one of waiting, delivered, exhausted or all."),
        (("list", "--merchant", "nobody"), "There is no merchant nobody."),
        (("replay", "dlv_none", "--merchant", "demo-merchant"), "demo-merchant has no delivery dlv_none."),
        (("replay", "--merchant", "demo-merchant"), "Name one DELIVERY, or say --all."),
        (("replay", "dlv_none", "--all", "--merchant", "demo-merchant"), "Name one DELIVERY, or say --all."),
        (("replay", "dlv_none", "--since", "2026-01-31", "--merchant", "demo-merchant"), "--since goes with --all."),
        (
            ("replay", "--all", "--since", "monday", "--merchant", "demo-merchant"),
            "--since must be a date or a time in ISO 8601, such as 2026-01-31.",
        ),
        (("replay", "--all", "--merchant", "nobody"), "There is no merchant nobody."),
    ):
        ran = await types(installation, *words)
        assert (ran.code, ran.out, ran.said) == (1, "", f"{said}\n")
