"""Provider events over HTTP: verified, stored once, answered at once, decided by a job; forged and early ones too (P1)."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from paymux.accounts import demo
from paymux.connectors.facts import EventKind
from paymux.connectors.generic.simulated_rules import SECRET, sign_event
from paymux.connectors.registry import all_providers, provider_of
from paymux.orders import event_store
from paymux.orders.decide import deciding
from paymux.orders.provider_events import given_up, pause_at, run_event
from paymux.platform.clock import Clock
from paymux.platform.database import from_json, to_json
from paymux.platform.jobs import NotYet
from tests.api.conftest import Holds
from tests.installation import Answer, Installation, Merchant, Shopper

CODE = "PLANPAY_AU"


async def event_url(installation: Installation, code: str = CODE) -> str:
    async with installation.database.connection() as held:
        key = await held.fetchval(
            "SELECT event_key FROM provider_accounts WHERE code = $1 AND merchant_id = $2", code, demo.MERCHANT_ID
        )
    return f"{installation.settings.base_url}/provider-events/{key}"


async def sends(installation: Installation, body: bytes, headers: dict[str, str], slash: str = "") -> Answer:
    return await installation.call("POST", await event_url(installation) + slash, data=body, headers=headers)


def signed(checkout: dict[str, Any], name: str) -> tuple[bytes, dict[str, str]]:
    body = to_json({"type": "checkout.updated", "timestamp": "2026-11-24T10:00:00Z", "data": checkout}).encode()
    return body, {**sign_event(body, Clock.real(), name), **JSON}


async def checkout_of(installation: Installation, reference: str) -> dict[str, Any]:
    """The provider's own words on an order."""
    simulator: Any = installation.sandbox.simulators["generic"]
    async with installation.database.connection() as held:
        session = await held.fetchval("SELECT session FROM orders WHERE reference = $1", reference)
    found: dict[str, Any] = from_json(to_json(simulator._shown(simulator.case(session))))
    return found


async def kept(installation: Installation) -> dict[str, str]:
    async with installation.database.connection() as held:
        return {
            row["event_id"]: row["state"] for row in await held.fetch("SELECT event_id, state FROM provider_events")
        }


async def test_an_event_alone_completes_an_order_whose_shopper_never_returned(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Any
) -> None:
    opened = await merchant.creates(CODE)
    async with installation.database.transaction() as tx:
        await tx.execute("DELETE FROM timers WHERE order_id = $1 AND what = 'poll'", opened["orderId"])
    await shopper.decides(opened["redirectUrl"], "approve")

    async def paid() -> bool:
        return bool((await merchant.status(opened["orderReference"]))["status"] == "SUCCESSFUL")

    await eventually(paid)


@pytest.mark.parametrize("slash", ["", "/"])
async def test_an_event_is_stored_once_however_often_it_comes(
    slash: str, merchant: Merchant, installation: Installation, eventually: Any, holds: Holds
) -> None:
    reference = (await merchant.creates(CODE))["orderReference"]
    name = f"twice{len(slash)}"
    body, headers = signed(await checkout_of(installation, reference), name)
    answers = await asyncio.gather(*(sends(installation, body, headers, slash) for _ in range(5)))
    assert {answer.status for answer in answers} == {200}
    holds("EventReceived", answers[0].body)
    stored = [event_id for event_id in await kept(installation) if name in event_id]
    assert len(stored) == 1

    async def decided() -> bool:
        return (await kept(installation))[stored[0]] == "decided"

    await eventually(decided)


async def test_a_forged_event_is_a_401_changes_nothing_and_takes_no_true_events_place(
    merchant: Merchant, shopper: Shopper, installation: Installation, eventually: Any, holds: Holds
) -> None:
    await installation.fault(CODE, "events", "no_event", times=3)
    opened = await merchant.creates(CODE)
    await shopper.decides(opened["redirectUrl"], "pending")
    body, headers = signed(await checkout_of(installation, opened["orderReference"]), "forged1")
    forged = body.replace(b'"pending"', b'"paid"')
    for wrong_body, wrong_headers in (
        (forged, headers), (body, headers | {"webhook-signature": "v1,AAAA"}), (body, JSON),
        (body, headers | {"webhook-timestamp": "1"}), (b"", headers), (b"\xff", headers),
    ):  # fmt: skip
        answer = await sends(installation, wrong_body, wrong_headers)
        assert (answer.status, answer.body["code"]) == (401, "event_not_authentic")
        holds("Error", answer.body)
    assert (await merchant.status(opened["orderReference"]))["status"] == "PENDING"
    assert (await sends(installation, body, headers)).status == 200


