"""What is refused at an event address is kept so far as it takes to find out what it was, and no flood fills the disk."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from paymux.accounts import demo
from paymux.orders import event_store, provider_events, refused_events, retention
from paymux.platform.database import from_json
from tests.api.test_provider_events import checkout_of, event_url, signed
from tests.installation import Answer, Installation, Merchant
from tests.processes import Ran, environment_of, run

SIGNED, HINTED = "PLANPAY_AU", "KLARNA"
HUGE = b'{"type":"checkout.updated","data":"' + b"x" * 400_000 + b'"}'


async def sent(installation: Installation, body: Any, code: str = SIGNED, **headers: str) -> Answer:
    url = await event_url(installation, code)
    return await installation.call("POST", url, data=body, headers={"Content-Type": "application/json", **headers})


async def refused(installation: Installation, why: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The refused events of a reason: each row, and what was sealed of it."""
    async with installation.database.connection() as held:
        rows = await held.fetch(
            "SELECT * FROM provider_events WHERE verdict = 'forged' AND fault = $1 ORDER BY id", why
        )
    return [
        (dict(row), from_json(installation.keyring.unseal(row["request_sealed"], "provider-event"))) for row in rows
    ]


async def typed(installation: Installation, *words: str) -> Ran:
    environment = environment_of(
        PAYMUX_HOME=str(installation.settings.home), PAYMUX_DATABASE_URL=installation.settings.database_url
    )
    return await asyncio.to_thread(run, environment, *words)


async def in_pieces(body: bytes) -> Any:
    for at in range(0, len(body), 50_000):
        yield body[at : at + 50_000]


@pytest.fixture(autouse=True)
async def nothing_refused_yet(installation: Installation) -> None:
    async with installation.database.transaction() as tx:
        await tx.execute("DELETE FROM provider_events")


@pytest.mark.parametrize("told", [True, False], ids=["with its length", "in pieces, without its length"])
async def test_a_huge_event_is_refused_and_kept_by_its_beginning_size_and_digest(
    installation: Installation, told: bool
) -> None:
    body = HUGE if told else in_pieces(HUGE)

    answer = await sent(installation, body, Authorization="Bearer somebodys-secret-value", **{"X-Told": "as it was"})

    assert (answer.status, answer.body["code"]) == (413, "body_too_large")
    [(row, kept)] = await refused(installation, "too large")
    assert (row["state"], row["order_id"], kept["method"]) == ("ignored", None, "POST")
    assert kept["size"] == (len(HUGE) if told else None)
    assert kept["headers"]["authorization"] == "[redacted]"
    assert kept["headers"]["x-told"] == "as it was"
    beginning = refused_body(kept)
    assert beginning == HUGE[: refused_events.REFUSED_BYTES]
    assert kept["digest"] in digests(HUGE, len(beginning), 262_144), "the digest is of all that was read"


def digests(body: bytes, shortest: int, longest: int) -> Iterator[str]:
    """Those of every beginning of a body, from one size to another."""
    read = hashlib.sha256(body[:shortest])
    yield read.hexdigest()
    for size in range(shortest, longest):
        read.update(body[size : size + 1])
        yield read.hexdigest()


def refused_body(kept: dict[str, Any]) -> bytes:
    return base64.b64decode(kept["body"])


async def test_a_huge_event_for_no_account_is_refused_and_not_kept(installation: Installation) -> None:
    url = f"{installation.settings.base_url}/provider-events/pek_nobodys"
    assert (await installation.call("POST", url, data=HUGE)).status == 413
    assert await refused(installation, "too large") == []


async def test_a_flood_of_refused_events_is_kept_to_its_bound_and_no_further(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refused_events, "REFUSED_A_DAY", 5)
    for n in range(9):
        assert (await sent(installation, b'{"forged":%d}' % n)).status == 401
    assert (await sent(installation, HUGE)).status == 413

    assert len(await refused(installation, "not authentic")) == 5
    assert await refused(installation, "too large") == []
    # The next day there is room again.
    await installation.advance(86_401)
    assert (await sent(installation, b'{"forged":"later"}')).status == 401
    assert len(await refused(installation, "not authentic")) == 6


async def test_of_a_refused_event_no_more_than_its_beginning_is_kept(installation: Installation) -> None:
    long = json.dumps({"forged": "y" * 100_000}).encode()
    assert (await sent(installation, long)).status == 401
    [(_, kept)] = await refused(installation, "not authentic")
    assert (kept["size"], kept["digest"]) == (len(long), hashlib.sha256(long).hexdigest())
    assert refused_body(kept) == long[: refused_events.REFUSED_BYTES]


