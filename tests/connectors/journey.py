"""One order's way through a whole installation: what the journeys of the providers are told with."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from yarl import URL

from paymux.connectors.registry import provider_of
from paymux.orders import reconciliation
from paymux.sandbox.store import Case
from tests.conftest import Eventually
from tests.installation import Answer, Installation, Merchant, Shopper

ENDLESSLY = 1_000
"""How often a fault strikes that is to last as long as the test."""


def money(*rows: tuple[str, str]) -> list[tuple[str, Decimal]]:
    """Movements at a provider, as the witness lists them."""
    return [(kind, Decimal(amount)) for kind, amount in rows]


def sale(amount: str = "100", *more: tuple[str, str]) -> list[tuple[str, Decimal]]:
    """The movements of an order that was paid at once, and what followed."""
    return money(("authorize", amount), ("capture", amount), *more)


def signed(status: str, reference: str) -> str:
    """The hash with which the demo merchant's shoppers come back (R1)."""
    return hmac.new(b"demo-payment-secret", f"{status}|{reference}".encode(), hashlib.sha512).hexdigest()


@dataclass
class Shop:
    """The demo merchant's shop, which opens orders."""

    installation: Installation
    eventually: Eventually

    @property
    def merchant(self) -> Merchant:
        return self.installation.merchant

    async def quiet(self) -> None:
        """Wait until nothing is due any more."""
        await self.installation.quiet()

    async def opens(
        self, code: str, amount: str = "100", faults: Mapping[str, str] | None = None, **changes: Any
    ) -> Journey:
        """Open an order.

        `faults` strike it from its beginning, by their operations: each once, but `no_event` for as long as the test lasts.
        """
        body = self.merchant.order(code, amount, **changes)
        reference = body["orderReference"]
        for operation, fault in (faults or {}).items():
            times = ENDLESSLY if fault == "no_event" else 1
            await self.installation.fault(provider_of(code)[0].name, operation, fault, reference, times)
        answer = await self.merchant.post("/orders", body)
        assert answer.status == 201, answer.body
        return Journey(self, answer.body)

    async def opens_on_our_page(self, code: str) -> Journey:
        """Open an order whose checkout was opened at the provider, while the answer that tells so was lost."""
        order = await self.opens(code, faults={"create": "error_after"})
        assert order.opened["paymentStatus"] == "pending"
        assert order.redirect_url.startswith(f"{self.merchant.base}/checkout/")
        return order

    async def sells(self, code: str, amount: str = "100", **changes: Any) -> Journey:
        """Open an order of which the shopper comes back with the message that it is paid."""
        order = await self.opens(code, amount, **changes)
        assert await order.pays() == "SUCCESSFUL"
        return order

    def sandbox(self, code: str, call: str) -> str:
        """The URL of a call that a code's simulator has for the sandbox alone."""
        return f"{self.installation.settings.sandbox_base_url}/{provider_of(code)[0].name}/sandbox/{call}"

    async def is_refused(self, code: str, amount: str = "100", **changes: Any) -> Answer:
        """Try to open an order that is refused before anything is sent to the provider; the answer."""
        body = self.merchant.order(code, amount, **changes)
        answer = await self.merchant.post("/orders", body)
        assert 400 <= answer.status < 500, answer.body
        assert self.installation.store.cases(body["orderReference"]) == []
        assert self.installation.ledger(body["orderReference"]) == []
        return answer


