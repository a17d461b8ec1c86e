"""Who did what and when: told for every change, written with it, and never changed afterwards."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from paymux.accounts import service as accounts
from paymux.audit import trail
from paymux.audit.calls import ProviderCall
from paymux.connectors.contract import Checkout, Report
from paymux.connectors.generic.connector import Generic
from paymux.connectors.provider_http import CallMade, shown_path
from paymux.notifications import delivery
from paymux.orders import asking, retention, store, story
from paymux.platform.acting import Actor, acting_as
from paymux.platform.clock import Clock
from paymux.platform.identifiers import id_at
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper


async def entries(installation: Installation, subject: str) -> list[dict[str, Any]]:
    async with installation.database.connection() as held:
        rows = await held.fetch(
            "SELECT * FROM audit_entries WHERE subject = $1 OR order_id = $1 OR merchant_id = $1 ORDER BY id", subject
        )
    return [dict(row) for row in rows]


async def paid(merchant: Merchant, shopper: Shopper, **changes: Any) -> dict[str, Any]:
    opened = await merchant.creates("AFTERPAY_AU", **changes)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    return opened


async def test_every_step_of_an_order_names_who_took_it(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await paid(merchant, shopper)
    reference = opened["orderReference"]
    answer = await merchant.refunds(reference, "30", "R-1")
    assert answer.status == 201, answer.body

    found = await entries(installation, opened["orderId"])

    by = [(row["action"], row["actor_kind"]) for row in found]
    assert by[0] == ("order.created", "merchant")
    assert ("order.decided", "shopper") in by
    [asked] = [row for row in found if row["action"] == "order.refund"]
    assert (asked["actor"], asked["detail"]["reference"]) == (merchant.client_id, "R-1")
    assert asked["request_id"].startswith("req_")
    [done] = [row for row in found if "refund" in row["detail"].get("events", [])]
    assert (done["actor_kind"], done["request_id"]) == ("merchant", asked["request_id"])


async def test_what_jobs_decide_is_the_systems(
    installation: Installation, merchant: Merchant, eventually: Eventually
) -> None:
    opened = await merchant.creates("AFTERPAY_AU", cancellationTimeout=60)
    await installation.advance(61)

    async def ended() -> list[dict[str, Any]]:
        return [row for row in await entries(installation, opened["orderId"]) if row["detail"].get("to") == "CANCELED"]

    [row] = await eventually(ended)
    assert (row["actor_kind"], row["actor"], row["detail"]["source"]) == ("system", "order_timer", "deadline")
    assert (row["at"] - row["at_real"]).total_seconds() > 60


async def test_what_is_refused_leaves_no_entry(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await paid(merchant, shopper)

    answer = await merchant.refunds(opened["orderReference"], "100.01", "R-TOO-MUCH")

    assert answer.status == 400
    assert not [row for row in await entries(installation, opened["orderId"]) if row["action"] == "order.refund"]


async def test_a_change_that_is_rolled_back_takes_its_entry_along(installation: Installation) -> None:
    class Broken(Exception):
        pass

    with pytest.raises(Broken):
        async with installation.database.transaction() as tx:
            await trail.record(tx, "merchant.changed", "mer_rolled_back")
            raise Broken

    assert await entries(installation, "mer_rolled_back") == []


@pytest.mark.parametrize("table", ["audit_entries", "order_events", "provider_calls"])
@pytest.mark.parametrize("change", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("role", ["origin", "replica"])
async def test_evidence_can_be_added_to_and_not_be_changed(
    installation: Installation, merchant: Merchant, table: str, change: str, role: str
) -> None:
    await merchant.creates("AFTERPAY_AU")

    async with installation.database.connection() as held:
        assert await held.fetchval("SELECT usesuper FROM pg_user WHERE usename = current_user")
        before = await held.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            async with held.transaction():
                await held.execute(f"SET LOCAL session_replication_role = {role}")
                await held.execute(change.format(table))
        assert await held.fetchval(f"SELECT count(*) FROM {table}") == before > 0  # noqa: S608


async def test_every_guard_of_evidence_holds_in_every_session(database_url: str) -> None:
    held = await asyncpg.connect(database_url)
    try:
        guards = await held.fetch(
            "SELECT tgrelid::regclass::text || '.' || tgname AS name, tgenabled FROM pg_trigger"
            " WHERE tgfoid IN (SELECT oid FROM pg_proc WHERE proname LIKE 'refuse_change%')"
        )
    finally:
        await held.close()

    assert len(guards) == 5
    assert {row["name"]: row["tgenabled"] for row in guards} == dict.fromkeys((row["name"] for row in guards), b"A")


async def test_an_erasure_may_change_the_words_of_an_event_and_nothing_else(
    installation: Installation, merchant: Merchant
) -> None:
    opened = await merchant.creates("AFTERPAY_AU")
    of_it = "WHERE order_id = $1"

    async with installation.database.transaction() as tx:
        await tx.execute("SET LOCAL paymux.erasing = 'on'")
        await tx.execute(f"UPDATE order_events SET detail = '{{}}' {of_it}", opened["orderId"])  # noqa: S608
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with tx.transaction():
                await tx.execute(f"UPDATE order_events SET amount = 1 {of_it}", opened["orderId"])  # noqa: S608
    async with installation.database.connection() as held:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await held.execute(f"UPDATE order_events SET detail = '{{}}' {of_it}", opened["orderId"])  # noqa: S608


async def test_calls_to_providers_go_by_their_age_alone_and_none_before_thirty_days(
    installation: Installation, merchant: Merchant
) -> None:
    young = (await merchant.creates("AFTERPAY_AU"))["orderId"]
    now, days = Clock.real(), (500, 401, 399, 31)
    made = [
        ProviderCall(f"pac_{n}", "ord_old", None, CallMade("GET", "provider.example", "/", 200, None, 5, now - timedelta(days=n)))
        for n in days
    ]  # fmt: skip
    async with installation.database.transaction() as tx:
        await trail.record_calls(tx, made)
        # They were written when they were made: their ids, by which the oldest are found, say so.
        await tx.execute("ALTER TABLE provider_calls DISABLE TRIGGER append_only")
        for n in days:
            old = id_at("pcl", now - timedelta(days=n))
            await tx.execute("UPDATE provider_calls SET id = $2 WHERE account_id = $1", f"pac_{n}", old)
        await tx.execute("ALTER TABLE provider_calls ENABLE ALWAYS TRIGGER append_only")

    await retention.forget(installation.core)

    async with installation.database.connection() as held:
        left = await held.fetch("SELECT account_id FROM provider_calls WHERE order_id = 'ord_old' ORDER BY id")
        assert [row["account_id"] for row in left] == ["pac_399", "pac_31"]
        assert await held.fetchval("SELECT count(*) FROM provider_calls WHERE order_id = $1", young) > 0
        [told] = await held.fetch("SELECT * FROM audit_entries WHERE action = 'provider_calls.forgotten'")
    assert (told["actor_kind"], told["actor"], told["detail"]["rows"]) == ("system", "retention", 2)
    async with installation.database.transaction() as tx:
        await tx.execute("SET LOCAL paymux.forgetting = 'on'")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with tx.transaction():
                await tx.execute("DELETE FROM provider_calls WHERE order_id = $1", young)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with tx.transaction():
                await tx.execute("UPDATE provider_calls SET status = 200 WHERE account_id = 'pac_31'")


async def test_calls_to_the_provider_are_kept_with_their_operation_also_when_no_answer_came(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await paid(merchant, shopper)
    await installation.fault("AFTERPAY_AU", "refund", "timeout_after", opened["orderReference"])
    await merchant.refunds(opened["orderReference"], "10", "R-LOST")

    async with installation.database.connection() as held:
        calls = await held.fetch("SELECT * FROM provider_calls WHERE order_id = $1 ORDER BY id", opened["orderId"])

    first, lost = calls[0], calls[-1]
    assert (first["method"], first["path"], first["status"]) == ("POST", "/afterpay/v2/checkouts", 201)
    assert first["operation_id"].startswith("crt_")
    assert (lost["status"], lost["fault"].split(":")[0], lost["operation_id"][:4]) == (None, "Unclear", "ref_")
    assert all(call["host"] == "127.0.0.1" for call in calls)


def _is_mistaken(patch: pytest.MonkeyPatch) -> None:
    """The connector can't read what it was answered."""
    fetch = Generic.fetch

    async def mistaken(self: Generic, checkout: Checkout) -> Report:
        await fetch(self, checkout)
        raise KeyError("status")

    patch.setattr(Generic, "fetch", mistaken)