async def test_another_accounts_address_does_not_take_the_event(
    merchant: Merchant, rival: Merchant, installation: Installation, eventually: Any
) -> None:
    """Both accounts have the simulator's one secret: only the address tells them apart."""
    reference = (await merchant.creates(CODE))["orderReference"]
    shown = await checkout_of(installation, reference)
    body, headers = signed(shown | {"status": "declined"}, "elsewhere1")
    async with installation.database.connection() as held:
        key = await held.fetchval("SELECT event_key FROM provider_accounts WHERE merchant_id = $1", rival.id)  # type: ignore[attr-defined]
    url = f"{installation.settings.base_url}/provider-events/{key}"
    assert (await installation.call("POST", url, data=body, headers=headers)).status == 200

    async def unmatched() -> bool:
        return any("elsewhere1" in name and state == "unmatched" for name, state in (await kept(installation)).items())

    await eventually(unmatched)
    assert (await merchant.status(reference))["status"] == "PENDING"


async def test_an_event_that_comes_before_its_order_is_tried_again_when_the_order_is_decided(
    merchant: Merchant, installation: Installation, eventually: Any
) -> None:
    first = (await merchant.creates(CODE))["orderReference"]
    shown = await checkout_of(installation, first)
    early = shown | {"id": "co_not_there_yet", "order_id": "ord_not_there_yet", "reference": "NOT-THERE-YET"}
    body, headers = signed(early, "early1")
    assert (await sends(installation, body, headers)).status == 200
    name = next(name for name in await kept(installation) if "early1" in name)

    async def unmatched() -> bool:
        return (await kept(installation))[name] == "unmatched"

    await eventually(unmatched)
    # The order becomes known under the session that the event names: that alone wakes it, long before its time.
    await becomes_known(installation, first, "co_not_there_yet")

    async def decided() -> bool:
        return (await kept(installation))[name] == "decided"

    await eventually(decided)


async def becomes_known(installation: Installation, reference: str, session: str) -> None:
    """An order's session is decided on, as its provider's answer to its create decides on it."""
    async with installation.database.connection() as held:
        order_id = await held.fetchval("SELECT id FROM orders WHERE reference = $1", reference)
    await deciding(installation.core, order_id, "test", lambda desk: desk.change(session=session))


async def an_event_of_another_shop(installation: Installation, shown: dict[str, Any], name: str) -> str:
    """Send a proven event that names nothing of ours; its number, once it has been looked at."""
    theirs = {"id": f"co_{name}", "order_id": f"ord_{name}", "reference": name.upper()}
    body, headers = signed(shown | theirs, name)
    assert (await sends(installation, body, headers)).status == 200
    await installation.quiet()
    async with installation.database.connection() as held:
        row = await held.fetchrow("SELECT id, state FROM provider_events WHERE event_id LIKE '%' || $1 || '%'", name)
    assert row["state"] == "unmatched"
    return str(row["id"])


