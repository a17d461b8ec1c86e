"""One order as it is seen from all sides, and what of it nobody can know: the ground on which it is judged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from bench.torture.installation import Answer, Movement
from bench.torture.story import Order

ZERO = Decimal(0)
AUTHORISATION_LASTS = timedelta(days=28)
"""The longest that a provider of this traffic holds money for a capture: Klarna. An answer about an authorisation may be
lost until it has run out; then nobody holds anything, and paymux never knew that there was one."""
LATE = timedelta(minutes=1)
"""What is due longer than that is overdue: a worker that is there does it within seconds."""
KEY_LIFE = timedelta(hours=1)
"""For how long a call may be repeated whose provider does not say how long it knows a key."""
FOR_A_PERSON = {
    ("HUMM_AU", "refund"): timedelta(0), ("LATITUDEPAY_AU", "refund"): KEY_LIFE, ("KLARNA", "charge_token"): KEY_LIFE,
}  # fmt: skip
"""The calls in this traffic that can't be read, and for how long they can be repeated: after that, one whose outcome is
lost is for a person (U1)."""
PAYMENT = ("charge_token", "charge_token")
"""Kind and reference of a payment by token, as reviews name it."""
MOVES = {"capture": "orderCaptures", "void": "orderVoids", "refund": "refunds"}
IDENTITY = {"capture": "captureId", "void": "voidId", "refund": "refundId"}


@dataclass(frozen=True, slots=True)
class Seen:
    """An order from all sides: what its merchant asked and was answered (`order`), the provider's ledger (`rows`), the
    answer of `details` (`shown`; None: paymux does not know it), its webhooks by sequence (`events`), the time (`now`)."""

    order: Order
    rows: tuple[Movement, ...]
    shown: dict[str, Any] | None
    events: tuple[dict[str, Any], ...]
    now: datetime
    beyond: Answer | None = None
    """The answer to a refund of a cent more than is left beside what is blocked for a person; None: nothing is blocked."""

    @property
    def name(self) -> str:
        """What a breach calls it."""
        return f"{self.order.reference} {self.order.code} {self.shown['status'] if self.shown else 'not there'}"

    @property
    def overdue(self) -> bool:
        """Whether its next step should have been made."""
        step = self.shown["nextStep"] if self.shown else None
        return step is not None and datetime.fromisoformat(step["dueAt"]) < self.now - LATE

    @property
    def reasons(self) -> list[str]:
        """Why a person has to look at it."""
        return self.shown["needsReview"].split("; ") if self.shown and self.shown["needsReview"] else []

    @property
    def moves(self) -> list[tuple[str, dict[str, Any]]]:
        """The captures, voids and refunds that paymux lists, each with its kind."""
        shown = self.shown or {}
        return [(kind, move) for kind, name in MOVES.items() for move in shown.get(name, ())]

    def moved(self, kind: str) -> Decimal:
        """How much of a kind the ledger has."""
        return sum((row.amount for row in self.rows if row.kind == kind), ZERO)

    @property
    def held(self) -> Decimal:
        """What the shopper has not got back: what was captured, and what is authorised as long as authorisations last."""
        lasting = any(row.kind == "authorize" and self.now - row.at < AUTHORISATION_LASTS for row in self.rows)
        taken = self.moved("authorize") - self.moved("void") if lasting else self.moved("capture")
        return taken - self.moved("refund")

    # -- what nobody can know ------------------------------------------------------------------------

    @property
    def unknown_moves(self) -> list[tuple[str, dict[str, Any]]]:
        """The moves that wait for a person because nobody can know whether they happened."""
        return [
            (kind, move)
            for kind, move in self.moves
            if move["status"] == "PENDING" and move["needsReview"] and (self.order.code, kind) in FOR_A_PERSON
        ]

    @property
    def unknown_payment(self) -> bool:
        """Whether the order waits for a person because nobody can know whether it was paid by its token."""
        kind, reference = PAYMENT
        waits = self.shown is not None and self.shown["status"] == "PENDING"
        listed = any(f"{kind} {reference} " in reason for reason in self.reasons)
        return waits and listed and (self.order.code, kind) in FOR_A_PERSON

    def perhaps(self, kind: str) -> list[Decimal]:
        """The amounts that have moved or not, and nobody can know."""
        paid = [self.order.amount] if kind == "capture" and self.unknown_payment else []
        return paid + [Decimal(move["amount"]) for of, move in self.unknown_moves if of == kind]
