"""What comes to an event address by others than the provider, or once too often: refused or kept, and never acted on.

Each story begins with an event that the provider really sent, for every connector that the registry finds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from yarl import URL

from paymux.accounts import demo, service
from paymux.connectors.contract import Connector, EventReading, Incoming
from paymux.connectors.facts import EventKind
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import Provider, all_providers
from paymux.orders import provider_events
from paymux.orders.core import Core
from paymux.orders.model import Order
from tests.api.conftest import a_merchant
from tests.conformance.trial import PATIENT, Trial
from tests.installation import Answer, Installation

LIMITS = PATIENT
TELLING = sorted(name for name, one in all_providers().items() if one.facts.events.kind is not EventKind.NONE)
PROVEN = (EventKind.SIGNED, EventKind.HEADER)
_OF_THE_CONNECTION = ("host", "content-length", "connection", "accept-encoding", "transfer-encoding")


@dataclass(frozen=True)
class Heard:
    """An event as the provider sent it, about a paid order; and another order that nobody has paid."""

    trial: Trial
    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    key: str
    paid: str
    unpaid: str
    claims: bool
    """Whether its connector takes its word; else it leads to asking, whatever it says."""

    @property
    def installation(self) -> Installation:
        return self.trial.installation

    @property
    def believed(self) -> bool:
        """Whether what it says is decided on, so that nobody else must be able to say it."""
        return self.claims and self.kind in PROVEN

    @property
    def kind(self) -> EventKind:
        return self.trial.facts.events.kind

    async def send(self, key: str = "") -> Answer:
        url = f"{self.installation.settings.base_url}/provider-events/{key or self.key}"
        if self.query:
            url += "?" + urlencode(self.query)
        return await self.installation.call(
            self.method,
            URL(url, encoded=True),
            data=self.body or None,
            headers=dict(self.headers),
        )

    async def order(self, reference: str) -> Order:
        async with self.installation.database.connection() as held:
            return Order.of(await held.fetchrow("SELECT * FROM orders WHERE reference = $1", reference))

    async def belongings(self) -> Any:
        """All that could be changed: both orders, what moved at the provider for them, and what the shop was told."""
        await self.installation.quiet()
        seen = []
        for reference in (self.paid, self.unpaid):
            details = await self.trial.merchant.details(reference)
            shown = {name: value for name, value in details.items() if name not in ("updatedAt", "nextStep")}
            told = len(self.installation.inbox.events(reference))
            seen.append((shown, self.installation.ledger(reference), told))
        return seen

    async def stored(self, key: str = "") -> list[Any]:
        async with self.installation.database.connection() as held:
            rows: list[Any] = await held.fetch(
                "SELECT e.* FROM provider_events e JOIN provider_accounts a ON a.id = e.account_id WHERE a.event_key = $1",
                key or self.key,
            )
            return rows


async def _told(trial: Trial, told: list[tuple[str, Incoming]]) -> tuple[str, str, Incoming]:
    """A paid order, and the last that the provider told of it: (reference, address, event)."""
    told.clear()
    reference = await trial.paid()
    await trial.installation.quiet()
    key, event = told[-1]
    return reference, key, event


@pytest.fixture(scope="module")
def told() -> Iterator[list[tuple[str, Incoming]]]:
    """Every authentic event with its address, as it came to the edge."""
    found: list[tuple[str, Incoming]] = []
    receive = provider_events.receive

    async def listening(core: Core, event_key: str, event: Incoming) -> Mapping[str, Any] | None:
        answer = await receive(core, event_key, event)
        if answer:
            found.append((event_key, event))
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provider_events, "receive", listening)
        yield found


def _readings(connector: Connector, event: Incoming) -> list[EventReading]:
    """What its parts are about: an event may bring what is about no checkout (a mandate) beside what is."""
    readings = []
    for _, part in list(connector.split_event(event)) or [("", event)]:
        with suppress(ValueError):
            readings.append(connector.read_event(part))
    assert readings, "some part of it is about a checkout"
    return readings


@pytest.fixture(scope="module", params=TELLING)
async def heard(request: pytest.FixtureRequest, installation: Installation, told: list[tuple[str, Incoming]]) -> Heard:
    provider: Provider = all_providers()[request.param]
    trial = Trial(installation, provider)
    reference, key, event = await _told(trial, told)
    unpaid = (await trial.opens())["orderReference"]
    await installation.quiet()
    async with installation.database.connection() as held:
        account = await service.account_by_event_key(held, installation.keyring, key)
    assert account is not None
    connector = provider.connector(
        service.connector_account(installation.settings, account), ProviderHttp(installation.core.client)
    )
    claims = any(reading.report is not None for reading in _readings(connector, event))
    headers = {name: value for name, value in event.headers.items() if name not in _OF_THE_CONNECTION}
    return Heard(trial, event.method, headers, event.query, event.body, key, reference, unpaid, claims)


async def test_an_event_that_comes_again_and_again_changes_nothing(heard: Heard) -> None:
    before, stored = await heard.belongings(), await heard.stored()
    answers = await asyncio.gather(*(heard.send() for _ in range(4)))
    assert {answer.status for answer in answers} == {200}
    assert await heard.belongings() == before
    assert len(await heard.stored()) == len(stored), "and is kept once"


async def test_an_event_without_its_proof_is_refused_or_proves_nothing(heard: Heard) -> None:
    before = await heard.belongings()
    bare = replace(heard, headers={"content-type": heard.headers.get("content-type", "application/json")})
    if heard.body:
        bare = replace(bare, query={})
    answer = await (await _about_the_unpaid(bare)).send()
    assert answer.status in ((401,) if heard.kind in PROVEN else (200, 401)), answer.body
    assert await heard.belongings() == before


async def _about_the_unpaid(heard: Heard) -> Heard:
    """The event with every name of the paid order put in place by the unpaid one's: what a forger would send."""
    paid, unpaid = await heard.order(heard.paid), await heard.order(heard.unpaid)
    named = [("session", "session"), ("payment_id", "payment_id"), ("provider_reference", "provider_reference"),
             ("payment_id", "session"), ("id", "id"), ("order_token", "order_token"), ("reference", "reference")]  # fmt: skip
    body, query = heard.body.decode("latin-1"), dict(heard.query)
    for theirs, ours in named:
        old, new = getattr(paid, theirs), getattr(unpaid, ours)
        if old and new:
            body = body.replace(old, new).replace(quote(old, safe=""), quote(new, safe=""))
            query = {name: value.replace(old, new) for name, value in query.items()}
    changed = replace(heard, body=body.encode("latin-1"), query=query)
    assert (changed.body, changed.query) != (heard.body, heard.query), "the event names its order"
    return changed


