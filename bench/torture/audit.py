"""The audit: what the providers' ledger says, what paymux reports and what the merchant was told must be one and the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from bench.torture.endpoint import Endpoint
from bench.torture.installation import Installation, Movement
from bench.torture.story import FINAL, Order

ZERO = Decimal(0)
# The clock goes on in these steps until nothing changes any more; deliveries are tried for three days.
STEPS = (30, 60, 120, 300, 600, 600, 1200, 3600, 3600, 7200, 14_400, 43_200, 86_400, 86_400, 86_400, 86_400)
AT_ONCE = 8
AUTHORISATION_LASTS = timedelta(days=28)
"""The longest that a provider of this traffic holds money for a capture: Klarna. An answer about an authorisation may be
lost until it has run out; then nobody holds anything, and paymux never knew that there was one."""
# The only calls here that are neither idempotent nor readable (U1): none of the methods in traffic has one.
FOR_A_PERSON: frozenset[str] = frozenset()
TOLD = {"capture": ("CAPTURE_STATUS_UPDATE", "captureReference"), "void": ("VOID_STATUS_UPDATE", "voidReference"),
        "refund": ("REFUND_CALLBACK", "refundReference")}  # fmt: skip


@dataclass
class Findings:
    """Breaches by promise, and what was looked at."""

    breaches: dict[str, list[str]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    operations: int = 0
    events: int = 0
    expired: int = 0
    """Orders of which an authorisation, or the rest of one, ran out."""
    for_a_person: int = 0

    def breach(self, promise: str, what: str) -> None:
        self.breaches.setdefault(promise, []).append(what)


async def settle(at: Installation, endpoint: Endpoint, orders: list[Order]) -> None:
    """Let time go by, without trouble, until every order is decided and everything is told."""
    for order in (order for order in orders if order.outcome == "pending"):
        # What a provider left undecided it decides now, one way or the other.
        outcome = "approve" if order.amount * 100 % 2 else "decline"
        await at.ask("POST", at.sandbox + "/control/settle", json={"reference": order.reference, "outcome": outcome})
    for seconds in STEPS:
        await asyncio.sleep(1.0)
        waiting = await _waiting(at, endpoint, orders)
        if not waiting:
            return
        await at.must("GET", at.base + "/readyz")
        await at.advance(seconds)
        for _ in range(20):
            await asyncio.sleep(1.0)
            if len(now := await _waiting(at, endpoint, waiting)) in (0, len(waiting)):
                break
            waiting = now


async def _waiting(at: Installation, endpoint: Endpoint, orders: list[Order]) -> list[Order]:
    at_once = asyncio.Semaphore(AT_ONCE)

    async def waits(order: Order) -> bool:
        async with at_once:
            shown = await details(at, order)
        if shown is None:
            return False
        moves = [move for name in MOVES.values() for move in shown[name]]
        told = [e for e in endpoint.of(order.reference) if e["event"] == "ORDER_ASYNC_CALLBACK"]
        undecided = shown["status"] not in FINAL or any(move["status"] == "PENDING" for move in moves)
        return undecided or not told or _told(endpoint, order) != _reported(shown)

    answers = await asyncio.gather(*(waits(order) for order in orders))
    return [order for order, waiting in zip(orders, answers, strict=True) if waiting]


MOVES = {"capture": "orderCaptures", "void": "orderVoids", "refund": "refunds"}
TOTALS = {"capture": "capturedAmount", "void": "voidedAmount", "refund": "refundedAmount"}


async def details(at: Installation, order: Order) -> dict[str, Any] | None:
    """What paymux reports of an order; None when it does not know it."""
    for _ in range(30):
        answer = await at.api("GET", f"/orders/{order.reference}/details")
        if answer.status == 200:
            body: dict[str, Any] = answer.body
            return body
        if answer.status == 404:
            return None
        await asyncio.sleep(0.3)
    raise RuntimeError(f"no answer about {order.reference}: {answer.status}")


def _reported(shown: dict[str, Any]) -> dict[str, Decimal]:
    return {kind: Decimal(shown[name]) for kind, name in TOTALS.items()}


def _told(endpoint: Endpoint, order: Order) -> dict[str, Decimal]:
    """The sums of the operations that webhooks told of as successful, each reference once."""
    sums = {}
    for kind, (event, name) in TOLD.items():
        done = {
            e["data"][name]: Decimal(e["data"]["amount"])
            for e in endpoint.of(order.reference)
            if e["event"] == event and e["data"]["status"] == "SUCCESSFUL"
        }
        sums[kind] = sum(done.values(), ZERO)
    return sums


async def audit(at: Installation, endpoint: Endpoint, orders: list[Order]) -> Findings:
    """Look at every order from all sides."""
    found, now = Findings(), await at.now()
    for order in orders:
        rows = await at.ledger(order.reference)
        shown = await details(at, order)
        for broken in order.broken:
            found.breach("a repeated call moves nothing", f"{order.reference}: {broken}")
        if shown is None:
            _unknown(found, order, rows)
            continue
        found.statuses[shown["status"]] += 1
        found.expired += Decimal(shown["expiredAmount"]) > ZERO
        _money(found, order, rows, shown, endpoint, now)
        _effects(found, order, shown)
        _next_steps(found, order, shown)
        _webhooks(found, order, shown, endpoint)
    if endpoint.forged:
        found.breach("every webhook is signed", f"{endpoint.forged} were not")
    return found


def _unknown(found: Findings, order: Order, rows: list[Movement]) -> None:
    found.statuses["not there"] += 1
    if rows:
        found.breach("ledger = paymux = told", f"{order.reference}: money moved for an order that is not there")
    if order.created is not None and order.created.status == 201:
        found.breach("an answered call's effect stays", f"{order.reference}: 201, and the order is not there")


def _money(
    found: Findings, order: Order, rows: list[Movement], shown: dict[str, Any], endpoint: Endpoint, now: datetime
) -> None:
    moved = {kind: sum((row.amount for row in rows if row.kind == kind), ZERO) for kind in ("authorize", *TOTALS)}
    reported, told = _reported(shown), _told(endpoint, order)
    for kind in TOTALS:
        if not moved[kind] == reported[kind] == told[kind]:
            found.breach(
                "ledger = paymux = told",
                f"{order.reference} {order.code} {shown['status']}: {kind} {moved[kind]} / {reported[kind]} / {told[kind]}",
            )
    if (
        sum(1 for row in rows if row.kind == "authorize") > 1
        and moved["authorize"] - moved["void"] - moved["refund"] > order.amount
    ):
        found.breach("no order is paid twice", f"{order.reference} {order.code}: authorised {moved['authorize']}")
    if moved["capture"] + moved["void"] > moved["authorize"] or moved["refund"] > moved["capture"]:
        found.breach("nothing exceeds what there is", f"{order.reference} {order.code}: {moved}")
    if shown["status"] != "SUCCESSFUL" and _held(rows, moved, now) > Decimal(shown["expiredAmount"]):
        found.breach("ledger = paymux = told", f"{order.reference} {order.code}: {shown['status']}, and money is held")
    for kind, name in MOVES.items():
        done = [move for move in shown[name] if move["status"] == "SUCCESSFUL"]
        found.operations += len(shown[name])
        there = sum(1 for row in rows if row.kind == kind)
        if kind != "void" and there != len(done):
            found.breach(
                "a repeated call moves nothing", f"{order.reference} {order.code}: {there} {kind}s for {len(done)}"
            )


def _held(rows: list[Movement], moved: dict[str, Decimal], now: datetime) -> Decimal:
    """What a shopper has not got back: what was captured, and what is authorised as long as authorisations last."""
    lasting = [row for row in rows if row.kind == "authorize" and now - row.at < AUTHORISATION_LASTS]
    return (moved["authorize"] - moved["void"] if lasting else moved["capture"]) - moved["refund"]


def _effects(found: Findings, order: Order, shown: dict[str, Any]) -> None:
    identity = {"capture": "captureId", "void": "voidId", "refund": "refundId"}
    for (kind, reference), (_, answer) in order.moves.items():
        if answer.status != 201:
            continue
        now = [move for move in shown[MOVES[kind]] if move[identity[kind]] == reference]
        said = answer.body.get("refundStatus") or answer.body.get("status")
        if not now or (said == "SUCCESSFUL" and now[0]["status"] != "SUCCESSFUL"):
            found.breach(
                "an answered call's effect stays", f"{order.reference} {order.code}: {kind} {reference} {said} -> {now}"
            )


def _next_steps(found: Findings, order: Order, shown: dict[str, Any]) -> None:
    moves = [move for name in MOVES.values() for move in shown[name]]
    undecided = shown["status"] not in FINAL or any(move["status"] == "PENDING" for move in moves)
    if shown["needsReview"]:
        found.for_a_person += 1
        if order.code not in FOR_A_PERSON:
            found.breach("nothing needs a person", f"{order.reference} {order.code}: {shown['needsReview']}")
    elif undecided and shown["nextStep"] is None:
        found.breach("every order has a next step", f"{order.reference} {order.code}: {shown['status']}")


def _webhooks(found: Findings, order: Order, shown: dict[str, Any], endpoint: Endpoint) -> None:
    events = endpoint.of(order.reference)
    found.events += len(events)
    numbers = [event["data"]["sequence"] for event in events]
    if numbers != list(range(1, len(numbers) + 1)):
        found.breach("every event arrives, without holes", f"{order.reference} {order.code}: {numbers}")
    final = [e["data"]["status"] for e in events if e["event"] == "ORDER_ASYNC_CALLBACK"]
    if shown["status"] in FINAL and final != [shown["status"]]:
        found.breach(
            "every event arrives, without holes", f"{order.reference} {order.code}: {final} for {shown['status']}"
        )
