"""What the services of this room share: the process's database, keys, clock, settings and way out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from paymux.accounts import service as accounts
from paymux.accounts.model import ProviderAccount
from paymux.audit.calls import CallJournal
from paymux.connectors.contract import Connector
from paymux.connectors.facts import ProviderFacts
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import provider_of
from paymux.orders.model import Order
from paymux.platform.clock import Clock
from paymux.platform.database import Connection, Database
from paymux.platform.encryption import KeyRing
from paymux.platform.http import HttpClient
from paymux.platform.identifiers import new_id
from paymux.platform.jobs import EventPlaces, JobPlaces
from paymux.platform.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """One process's means. `holder` names this process in leases (U4)."""

    database: Database
    keyring: KeyRing
    clock: Clock
    settings: Settings
    client: HttpClient
    holder: str = field(default_factory=lambda: new_id("proc"))
    calls: CallJournal = field(default_factory=CallJournal)
    """The calls to providers that the next decision on their order writes."""
    places: JobPlaces = field(init=False)
    """The places of this process's jobs, of which no provider that hangs gets all."""
    event_places: EventPlaces = field(init=False)
    """Those of its jobs that look at events, of which no account that has many gets all."""

    def __post_init__(self) -> None:
        places = JobPlaces(self.settings.job_concurrency, self.settings.provider_calls)
        object.__setattr__(self, "places", places)
        object.__setattr__(self, "event_places", EventPlaces(self.settings.job_concurrency))

    def place_for(self, order: Order) -> AbstractContextManager[None]:
        """A job's place to call an order's provider. Raises NotYet, and then nothing may have been begun."""
        own = "endpoint" in facts_of(order).credentials  # every merchant's is another server
        return self.places.place(f"{order.connector} of {order.merchant_id}" if own else order.connector)

    async def account(self, tx: Connection, order: Order) -> ProviderAccount:
        """An order's own provider account."""
        return await accounts.provider_account(tx, self.keyring, order.merchant_id, order.account_id)

    async def connector(self, tx: Connection, order: Order) -> Connector:
        """The connector for an order's own provider account."""
        return self.connector_for(order, await self.account(tx, order))

    def connector_for(self, order: Order, account: ProviderAccount, operation_id: str | None = None) -> Connector:
        """The connector for an order's own provider account, which is at hand; labelled in sandbox mode.

        Its calls are recorded for the order, and for the operation that they are made for.
        """
        provider, _ = provider_of(order.code)
        label: Mapping[str, str] | None = None
        if self.settings.sandbox:
            # `events` stands for the URL that a merchant enters in his provider's portal.
            label = {"merchant": order.merchant_id, "reference": order.reference, "code": order.code,
                     "events": accounts.event_url(self.settings, account)}  # fmt: skip
        http = ProviderHttp(self.client, label, self.calls.recorder(account.id, order.id, operation_id))
        return provider.connector(accounts.connector_account(self.settings, account), http)


def facts_of(order: Order) -> ProviderFacts:
    """The facts of an order's provider, with the capabilities of its code."""
    provider, code = provider_of(order.code)
    return provider.facts.for_code(code)