async def test_events_that_prove_nothing_and_fit_nothing_come_to_an_end_and_a_proven_one_does_not(
    installation: Installation, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_events, "WAITING_AT_MOST", 3)
    answers = []
    for body in (
        b'{"order_id":"nobodys-1"}',
        b"junk",
        b'{"order_id":"nobodys-2"}',
        b'{"order_id":"nobodys-3"}',
        b"more",
    ):
        answers.append(await sent(installation, body, HINTED))
        await installation.quiet()

    statuses = [answer.status for answer in answers]
    assert statuses == [200, 200, 200, 503, 503], [answer.body for answer in answers]
    assert answers[-1].body["code"] == "unavailable"
    assert int(answers[-1].headers["Retry-After"]) > 0
    # A provider that proves what it sends goes on telling.
    opened = await merchant.creates(SIGNED)
    shown = await checkout_of(installation, opened["orderReference"])
    for n in range(5):
        body, headers = signed(shown | {"id": "co_none", "order_id": "ord_none", "reference": "NONE"}, f"proven-{n}")
        assert (await sent(installation, body, **headers)).status == 200


async def test_what_fits_no_order_goes_by_its_age_and_what_is_proven_stays_longer(
    installation: Installation, merchant: Merchant
) -> None:
    opened = await merchant.creates(SIGNED)
    shown = await checkout_of(installation, opened["orderReference"])
    body, headers = signed(shown | {"id": "co_none", "order_id": "ord_none", "reference": "NONE"}, "stays")
    assert (await sent(installation, body, **headers)).status == 200
    assert (await sent(installation, b"{}")).status == 401
    assert (await sent(installation, b'{"order_id":"nobodys"}', HINTED)).status == 200
    await installation.quiet()

    await retention.forget(installation.core)
    assert len(await stored(installation)) == 3, "nothing is old enough yet"
    await installation.advance(int(refused_events.REFUSED_KEPT.total_seconds()) + 1)
    await installation.quiet()
    await retention.forget(installation.core)

    left = await stored(installation)
    assert [code for code, name in left if "stays" in name] == [SIGNED]
    assert {code for code, name in left if code == HINTED or name.startswith("forged")} == set()
    async with installation.database.connection() as held:
        told = await held.fetch("SELECT detail FROM audit_entries WHERE action = 'provider_events.forgotten'")
    assert sum(row["detail"]["rows"] for row in told) == 2

    # It may be about another shop's customer: it goes, too. What is about an order of ours, or was not looked at, stays.
    longer = provider_events.PROVEN_KEPT - refused_events.REFUSED_KEPT
    assert longer > timedelta(0)
    async with installation.database.transaction() as tx:
        for name, state, order_id in (("ours", "decided", opened["orderId"]), ("unseen", "stored", None)):
            await tx.execute(
                "INSERT INTO provider_events SELECT $1, account_id, $1, method, request_sealed, verdict, $2, $3, NULL,"
                " received_at FROM provider_events WHERE event_id LIKE '%stays%'",
                name, state, order_id,
            )  # fmt: skip
    await installation.advance(int(longer.total_seconds()) + 1)
    await installation.quiet()
    await retention.forget(installation.core)
    names = {name for _, name in await stored(installation)}
    assert not [name for name in names if "stays" in name]
    assert {"ours", "unseen"} <= names


async def stored(installation: Installation) -> list[tuple[str, str]]:
    """The code and the name of every event that is kept."""
    async with installation.database.connection() as held:
        rows = await held.fetch(
            "SELECT a.code, e.event_id FROM provider_events e JOIN provider_accounts a ON a.id = e.account_id"
        )
    return [(row["code"], row["event_id"]) for row in rows]


async def test_an_operator_lists_what_was_refused_and_looking_into_one_is_told(installation: Installation) -> None:
    assert (await sent(installation, b'{"who":"ada@shop.example"}', Authorization="Basic c2VjcmV0")).status == 401
    [(row, _)] = await refused(installation, "not authentic")

    listed = await typed(installation, "review", "refused", "--json")
    [shown] = json.loads(listed.out)
    assert (shown["event"], shown["provider"], shown["why"], shown["merchant"]) == (
        row["id"], SIGNED, "not authentic", demo.MERCHANT_ID,
    )  # fmt: skip
    assert "ada@" not in listed.out
    assert row["id"] in (await typed(installation, "review", "refused")).out

    one = json.loads((await typed(installation, "review", "event", row["id"])).out)
    assert (one["body"], one["headers"]["authorization"]) == ('{"who":"ada@shop.example"}', "[redacted]")
    async with installation.database.connection() as held:
        [told] = await held.fetch("SELECT * FROM audit_entries WHERE action = 'provider_event.shown'")
    assert (told["subject"], told["actor_kind"]) == (row["id"], "operator")
    unknown = await typed(installation, "review", "event", "pev_none")
    assert (unknown.code, unknown.said.strip()) == (1, "There is no event pev_none.")


async def test_the_bound_is_asked_for_the_account_alone(installation: Installation) -> None:
    assert (await sent(installation, b"{}")).status == 401
    async with installation.database.transaction() as tx:
        now = await installation.clock.refresh(tx)
        rows = {row["code"]: row["id"] for row in await tx.fetch("SELECT code, id FROM provider_accounts")}
        ago = now - timedelta(days=1)
        assert await event_store.refused_since(tx, rows[SIGNED], ago, 10) == 1
        assert await event_store.refused_since(tx, rows["TABBY_AE"], ago, 10) == 0