async def test_an_event_that_is_changed_to_another_order_pays_nothing(heard: Heard) -> None:
    if heard.kind is EventKind.HEADER:
        # Whoever has the header is the provider: it stands for the whole event.
        heard = replace(heard, headers={**heard.headers, **dict.fromkeys(await _secret_headers(heard), "guessed")})
    before = await heard.belongings()
    forged = await _about_the_unpaid(heard)
    answer = await forged.send()
    if heard.believed:
        assert (answer.status, answer.body["code"]) == (401, "event_not_authentic")
        kept = [row for row in await heard.stored() if row["verdict"] == "forged"]
        assert kept, "it is kept for inspection"
        assert {row["state"] for row in kept} == {"ignored"}
    assert answer.status in (200, 401), answer.body
    assert await heard.belongings() == before


async def _secret_headers(heard: Heard) -> list[str]:
    """The headers without which the event is not believed."""
    needed = []
    for name in heard.headers:
        without = replace(heard, headers={other: value for other, value in heard.headers.items() if other != name})
        if (await without.send()).status == 401:
            needed.append(name)
    assert needed
    return needed


async def test_an_event_that_is_cut_off_is_refused_or_proves_nothing(heard: Heard) -> None:
    before = await heard.belongings()
    if heard.body:
        cut = [replace(heard, body=heard.body[:size]) for size in (0, 1, len(heard.body) // 2, len(heard.body) - 1)]
    else:
        cut = [
            replace(heard, query={name: value for name, value in heard.query.items() if name != gone})
            for gone in heard.query
        ]
    for event in cut:
        answer = await event.send()
        assert answer.status in ((401,) if heard.believed and heard.kind is EventKind.SIGNED else (200, 401)), (
            answer.body
        )
    assert await heard.belongings() == before


async def test_an_event_that_is_huge_is_refused_unread_and_kept_for_inspection(heard: Heard) -> None:
    before, stored = await heard.belongings(), await heard.stored()
    huge = replace(heard, method="POST", body=heard.body + b" " * 300_000)
    assert (await huge.send()).status == 413
    assert await heard.belongings() == before
    kept = [row for row in await heard.stored() if row["id"] not in {old["id"] for old in stored}]
    assert [(row["verdict"], row["state"], row["fault"]) for row in kept] == [("forged", "ignored", "too large")]


async def test_an_event_at_another_merchants_address_is_not_about_this_order(heard: Heard) -> None:
    """Both accounts have the simulator's one secret: only the address tells them apart."""
    rival = await a_merchant(heard.installation, heard.trial.code)
    async with heard.installation.database.connection() as held:
        owner = (await service.find_merchant(held, rival.client_id)).id
        key = await held.fetchval("SELECT event_key FROM provider_accounts WHERE merchant_id = $1", owner)
    assert key != heard.key
    assert owner != demo.MERCHANT_ID
    before = await heard.belongings()
    answer = await heard.send(key)
    assert answer.status in (200, 401), answer.body
    assert await heard.belongings() == before
    for row in await heard.stored(key):
        assert (row["state"] in ("unmatched", "ignored"), row["order_id"]) == (True, None)
    async with heard.installation.database.connection() as held:
        assert await held.fetchval("SELECT count(*) FROM orders WHERE merchant_id = $1", owner) == 0
