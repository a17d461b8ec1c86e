"""Capture, void, refund and cancel, as the merchant asks for them: checked and claimed under the row lock (I2, M5, S4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from paymux.connectors.facts import Capabilities
from paymux.money import accepted_decimals, fits, plain
from paymux.orders import auditing, calls, ending, given_words, store
from paymux.orders.core import Core
from paymux.orders.decide import Deciding
from paymux.orders.errors import (
    ApiError,
    BodyFaults,
    Conflict,
    InProgress,
    NotFound,
    ProviderRefused,
    ProviderUnreachable,
    once_claimed,
)
from paymux.orders.model import Initiator, Kind, Operation, OperationStatus, Order, Status
from paymux.platform.database import to_json


@dataclass(frozen=True, slots=True)
class Asked:
    """What the merchant asked to move: a kind, his own reference, an amount in the order's currency."""

    kind: Kind
    reference: str
    amount: Decimal
    description: str = ""
    currency: str | None = None


async def order_of(core: Core, merchant_id: str, reference: str) -> Order:
    """A merchant's order. Raises NotFound for anybody else's, too."""
    async with core.database.connection() as held:
        order = await store.order_by_reference(held, merchant_id, reference)
    if order is None:
        raise NotFound(f"There is no order {reference}")
    return order


async def move(core: Core, merchant_id: str, reference: str, asked: Asked) -> tuple[Order, Operation]:
    """Claim and run a capture, void or refund; or give the first answer of the same reference again (I2)."""
    order = await order_of(core, merchant_id, reference)
    request_hash = core.keyring.digest(
        to_json([str(asked.kind), f"{asked.amount.normalize():f}", asked.description, asked.currency])
    )
    async with core.database.transaction() as tx:
        now = await core.clock.refresh(tx)
        order = await store.lock_order(tx, order.id)
        first = await store.operation_by_reference(tx, order.id, asked.kind, asked.reference)
        if first is not None:
            return await _repeat(tx, order, first, request_hash, asked)
        desk = Deciding(tx, core, order, now, "merchant")
        await _check(desk, asked)
        op = await store.claim(
            tx, order, asked.kind, now, reference=asked.reference, amount=asked.amount, initiator=Initiator.MERCHANT,
            request_hash=request_hash,
            description_sealed=given_words.sealed_description(core.keyring, asked.description),
        )  # fmt: skip
        assert op is not None
        await store.set_timer(tx, order.id, "operation", now + timedelta(seconds=5), now, op.id)
        await auditing.about(
            tx, order, f"order.{asked.kind}", operation=op.id, reference=asked.reference, amount=asked.amount
        )
    with once_claimed():
        decision = await calls.run_operation(core, op.id)
        async with core.database.transaction(patient=True) as tx:
            op = await store.operation(tx, op.id)
            order = decision.order if decision else await store.order_by_id(tx, order.id)
    return order, _answered(op)


async def _repeat(tx: Any, order: Order, first: Operation, request_hash: str, asked: Asked) -> tuple[Order, Operation]:
    if first.request_hash != request_hash:
        raise Conflict(
            f"{asked.kind} reference {asked.reference} has been used with another body", code="duplicate_reference"
        )
    # Being asked about is not running: its first result, PENDING, has been given and is given again.
    if first.pending and first.asks == 0 and await store.leased(tx, first):
        raise InProgress(f"The {asked.kind} {asked.reference}")
    return order, _answered(first)


def _answered(op: Operation) -> Operation:
    """The operation, or its refusal, which its reference repeats (E4)."""
    if op.status is OperationStatus.FAILED:
        reason = op.failure_reason or "the provider refused"
        if op.failure_status == 502:
            raise ProviderUnreachable(reason)
        raise ProviderRefused(reason)
    return op


async def _check(desk: Deciding, asked: Asked) -> None:
    order, able = desk.order, desk.facts.capabilities
    places = accepted_decimals(order.currency)
    name = "refundAmount.amount" if asked.kind is Kind.REFUND else "amount"
    if asked.currency is not None and asked.currency != order.currency:
        raise BodyFaults([f"refundAmount.currency must be {order.currency}"], code="currency_mismatch")
    if not fits(asked.amount, places):
        raise BodyFaults([f"{name} must have at most {places} decimals in {order.currency}"])
    if not fits(asked.amount, places := desk.facts.accepted_decimals(order.currency)):
        raise BodyFaults(
            [f"{name} must have at most {places} decimals in {order.currency} for {order.code}"], code="not_supported"
        )
    if asked.kind is Kind.CAPTURE:
        await _check_capture(desk, asked, able)
    elif asked.kind is Kind.VOID:
        await _check_void(desk, asked, able)
    else:
        await _check_refund(desk, asked, able)


