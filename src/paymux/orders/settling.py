"""What the answer to a provider call means for its operation and its order: one decision each, run under the row lock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from paymux.connectors import contract as c
from paymux.orders import reports, store
from paymux.orders.deadlines import backoff, deadline_of
from paymux.orders.decide import Deciding, Decision, overdue_reason, unknown_reason
from paymux.orders.given_words import Form, sealed_form
from paymux.orders.model import Initiator, Kind, Operation, OperationStatus, Status

log = structlog.get_logger()
MOVES = {Kind.CAPTURE: c.MoveKind.CAPTURE, Kind.VOID: c.MoveKind.VOID, Kind.REFUND: c.MoveKind.REFUND}
ASKED_BEFORE_LATE = 3
UNDERWAY = "underway"
Settle = Callable[[Deciding], Awaitable[None]]


def opened(op: Operation, answer: c.Redirect | c.Declined) -> Settle:
    """A create was answered: the checkout is open, or refused."""

    async def settle(desk: Deciding) -> None:
        if (await store.operation(desk.tx, op.id)).status is OperationStatus.SUCCESSFUL:
            return  # whoever took it over has opened one, and the shopper may be there: this one's URL nobody gets
        if isinstance(answer, c.Declined):
            await desk.failed(op, answer.code or "declined", answer.reason)
            await desk.keep_raw(answer)
            await desk.outcome("declined", reject_reason=answer.reason or answer.code)
            return
        expires = answer.expires_at
        if expires is None and desk.facts.times.checkout is not None:
            expires = desk.now + timedelta(seconds=desk.facts.times.checkout)
        await desk.change(session=answer.session, connector_state=dict(answer.state), checkout_expires_at=expires)
        await _keep_way(desk, answer)
        if desk.order.status.final:
            # Nobody holds this checkout's URL, and nobody will: close it there.
            await desk.failed(op, "order_final", "the order ended before its checkout was opened", ours=True)
            await desk.timer("cancel_checkout", desk.now)
            await desk.watch()
            return
        await desk.succeeded(op, answer.session)
        if desk.order.status is not Status.INITIATED:
            await store.drop_timers(desk.tx, desk.order.id, "create")
        if not await desk.outcome("redirect"):
            await desk.timer("deadline", deadline_of(desk.order))
            if desk.facts.capabilities.status:
                await desk.timer("poll", desk.now + backoff(0))

    return settle


async def _keep_way(desk: Deciding, answer: c.Redirect) -> None:
    """Keep how the shopper gets to the checkout: by its URL, or by a form that tells the provider who he is."""
    if not answer.form:
        await desk.change(checkout_url=answer.url, checkout_form=None, checkout_form_sealed=None)
        return
    sealed = sealed_form(desk.core.keyring, Form(answer.url, answer.form))
    # A version before this one that still serves beside it knows no sealed form, and sends the shopper to the URL: to
    # our page, until he meets this version there.
    page = f"{desk.core.settings.base_url}/checkout/{desk.order.order_token}"
    await desk.change(checkout_url=page, checkout_form=None, checkout_form_sealed=sealed)


def answered(op: Operation, report: c.Report) -> Settle:
    """A confirm or token charge was answered. To a repeat a decline or an end is a no like any other: see `refused`."""
    if not isinstance(report, c.Declined | c.Cancelled | c.Expired | c.Broken):
        return reported(op, report)
    code = (report.code or "declined") if isinstance(report, c.Declined) else "not_paid"

    async def settle(desk: Deciding) -> None:
        current = await store.operation(desk.tx, op.id)
        if not current.pending or not await _left_open(desk, op, current, code, report.reason):
            await reported(op, report)(desk)

    return settle


def reported(op: Operation, report: c.Report) -> Settle:
    """What a provider says of the payment that a confirm or token charge was to make, asked or answering."""

    async def settle(desk: Deciding) -> None:
        if op.kind is Kind.CHARGE_TOKEN and desk.order.session is None and report.session is not None:
            # The answer to our own charge names the payment that it made.
            await desk.change(session=report.session)
        if isinstance(report, c.Approved) and op.kind is Kind.CONFIRM:
            await _prepared(desk, op, report)
            return
        await reports.apply_report(desk, report)
        current = await store.operation(desk.tx, op.id)
        if not current.pending:
            return
        if isinstance(report, c.Declined):
            await desk.failed(current, report.code or "declined", report.reason)
        elif isinstance(report, c.Cancelled | c.Expired | c.Broken):
            await desk.failed(current, "not_paid", report.reason)
        elif isinstance(report, c.Pending) and op.kind is Kind.CONFIRM and not report.completed:
            # The shopper has not agreed yet: the claim stays, to be called again at the next sign of it.
            await store.update_operation(desk.tx, current, desk.now, calls=0, holder=None)
            await store.drop_timers(desk.tx, desk.order.id, "operation", subject=op.id)
        else:
            await _wait(desk, current, UNDERWAY)

    return settle


async def _prepared(desk: Deciding, op: Operation, approval: c.Approved) -> None:
    """A confirm found out what it needs, and moved nothing: that is kept, and then it is called for the first time."""
    current = await store.operation(desk.tx, op.id)
    if not current.pending or current.holder != op.holder:
        return  # taken over: whoever did that confirms by what he has found himself
    if desk.order.status.final:
        await desk.failed(current, "order_final", "the order ended before it was confirmed", ours=True)
        return
    before = desk.order.connector_state
    await reports.keep_state(desk, approval)
    if desk.order.connector_state == before:
        await _wait(desk, current, "approved, and not confirmed")
        return
    # What was sent before, by a version that kept nothing, may have charged all the same: then it stays a repeat.
    calls = 0 if current.calls == 1 else current.calls
    await store.update_operation(desk.tx, current, desk.now, calls=calls, holder=None)
    await desk.timer("operation", desk.now + timedelta(seconds=5), op.id)
    desk.run.append(op.id)


def moved(op: Operation, result: c.MoveResult) -> Settle:
    """A capture, void or refund was answered: done, or taken on."""

    async def settle(desk: Deciding) -> None:
        current = await store.operation(desk.tx, op.id)
        if isinstance(result, c.Moved):
            await desk.succeeded(current, result.provider_id)
        elif current.pending:
            current = await store.update_operation(desk.tx, current, desk.now, provider_id=result.provider_id)
            await _wait(desk, current, UNDERWAY)

    return settle


def found(op: Operation, move: c.ProviderMove) -> Settle:
    """The provider was asked for a capture, void or refund, and knows it."""

    async def settle(desk: Deciding) -> None:
        current = await store.operation(desk.tx, op.id)
        if move.status is c.MoveStatus.DONE:
            await desk.succeeded(current, move.provider_id)
        elif move.status is c.MoveStatus.FAILED:
            await desk.failed(current, "provider_refused", move.reason or "refused by the provider")
        else:
            await _wait(desk, current, UNDERWAY)

    return settle


def refused(op: Operation, no: c.Refused) -> Settle:
    """The provider said no: certainly nothing happened, unless an earlier try of the same call did it."""

    async def settle(desk: Deciding) -> None:
        current = await store.operation(desk.tx, op.id)
        if not current.pending:
            return  # an event was faster, and knew better
        code = no.code or "provider_refused"
        if not await _left_open(desk, op, current, code, no.reason):
            await _refused(desk, current, code, no.reason)

    return settle


async def _left_open(desk: Deciding, op: Operation, current: Operation, code: str, reason: str) -> bool:
    """Whether a no says nothing of the operation, for it is one to a repeat: it is asked about then, or a person is."""
    kind, repeated = str(op.kind), current.calls > 1 and op.kind is not Kind.CREATE and not _recovered(desk, op)
    if not repeated:
        return False
    if desk.facts.readable.shows(kind, whole=op.amount == desk.order.amount):
        # A repeat's no may be the first try's yes ("already captured"): it is kept, and reading settles it.
        current = await store.update_operation(
            desk.tx, current, desk.now, failure_code=code, failure_reason=desk.told(reason)
        )
        await _wait(desk, current, reason)
        return True
    if not desk.facts.idempotent.answers_again(kind, current.key_age(desk.now)):
        # It may be the first try that makes the provider refuse, and nothing can tell.
        await _for_a_person(desk, current)
        return True
    return False


def _recovered(desk: Deciding, op: Operation) -> bool:
    """Whether a repeat comes only once the first try surely had no effect: then its answer is a first one."""
    return op.kind is Kind.CONFIRM and desk.facts.capabilities.recover_confirm


async def _refused(desk: Deciding, op: Operation, code: str, reason: str) -> None:
    await desk.failed(op, code, reason)
    if op.kind in (Kind.CREATE, Kind.CONFIRM, Kind.CHARGE_TOKEN):
        await desk.outcome("declined", reject_reason=reason)


def refused_before(op: Operation) -> Settle:
    """A repeat was refused, and the provider, asked later, does not show that an earlier try did it: it is refused."""

    async def settle(desk: Deciding) -> None:
        current = await store.operation(desk.tx, op.id)
        if current.pending:
            reason = op.failure_reason or "the provider refused"
            await _refused(desk, current, op.failure_code or "provider_refused", reason)

    return settle


def not_sent(op: Operation, reason: str) -> Settle:
    """The request certainly never left (502)."""

    async def settle(desk: Deciding) -> None:
        current = await store.operation(desk.tx, op.id)
        if not current.pending:
            return
        if current.calls > 1:
            await _wait(desk, current, reason)
        elif op.initiator is Initiator.SYSTEM:
            # Nobody waits for an answer, and it surely had no effect: it may simply be called again.
            current = await store.update_operation(desk.tx, current, desk.now, calls=0)
            await _wait(desk, current, reason)
        else:
            await desk.failed(
                current, "provider_unreachable", f"the provider could not be reached: {reason}", 502, ours=True
            )
            if op.kind in (Kind.CREATE, Kind.CHARGE_TOKEN):
                await desk.outcome("broken", failure_reason="the provider could not be reached")

    return settle


def unknown(op: Operation, reason: str) -> Settle:
    """Nobody knows whether it happened: pending, and asked about again where that is possible (U1)."""

    async def settle(desk: Deciding) -> None:
        current = await store.operation(desk.tx, op.id)
        if not current.pending:
            return
        await desk.outcome("unknown" if op.kind is Kind.CREATE else "pending")
        facts, kind = desk.facts, str(op.kind)
        settles = getattr(facts.readable, kind, False) or facts.idempotent.has(kind)
        recoverable = op.kind is Kind.CREATE or (op.kind is Kind.CONFIRM and facts.capabilities.recover_confirm)
        if settles or recoverable or current.provider_id is not None:
            await _wait(desk, current, reason)
        else:
            await _for_a_person(desk, current)

    return settle


def forgotten(op: Operation) -> Settle:
    """It could only be repeated, and the provider may have forgotten its key since: a repeat might move money again."""

    async def settle(desk: Deciding) -> None:
        current = await store.operation(desk.tx, op.id)
        if current.pending:
            await desk.outcome("pending")
            await _for_a_person(desk, current)

    return settle


async def _for_a_person(desk: Deciding, op: Operation) -> None:
    """Neither readable nor to be repeated: it stays PENDING, its amount blocked, and is listed (U1)."""
    await store.update_operation(desk.tx, op, desk.now, needs_review=True, holder=None)
    await store.drop_timers(desk.tx, desk.order.id, "operation", subject=op.id)
    await desk.review(unknown_reason(op))


async def _wait(desk: Deciding, op: Operation, reason: str) -> None:
    """Ask again later: 30 s doubling to 600 s, and tell a person when it takes too long (U1, U3)."""
    if not op.pending:
        return
    slow = desk.now - op.created_at > timedelta(seconds=desk.facts.times.decides_within)
    # An installation that was down itself finds everything late: unless the provider has just said that it still
    # decides, it asks a few times before it calls a person.
    told = reason == UNDERWAY or op.asks >= ASKED_BEFORE_LATE
    late = slow and told and op.kind is not Kind.CREATE
    await store.update_operation(
        desk.tx, op, desk.now, asks=op.asks + 1, holder=None, needs_review=op.needs_review or late
    )
    await desk.timer("operation", desk.now + (timedelta(hours=1) if late else backoff(op.asks)), op.id)
    log.info("operation.waits", order=desk.order.id, operation=op.id, kind=str(op.kind), reason=desk.told(reason))
    if late:
        await desk.review(overdue_reason(op))


async def left_alone(desk: Deciding) -> None:
    """Nothing was called: there is nothing to decide."""


def nothing(decision: Decision) -> Settle:
    """A report has settled it already; what that left to run still runs."""

    async def settle(desk: Deciding) -> None:
        desk.run.extend(decision.run)

    return settle
