"""One order's way through a provider's simulator, step by step: what the stories of a connector's tests are told with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import aiohttp

from paymux.connectors.contract import Checkout, Connector, Incoming, Moved, OrderToPay, Paid, Redirect
from paymux.money import Money

KEY = "0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f6f01"
ONE, TWO, THREE = (f"0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f7f0{n}" for n in (1, 2, 3))


@dataclass
class Till:
    """A shop's till: opens orders, has the shopper decide, and moves money. A provider's own class adds what only it has."""

    counter: Any
    code: str
    currency: str

    @property
    def connector(self) -> Connector:
        connector: Connector = self.counter.connector(self.code)
        return connector

    def money(self, amount: str) -> Money:
        return Money(Decimal(amount), self.currency)

    async def opens(self, amount: str = "100.00", **changes: Any) -> tuple[Redirect, Checkout]:
        """Open an order."""
        order: OrderToPay = self.counter.order(self.code, amount, **changes)
        opened = await self.connector.create_checkout(order, KEY)
        assert isinstance(opened, Redirect)
        return opened, self.counter.checkout(order, opened)

    async def decides(self, outcome: str, amount: str = "100.00", **changes: Any) -> tuple[Checkout, Mapping[str, str]]:
        """Open an order and have the shopper decide; the checkout, and the query that he comes back with."""
        opened, checkout = await self.opens(amount, **changes)
        return checkout, await self.counter.shopper(opened.url, outcome)

    async def confirms(self, amount: str = "100.00", **changes: Any) -> Checkout:
        """Have the shopper agree, and confirm the order."""
        checkout, _ = await self.decides("approve", amount, **changes)
        paid = await self.connector.confirm(checkout, KEY)
        assert isinstance(paid, Paid)
        return replace(checkout, payment_id=paid.payment_id)

    async def moves(
        self, verb: str, checkout: Checkout, amount: str, key: str = ONE, open: str = "100.00", **more: Any
    ) -> Moved:
        """Capture, void or refund."""
        done = await getattr(self.connector, verb)(checkout, self.counter.move(self.money(amount), key, open, **more))
        assert isinstance(done, Moved)
        return done

    def rows(self) -> list[tuple[str, Decimal]]:
        """What moved at the provider, oldest first."""
        return [(kind, amount) for kind, amount, _ in self.counter.ledger()]

    async def events(self, count: int = 1) -> list[Incoming]:
        """The events that the simulator sent, once so many have arrived, oldest first."""
        async with asyncio.timeout(10):
            while len(self.counter.inbox.received) < count:
                await asyncio.sleep(0.02)
        return [Incoming(method=m, headers=h, query=q, body=b) for m, h, q, b in self.counter.inbox.received]

    def passes(self, **time: float) -> None:
        """Let time pass for the simulator."""
        self.counter.sandbox.clock.offset += timedelta(**time)

    async def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Call the provider's API, or the sandbox's own routes, by plain HTTP."""
        url = f"{self.counter.base_url}/{self.counter.provider.name}{path}"
        async with aiohttp.ClientSession() as http, http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()
