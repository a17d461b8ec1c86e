"""One order's way through a provider's simulator, step by step: what the stories of a connector's tests are told with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from paymux.connectors.contract import (
    Approved,
    Checkout,
    Connector,
    Incoming,
    Move,
    Moved,
    MoveResult,
    OrderToPay,
    Paid,
    Redirect,
)  # fmt: skip
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.overheard import Exchange

KEY = "0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f6f01"
ONE, TWO, THREE = (f"0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f7f0{n}" for n in (1, 2, 3))
LOST = ["timeout_after", "error_after", "reset_after", "malformed"]
"""Faults after which the provider has done what it was asked, and nobody was told."""
NEVER_CAME = ["timeout_before", "error_before"]
"""Faults with which the provider has done nothing."""


def checkout_of(session: str, amount: str, currency: str, country: str, **changes: Any) -> Checkout:
    """A checkout as the core stores it, of an order that no till opened: a documented one."""
    checkout = Checkout(
        session=session, reference="R-1001", total=Money(Decimal(amount), currency), auto_capture=True, get_token=False,
        country=country, locale=f"en_{country}", expires_at=datetime(2030, 1, 1, tzinfo=UTC), order_id="ord_1",
    )  # fmt: skip
    return replace(checkout, **changes)


@dataclass
class Till:
    """A shop's till: opens orders, has the shopper decide, and moves money. A provider's own class adds what only it has."""

    counter: Any
    code: str
    currency: str = ""
    """Of this till's orders, if not the code's first."""
    usual: str = "100.00"
    """The amount of an order of which a story tells none."""

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector(self.code)
        return connector

    @property
    def simulator(self) -> Any:
        return self.counter.sandbox.simulators[self.counter.provider.name]

    @property
    def exchanges(self) -> list[Exchange]:
        """The calls that the connector has made, oldest first."""
        exchanges: list[Exchange] = self.counter.client.exchanges
        return exchanges

    def money(self, amount: str) -> Money:
        return Money(Decimal(amount), self.currency or self.counter.currency(self.code))

    def order(self, amount: str = "", **changes: Any) -> OrderToPay:
        """A plain order that the code accepts."""
        amount = amount or self.usual
        order: OrderToPay = self.counter.order(self.code, amount, **{"total": self.money(amount), **changes})
        return order

    async def opens(self, amount: str = "", key: str = KEY, **changes: Any) -> tuple[Redirect, Checkout]:
        """Open an order."""
        order = self.order(amount, **changes)
        opened = await self.connector.create_checkout(order, key)
        assert isinstance(opened, Redirect)
        return opened, self.counter.checkout(order, opened)

    async def decides(self, outcome: str, amount: str = "", **changes: Any) -> tuple[Checkout, Mapping[str, str]]:
        """Open an order and have the shopper decide; the checkout, and the query that he comes back with."""
        opened, checkout = await self.opens(amount, **changes)
        return checkout, await self.counter.shopper(await self.page(opened), outcome)

    async def page(self, opened: Redirect) -> str:
        """Where the shopper decides, come by as a browser does."""
        return opened.url

    @staticmethod
    async def sent_on(url: str) -> str:
        """Where a page sends the browser on to."""
        async with aiohttp.ClientSession() as browser, browser.get(url, allow_redirects=False) as answer:
            assert answer.status in (302, 303), await answer.text()
            return answer.headers["Location"]

    async def decided(self, outcome: str = "approve", amount: str = "", **changes: Any) -> Checkout:
        """Open an order and have the shopper decide."""
        checkout, _ = await self.decides(outcome, amount, **changes)
        return checkout

    async def confirmed(self, amount: str = "", **changes: Any) -> tuple[Checkout, Paid]:
        """Have the shopper agree, and confirm the order; the checkout with its payment, and what the confirm told."""
        checkout = await self.decided("approve", amount, **changes)
        paid = await self.connector.confirm(checkout, KEY)
        if isinstance(paid, Approved):
            checkout = self.with_state(checkout, paid)
            paid = await self.connector.confirm(checkout, KEY)
        assert isinstance(paid, Paid)
        return self.with_payment(checkout, paid), paid

    async def confirms(self, amount: str = "", **changes: Any) -> Checkout:
        """Have the shopper agree, and confirm the order."""
        checkout, _ = await self.confirmed(amount, **changes)
        return checkout

    async def pays(self, amount: str = "", **changes: Any) -> Checkout:
        """Have the shopper agree, and ask; the checkout with its payment."""
        checkout = await self.decided("approve", amount, **changes)
        return self.with_payment(checkout, await self.paid_now(checkout))

    @staticmethod
    def with_payment(checkout: Checkout, paid: Paid) -> Checkout:
        """The checkout with what was told of its payment, as the core keeps it."""
        return replace(checkout, payment_id=paid.payment_id, state={**checkout.state, **paid.state})

    @staticmethod
    def with_state(checkout: Checkout, approval: Approved) -> Checkout:
        """The checkout with what a confirm found out that it needs, as the core keeps it before it confirms."""
        assert approval.state
        return replace(checkout, state={**checkout.state, **approval.state})

    async def holds(self, amount: str = "", **changes: Any) -> Checkout:
        """An order of which everything is authorised and nothing captured."""
        return await self.confirms(amount, auto_capture=False, **changes)

    async def paid_now(self, checkout: Checkout) -> Paid:
        """What asking tells of a paid order."""
        report = await self.connector.fetch(checkout)
        assert isinstance(report, Paid)
        return report

    def move(self, amount: str, key: str = ONE, open: str = "", **more: Any) -> Move:
        """A claimed capture, void or refund."""
        move: Move = self.counter.move(self.money(amount), key, open or self.usual, **more)
        return move

    async def tries(
        self, verb: str, checkout: Checkout, amount: str, key: str = ONE, open: str = "", **more: Any
    ) -> MoveResult:
        """Capture, void or refund, whatever comes of it."""
        done: MoveResult = await getattr(self.connector, verb)(checkout, self.move(amount, key, open, **more))
        return done

    async def moves(
        self, verb: str, checkout: Checkout, amount: str, key: str = ONE, open: str = "", **more: Any
    ) -> Moved:
        """Capture, void or refund."""
        done = await self.tries(verb, checkout, amount, key, open, **more)
        assert isinstance(done, Moved)
        return done

    async def loses_track(
        self, verb: str, fault: str, checkout: Checkout, amount: str, key: str = ONE, open: str = "", **more: Any
    ) -> None:
        """Capture, void or refund while a fault strikes the call, so that nobody knows what has come of it."""
        await self.counter.order_fault(verb, fault)
        with pytest.raises(Unclear):
            await self.tries(verb, checkout, amount, key, open, **more)

    def rows(self) -> list[tuple[str, Decimal]]:
        """What moved at the provider, oldest first."""
        return [(kind, amount) for kind, amount, _ in self.counter.ledger()]

    def case(self, checkout: Checkout) -> Any:
        """The simulator's own record."""
        return self.simulator.case(checkout.session)

    async def settles(self, outcome: str) -> int:
        """Have the provider decide without a browser; the status."""
        body = {"reference": self.counter.reference, "outcome": outcome}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.counter.base_url}/control/settle", json=body) as answer,
        ):
            return answer.status

    async def events(self, count: int = 1) -> list[Incoming]:
        """The events that the simulator sent, once so many have arrived, oldest first, as our own edge hands them on."""
        async with asyncio.timeout(10):
            while len(self.counter.inbox.received) < count:
                await asyncio.sleep(0.02)
        path = urlsplit(self.counter.inbox.url).path
        return [Incoming(method=m, headers=h, query=q, body=b, path=path) for m, h, q, b in self.counter.inbox.received]

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Call the provider's API, or the sandbox's own routes, by plain HTTP.

        `path` begins behind the provider's name, so that `-auth/token` is at its host `auth`. `_` in a header's name is
        `-`. A body is sent as JSON, or as a form if it is one.
        """
        url = f"{self.counter.base_url}/{self.counter.provider.name}{path}"
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"data": body} if isinstance(body, aiohttp.FormData) else {"json": body}
        async with aiohttp.ClientSession() as http, http.request(method, url, headers=said, **sent) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None

    async def post(self, path: str, **body: Any) -> int:
        """Call one of the sandbox's own routes; the status."""
        status, _ = await self.request("POST", path, body)
        return status
