"""Races, each with one side held at a named point: two real connections, no sleep. Named after what went wrong elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from paymux.orders import asking, calls, create, ending, operations, reports, store
from paymux.orders.model import Kind
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import GateAt, Till
from tests.orders.test_statuses import paid

Blocked = Callable[[], Awaitable[bool]]


def about(reference: str, source: str = "") -> Callable[..., bool]:
    """Whether a decision is about this order (and comes from there)."""

    def decides(desk: Any, *_: Any) -> bool:
        return bool(desk.order.reference == reference and desk.source.startswith(source))

    return decides


async def told_once(installation: Installation, reference: str, eventually: Eventually, status: str) -> None:
    """The merchant heard of the end once, and of every change in an unbroken sequence."""

    async def told() -> Any:
        return installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")

    finals = await eventually(told)
    assert [event["data"]["status"] for event in finals] == [status]
    sequence = [event["data"]["sequence"] for event in installation.inbox.events(reference)]
    assert len(sequence) == len(set(sequence))


# -- return and webhook -----------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["return", "event"])
async def test_return_and_webhook_at_the_same_time_pay_once(
    first: str, installation: Installation, merchant: Merchant, shopper: Shopper, gate_at: GateAt, blocked: Blocked,
    eventually: Eventually,
) -> None:  # fmt: skip
    """field.md threads 1 and 3: both loaded the payment without a lock; the loser overwrote the winner."""
    opened = await merchant.creates("SALESTILL")
    reference = opened["orderReference"]
    if first == "return":
        await installation.fault("salestill", "events", "late_event", reference)
    gate = gate_at(reports, "_paid", when=lambda desk, _: about(reference, first)(desk))
    back = await shopper.decides(opened["redirectUrl"], "approve")
    if first == "event":
        await gate.reached.wait()
        other = asyncio.create_task(shopper.returns(back))
    else:
        other = asyncio.create_task(shopper.returns(back))
        await gate.reached.wait()
        installation.hurry_events()
    await eventually(blocked)
    gate.open()
    assert (await other)["status"] == "SUCCESSFUL"
    await told_once(installation, reference, eventually, "SUCCESSFUL")
    details = await merchant.details(reference)
    assert (details["capturedAmount"], len(details["orderCaptures"])) == ("100", 1)


async def test_a_return_that_asked_before_the_webhook_paid_does_not_undo_it(
    installation: Installation,
    merchant: Merchant,
    shopper: Shopper,
    gate_at: GateAt,
    eventually: Eventually,
    tills: Till,
) -> None:
    """field.md thread 1: the loser's stale answer ended a captured payment in error."""
    opened = await merchant.creates("SALESTILL")
    reference, till = opened["orderReference"], tills["SALESTILL"]
    case = till.of(reference)
    case.status = "failed"
    till.save(case)
    gate = gate_at(
        asking, "deciding", when=lambda _, order_id, source, *__: (order_id, source) == (opened["orderId"], "return")
    )
    returning = asyncio.create_task(shopper.returns(f"{merchant.base}/return/{opened['orderToken']}?via=done"))
    await gate.reached.wait()
    case = till.of(reference)
    case.status = "open"
    till.pay(case)

    async def paid_already() -> bool:
        return bool((await merchant.status(reference))["status"] == "SUCCESSFUL")

    await eventually(paid_already)
    gate.open()
    assert (await returning)["status"] == "SUCCESSFUL"
    await told_once(installation, reference, eventually, "SUCCESSFUL")


