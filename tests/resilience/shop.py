"""A shop that speaks to an API over HTTP, wherever that is, and remembers what was acknowledged to it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import aiohttp

from tests.processes import ORDER, Answer, call

_NUMBERS = itertools.count(1)
_FORM = {
    "client_id": "demo-merchant", "client_secret": "demo-secret", "grant_type": "client_credentials", "scope": "api-user",
}  # fmt: skip


@dataclass
class Shop:
    """The demo merchant's shop at one API. `acknowledged` are the references whose create was answered 201."""

    base: str
    name: str = "SHOP"
    acknowledged: list[str] = field(default_factory=list)
    refunded: dict[str, Decimal] = field(default_factory=dict)
    _token: str = ""

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """A call with an access token."""
        if not self._token:
            answer = await call("POST", f"{self.base}/token", data=_FORM)
            assert answer.status == 200, answer.body
            self._token = answer.body["access_token"]
        more = {} if body is None else {"json": body}
        return await call(method, self.base + path, headers={"Authorization": f"Bearer {self._token}"}, **more)

    async def opens(self) -> dict[str, Any]:
        """Create an order; the answer's body."""
        reference = f"{self.name}-{next(_NUMBERS)}"
        answer = await self.ask("POST", "/orders", {**ORDER, "orderReference": reference})
        assert answer.status == 201, answer.body
        self.acknowledged.append(reference)
        return {**answer.body, "orderReference": reference}

    async def sells(self) -> str:
        """Create an order that its shopper pays; its reference."""
        opened = await self.opens()
        back = await call("POST", opened["redirectUrl"], data={"outcome": "approve"})
        answer = await call("GET", back.location)
        assert answer.status in (200, 303), answer.body
        return str(opened["orderReference"])

    async def refunds(self, reference: str, amount: str) -> None:
        body = {
            "refundReference": f"R-{reference}",
            "refundAmount": {"amount": Decimal(amount)},
            "refundDescription": "returned",
        }
        answer = await self.ask("POST", f"/orders/{reference}/refund", body)
        assert answer.status == 201, answer.body
        self.refunded[reference] = Decimal(amount)

    async def status(self, reference: str) -> str:
        answer = await self.ask("GET", f"/orders/{reference}")
        assert answer.status == 200, (reference, answer.body)
        return str(answer.body["status"])

    async def trades(self, stop: asyncio.Event) -> int:
        """Sell until `stop`, whatever is answered; how often it could not be done."""
        failures = 0
        while not stop.is_set():
            try:
                await self.sells()
            except (AssertionError, aiohttp.ClientError, TimeoutError, KeyError, TypeError):
                failures += 1
                await asyncio.sleep(0.1)
        return failures
