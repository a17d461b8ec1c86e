"""An order's whole story in time order: what happened, who did it, what was called, told and tried. Redacted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from yarl import URL

from paymux.accounts import service as accounts
from paymux.audit import store as audit_store
from paymux.notifications import store as notification_store
from paymux.orders import event_store, store
from paymux.orders.core import Core
from paymux.orders.model import Operation, Order
from paymux.orders.views import instant
from paymux.platform.database import Connection, Record
from paymux.platform.logs import redacted


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the story. `at` is the installation's time; `what` names the kind of line."""

    at: datetime
    what: str
    text: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Story:
    """An order as it is now, and all that led to it."""

    order: Order
    merchant: str
    moments: Sequence[Moment]

    def json(self) -> dict[str, Any]:
        """As `paymux audit --json` prints it."""
        order = self.order
        return {
            "orderId": order.id, "orderReference": order.reference, "merchant": self.merchant, "provider": order.code,
            "status": str(order.status), "captureStatus": order.capture_status, "amount": str(order.amount),
            "currency": order.currency, "authorised": str(order.authorised or 0), "captured": str(order.captured),
            "voided": str(order.voided), "expired": str(order.expired), "refunded": str(order.refunded),
            "needsReview": order.reviews or None,
            "story": [
                {"at": instant(m.at), "what": m.what, "text": m.text, **redacted(m.detail)} for m in self.moments
            ],
        }  # fmt: skip


async def told(core: Core, reference: str, merchant: str = "") -> Story:
    """The story of the order with this reference or order id. Raises ValueError that says what is wrong."""
    async with core.database.transaction() as tx:
        order = await _order(tx, reference, merchant)
        owner = await accounts.merchant_by_id(tx, order.merchant_id)
        return Story(order, owner.client_id, await _moments(tx, order))


async def _order(tx: Connection, reference: str, merchant: str) -> Order:
    owner = (await accounts.find_merchant(tx, merchant)).id if merchant else None
    found = await store.orders_named(tx, reference, owner)
    if not found:
        raise ValueError(f"There is no order {reference}.")
    if len(found) > 1:
        raise ValueError(f"Several merchants have an order {reference}: name one with --merchant.")
    return found[0]


async def _moments(tx: Connection, order: Order) -> list[Moment]:
    entries = await audit_store.entries_of_order(tx, order.id)
    calls = await audit_store.calls_of_order(tx, order.id)
    told_to = await notification_store.events_of_order(tx, order.id)
    tried = await notification_store.attempts_of_order(tx, order.id)
    ahead = [(row["at_real"], row["at"] - row["at_real"]) for row in sorted([*entries, *calls], key=_real)]
    moments = [
        *(_event(row) for row in await store.events(tx, order.id)),
        *(moment for op in await store.operations(tx, order.id) for moment in _operation(op)),
        *(_call(row) for row in calls),
        *(_provider_event(row) for row in await event_store.events_of_order(tx, order.id)),
        *(_entry(row) for row in entries),
        *(_webhook(row) for row in told_to),
        *(_attempt(row, ahead) for row in tried),
    ]
    return sorted(moments, key=lambda moment: moment.at)  # stable: what is of one instant keeps the order above


def _real(row: Record) -> datetime:
    real: datetime = row["at_real"]
    return real


def _event(row: Record) -> Moment:
    amount = f" {row['amount'].normalize():f}" if row["amount"] is not None else ""
    detail = {"number": row["number"], "source": row["source"], "operation": row["operation_id"], **row["detail"]}
    return Moment(row["at"], "event", f"{row['kind']}{amount}, {row['status']}, by {row['source']}", detail)


def _operation(op: Operation) -> Iterator[Moment]:
    amount = f" of {op.amount.normalize():f}" if op.amount is not None else ""
    detail = {"operation": op.id, "kind": str(op.kind), "reference": op.reference, "initiator": str(op.initiator)}
    # A create and a confirm have no reference of anybody's: theirs is their kind.
    named = str(op.kind) if op.reference == str(op.kind) else f"{op.kind} {op.reference}"
    yield Moment(op.created_at, "operation", f"{named}{amount} claimed by {op.initiator}", detail)
    said = f": {op.failure_reason}" if op.failure_reason else ""
    now = {**detail, "status": str(op.status), "calls": op.calls, "asks": op.asks, "needsReview": op.needs_review}
    yield Moment(op.updated_at, "operation", f"{named} is {op.status}{said}", now)


def _call(row: Record) -> Moment:
    came = str(row["status"]) if row["status"] is not None else row["fault"]
    text = f"{row['method']} {row['host']}{row['path']}: {came} in {row['milliseconds']} ms"
    detail = {
        "operation": row["operation_id"], "method": row["method"], "host": row["host"], "path": row["path"],
        "status": row["status"], "fault": row["fault"], "milliseconds": row["milliseconds"],
    }  # fmt: skip
    return Moment(row["at"], "call", text, detail)


def _provider_event(row: Record) -> Moment:
    detail = {"providerEvent": row["id"], "verdict": row["verdict"], "state": row["state"], "fault": row["fault"]}
    return Moment(row["received_at"], "provider event", f"{row['id']} {row['verdict']}, {row['state']}", detail)


def _entry(row: Record) -> Moment:
    actor = row["actor"] if row["actor"] == row["actor_kind"] else f"{row['actor_kind']} {row['actor']}"
    text = f"{row['action']} by {actor}"
    detail = {"actorKind": row["actor_kind"], "actor": row["actor"], "action": row["action"],
              "requestId": row["request_id"], "real": instant(row["at_real"]), **row["detail"]}  # fmt: skip
    return Moment(row["at"], "audit", text, detail)


def _webhook(row: Record) -> Moment:
    where = f" for {_host(row['url'])}, {row['state']}" if row["id"] else ", nobody to tell"
    detail = {"delivery": row["id"], "event": row["event"], "sequence": row["sequence"], "state": row["state"],
              "attempts": row["attempts"]}  # fmt: skip
    return Moment(row["occurred_at"], "webhook", f"{row['sequence']} {row['event']}{where}", detail)


def _attempt(row: Record, ahead: Sequence[tuple[datetime, timedelta]]) -> Moment:
    """A try is kept in real time; the installation's was as far ahead as at whatever was last written before."""
    offset = next((by for real, by in reversed(ahead) if real <= row["started_real"]), timedelta(0))
    came = str(row["status"]) if row["status"] is not None else row["fault"]
    at = max(row["started_real"] + offset, row["occurred_at"])
    text = f"{row['sequence']} {row['event']}, try {row['number']}: {came} in {row['milliseconds']} ms"
    detail = {"delivery": row["delivery_id"], "status": row["status"], "fault": row["fault"],
              "milliseconds": row["milliseconds"]}  # fmt: skip
    return Moment(at, "attempt", text, detail)


def _host(url: str) -> str:
    """A merchant's URL may hold a secret in its path or query: its host says enough."""
    return URL(url).host or ""