async def test_an_order_wakes_the_events_that_name_it_and_not_those_of_another_shop_at_the_same_account(
    merchant: Merchant, shopper: Shopper, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shop beside ours sells 3,000 orders a day: none of its events may cost a look for each order of ours."""
    shown = await checkout_of(installation, (await merchant.creates(CODE))["orderReference"])
    theirs = [await an_event_of_another_shop(installation, shown, f"theirs{n}") for n in range(3)]
    looked, real = [], event_store.event

    async def event(tx: Any, number: str) -> Any:
        looked.append(number)
        return await real(tx, number)

    monkeypatch.setattr(event_store, "event", event)
    for _ in range(3):
        opened = await merchant.creates(CODE)
        await shopper.pays(opened["redirectUrl"])
    await installation.quiet()
    assert looked, "our own orders' events were looked at"
    assert not set(looked) & set(theirs)
    # One of them turns out to be ours after all: it is woken, once, and the others are not.
    await becomes_known(installation, opened["orderReference"], "co_theirs1")
    await installation.quiet()
    assert [number for number in looked if number in theirs] == [theirs[1]]


async def test_an_event_that_fits_no_order_is_looked_at_after_ever_longer_pauses(
    merchant: Merchant, installation: Installation
) -> None:
    shown = await checkout_of(installation, (await merchant.creates(CODE))["orderReference"])
    number = await an_event_of_another_shop(installation, shown, "later1")

    async def pause_after(age: timedelta) -> float | None:
        """The seconds until its next look, when it is looked at so long after it came."""
        async with installation.database.transaction() as tx:
            await tx.execute("DELETE FROM pgqueuer WHERE payload = $1", number.encode())
            now = await installation.core.clock.refresh(tx)
            await tx.execute("UPDATE provider_events SET received_at = $2 WHERE id = $1", number, now - age)
        await run_event(installation.core, number)
        async with installation.database.connection() as held:
            left: float | None = await held.fetchval(
                "SELECT extract(epoch FROM execute_after - created)::float FROM pgqueuer WHERE payload = $1",
                number.encode(),
            )
        return left

    for minutes, seconds in ((0, 30), (1, 60), (2, 120), (30, 1800), (60, 3600), (600, 3600)):
        paused = await pause_after(timedelta(minutes=minutes))
        assert paused == pytest.approx(seconds, abs=10), minutes
    assert await pause_after(timedelta(hours=24)) is None
    looks, age = 0, timedelta(0)
    while age < timedelta(hours=24):
        looks, age = looks + 1, age + pause_at(age)
    assert looks < 40, "and not once a minute"


async def test_an_account_with_many_events_leaves_the_other_accounts_their_places(
    merchant: Merchant, installation: Installation
) -> None:
    shown = await checkout_of(installation, (await merchant.creates(CODE))["orderReference"])
    number = await an_event_of_another_shop(installation, shown, "crowd1")
    async with installation.database.connection() as held:
        account, other = [
            await held.fetchval("SELECT id FROM provider_accounts WHERE code = $1 AND merchant_id = $2", code, demo.MERCHANT_ID)
            for code in (CODE, "AFTERPAY_AU")
        ]  # fmt: skip
    places = installation.core.event_places
    with ExitStack() as taken:
        with pytest.raises(NotYet):
            for _ in range(installation.settings.job_concurrency):
                taken.enter_context(places.place(account))
        with places.place(other):
            pass
        with pytest.raises(NotYet) as put_off:
            await run_event(installation.core, number)
        assert put_off.value.after is not None, "it comes in its turn, and nothing is logged"
    await run_event(installation.core, number)
    assert set((await kept(installation)).values()) <= {"decided", "unmatched", "ignored"}


async def test_an_event_that_fits_no_order_for_a_day_is_given_up_and_listed(
    merchant: Merchant, installation: Installation, eventually: Any
) -> None:
    shown = await checkout_of(installation, (await merchant.creates(CODE))["orderReference"])
    body, headers = signed(shown | {"id": "co_nobody", "order_id": "ord_nobody", "reference": "NOBODYS"}, "nobodys1")
    assert (await sends(installation, body, headers)).status == 200
    await installation.quiet()
    for _ in range(3):
        await installation.advance(12 * 3600 + 1)
        await installation.quiet()
    async with installation.database.connection() as held:
        waiting = await held.fetchval("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'provider_event'")
    assert waiting == 0, "it is not tried for ever"
    (listed,) = [row for row in await given_up(installation.core) if "nobodys1" in row["providerEvent"]]
    assert (listed["merchant"], listed["provider"]) == (demo.MERCHANT_ID, CODE)
    assert any("nobodys1" in name and state == "unmatched" for name, state in (await kept(installation)).items())


JSON = {"Content-Type": "application/json"}
JUNK: list[tuple[bytes, dict[str, str]]] = [
    (b"", {}), (b"\xff\xfe\0", {}), (b"[]", JSON), (b'{"id":{},"data":[]}', JSON),
    (b"null", JSON), (b"[" * 5000, JSON),
    (b'{"id":"\\u0000","reference":"\\u0000","order_id":"\\u0000"}', JSON),
    (b"a=%00&b=%ff&reference=%00", {"Content-Type": "application/x-www-form-urlencoded"}),
]  # fmt: skip


async def test_junk_at_the_address_of_any_provider_is_taken_or_refused_and_never_a_fault(
    installation: Installation, eventually: Any
) -> None:
    async with installation.database.connection() as held:
        rows = await held.fetch(
            "SELECT DISTINCT ON (a.code) a.code, a.event_key FROM provider_accounts a WHERE merchant_id = $1",
            demo.MERCHANT_ID,
        )
    by_connector = {provider_of(row["code"])[0].name: row["event_key"] for row in rows}
    assert len(by_connector) >= 4
    for name, key in by_connector.items():
        for method in ("GET", "POST"):
            for body, headers in JUNK:
                url = f"{installation.settings.base_url}/provider-events/{key}?reference=%00&x=%ff"
                answer = await installation.call(method, url, data=body, headers=headers)
                sends_none = all_providers()[name].facts.events.kind is EventKind.NONE
                assert answer.status in ((404,) if sends_none else (200, 401)), (name, method, body, answer.body)
    await installation.quiet()
    async with installation.database.connection() as held:
        late = await held.fetchval("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'provider_event' AND attempts > 0")
    assert late == 0, "no job fails over it"


async def test_an_unknown_address_is_a_404(installation: Installation, holds: Holds) -> None:
    for method in ("GET", "POST"):
        answer = await installation.call(
            method, f"{installation.settings.base_url}/provider-events/pek_nobody", data=b"x"
        )
        assert (answer.status, answer.body["error"]) == (404, "Not Found")
        holds("Error", answer.body)


async def test_what_a_provider_sent_is_not_readable_in_the_database(installation: Installation) -> None:
    async with installation.database.connection() as held:
        rows = await held.fetch("SELECT request_sealed FROM provider_events")
    assert rows
    assert not any(b"checkout" in row["request_sealed"] or SECRET.encode() in row["request_sealed"] for row in rows)
