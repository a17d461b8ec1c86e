"""A connector on trial: the stories of one order, and what has to be true when they have come to rest."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import Any

from paymux.connectors.facts import Capabilities, EventKind, ProviderFacts
from paymux.connectors.registry import Provider
from tests.installation import Answer, Installation, Shopper

ZERO = Decimal(0)
FINAL = ("SUCCESSFUL", "DECLINED", "CANCELED", "ERROR")
PATIENT = {"provider_timeout": 10.0, "sandbox_hold": 12.0, "lease": 20.0, "delivery_timeout": 10.0}
"""Limits of an installation for stories in which no time-out is to strike, however busy the machine is."""
STEPS = (31, 61, 121, 241, 481, 601, 601, 601, 601)
"""Seconds by which the clock is advanced until an order rests: the doubling of the polls (U1, U3)."""


@dataclass(frozen=True, slots=True)
class Books:
    """What paymux says of an order beside what moved at the provider; amounts in major units."""

    status: str
    details: dict[str, Any]
    ledger: list[tuple[str, Decimal]]

    def said(self, name: str) -> Decimal:
        """paymux's own total: captured, voided or refunded."""
        return Decimal(self.details[f"{name}Amount"])

    def moved(self, kind: str) -> Decimal:
        """The provider's total: authorize, capture, void or refund."""
        return sum((amount for moved, amount in self.ledger if moved == kind), ZERO)

    @property
    def balance(self) -> Decimal:
        """What the merchant holds of the shopper's money at the provider."""
        return self.moved("capture") - self.moved("refund")

    @property
    def held(self) -> Decimal:
        """What is authorised there, and neither captured nor given back."""
        return self.moved("authorize") - self.moved("capture") - self.moved("void")

    @property
    def operations(self) -> list[dict[str, Any]]:
        details = self.details
        return [*details["orderCaptures"], *details["orderVoids"], *details["refunds"]]

    def initiators(self, part: str) -> list[str]:
        """Who started the operations of `orderCaptures`, `orderVoids` or `refunds`."""
        return [row["initiator"] for row in self.details[part]]