async def test_return_and_poll_at_the_same_time_confirm_once(
    installation: Installation,
    merchant: Merchant,
    shopper: Shopper,
    gate_at: GateAt,
    tills: Till,
    eventually: Eventually,
) -> None:
    """field.md threads 3 and 4: client confirm and webhook both ran the payment; a refresh paid twice."""
    opened = await merchant.creates("CONFIRMTILL")
    reference = opened["orderReference"]
    back = await shopper.decides(opened["redirectUrl"], "approve")
    gate = gate_at(calls, "_called", when=lambda _, taken: taken.op.kind is Kind.CONFIRM)
    returning = asyncio.create_task(shopper.returns(back))
    await gate.reached.wait()
    refreshing = asyncio.create_task(shopper.returns(back))
    asked = tills["CONFIRMTILL"].count("status", reference)
    await installation.advance(31)

    async def polled() -> bool:
        return bool(tills["CONFIRMTILL"].count("status", reference) > asked)

    await eventually(polled)
    gate.open()
    assert (await returning)["status"] == "SUCCESSFUL"
    # The refresh waits for the confirm, though not for ever.
    assert (await refreshing)["status"] in ("SUCCESSFUL", "PENDING")
    assert (await shopper.returns(back))["status"] == "SUCCESSFUL"
    assert tills["CONFIRMTILL"].count("confirm", reference) == 1
    assert installation.balance(reference) == 100
    await told_once(installation, reference, eventually, "SUCCESSFUL")