@pytest.mark.parametrize(
    ("fault", "status"), [("timeout_before", None), ("error_before", 500), ("malformed", 200), ("mistake", 200)]
)
async def test_a_question_that_brought_nothing_to_decide_on_is_kept_at_once(
    fault: str, status: int | None, installation: Installation, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = await merchant.creates("PLANPAY_AU")
    await installation.quiet()
    if fault == "mistake":
        _is_mistaken(monkeypatch)
    else:
        await installation.fault("generic", "status", fault, opened["orderReference"])
    async with installation.database.connection() as held:
        order = await store.order_by_id(held, opened["orderId"])

    assert await asking.ask(installation.core, order, "poll") is None

    async with installation.database.connection() as held:
        made = await held.fetch("SELECT * FROM provider_calls WHERE order_id = $1 ORDER BY id", order.id)
    assert [(call["method"], call["status"]) for call in made] == [("POST", 201), ("GET", status)]
    assert made[-1]["operation_id"] is None


async def test_nothing_secret_or_personal_gets_into_the_trail(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await paid(merchant, shopper)
    async with installation.database.connection() as held:
        order = await held.fetchrow(
            "SELECT session, payment_id, order_token FROM orders WHERE id = $1", opened["orderId"]
        )
        kept = str(await held.fetch("SELECT row_to_json(a)::text FROM audit_entries a")) + str(
            await held.fetch("SELECT row_to_json(c)::text FROM provider_calls c")
        )
    told = json.dumps((await story.told(installation.core, opened["orderId"])).json(), default=str)

    secret = [
        "ada@shop.example",
        "Byron",
        "High Street",
        "+61400000000",
        "demo-secret",
        order["session"],
        order["order_token"],
    ]
    assert [one for one in secret if one in kept or one in told] == []


def test_a_path_is_shown_by_its_words_and_no_more_than_the_end_of_its_ids() -> None:
    assert shown_path("/v2/payments/100101533190/refund") == "/v2/payments/*3190/refund"
    assert shown_path("/customer-token/v1/tokens/0b1d9815-165e-42e2-8867-35bc03789e00/order") == (
        "/customer-token/v1/tokens/*9e00/order"
    )
    assert shown_path("/api/InstallmentPlans/Create") == "/api/InstallmentPlans/Create"
    assert shown_path("/orders/ada%40shop.example") == "/orders/*mple"
    assert shown_path("/tokens/secret7") == "/tokens/*"


async def test_a_merchants_account_tells_who_changed_it_and_no_value(installation: Installation) -> None:
    acting_as(Actor("operator", "ada"))
    async with installation.database.transaction() as tx:
        made = await accounts.create_merchant(tx, installation.keyring, installation.clock, "A shop")
        shop = made.merchant.id
        await accounts.set_merchant(tx, shop, webhook_url="https://shop.example/hooks?key=hidden")
        new = await accounts.rotate(tx, installation.keyring, shop, "payment")
        await accounts.add_channel(tx, shop, "web", "Web shop")
        await accounts.set_provider_account(
            tx, installation.keyring, installation.clock, installation.settings, shop, "AFTERPAY_AU",
            environment="sandbox", credentials={"merchant_id": "M-1", "secret_key": "hidden-key"}, channel="web",
        )  # fmt: skip

    found = await entries(installation, shop)

    assert [row["action"] for row in found] == [
        "merchant.created", "merchant.changed", "merchant.rotated", "channel.added", "provider_account.set",
    ]  # fmt: skip
    assert {(row["actor_kind"], row["actor"]) for row in found} == {("operator", "ada")}
    assert found[1]["detail"] == {"changed": ["webhook_url"]}
    assert found[4]["detail"]["fields"] == ["merchant_id", "secret_key"]
    kept = str(found)
    assert not any(secret in kept for secret in ("hidden", "hidden-key", new, made.client_secret, made.webhook_secret))


async def test_moving_the_clock_and_replaying_a_webhook_are_told(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await paid(merchant, shopper)
    await installation.advance(1)
    async with installation.database.transaction() as tx:
        row = await tx.fetchrow(
            "SELECT d.id, d.merchant_id FROM deliveries d JOIN outbox_events e ON e.id = event_id WHERE order_id = $1 LIMIT 1",
            opened["orderId"],
        )
        assert await delivery.replay(tx, row["merchant_id"], row["id"])

    moved = (await entries(installation, "installation"))[-1]
    assert (moved["action"], moved["actor"], moved["detail"]) == ("clock.advanced", merchant.client_id, {"seconds": 1})
    assert [one["action"] for one in await entries(installation, row["id"])] == ["delivery.replayed"]


async def test_the_command_tells_an_orders_whole_story_in_time_order(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await paid(merchant, shopper)
    reference = opened["orderReference"]
    await merchant.refunds(reference, "30", "R-1")

    async def told() -> list[Any]:
        return installation.inbox.events(reference, "REFUND_CALLBACK")

    await eventually(told)
    await installation.quiet()

    code, shown = await command(installation, reference, "--merchant", merchant.client_id, "--json")

    assert code == 0, shown
    whole = json.loads(shown)
    assert (whole["orderReference"], whole["status"], whole["captured"], whole["refunded"]) == (
        reference, "SUCCESSFUL", "100", "30",
    )  # fmt: skip
    lines = whole["story"]
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert {line["what"] for line in lines} == {"event", "operation", "call", "audit", "webhook", "attempt"}
    assert any(line["what"] == "call" and line["text"].startswith("POST 127.0.0.1/afterpay/v2/") for line in lines)

    code, shown = await command(installation, opened["orderId"])
    assert code == 0
    assert f"order.refund by merchant {merchant.client_id}" in shown
    assert "create of 100 claimed by MERCHANT" in shown
    assert "order.decided by shopper\n" in shown
    assert not re.search(r"\b(\w+) \1\b", shown), "no word stands there twice"
    code, shown = await command(installation, "NO-SUCH-ORDER")
    assert (code, shown.strip()) == (1, "There is no order NO-SUCH-ORDER.")


async def command(installation: Installation, *words: str) -> tuple[int, str]:
    """`paymux audit` in a process of its own; its exit code and all that it said."""
    settings = installation.settings
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "paymux", "audit", *words,
        env={"PAYMUX_HOME": str(settings.home), "PAYMUX_DATABASE_URL": settings.database_url, "PATH": "/usr/bin"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()