@dataclass
class Journey:
    """One order, as its merchant, its shopper, its provider and the clock take part in it."""

    shop: Shop
    opened: Mapping[str, Any]
    """The answer with which the merchant got it."""

    @property
    def installation(self) -> Installation:
        return self.shop.installation

    @property
    def shopper(self) -> Shopper:
        return Shopper(self.installation)

    @property
    def reference(self) -> str:
        reference: str = self.opened["orderReference"]
        return reference

    @property
    def code(self) -> str:
        code: str = self.opened["bnplProvider"]
        return code

    @property
    def redirect_url(self) -> str:
        url: str = self.opened["redirectUrl"]
        return url

    # -- the shopper

    async def page(self) -> str:
        """Reach the provider's checkout page, and decide nothing; its URL."""
        return await self.shopper.reaches(self.redirect_url)

    async def decides(self, outcome: str = "approve") -> URL:
        """Decide on the provider's checkout page, and never come back; where the browser was sent on to."""
        return URL(await self.shopper.decides(self.redirect_url, outcome), encoded=True)

    async def returns(self, url: URL | str) -> str:
        """Come back to paymux by this URL; the status that the shop is told, in a message that paymux has signed."""
        query = await self.shopper.returns(str(url))
        assert query["hash"] == signed(query["status"], self.reference)
        return query["status"]

    async def pays(self, outcome: str = "approve") -> str:
        """Decide and come back; the status that the shop is told."""
        return await self.returns(await self.decides(outcome))

    # -- the merchant

    async def status(self) -> dict[str, Any]:
        return await self.shop.merchant.status(self._path)

    async def state(self) -> str:
        """The order's status, one word."""
        state: str = (await self.status())["status"]
        return state

    async def details(self) -> dict[str, Any]:
        return await self.shop.merchant.details(self._path)

    async def refunds_made(self) -> list[tuple[str, str]]:
        """Who gave money back, and what became of it, in the order of these words."""
        return sorted((row["initiator"], row["status"]) for row in (await self.details())["refunds"])

    async def captures(self, amount: str, name: str = "C-1") -> Answer:
        return await self.shop.merchant.captures(self._path, amount, name)

    async def voids(self, amount: str, name: str = "V-1") -> Answer:
        return await self.shop.merchant.voids(self._path, amount, name)

    async def refunds(self, amount: str, name: str = "R-1") -> Answer:
        return await self.shop.merchant.refunds(self._path, amount, name)

    async def refunded(self, amount: str, name: str = "R-1") -> str:
        """Give money back; the refund's status in the answer."""
        answer = await self.refunds(amount, name)
        assert answer.status == 201, answer.body
        status: str = answer.body["refundStatus"]
        return status

    async def cancels(self, **body: Any) -> Answer:
        return await self.shop.merchant.post(f"/orders/{self._path}/cancel", body)

    def announced(self, *names: str) -> list[dict[str, Any]]:
        """The data of the webhooks that the merchant has had, by default of how the order ended."""
        events = self.installation.inbox.events(self.reference, *(names or ("ORDER_ASYNC_CALLBACK",)))
        return [event["data"] for event in events]

    async def told(self, name: str = "ORDER_ASYNC_CALLBACK") -> list[dict[str, Any]]:
        """The data of the order's webhooks of this name, once there is one."""

        async def came() -> list[dict[str, Any]]:
            return self.announced(name)

        found: list[dict[str, Any]] = await self.shop.eventually(came)
        return found

    # -- the provider

    @property
    def cases(self) -> list[Case]:
        """What the provider keeps of the order, one for each checkout, the newest first."""
        return [case for _, case in self.installation.store.cases(self.reference)]

    @property
    def case(self) -> Case:
        """What the provider keeps of the order, of which it has one."""
        (case,) = self.cases
        return case

    @property
    def ledger(self) -> list[tuple[str, Decimal]]:
        """What moved at the provider, oldest first: the witness."""
        return self.installation.ledger(self.reference)

    @property
    def balance(self) -> Decimal:
        """Captured less refunded at the provider."""
        return self.installation.balance(self.reference)

    async def at_provider(self, call: str, **body: Any) -> None:
        """Do something in the provider's own pages, by a call of its simulator that takes the case's id, and more."""
        answer = await self.installation.call(
            "POST", self.shop.sandbox(self.code, call), json={"id": self.case.id, **body}
        )
        assert answer.status in (200, 201), answer.body

    async def fault(self, operation: str, fault: str, times: int = 1) -> None:
        """Order a fault for this order alone."""
        await self.installation.fault(provider_of(self.code)[0].name, operation, fault, self.reference, times)

    async def loses_every_event(self) -> None:
        """From now on nothing arrives of what the provider tells by itself."""
        await self.fault("events", "no_event", ENDLESSLY)

    async def settles(self, outcome: str = "approve") -> None:
        """Have the provider decide what it left pending."""
        await self.installation.settle(self.reference, outcome)

    # -- time

    async def time_passes(self, seconds: int) -> None:
        """Let time pass, and wait for nothing."""
        await self.installation.advance(seconds)

    async def later(self, *seconds: int) -> None:
        """Let time pass, in steps, and each time whatever is due come to its end."""
        for step in seconds:
            await self.time_passes(step)
            await self.shop.quiet()

    async def reaches(self, **expected: Any) -> dict[str, Any]:
        """The order's details, once they show this."""

        async def shown() -> dict[str, Any] | None:
            details = await self.details()
            return details if expected.items() <= details.items() else None

        found: dict[str, Any] = await self.shop.eventually(shown)
        return found

    async def comes_to(self, rows: Sequence[tuple[str, Decimal]]) -> None:
        """Wait until exactly this has moved at the provider."""

        async def moved() -> bool:
            return self.ledger == list(rows)

        await self.shop.eventually(moved)

    async def has_moved(self, *kinds: str) -> None:
        """Wait until what moved at the provider is of these kinds, in turn."""

        async def moved() -> bool:
            return [kind for kind, _ in self.ledger] == list(kinds)

        await self.shop.eventually(moved)

    async def differences(self) -> list[dict[str, str]]:
        """In what the daily comparison finds the order to differ from the provider's own view of it."""
        seen = await reconciliation.compared(self.installation.core, self.opened["orderId"])
        assert seen.answered
        return [one.json() for one in seen.differences]

    async def refunds_come_to(self, *refunds: tuple[str, str]) -> None:
        """Wait until exactly these refunds are there: who made them, and what became of them."""

        async def listed() -> bool:
            return await self.refunds_made() == sorted(refunds)

        await self.shop.eventually(listed)

    @property
    def _path(self) -> str:
        return quote(self.reference, safe="")