def _needs_authorisation(desk: Deciding, what: str) -> None:
    order = desk.order
    if order.status is not Status.SUCCESSFUL:
        raise Conflict(f"The order is {order.status}: nothing can be {what}", code="not_authorised")


def _expired(desk: Deciding) -> bool:
    until = desk.order.authorised_until
    return desk.order.expired > 0 or (until is not None and until <= desk.now and desk.order.open > 0)


async def _check_capture(desk: Deciding, asked: Asked, able: Capabilities) -> None:
    _needs_authorisation(desk, "captured")
    if _expired(desk):
        raise Conflict("The authorisation has expired", code="authorisation_expired")
    left = desk.order.open - await desk.pending_amount(Kind.CAPTURE, Kind.VOID)
    if asked.amount > left:
        raise ApiError(f"amount must be at most {left}: more is not left to capture", code="over_capture")
    if asked.amount < desk.order.open and not able.partial_capture:
        raise BodyFaults(
            [f"amount must be {desk.order.open}: {desk.order.code} captures in one piece"], code="not_supported"
        )
    if not able.multiple_captures and (desk.order.captured or await desk.pending_amount(Kind.CAPTURE)):
        raise BodyFaults([f"amount: {desk.order.code} allows one capture only"], code="not_supported")


async def _check_void(desk: Deciding, asked: Asked, able: Capabilities) -> None:
    _needs_authorisation(desk, "voided")
    if not able.void:
        raise BodyFaults([f"void is not supported by {desk.order.code}"], code="not_supported")
    if _expired(desk):
        raise Conflict("The authorisation has expired", code="authorisation_expired")
    if not able.partial_void and await desk.pending_amount(Kind.CAPTURE):
        # A void there gives back all that is not captured, and nobody knows yet how much that is.
        raise InProgress("A capture of the order")
    left = desk.order.open - await desk.pending_amount(Kind.CAPTURE, Kind.VOID)
    if asked.amount > left:
        raise ApiError(f"amount must be at most {left}: more is not left to void", code="over_void")
    if asked.amount < left and not able.partial_void:
        raise BodyFaults([f"amount must be {left}: {desk.order.code} voids all that is left"], code="not_supported")


async def _check_refund(desk: Deciding, asked: Asked, able: Capabilities) -> None:
    order = desk.order
    if order.captured == 0:
        raise Conflict("Nothing has been captured of this order", code="not_captured")
    if not able.refund:
        raise BodyFaults([f"refund is not supported by {order.code}"], code="not_supported")
    if desk.facts.refunds_when_closed and order.open > 0:
        raise Conflict(
            f"{order.code} refunds nothing while {plain(order.open)} of the order is open: capture or void that first",
            code="still_open",
        )
    left = order.captured - order.refunded - await desk.pending_amount(Kind.REFUND)
    if asked.amount > left:
        raise ApiError(f"refundAmount.amount must be at most {left}: more is not left to refund", code="over_refund")
    if asked.amount < order.captured and not able.partial_refund:
        raise BodyFaults(
            [f"refundAmount.amount must be {order.captured}: {order.code} refunds whole"], code="not_supported"
        )
    earlier = order.refunded or await desk.pending_amount(Kind.REFUND)
    if earlier and not able.multiple_refunds:
        raise BodyFaults([f"refundAmount: {order.code} allows one refund only"], code="not_supported")


async def cancel(core: Core, merchant_id: str, reference: str) -> Order:
    """Cancel an unpaid order (D1, D3). Idempotent. Raises Conflict when it is paid or ended otherwise."""
    order = await order_of(core, merchant_id, reference)
    if not order.status.final:
        with once_claimed():
            # The provider may have closed the checkout when the database is lost: that is not nothing.
            order = await ending.end_unpaid(core, order, by="MERCHANT")
    if order.status is Status.CANCELED:
        return order
    if not order.status.final:
        if order.authorised is not None:
            raise Conflict("The order has been authorised and can't be cancelled any more", code="already_paid")
        raise InProgress("A payment of the order")
    raise Conflict(f"The order is {order.status} and can't be cancelled", code="order_final")