async def test_the_webhook_alone_completes_an_order_whose_shopper_never_came_back(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    """field.md thread 17: what the return would have saved was missing, and capture was impossible."""
    opened = await merchant.creates("SALESTILL", autoCapture=False)
    reference = opened["orderReference"]
    # Nor does the poll come to its help.
    async with installation.database.transaction() as tx:
        await tx.execute("DELETE FROM timers WHERE order_id = $1 AND what = 'poll'", opened["orderId"])
    await shopper.decides(opened["redirectUrl"], "approve")

    async def authorised() -> bool:
        return bool((await merchant.status(reference))["captureStatus"] == "AUTHORIZED")

    await eventually(authorised)
    assert (await merchant.captures(reference, "100", "C-1")).status == 201
    assert installation.balance(reference) == 100


# -- two operations ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("verb", "code"), [("captures", "over_capture"), ("refunds", "over_refund")])
async def test_two_that_together_exceed_the_payment_leave_one(
    verb: str, code: str, installation: Installation, merchant: Merchant, shopper: Shopper, gate_at: GateAt,
    blocked: Blocked, eventually: Eventually,
) -> None:  # fmt: skip
    """field.md thread 13: two simultaneous refunds of 60 on a payment of 100 both succeeded."""
    reference = await paid(merchant, shopper, "SALESTILL", autoCapture=verb == "refunds")
    move = getattr(merchant, verb)
    gate = gate_at(operations, "_check", after=True)
    first = asyncio.create_task(move(reference, "60", "A"))
    await gate.reached.wait()
    second = asyncio.create_task(move(reference, "60", "B"))
    await eventually(blocked)
    gate.open()
    answers = await asyncio.gather(first, second)
    assert [answer.status for answer in answers] == [201, 400]
    assert answers[1].body["code"] == code
    assert installation.balance(reference) == (40 if verb == "refunds" else 60)


async def test_a_refund_counts_while_its_call_is_still_out(
    installation: Installation, merchant: Merchant, shopper: Shopper, gate_at: GateAt
) -> None:
    """field.md threads 13 and 18: check, call, write: the second check came before the first write."""
    reference = await paid(merchant, shopper, "SALESTILL")
    gate = gate_at(calls, "_send_move")
    first = asyncio.create_task(merchant.refunds(reference, "60", "A"))
    await gate.reached.wait()
    second = await merchant.refunds(reference, "60", "B")
    again = await merchant.refunds(reference, "60", "A")
    assert (second.status, second.body["code"]) == (400, "over_refund")
    assert (again.status, again.body["code"]) == (409, "in_progress")
    gate.open()
    assert (await first).status == 201
    assert installation.balance(reference) == 40


async def test_the_same_refund_sent_twice_at_once_moves_once(
    installation: Installation, merchant: Merchant, shopper: Shopper, gate_at: GateAt, blocked: Blocked,
    eventually: Eventually, tills: Till,
) -> None:  # fmt: skip
    """field.md threads 2 and 18."""
    reference = await paid(merchant, shopper, "SALESTILL")
    gate = gate_at(operations, "_check", after=True)
    first = asyncio.create_task(merchant.refunds(reference, "60", "A"))
    await gate.reached.wait()
    second = asyncio.create_task(merchant.refunds(reference, "60", "A"))
    await eventually(blocked)
    gate.open()
    answers = await asyncio.gather(first, second)
    assert answers[0].status == 201
    assert answers[1].status in (201, 409)
    assert tills["SALESTILL"].count("refund", reference) == 1


async def test_a_capture_and_a_void_at_once_do_not_exceed_the_authorisation(
    installation: Installation, merchant: Merchant, shopper: Shopper, gate_at: GateAt, blocked: Blocked,
    eventually: Eventually,
) -> None:  # fmt: skip
    reference = await paid(merchant, shopper, "SALESTILL", autoCapture=False)
    gate = gate_at(operations, "_check", after=True)
    capturing = asyncio.create_task(merchant.captures(reference, "60", "C-1"))
    await gate.reached.wait()
    voiding = asyncio.create_task(merchant.voids(reference, "60", "V-1"))
    await eventually(blocked)
    gate.open()
    assert ((await capturing).status, (await voiding).body["code"]) == (201, "over_void")
    assert ("void", 60) not in installation.ledger(reference)


# -- two creates ------------------------------------------------------------------------------------


async def test_two_creates_of_one_reference_at_once_open_one_checkout(
    installation: Installation,
    merchant: Merchant,
    gate_at: GateAt,
    blocked: Blocked,
    eventually: Eventually,
    tills: Till,
) -> None:
    """field.md threads 2 and 4: the refresh opened and paid a second one."""
    body = merchant.order("SALESTILL")
    gate = gate_at(create, "_claim", after=True)
    first = asyncio.create_task(merchant.post("/orders", body))
    await gate.reached.wait()
    second = asyncio.create_task(merchant.post("/orders", body))
    await eventually(blocked)
    gate.open()
    answers = await asyncio.gather(first, second)
    assert [answer.status for answer in answers] == [201, 409]
    assert answers[1].body["code"] == "duplicate_reference"
    assert tills["SALESTILL"].count("create", body["orderReference"]) == 1


# -- the clock --------------------------------------------------------------------------------------


async def test_an_approval_that_comes_while_the_time_out_is_deciding_is_paid(
    installation: Installation,
    merchant: Merchant,
    shopper: Shopper,
    gate_at: GateAt,
    eventually: Eventually,
    tills: Till,
) -> None:
    opened = await merchant.creates("KEEPTILL", cancellationTimeout=600)
    reference, till = opened["orderReference"], tills["KEEPTILL"]
    gate = gate_at(ending, "_put_off", when=lambda _, asked, by: asked.order.reference == reference)
    await installation.advance(601)
    await gate.reached.wait()
    till.pay(till.of(reference))

    async def successful() -> bool:
        return bool((await merchant.status(reference))["status"] == "SUCCESSFUL")

    await eventually(successful)
    gate.open()

    async def over() -> bool:
        return (await merchant.details(reference))["nextStep"] is None

    await eventually(over)
    assert (await merchant.status(reference))["cancelledBy"] is None
    await told_once(installation, reference, eventually, "SUCCESSFUL")


async def test_an_approval_that_comes_after_the_time_out_decided_is_given_back(
    installation: Installation,
    merchant: Merchant,
    gate_at: GateAt,
    eventually: Eventually,
    tills: Till,
    blocked: Blocked,
) -> None:
    opened = await merchant.creates("READTILL", cancellationTimeout=600)
    reference, till = opened["orderReference"], tills["READTILL"]
    gate = gate_at(
        store,
        "drop_timers",
        when=lambda _, order_id, *whats, **__: order_id == opened["orderId"] and "deadline" in whats,
    )
    await installation.advance(601)
    await gate.reached.wait()
    till.pay(till.of(reference))
    await eventually(blocked)
    gate.open()

    async def given_back() -> bool:
        return bool((await merchant.details(reference))["refundedAmount"] == "100")

    await eventually(given_back)
    status = await merchant.status(reference)
    assert (status["status"], status["cancelledBy"]) == ("CANCELED", "SYSTEM")
    assert installation.balance(reference) == 0
    await told_once(installation, reference, eventually, "CANCELED")


async def test_the_providers_event_of_our_own_cancelling_may_overtake_it(
    installation: Installation, merchant: Merchant, gate_at: GateAt, eventually: Eventually
) -> None:
    """The merchant cancelled, not the shopper, although it is the provider's event that ends the order."""
    opened = await merchant.creates("SALESTILL")
    reference = opened["orderReference"]
    gate = gate_at(ending, "close_checkout", after=True)
    cancelling = asyncio.create_task(merchant.post(f"/orders/{reference}/cancel", {}))
    await gate.reached.wait()

    async def ended() -> bool:
        return bool((await merchant.status(reference))["status"] == "CANCELED")

    await eventually(ended)
    gate.open()
    answer = await cancelling
    assert (answer.status, answer.body["cancelledBy"]) == (201, "MERCHANT")
    await told_once(installation, reference, eventually, "CANCELED")


async def test_read_repair_and_poll_at_the_same_time_count_once(
    installation: Installation,
    merchant: Merchant,
    shopper: Shopper,
    gate_at: GateAt,
    eventually: Eventually,
    tills: Till,
) -> None:
    """field.md thread 9: on-the-fly repair beside the janitor."""
    reference = await paid(merchant, shopper, "SALESTILL", autoCapture=False)
    await installation.fault("salestill", "capture", "error_after", reference)
    await installation.fault("salestill", "events", "no_event", reference, times=9)
    assert (await merchant.captures(reference, "60", "C-1")).body["status"] == "PENDING"
    gate = gate_at(asking, "deciding", when=lambda _, __, source, *___: source == "read")
    reading = asyncio.create_task(merchant.status(reference))
    await gate.reached.wait()
    await installation.advance(31)

    async def settled() -> bool:
        return bool((await merchant.details(reference))["capturedAmount"] == "60")

    await eventually(settled)
    gate.open()
    assert (await reading)["captureStatus"] == "PARTIALLY_CAPTURED"
    details = await merchant.details(reference)
    assert (details["capturedAmount"], len(details["orderCaptures"])) == ("60", 1)
    assert tills["SALESTILL"].count("capture", reference) == 1


async def test_a_live_answer_and_an_event_of_the_same_refund_count_once(
    installation: Installation, merchant: Merchant, shopper: Shopper, gate_at: GateAt, eventually: Eventually
) -> None:
    reference = await paid(merchant, shopper, "SALESTILL")
    gate = gate_at(calls, "_send_move", after=True)
    refunding = asyncio.create_task(merchant.refunds(reference, "60", "R-1"))
    await gate.reached.wait()

    async def told() -> bool:
        return bool((await merchant.details(reference))["refundedAmount"] == "60")

    await eventually(told)
    gate.open()
    assert (await refunding).body["refundStatus"] == "SUCCESSFUL"
    details = await merchant.details(reference)
    assert (details["refundedAmount"], len(details["refunds"])) == ("60", 1)
    assert len(installation.inbox.events(reference, "REFUND_CALLBACK")) <= 1


# -- no call within a transaction --------------------------------------------------------------------


async def test_no_transaction_is_open_while_a_provider_is_called(
    installation: Installation, merchant: Merchant, shopper: Shopper, gate_at: GateAt
) -> None:
    """field.md thread 2: a database retry wrapped the call, and the shopper was charged three times."""
    reference = await paid(merchant, shopper, "SALESTILL")
    gate = gate_at(calls, "_send_move")
    refunding = asyncio.create_task(merchant.refunds(reference, "60", "R-1"))
    await gate.reached.wait()
    async with installation.database.transaction() as tx:
        # The order's row can be had at once: nobody holds it across the call.
        await tx.execute("SET LOCAL lock_timeout = '1s'")
        order_id = await tx.fetchval("SELECT id FROM orders WHERE reference = $1", reference)
        assert (await store.lock_order(tx, order_id)).reference == reference
    gate.open()
    assert (await refunding).status == 201