class Trial:
    """One connector, whole, over HTTP: an order is opened, paid, moved, and compared with the provider's ledger."""

    def __init__(self, installation: Installation, provider: Provider, code: str | None = None) -> None:
        self.installation, self.provider = installation, provider
        self.merchant, self.shopper = installation.merchant, Shopper(installation)
        self.code = code or next(iter(provider.facts.codes))
        rule = provider.facts.codes[self.code]
        self.total = min(max(Decimal(100), rule.min.to_integral_value(ROUND_UP)), rule.max)

    @property
    def facts(self) -> ProviderFacts:
        return self.provider.facts

    @property
    def able(self) -> Capabilities:
        return self.provider.facts.capabilities

    @property
    def tells(self) -> bool:
        """Whether the provider sends events."""
        return self.facts.events.kind is not EventKind.NONE

    def part(self, percent: int) -> Decimal:
        """A part of the total, in whole units so that every currency has it."""
        return (self.total * percent / 100).to_integral_value()

    def can(self, what: str) -> bool:
        """Whether a capability is declared."""
        return bool(getattr(self.able, what))

    # -- the story ------------------------------------------------------------------------------

    def body(self, **changes: Any) -> dict[str, Any]:
        """An order's body that is not sent yet."""
        return self.merchant.order(self.code, str(self.total), **changes)

    async def opens(self, body: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        """Open an order; the answer's body."""
        answer = await self.merchant.post("/orders", body or self.body(**changes))
        assert answer.status == 201, answer.body
        opened: dict[str, Any] = answer.body
        return opened

    async def pays(self, opened: dict[str, Any], outcome: str = "approve") -> str:
        """Have the shopper decide and come back; the status that the shop is told."""
        return (await self.shopper.pays(opened["redirectUrl"], outcome))["status"]

    async def leaves(self, opened: dict[str, Any], outcome: str = "approve") -> str:
        """Have the shopper decide and never come back; where he would have come back to."""
        return await self.shopper.decides(opened["redirectUrl"], outcome)

    async def paid(self, **changes: Any) -> str:
        """An order that is opened, paid and SUCCESSFUL; its reference."""
        opened = await self.opens(**changes)
        await self.pays(opened)
        reference: str = opened["orderReference"]
        await self.comes_to_rest(reference)
        status = await self.merchant.status(reference)
        assert status["status"] == "SUCCESSFUL", status
        return reference

    async def token(self) -> str:
        """A payment token, as the callback of a getToken order delivers it."""
        reference = await self.paid(getToken=True)
        told = self.installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")
        token: str = told[-1]["data"]["token"]
        return token

    async def charges(self, token: str, **changes: Any) -> Answer:
        """Pay an order with a token."""
        return await self.merchant.post("/orders", self.body(token=token, customerPresent=True, **changes))

    async def captures(self, reference: str, amount: Decimal, name: str = "C") -> Answer:
        return await self.merchant.captures(reference, str(amount), name)

    async def voids(self, reference: str, amount: Decimal, name: str = "V") -> Answer:
        return await self.merchant.voids(reference, str(amount), name)

    async def refunds(self, reference: str, amount: Decimal, name: str = "R") -> Answer:
        return await self.merchant.refunds(reference, str(amount), name)

    async def cancels(self, reference: str) -> Answer:
        return await self.merchant.post(f"/orders/{reference}/cancel", {})

    async def fault(self, operation: str, fault: str, reference: str | None, times: int = 1) -> None:
        """Order a fault of this provider for one order."""
        await self.installation.fault(self.provider.name, operation, fault, reference, times)

    async def mute(self, reference: str) -> None:
        """Suppress every event of an order."""
        if self.tells:
            await self.fault("events", "no_event", reference, 1000)

    def struck(self, operation: str, reference: str, times: int = 1) -> bool:
        """Whether a fault that was ordered so many times for an order's operation has struck at least once."""
        return not any(
            fault.operation == operation and fault.reference == reference and fault.times >= times
            for fault in self.installation.sandbox.faults.listed()
        )

    # -- the end --------------------------------------------------------------------------------

    async def books(self, reference: str) -> Books:
        """paymux's amounts beside the provider's, at this moment."""
        details = await self.merchant.details(reference)
        return Books(details["status"], details, self.installation.ledger(reference))

    async def comes_to_rest(self, *references: str) -> None:
        """Let the clock run until every one of these orders is decided and agrees with the provider."""
        for step in STEPS:
            await self.installation.quiet()
            if all(await asyncio.gather(*(self._rests(reference) for reference in references))):
                return
            await self.installation.advance(step)
        await self.installation.quiet()

    async def becomes(self, reference: str, status: str) -> None:
        """Wait until an order has a status, at most 20 seconds, the clock standing still."""
        ends = asyncio.get_running_loop().time() + 20
        while (now := (await self.merchant.status(reference))["status"]) != status:
            assert asyncio.get_running_loop().time() < ends, f"the order stays {now}"
            await asyncio.sleep(0.05)

    async def _rests(self, reference: str) -> bool:
        books = await self.books(reference)
        undecided = [row for row in books.operations if row["status"] == "PENDING" and not row["needsReview"]]
        return books.status in FINAL and not undecided and not self._disagreements(books)

    def _disagreements(self, books: Books) -> list[str]:
        pairs = [("captured", "capture"), ("refunded", "refund")]
        if self.able.void:
            pairs.append(("voided", "void"))
        return [
            f"paymux says {books.said(said)} {said}, the provider moved {books.moved(moved)}"
            for said, moved in pairs
            if books.said(said) != books.moved(moved)
        ]

    async def wrongs(self, reference: str, *, unknowable: str | None = None) -> list[str]:
        """Every rule of money that an order breaks, in words; empty when all is well.

        `unknowable`: the operation whose lost outcome nothing can tell for this provider. Only that one may
        be left for a person, with its amount blocked.
        """
        books = await self.books(reference)
        wrong = []
        if books.status not in FINAL and books.details["nextStep"] is None and not books.details["needsReview"]:
            wrong.append(f"{books.status} with no next step")
        pending = [row for row in books.operations if row["status"] == "PENDING"]
        if unknowable is None:
            wrong += [f"still pending: {row}" for row in pending]
            wrong += self._disagreements(books)
            if books.details["needsReview"]:
                wrong.append(f"left to a person: {books.details['needsReview']}")
        elif not books.details["needsReview"]:
            wrong.append(f"nobody knows of the {unknowable}, and it is not listed for review")
        for kind in ("authorize", "capture", "void"):
            if books.moved(kind) > self.total:
                wrong.append(f"{kind} moved {books.moved(kind)} of {self.total}")
        if books.moved("refund") > books.moved("capture"):
            wrong.append(f"{books.moved('refund')} given back of {books.moved('capture')}")
        if len([kind for kind, _ in books.ledger if kind == "authorize"]) > 1:
            wrong.append("paid more than once")
        return wrong + self._untold(reference, books.status)

    def _untold(self, reference: str, status: str) -> list[str]:
        events = self.installation.inbox.events(reference)
        wrong = []
        sequence = [event["data"]["sequence"] for event in events]
        if sequence != list(range(1, len(sequence) + 1)):
            wrong.append(f"the webhooks have holes: {sequence}")
        told = [event["data"]["status"] for event in events if event["event"] == "ORDER_ASYNC_CALLBACK"]
        if told != ([status] if status in FINAL else []):
            wrong.append(f"the order is {status}, and the merchant was told {told}")
        return wrong

    def knows(self, operation: str) -> bool:
        """Whether a lost outcome of an operation can be settled: declared idempotent or readable, or recoverable."""
        facts = self.facts
        return (
            operation == "create"
            or bool(getattr(facts.idempotent, operation, False) or getattr(facts.readable, operation, False))
            or (operation == "confirm" and facts.capabilities.recover_confirm)
        )

    def only_reads(self, operation: str) -> bool:
        """Whether a capture, void or refund shows at the provider when it happened, and can't be sent again when it did not."""
        facts = self.facts
        return (
            operation in ("capture", "void", "refund")
            and bool(getattr(facts.readable, operation))
            and not getattr(facts.idempotent, operation)
        )
