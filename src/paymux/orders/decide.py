"""The only writer of an order's state: every outcome, whoever brought it, is decided here under the row lock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog

from paymux.accounts import service as accounts
from paymux.connectors import contract as c
from paymux.connectors.facts import ProviderFacts
from paymux.notifications import outbox
from paymux.orders import auditing, event_names, event_store, payment_tokens, store, views
from paymux.orders.core import Core, facts_of
from paymux.orders.customer import words_without_him
from paymux.orders.deadlines import FIRST_POLL, deadline_of
from paymux.orders.model import ZERO, Initiator, Kind, Operation, OperationStatus, Order, Status
from paymux.orders.transitions import transition
from paymux.platform import jobs
from paymux.platform.database import Connection, to_json

log = structlog.get_logger()

EXPIRY_NOTICE = timedelta(hours=24)
EVENTS_WAIT = timedelta(hours=24)
_PROVIDERS_WORDS = ("failure_reason", "reject_reason", "token_failure")
_OF_THE_CUSTOMER = ("raw_sealed", "checkout_url", "checkout_form", "checkout_form_sealed")
LATE = "the provider has not decided for too long"
EVENT_OF = {Kind.CAPTURE: "CAPTURE_STATUS_UPDATE", Kind.VOID: "VOID_STATUS_UPDATE", Kind.REFUND: "REFUND_CALLBACK",
            Kind.CHARGEBACK: "REFUND_CALLBACK"}  # fmt: skip

_TOTAL = {Kind.CAPTURE: "captured", Kind.VOID: "voided", Kind.REFUND: "refunded", Kind.CHARGEBACK: "refunded"}


def unknown_reason(op: Operation) -> str:
    """Why an operation that is neither idempotent nor readable is listed (U1)."""
    return f"nobody knows whether the {op.kind} {op.reference} happened: ask the provider"


def overdue_reason(op: Operation) -> str:
    """Why an operation is listed whose provider takes too long (U3)."""
    return f"the {op.kind} {op.reference} has been undecided for too long"


def refused_reason(op: Operation) -> str:
    """Why a person has to look at money that the system could not give back or set free (T3)."""
    return f"a {op.kind} by the system was refused: {op.failure_reason}"


@dataclass(slots=True)
class Deciding:
    """One order, locked, while a decision about it is made. Leaves `run`: operations to run after the commit."""

    tx: Connection
    core: Core
    order: Order
    now: datetime
    source: str
    run: list[str] = field(default_factory=list)
    absorbing: bool = False
    """While a report is taken in: what follows from its amounts waits until all of them are known."""
    changed: dict[str, Any] = field(default_factory=dict)
    due: dict[tuple[str, str], datetime] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)
    """The kinds of the events appended so far."""
    action: str = "order.decided"
    """What the audit trail calls this decision; `said` is what a person added to it."""
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def facts(self) -> ProviderFacts:
        return facts_of(self.order)

    def told(self, text: str) -> str:
        """What a provider said, without the customer."""
        return words_without_him(self.core.keyring, self.order, text)

    async def change(self, **changes: Any) -> None:
        """Change the order: `order` at once, its locked row in one statement when the decision is whole."""
        if self.order.erased_at is not None:
            changes |= {name: None for name in _OF_THE_CUSTOMER if name in changes}
        said = {name: self.told(changes[name]) for name in _PROVIDERS_WORDS if changes.get(name)}
        self.changed |= changes | said | {"updated_at": self.now}
        self.order = self.order.with_changes(self.changed)

    async def write(self) -> None:
        """Write what has been gathered: the order's row, and the jobs of its timers. The decision's last step."""
        if self.changed:
            self.order = await store.update_order(self.tx, self.order, self.changed)
        await store.wake(self.tx, self.order.id, self.due, self.now)

    async def note(self, kind: str, **more: Any) -> None:
        """Append an event."""
        self.happened.append(kind)
        await store.add_event(self.tx, self.order, self.now, kind, self.source, **more)

    async def timer(self, what: str, due: datetime, subject: str = "") -> None:
        """Something is due for the order; due at another time than before, it is moved."""
        await store.note_timer(self.tx, self.order.id, what, due, subject)
        self.due[what, subject] = due

    # -- outcomes ------------------------------------------------------------------------------

    async def outcome(self, word: str, **changes: Any) -> bool:
        """Apply an outcome by the table. False when it changes nothing."""
        step = transition(self.order.status, word)
        if step is None:
            return False
        if step.to is not self.order.status:
            await self._enter(step.to, changes)
        elif changes:
            await self.change(**changes)
        for follow in sorted(step.then):
            await self._follow(follow)
        return True

    async def _enter(self, status: Status, changes: dict[str, Any]) -> None:
        before = self.order
        if status.final and status is not Status.CANCELED:
            changes = {**changes, "cancelled_by": None}
        await self.change(status=str(status), **changes)
        await self.note("status")
        log.info("order.decided", order=self.order.id, frm=str(before.status), to=str(status), source=self.source)
        if status.final:
            await store.drop_timers(self.tx, self.order.id, "poll", "deadline", "create")
            await self.reviewed(LATE)

    async def _follow(self, what: str) -> None:
        if what == "poll" and self.facts.capabilities.status and not self.order.polls:
            await self.timer("poll", self.now + FIRST_POLL)
        elif what == "deadline":
            await self.timer("deadline", deadline_of(self.order))
        elif what == "retry-create":
            await self.timer("create", self.now + FIRST_POLL)
        elif what == "watch":
            await self.watch()
        elif what == "give-back":
            await self.give_back()

    async def watch(self) -> None:
        """Look after the checkout of an order that failed: it may be paid yet (T3)."""
        if self.order.session and self.facts.capabilities.status:
            await self.timer("watch", self.now + FIRST_POLL)

    async def expires(self, until: datetime) -> None:
        """Keep the authorisation's deadline: announced before, asked of the provider when it comes (S4)."""
        if until == self.order.authorised_until:
            return
        await self.change(authorised_until=until)
        if self.order.open > 0:
            await self.timer("expiry", until)
            await self.timer("expiry_notice", max(until - EXPIRY_NOTICE, self.now))

    async def completed(self) -> None:
        """The shopper has done his part (D2)."""
        if self.order.completed_at is None and not self.order.status.final:
            await self.change(completed_at=self.now)
            await self.timer("deadline", deadline_of(self.order))
            if not self.facts.capabilities.status:
                # It can't be asked: only a person can find out what became of it (U3).
                await self.timer("poll", self.now + timedelta(seconds=self.facts.times.decides_within + 1))

    async def review(self, reason: str) -> None:
        """List the order for a person, and say so, once for each reason (U3)."""
        known, reason = self.order.reviews, " ".join(reason.split())
        if reason in known:
            return
        await self.change(needs_review="\n".join([*known, reason]))
        await self.note("needs_review", detail={"reason": reason})
        log.warning("order.needs_review", order=self.order.id, reason=reason)
        await self.announce(
            "ORDER_NEEDS_REVIEW", {**views.order_event(self.core.keyring, self.order), "needsReview": reason}
        )

    async def reviewed(self, *over: str) -> None:
        """What a review was about has come out: take these reasons off the list."""
        gone = {" ".join(reason.split()) for reason in over}
        left = [reason for reason in self.order.reviews if reason not in gone]
        if len(left) < len(self.order.reviews):
            await self.change(needs_review="\n".join(left) or None)

    # -- money ---------------------------------------------------------------------------------

    async def pending_amount(self, *kinds: Kind) -> Decimal:
        """What operations in flight hold of these kinds (M5)."""
        return sum(
            (op.amount or ZERO for op in await self.operations(*kinds) if op.pending and op.currency is None), ZERO
        )

    async def operations(self, *kinds: Kind) -> list[Operation]:
        found = await store.operations(self.tx, self.order.id)
        return [op for op in found if op.kind in kinds]

    async def claim_system(self, kind: Kind, amount: Decimal, reference: str, currency: str | None = None) -> None:
        """Claim an operation of our own, run after the commit, or by its timer if we die before."""
        op = await self._claim_unasked(kind, reference, amount=amount, initiator=Initiator.SYSTEM, currency=currency)
        if op is not None:
            await self.timer("operation", self.now + timedelta(seconds=5), op.id)
            self.run.append(op.id)

    async def _claim_unasked(self, kind: Kind, reference: str, **more: Any) -> Operation | None:
        """Claim what no merchant asked for, under a reference of ours; None when we have claimed it before."""
        op = await store.claim(self.tx, self.order, kind, self.now, reference=reference, **more)
        if op is not None:
            return op
        taken = await store.operation_by_reference(self.tx, self.order.id, kind, reference)
        if taken is not None and taken.initiator is Initiator.MERCHANT:
            # References are the merchant's to choose: one that looks like ours must not keep ours from being made.
            return await self._claim_unasked(kind, f"system-{reference}"[:128], **more)
        return None

    async def give_back(self) -> None:
        """Return whatever money an order that failed holds: void, else refund, else a person (T3)."""
        able, order = self.facts.capabilities, self.order
        if not able.partial_void and await self.pending_amount(Kind.CAPTURE):
            return  # a void there takes all that is not captured: it waits until the capture is settled
        number = len(await self.operations(Kind.VOID, Kind.REFUND)) + 1
        voidable = order.open - await self.pending_amount(Kind.CAPTURE, Kind.VOID)
        if voidable > 0 and not await self._refused_before(Kind.VOID, voidable):
            if able.void:
                await self.claim_system(Kind.VOID, voidable, f"give-back-{number}")
            else:
                await self.review("money is authorised on an order that failed, and the provider has no void")
        refundable = order.captured - order.refunded - await self.pending_amount(Kind.REFUND)
        if refundable > 0 and not await self._refused_before(Kind.REFUND, refundable):
            if able.refund:
                await self.claim_system(Kind.REFUND, refundable, f"give-back-{number}r")
            else:
                await self.review("money was paid on an order that failed, and the provider has no refund")

    async def _refused_before(self, kind: Kind, amount: Decimal) -> bool:
        """Whether the provider said no when we tried to give back just this: a person has it, and no later look tries again."""
        ours = [op for op in await self.operations(kind) if op.initiator is Initiator.SYSTEM]
        return bool(ours) and ours[-1].status is OperationStatus.FAILED and ours[-1].amount == amount

    async def succeeded(self, op: Operation, provider_id: str | None) -> None:
        """An operation is done: count it, tell it, and do what follows. Again: nothing but its id, if that is news."""
        if op.status is OperationStatus.FAILED:
            await self._done_after_all(op, provider_id)
            return
        if not op.pending:
            if op.provider_id is None and provider_id is not None:
                await store.update_operation(self.tx, op, self.now, provider_id=provider_id)
            return
        op = await store.update_operation(
            self.tx, op, self.now, status="SUCCESSFUL", provider_id=provider_id or op.provider_id, holder=None,
            needs_review=False, failure_code=None, failure_reason=None,
        )  # fmt: skip
        await store.drop_timers(self.tx, self.order.id, "operation", subject=op.id)
        await self.reviewed(unknown_reason(op), overdue_reason(op))
        await self._count(op)
        await self._tell(op)
        if op.kind is Kind.CAPTURE and not self.absorbing:
            await self.after_capture()
        if self.order.authorised is not None and self.order.open == 0:
            await store.drop_timers(self.tx, self.order.id, "expiry", "expiry_notice")

    async def _done_after_all(self, op: Operation, provider_id: str | None) -> None:
        """It was told as FAILED, which is final, but the money has moved: it counts as the provider's own doing (T4)."""
        if op.kind in EVENT_OF:
            reference = f"provider-{provider_id or op.id}"[:128]
            await self.moved_by(op.kind, op.amount or ZERO, Initiator.PROVIDER, reference, provider_id, op.currency)

    async def _count(self, op: Operation) -> None:
        """Add what moved to the order's totals, and to the events that they are derived from (design 5)."""
        amount, order = op.amount or ZERO, self.order
        detail: dict[str, Any] = {"initiator": str(op.initiator)}
        if op.currency is not None or op.kind not in EVENT_OF:
            await self.note(str(op.kind), operation_id=op.id, detail=detail | {"amount": op.amount})
            return
        total = _TOTAL[op.kind]
        left = order.captured - order.refunded if total == "refunded" else order.open
        if amount > left:
            await self.review(f"the provider's {op.kind} of {amount} is more than the {left} that there can be")
            amount = left
        await self.change(**{total: getattr(order, total) + amount})
        await self.note(str(op.kind), amount=amount, operation_id=op.id, detail=detail)

    async def after_capture(self) -> None:
        """What follows from captured money: the order is paid, or it goes back, or the rest is set free (S2, S3, T3)."""
        order = self.order
        if order.status is Status.PENDING and order.auto_capture and order.captured > 0 and order.open == 0:
            await self.outcome("paid", paid_seen=True)
        elif order.status.final and order.status is not Status.SUCCESSFUL:
            await self.give_back()
        elif order.captured > 0 and order.open > 0 and not self.facts.capabilities.multiple_captures:
            await self._release()

    async def _release(self) -> None:
        # One capture only: the rest can never be captured, so it must not stay open (S3).
        rest = self.order.open - await self.pending_amount(Kind.CAPTURE, Kind.VOID)
        if rest <= 0:
            return
        if self.facts.capabilities.void:
            await self.claim_system(Kind.VOID, rest, "release-rest")
        else:
            await self.moved_by(Kind.VOID, rest, Initiator.SYSTEM, "release-rest", None)

    async def failed(self, op: Operation, code: str, reason: str, status: int = 422, *, ours: bool = False) -> None:
        """An operation certainly had no effect: say so, and do what follows.

        `ours`: the reason is a sentence of our own, which an order may keep whose customer was erased.
        """
        if not op.pending:
            return
        if not (ours and self.order.erased_at is not None):
            reason = self.told(reason)
        op = await store.update_operation(
            self.tx, op, self.now, status="FAILED", failure_code=code, failure_reason=reason, failure_status=status,
            holder=None, needs_review=False,
        )  # fmt: skip
        await store.drop_timers(self.tx, self.order.id, "operation", subject=op.id)
        await self.reviewed(unknown_reason(op), overdue_reason(op))
        await self.note(f"{op.kind}_failed", amount=op.amount, operation_id=op.id, detail={"reason": reason})
        await self._tell(op)
        if op.kind is Kind.CAPTURE and self.order.status.final and self.order.status is not Status.SUCCESSFUL:
            await self.give_back()
        if op.initiator is not Initiator.SYSTEM or op.kind not in EVENT_OF:
            return
        if op.kind is Kind.CAPTURE and self.order.status is Status.PENDING:
            await self.outcome("broken", failure_reason=f"the capture was refused: {reason}")
            if not self.absorbing:
                await self.give_back()
        elif op.kind is Kind.REFUND or self.order.open > 0:
            await self.review(refused_reason(op))

    async def moved_by(
        self, kind: Kind, amount: Decimal, initiator: Initiator, reference: str, provider_id: str | None,
        currency: str | None = None,
    ) -> None:  # fmt: skip
        """Record a movement that nobody here claimed first: a sale's capture, or one made at the provider (T4)."""
        op = await self._claim_unasked(
            kind, reference, amount=amount, initiator=initiator, provider_id=provider_id, currency=currency
        )
        if op is not None:
            await self.succeeded(op, provider_id)

    async def token(self, paid: c.Paid) -> None:
        """Keep the provider's token under one of ours (K1). A payment never waits for it; an erased customer has none."""
        if self.order.get_token and self.order.token_id is None and self.order.erased_at is None:
            if paid.token is not None:
                await self.change(
                    token_id=await payment_tokens.keep(self.core, self.tx, self.order, paid.token, self.now)
                )
            elif paid.token_failure:
                await self.change(token_failure=paid.token_failure)

    # -- telling -------------------------------------------------------------------------------

    async def _tell(self, op: Operation) -> None:
        if op.kind in EVENT_OF:
            await self.announce(EVENT_OF[op.kind], views.operation_event(self.order, op))

    async def announce(self, event: str, data: dict[str, Any], *, token_id: str | None = None) -> None:
        """Put an event into the outbox with the order's next sequence number (W2)."""
        await self.change(sequence=self.order.sequence + 1)
        merchant = await accounts.merchant_by_id(self.tx, self.order.merchant_id)
        data |= {"sequence": self.order.sequence, "occurredAt": views.instant(self.now)}
        if merchant.raw_provider_response and "merchantReference" in data and self.order.raw_sealed:
            data["rawProviderResponse"] = views.raw_answer(self.core.keyring, self.order)
        await outbox.announce(
            self.tx, self.core.keyring, merchant_id=merchant.id, order_id=self.order.id, event=event,
            sequence=self.order.sequence, data=data, occurred_at=self.now, webhook_url=merchant.webhook_url,
            callback_url=self.order.callback_url, token_id=token_id,
        )  # fmt: skip

    async def announce_changes(self, before: Order) -> None:
        """Tell what changed in status and captureStatus since `before` (W1)."""
        if (before.status, before.capture_status) == (self.order.status, self.order.capture_status):
            return
        await self.announce("ORDER_STATUS_UPDATE", views.order_event(self.core.keyring, self.order))
        if self.order.status.final and not before.status.final:
            token_id = self.order.token_id if self.order.status is Status.SUCCESSFUL else None
            await self.announce(
                "ORDER_ASYNC_CALLBACK", views.order_event(self.core.keyring, self.order), token_id=token_id
            )

    async def keep_raw(self, report: c.Report) -> None:
        """Keep the provider's own words, encrypted, for merchants who turned them on."""
        if report.raw is not None:
            # Half a letter in it, which JSON allows and UTF-8 does not, must not keep a payment from being decided.
            text = to_json(dict(report.raw)).encode("utf-8", "replace").decode()
            if len(text) <= 65_536:
                await self.change(raw_sealed=self.core.keyring.seal(text, "raw-answer"))


