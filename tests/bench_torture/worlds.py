"""Made-up worlds for the torture's audit: orders as their ledger, paymux, the webhooks and the answers tell of them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.torture import audit
from bench.torture.endpoint import Endpoint
from bench.torture.installation import Answer, Installation, Movement
from bench.torture.story import Asked, Order

NOW = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
AN_HOUR_AGO = NOW - timedelta(hours=1)
OVER_REFUND = Answer(400, {"code": "over_refund"})
_PLACES = {
    "capture": ("orderCaptures", "captureId"),
    "void": ("orderVoids", "voidId"),
    "refund": ("refunds", "refundId"),
}
_EVENTS = {"capture": "CAPTURE_STATUS_UPDATE", "void": "VOID_STATUS_UPDATE", "refund": "REFUND_CALLBACK"}


def text(at: datetime) -> str:
    """An instant as `details` writes it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class World:
    """One order from all sides. Made sound; a test breaks it, and asks which promises are found broken."""

    order: Order
    rows: list[Movement] = field(default_factory=list)
    shown: dict[str, Any] | None = None
    told: list[dict[str, Any]] = field(default_factory=list)
    """Its webhooks; `sequence` is their place in this list when they are told, whatever is lost of them later."""
    beyond: Answer = OVER_REFUND

    @property
    def details(self) -> dict[str, Any]:
        assert self.shown is not None
        return self.shown

    def moved(self, kind: str, amount: str, *, at: datetime = AN_HOUR_AGO) -> None:
        """The provider moved money."""
        self.rows.append(Movement(kind, Decimal(amount), at))

    def tells(self, event: str, **data: Any) -> None:
        """The next webhook."""
        self.told.append({"event": event, "data": {**data, "sequence": len(self.told) + 1}})

    def lists(
        self, kind: str, reference: str, amount: str, status: str = "SUCCESSFUL", *, by: str = "MERCHANT"
    ) -> None:
        """`details` lists a move, and a webhook told how it ended."""
        name, identity = _PLACES[kind]
        row = {
            identity: reference, "amount": amount, "status": status, "initiator": by, "needsReview": False,
            "createdAt": text(AN_HOUR_AGO),
        }  # fmt: skip
        self.details[name].append(row)
        if status != "PENDING":
            self.tells(
                _EVENTS[kind],
                **{f"{kind}Reference": reference, "amount": Decimal(amount), "status": status, "initiator": by},
            )

    def asks(self, kind: str, reference: str, amount: str, *answers: Answer) -> None:
        """The merchant asked for a move, and this is what he was answered."""
        self.order.moves[kind, reference] = Asked(Decimal(amount), list(answers))

    def becomes(self, status: str, capture_status: str | None) -> None:
        """The order's status or captureStatus changes: `details` shows it, and webhooks tell it."""
        self.details.update(status=status, captureStatus=capture_status)
        self.details["transactionHistory"].append({"status": status})
        self.tells("ORDER_STATUS_UPDATE", status=status, captureStatus=capture_status)
        if status not in ("INITIATED", "PENDING"):
            self.tells("ORDER_ASYNC_CALLBACK", status=status, captureStatus=capture_status)

    async def breaches(self) -> dict[str, list[str]]:
        """What the audit finds."""
        endpoint = Endpoint(random.Random(1))
        endpoint.events[self.order.reference] = {f"evt_{n}": event for n, event in enumerate(self.told)}
        found = await audit.audit(_Told(self), endpoint, [self.order])
        return found.breaches


class _Told(Installation):
    """An installation of which a world tells, instead of its processes."""

    def __init__(self, world: World) -> None:
        super().__init__(Path(), 1)
        self.world = world

    async def api(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        if path.endswith("/details"):
            return Answer(200, self.world.shown) if self.world.shown is not None else Answer(404)
        assert path.endswith("/refund"), path
        return self.world.beyond

    async def now(self) -> datetime:
        return NOW

    async def ledger(self, reference: str) -> list[Movement]:
        return self.world.rows


def created(code: str = "LATITUDEPAY_AU", *, auto_capture: bool = True) -> World:
    """An order of 100 that was opened, and of which nothing else is known yet."""
    order = Order("T1-0", code, Decimal(100), {} if auto_capture else {"autoCapture": False})
    order.creates.append(Answer(201, {"orderId": "ord_1"}))
    world = World(order)
    world.shown = {
        "orderId": "ord_1", "status": "INITIATED", "captureStatus": None, "amount": "100", "capturedAmount": "0",
        "voidedAmount": "0", "expiredAmount": "0", "refundedAmount": "0", "authorizedUntil": None, "refunds": [],
        "orderCaptures": [], "orderVoids": [], "needsReview": None, "nextStep": None,
        "transactionHistory": [{"status": "INITIATED", "createdAt": text(AN_HOUR_AGO)}],
    }  # fmt: skip
    world.becomes("PENDING", None)
    return world


def paid(code: str = "LATITUDEPAY_AU") -> World:
    """A sale of 100, paid and captured, and told so to merchant and shopper."""
    world = created(code)
    world.moved("authorize", "100")
    world.moved("capture", "100")
    world.details["capturedAmount"] = "100"
    world.lists("capture", "provider-capture-1", "100", by="SYSTEM")
    world.becomes("SUCCESSFUL", "CAPTURED")
    world.order.hears("SUCCESSFUL")
    return world


def refunded() -> World:
    """A sale of 100 of which 25 were refunded."""
    world = paid()
    world.moved("refund", "25")
    world.details["refundedAmount"] = "25"
    world.lists("refund", "R1", "25")
    world.asks("refund", "R1", "25", Answer(0), Answer(201, {"refundStatus": "SUCCESSFUL"}))
    return world


def shipped() -> World:
    """An authorisation of 100: 60 captured, 40 voided."""
    world = created("AFTERPAY_AU", auto_capture=False)
    world.moved("authorize", "100")
    world.becomes("SUCCESSFUL", "AUTHORIZED")
    for kind, reference, amount in (("capture", "C1", "60"), ("void", "V1", "40")):
        world.moved(kind, amount)
        world.lists(kind, reference, amount)
        world.asks(kind, reference, amount, Answer(201, {"status": "SUCCESSFUL"}))
    world.details.update(capturedAmount="60", voidedAmount="40", captureStatus="CAPTURED")
    world.tells("ORDER_STATUS_UPDATE", status="SUCCESSFUL", captureStatus="CAPTURED")
    return world


def unknowable(*, happened: bool, code: str = "HUMM_AU", told_at: datetime = AN_HOUR_AGO) -> World:
    """A sale of 100, and a refund of 25 whose answer was lost at a provider that can't be asked (U1)."""
    world = paid(code)
    world.lists("refund", "R1", "25", "PENDING")
    world.details["refunds"][0]["needsReview"] = True
    world.asks("refund", "R1", "25", Answer(201, {"refundStatus": "PENDING"}))
    _calls_for_a_person(world, "refund R1", told_at)
    if happened:
        world.moved("refund", "25")
    return world


def unknowable_payment(*, happened: bool, told_at: datetime = NOW) -> World:
    """A payment by token whose answer was lost, until its provider had forgotten the key of the call (U1)."""
    world = created("KLARNA")
    _calls_for_a_person(world, "charge_token charge_token", told_at)
    if happened:
        world.moved("authorize", "100")
        world.moved("capture", "100")
    return world


def _calls_for_a_person(world: World, operation: str, at: datetime) -> None:
    reason = f"nobody knows whether the {operation} happened: ask the provider"
    world.details["needsReview"] = reason
    world.tells("ORDER_NEEDS_REVIEW", needsReview=reason, occurredAt=text(at))
