"""What needs a person: the list, and the command that settles it through `decide` (U3)."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

from paymux.accounts import service as accounts
from paymux.connectors import contract as c
from paymux.money import plain
from paymux.orders import calls, opening, reports, settling, store
from paymux.orders.core import Core, facts_of
from paymux.orders.decide import Deciding, deciding
from paymux.orders.model import Kind, Operation, Order
from paymux.platform.http import CallFailed


async def listed(core: Core) -> list[dict[str, Any]]:
    """Every order to review, with the operations whose outcome nobody knows."""
    async with core.database.transaction() as tx:
        return [await _row(tx, order) for order in await store.orders_to_review(tx, None)]


async def _row(tx: Any, order: Order) -> dict[str, Any]:
    waiting = [op for op in await store.operations(tx, order.id) if op.pending]
    return {
        "merchant": order.merchant_id,
        "orderReference": order.reference,
        "orderId": order.id,
        "provider": order.code,
        "status": str(order.status),
        "reason": "; ".join(order.reviews) or None,
        "providerOrder": order.payment_id or order.session,
        "waiting": [
            {
                "kind": str(op.kind),
                "reference": op.reference,
                "amount": None if op.amount is None else plain(op.amount),
                "since": op.created_at.isoformat(),
            }
            for op in waiting
        ],
        "settle": _command(order),
    }


def _command(order: Order) -> str:
    """The command that settles an order, safe to paste: the merchant chose the reference, and a shell would obey it."""
    words = ["paymux", "review", "resolve", "--merchant", order.merchant_id, "--as", "succeeded|failed", "--note", "…"]
    end = ["--"] if order.reference.startswith("-") else []  # what comes after it is no option
    return shlex.join([*words, *end, order.reference])


async def resolve(
    core: Core, reference: str, outcome: str, note: str, merchant: str, operation: str = "", payment: str = ""
) -> dict[str, Any]:  # fmt: skip
    """Settle what an order waits for, by what a person found out; the order's row as it is then.

    One operation whose outcome nobody knew, if there is one; else the payment itself, if that is undecided; else only
    the review is over. `operation` names it, as `refund/R-1`, and has to where several wait: one of them may have come
    out by itself since the person looked, and what he found must not settle another. `payment` is the provider's id of a
    payment whose answer was lost: later captures and refunds need it. Raises ValueError that says what is wrong.
    """
    if outcome not in ("succeeded", "failed"):
        raise ValueError("--as must be succeeded or failed")
    order = await _to_review(core, reference, merchant)
    found = await _looked_up(core, order, payment) if payment and outcome == "succeeded" else None

    async def settle(desk: Deciding) -> None:
        desk.action, desk.said = "review.resolved", {"as": outcome, "note": note[:500]}
        await desk.note("resolved", detail={"as": outcome, "note": note[:500]})
        unknown = _meant([op for op in await desk.operations(*Kind) if op.pending and op.needs_review], operation)
        if unknown is not None:
            if await store.leased(desk.tx, unknown):
                # What is found out, or even repeated, at this moment would be lost on an operation that is settled.
                raise ValueError(f"The {unknown.kind} is being asked about right now: try again in a few seconds.")
            await _settle_operation(desk, unknown, outcome, note, found)
            return
        await desk.change(needs_review=None)
        if not desk.order.status.final and desk.order.authorised is None:
            await _settle_payment(desk, outcome, note, found)

    decision = await calls.run_all(core, await deciding(core, order.id, "person", settle))
    async with core.database.transaction() as tx:
        return await _row(tx, await store.order_by_id(tx, decision.order.id))


async def _looked_up(core: Core, order: Order, payment: str) -> c.Paid:
    """What the provider says of the payment that a person names, where it can be asked. Nothing is decided.

    Raises ValueError where it is another order's, is not known, or does not pay for this order (T1).
    """
    async with core.database.connection() as held:
        owner = await store.find_order(held, order.account_id, payment, payment, None)
        connector = await core.connector(held, order)
    if owner is not None and owner.id != order.id:
        raise ValueError(f"{payment} is the payment of order {owner.reference}.")
    if not facts_of(order).capabilities.status:
        return c.Paid(payment_id=payment, total=order.total, captured=None)
    try:
        asked = replace(order, session=order.session or payment, payment_id=payment)
        report = await connector.fetch(opening.checkout_of(asked))
    except c.Refused as no:
        raise ValueError(f"{order.code} knows no payment {payment}: {no.reason}") from no
    except CallFailed as fault:
        raise ValueError(f"{order.code} could not be asked for the payment {payment}: {fault}") from fault
    finally:
        await deciding(core, order.id, "person", settling.left_alone)  # which writes the call to the audit trail
    if not isinstance(report, c.Paid):
        raise ValueError(f"{order.code} does not call {payment} paid: {type(report).__name__.lower()}")
    if report.payment_id != payment:
        raise ValueError(f"{order.code} tells of the payment {report.payment_id} when asked for {payment}")
    foreign = reports.mismatch(order, report)
    if foreign is not None:
        raise ValueError(f"{payment} is not this order's payment: it has another {foreign}")
    return report


def _meant(unknown: list[Operation], named: str) -> Operation | None:
    """The one of the operations that wait which a person means; None when none waits."""
    by_name = {f"{op.kind}/{op.reference}": op for op in unknown}
    if named:
        if named not in by_name:
            raise ValueError(f"{named} is not, or not any more, an operation whose outcome nobody knows.")
        return by_name[named]
    if len(unknown) > 1:
        raise ValueError(
            f"Several operations wait: name one with --operation {' or '.join(map(shlex.quote, by_name))}."
        )
    return unknown[0] if unknown else None


async def _to_review(core: Core, reference: str, merchant: str) -> Order:
    async with core.database.transaction() as tx:
        owner = (await accounts.find_merchant(tx, merchant)).id if merchant else None
        found = [o for o in await store.orders_to_review(tx, owner) if o.reference == reference]
    if not found:
        raise ValueError(f"No order {reference} needs review.")
    if len(found) > 1:
        raise ValueError(f"Several merchants have an order {reference} to review: name one with --merchant.")
    return found[0]


async def _settle_operation(desk: Deciding, op: Operation, outcome: str, note: str, found: c.Paid | None) -> None:
    if op.kind in (Kind.CONFIRM, Kind.CHARGE_TOKEN):
        await _settle_payment(desk, outcome, note, found)
    elif found is not None:
        raise ValueError(f"--payment names the order's payment, and what waits is the {op.kind} {op.reference}.")
    elif outcome == "succeeded":
        await desk.succeeded(op, op.provider_id)
    else:
        await desk.failed(op, "resolved_failed", f"settled by a person: {note[:200]}")


async def _settle_payment(desk: Deciding, outcome: str, note: str, found: c.Paid | None) -> None:
    """As the provider's own answer would: paid as it says, or else whole; or refused."""
    order = desk.order
    if outcome == "succeeded":
        if order.paid_seen:
            raise ValueError("What was paid is not this order's, and is given back: it can only be resolved as failed.")
        known = order.payment_id or order.session
        if found is None and not known:
            raise ValueError("Name the provider's id of the payment with --payment: captures and refunds will need it.")
        paid = found or c.Paid(payment_id=known or "", total=order.total, captured=None)
        if order.session is None:
            await desk.change(session=paid.session or paid.payment_id)
        await reports.apply_report(desk, paid)
        return
    for op in await desk.operations(Kind.CONFIRM, Kind.CHARGE_TOKEN):
        await desk.failed(op, "resolved_failed", f"settled by a person: {note[:200]}")
    await desk.outcome("declined", reject_reason="the payment did not take place")
