"""D1 to D3: deadlines, and cancelling."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from paymux.orders import calls
from paymux.orders.model import Kind
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import GateAt, Till


async def ended(merchant: Merchant, reference: str) -> Any:
    """Who cancelled an order; None while it is not cancelled."""
    status = await merchant.status(reference)
    return status["cancelledBy"] if status["status"] == "CANCELED" else None


# -- D1 ---------------------------------------------------------------------------------------------


async def test_at_its_deadline_an_unpaid_order_is_cancelled_here_and_at_the_provider(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    opened = await merchant.creates("SALESTILL", cancellationTimeout=600)
    reference = opened["orderReference"]
    await installation.advance(601)
    assert await eventually(lambda: ended(merchant, reference)) == "SYSTEM"
    assert tills["SALESTILL"].of(reference).status == "cancelled"

    async def told() -> Any:
        return installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")

    [event] = await eventually(told)
    assert (event["data"]["status"], event["data"]["cancelledBy"]) == ("CANCELED", "SYSTEM")


async def test_a_deadline_asks_first_and_a_payment_that_was_not_told_counts(
    installation: Installation, merchant: Merchant, tills: Till, eventually: Eventually
) -> None:
    """field.md thread 17: the browser was closed before the return."""
    opened = await merchant.creates("BLINDTILL", cancellationTimeout=20)
    reference, till = opened["orderReference"], tills["BLINDTILL"]
    till.pay(till.of(reference))
    await installation.advance(21)

    async def paid() -> bool:
        return bool((await merchant.status(reference))["status"] == "SUCCESSFUL")

    await eventually(paid)
    assert installation.balance(reference) == 100


@pytest.mark.parametrize("fault", ["error_before", "timeout_before"])
async def test_a_provider_that_does_not_answer_does_not_keep_an_order_from_ending(
    fault: str, installation: Installation, merchant: Merchant, tills: Till, eventually: Eventually
) -> None:
    opened = await merchant.creates("SALESTILL", cancellationTimeout=600)
    reference = opened["orderReference"]
    await installation.fault("salestill", "status", fault, reference, times=99)
    await installation.fault("salestill", "cancel", fault, reference)
    await installation.advance(601)
    assert await eventually(lambda: ended(merchant, reference)) == "SYSTEM"

    async def closed() -> bool:
        await installation.advance(31)
        return bool(tills["SALESTILL"].of(reference).status == "cancelled")

    await eventually(closed)


async def test_a_deadline_waits_for_the_money_call_that_is_in_flight(
    installation: Installation, merchant: Merchant, shopper: Shopper, gate_at: GateAt, eventually: Eventually
) -> None:
    opened = await merchant.creates("CONFIRMTILL", cancellationTimeout=600)
    reference = opened["orderReference"]
    gate = gate_at(calls, "_called", when=lambda _, taken: taken.op.kind is Kind.CONFIRM)
    returning = asyncio.create_task(shopper.pays(opened["redirectUrl"]))
    await gate.reached.wait()
    await installation.advance(601)

    async def put_off() -> bool:
        async with installation.database.connection() as held:
            return bool(
                await held.fetchval(
                    "SELECT due_at > $2 FROM timers JOIN orders ON orders.id = order_id"
                    " WHERE what = 'deadline' AND reference = $1 AND due_at > created_at + interval '600 seconds'",
                    reference,
                    installation.clock.now(),
                )
            )

    await eventually(put_off)
    assert (await merchant.status(reference))["status"] == "PENDING"
    assert (await merchant.post(f"/orders/{reference}/cancel", {})).body["code"] == "in_progress"
    gate.open()
    assert (await returning)["status"] == "SUCCESSFUL"


async def test_an_approval_that_is_not_confirmed_at_a_merchants_cancel_is_not_confirmed_by_it(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till
) -> None:
    opened = await merchant.creates("CONFIRMTILL")
    reference = opened["orderReference"]
    await shopper.decides(opened["redirectUrl"], "approve")
    answer = await merchant.post(f"/orders/{reference}/cancel", {})
    assert (answer.status, answer.body["status"]) == (201, "CANCELED")
    assert (installation.balance(reference), tills["CONFIRMTILL"].count("confirm", reference)) == (0, 0)


async def test_a_checkout_that_was_paid_between_asking_and_closing_takes_the_paid_path(
    installation: Installation, merchant: Merchant, tills: Till, gate_at: GateAt
) -> None:
    from paymux.orders import ending

    opened = await merchant.creates("SALESTILL")
    reference, till = opened["orderReference"], tills["SALESTILL"]
    await installation.fault("salestill", "events", "no_event", reference, times=9)
    gate = gate_at(ending, "close_checkout")
    cancelling = asyncio.create_task(merchant.post(f"/orders/{reference}/cancel", {}))
    await gate.reached.wait()
    till.pay(till.of(reference))
    gate.open()
    answer = await cancelling
    assert answer.status == 409
    status = await merchant.status(reference)
    assert (status["status"], status["cancelledBy"]) == ("SUCCESSFUL", None)
    assert installation.balance(reference) == 100


# -- D2 ---------------------------------------------------------------------------------------------


async def test_both_time_outs_are_whole_seconds_up_to_a_year(merchant: Merchant) -> None:
    def order(name: str, value: Any) -> dict[str, Any]:
        return merchant.order("SALESTILL", **{name: value})

    for name in ("cancellationTimeout", "checkoutSessionTimeout"):
        for wrong in (0, -1, 31_536_001, "60", True):
            answer = await merchant.post("/orders", order(name, wrong))
            assert answer.status == 400
            assert any(message.startswith(name) for message in answer.body["message"]), answer.body
        for right in (1, 31_536_000):
            assert (await merchant.post("/orders", order(name, right))).status == 201


async def test_after_completion_the_checkout_session_time_out_takes_over(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("SALESTILL", cancellationTimeout=600, checkoutSessionTimeout=3600)
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"], "pending")
    await installation.advance(1200)
    details = await merchant.details(reference)
    assert details["status"] == "PENDING"
    await installation.advance(2500)
    assert await eventually(lambda: ended(merchant, reference)) == "SYSTEM"


async def test_before_completion_the_checkout_session_time_out_does_not_count(
    installation: Installation, merchant: Merchant, eventually: Eventually
) -> None:
    opened = await merchant.creates("SALESTILL", cancellationTimeout=7200, checkoutSessionTimeout=60)
    await installation.advance(3600)
    assert (await merchant.details(opened["orderReference"]))["status"] == "PENDING"
    await installation.advance(3601)
    assert await eventually(lambda: ended(merchant, opened["orderReference"])) == "SYSTEM"


async def test_the_cancellation_time_out_goes_on_after_completion_while_the_order_is_unpaid(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("SALESTILL", cancellationTimeout=600)
    await shopper.pays(opened["redirectUrl"], "pending")
    await installation.advance(601)
    assert await eventually(lambda: ended(merchant, opened["orderReference"])) == "SYSTEM"


async def test_a_time_out_ends_an_order_whose_fraud_check_is_still_open_and_what_is_paid_later_goes_back(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    till = tills["SALESTILL"]
    opened = await merchant.creates("SALESTILL", checkoutSessionTimeout=600)
    reference = opened["orderReference"]
    till.checks = True
    await shopper.pays(opened["redirectUrl"])
    till.checks = False
    await installation.advance(601)
    assert await eventually(lambda: ended(merchant, reference)) == "SYSTEM"
    # Longer than its checkout could have been paid: the provider still holds a payment.
    await installation.advance(90_000)
    await installation.fault("salestill", "events", "no_event", reference, times=9)
    await installation.settle(reference, "approve")

    async def given_back() -> bool:
        await installation.advance(601)
        return bool((await merchant.details(reference))["refundedAmount"] == "100")

    await eventually(given_back)
    assert installation.balance(reference) == 0


async def test_without_time_outs_an_open_checkout_ends_after_a_day_and_a_completed_one_waits_for_its_provider(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    left, completed = await merchant.creates("SALESTILL"), await merchant.creates("SALESTILL")
    await shopper.pays(completed["redirectUrl"], "pending")
    await installation.advance(86_401)
    assert await eventually(lambda: ended(merchant, left["orderReference"])) == "SYSTEM"
    assert (await merchant.status(completed["orderReference"]))["status"] == "PENDING"
    assert (await merchant.details(completed["orderReference"]))["nextStep"] is not None
    await installation.settle(completed["orderReference"], "approve")

    async def paid() -> bool:
        return bool((await merchant.status(completed["orderReference"]))["status"] == "SUCCESSFUL")

    await eventually(paid)


# -- D3 ---------------------------------------------------------------------------------------------


async def test_a_merchant_cancels_an_unpaid_order_once_and_again(
    installation: Installation, merchant: Merchant, tills: Till
) -> None:
    opened = await merchant.creates("SALESTILL")
    reference = opened["orderReference"]
    first = await merchant.post(f"/orders/{reference}/cancel", {"description": "out of stock"})
    again = await merchant.post(f"/orders/{reference}/cancel", {})
    assert (first.status, first.body["status"], first.body["cancelledBy"]) == (201, "CANCELED", "MERCHANT")
    assert (again.status, again.body["status"]) == (201, "CANCELED")
    assert tills["SALESTILL"].count("cancel", reference) == 1
    assert len(installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")) <= 1


async def test_a_paid_order_is_not_cancelled(merchant: Merchant, shopper: Shopper) -> None:
    opened = await merchant.creates("SALESTILL")
    await shopper.pays(opened["redirectUrl"])
    answer = await merchant.post(f"/orders/{opened['orderReference']}/cancel", {})
    assert (answer.status, answer.body["code"]) == (409, "order_final")


async def test_an_order_whose_create_is_lost_is_cancelled_and_not_created_again(
    installation: Installation, merchant: Merchant, tills: Till, eventually: Eventually
) -> None:
    body = merchant.order("SALESTILL")
    reference = body["orderReference"]
    await installation.fault("salestill", "create", "error_before", reference)
    await merchant.post("/orders", body)
    answer = await merchant.post(f"/orders/{reference}/cancel", {})
    assert (answer.status, answer.body["status"]) == (201, "CANCELED")
    await installation.advance(3600)
    assert (await merchant.details(reference))["nextStep"] is None
    assert tills["SALESTILL"].count("create", reference) == 0


async def test_a_checkout_that_opens_after_its_order_ended_is_closed_and_watched(
    installation: Installation, merchant: Merchant, tills: Till, gate_at: GateAt, eventually: Eventually
) -> None:
    body = merchant.order("SALESTILL")
    reference = body["orderReference"]
    gate = gate_at(calls, "_called", when=lambda _, taken: taken.order.reference == reference, after=True)
    creating = asyncio.create_task(merchant.post("/orders", body))
    await gate.reached.wait()
    assert (await merchant.post(f"/orders/{reference}/cancel", {})).body["status"] == "CANCELED"
    gate.open()
    assert (await creating).status == 201

    async def closed() -> bool:
        return bool(tills["SALESTILL"].of(reference).status == "cancelled")

    await eventually(closed)