@dataclass(frozen=True, slots=True)
class Decision:
    """The order as decided, and the operations that are to run now."""

    order: Order
    run: tuple[str, ...]


async def deciding(core: Core, order_id: str, source: str, work: Callable[[Deciding], Any]) -> Decision:
    """Lock the order, let `work` decide on it, tell what changed, commit.

    `work` may be called again, on the order as it is then: it calls nobody and changes nothing but through its desk.
    """
    made = core.calls.take(order_id)

    async def decide(tx: Connection) -> Decision:
        now = await core.clock.refresh(tx)
        order = await store.lock_order(tx, order_id)
        desk = Deciding(tx, core, order, now, source)
        await work(desk)
        await _audit(desk, order)
        await desk.announce_changes(order)
        await desk.write()
        await _wake_events(desk, order)
        await auditing.decided(desk, order, made)
        return Decision(desk.order, tuple(desk.run))

    try:
        return await core.database.decided(decide)
    except BaseException:
        core.calls.put_back(order_id, made)
        raise


async def _wake_events(desk: Deciding, before: Order) -> None:
    """An order that has become findable is what the early events of its account were about that name it (P1)."""
    order = desk.order
    if (before.session, before.payment_id) != (order.session, order.payment_id):
        named = event_names.digests(
            desk.core.keyring, session=order.session, payment_id=order.payment_id, reference=order.provider_reference
        )
        early = await event_store.waiting_for(desk.tx, order.account_id, named, desk.now - EVENTS_WAIT)
        await jobs.enqueue_many(desk.tx, "provider_event", [f"{number}|early" for number in early])


async def _audit(desk: Deciding, before: Order) -> None:
    """Check the totals on the row against the append-only events that they stand for (design 5)."""
    if before.totals == desk.order.totals:
        return
    derived = await store.derived_totals(desk.tx, desk.order.id)
    if derived != desk.order.totals:
        log.error("order.totals_differ", order=desk.order.id, row=desk.order.totals, events=derived)
        await desk.review("the order's totals differ from its events")
