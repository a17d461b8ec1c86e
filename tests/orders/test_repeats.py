"""What a repeated call may be, and what its answer proves of the first one (U1, U4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from paymux.orders import asking, calls, operations
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import GateAt, Till
from tests.orders.test_statuses import heard, paid


async def test_that_a_repeat_is_not_let_in_says_nothing_of_the_first_call(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    """The merchant's key was replaced at the provider between a refund, whose answer was lost, and its repeat."""
    till = tills["ONCETILL"]
    opened = await merchant.creates("ONCETILL")
    reference = opened["orderReference"]
    await shopper.decides(opened["redirectUrl"], "approve")

    async def captured() -> bool:
        return bool((await merchant.status(reference))["status"] == "SUCCESSFUL")

    await eventually(captured)
    await installation.fault("oncetill", "refund", "error_after", reference)
    await installation.fault("oncetill", "events", "no_event", reference, times=9)
    assert (await merchant.refunds(reference, "60", "R-1")).body["refundStatus"] == "PENDING"
    till.lock_out.add("refund")
    request.addfinalizer(till.lock_out.clear)
    await installation.advance(31)

    async def repeated() -> bool:
        return bool(till.count("refund", reference) == 2)

    await eventually(repeated)
    await installation.quiet()
    assert [row["status"] for row in (await merchant.details(reference))["refunds"]] == ["PENDING"]
    assert (await merchant.refunds(reference, "60", "R-2")).body["code"] == "over_refund"
    till.lock_out.clear()

    async def refunded() -> bool:
        await installation.advance(61)
        return bool((await merchant.details(reference))["refunds"][0]["status"] == "SUCCESSFUL")

    await eventually(refunded)
    assert ((await merchant.details(reference))["refundedAmount"], installation.balance(reference)) == ("60", 40)


async def test_the_no_to_a_repeated_confirm_is_not_taken_for_the_first_ones_no(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, gate_at: GateAt,
    refusing: Callable[[str, str], None], eventually: Eventually,
) -> None:  # fmt: skip
    """The first call is at work when we ask, done when we repeat it, and the repeat is refused: "paid already"."""
    till = tills["CONFIRMTILL"]
    opened = await merchant.creates("CONFIRMTILL")
    reference = opened["orderReference"]
    await installation.fault("confirmtill", "confirm", "error_before", reference)
    await installation.fault("confirmtill", "events", "no_event", reference, times=9)
    gate = gate_at(calls, "_again", when=lambda _, taken, **__: taken.order.reference == reference)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "PENDING"
    await installation.advance(31)
    await gate.reached.wait()
    till.pay(till.of(reference))
    refusing("CONFIRMTILL", "confirm")
    gate.open()

    async def paid_for() -> bool:
        await installation.advance(61)
        return (await merchant.status(reference))["status"] not in ("INITIATED", "PENDING")

    await eventually(paid_for)
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"
    assert installation.balance(reference) == 100


async def test_a_confirm_that_was_never_done_is_declined_once_reading_shows_so(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually,
    refusing: Callable[[str, str], None],
) -> None:  # fmt: skip
    """The other side of it: a repeat's no, kept until the provider was asked again, ends the wait."""
    opened = await merchant.creates("CONFIRMTILL")
    reference = opened["orderReference"]
    await installation.fault("confirmtill", "confirm", "error_before", reference)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "PENDING"
    refusing("CONFIRMTILL", "confirm")

    async def over() -> bool:
        await installation.advance(61)
        return (await merchant.status(reference))["status"] not in ("INITIATED", "PENDING")

    await eventually(over)
    assert (await merchant.status(reference))["status"] == "DECLINED"
    assert installation.balance(reference) == 0


async def test_what_has_failed_meanwhile_is_not_repeated(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, gate_at: GateAt,
    eventually: Eventually,
) -> None:  # fmt: skip
    """Between asking and repeating the provider's event says that the refund failed, and the merchant hears so."""
    till = tills["SALESTILL"]
    reference = await paid(merchant, shopper, "SALESTILL")
    await installation.fault("salestill", "refund", "error_before", reference)
    gate = gate_at(calls, "_again", when=lambda _, taken, **__: taken.order.reference == reference)
    assert (await merchant.refunds(reference, "60", "R-1")).body["refundStatus"] == "PENDING"
    await installation.advance(31)
    await gate.reached.wait()
    async with installation.database.connection() as held:
        key = await held.fetchval(
            "SELECT p.key FROM operations p JOIN orders o ON o.id = p.order_id WHERE o.reference = $1 AND p.reference = 'R-1'",
            reference,
        )
    case = till.of(reference)
    case.data["moves"].append({"id": "mv-no", "kind": "refund", "amount": "60", "key": key, "status": "failed"})
    till.save(case)
    till.tell(case)

    async def failed() -> bool:
        return bool((await merchant.details(reference))["refunds"][0]["status"] == "FAILED")

    await eventually(failed)
    gate.open()
    await installation.quiet()
    assert (till.count("refund", reference), installation.balance(reference)) == (0, 100)


@pytest.mark.parametrize("code", ["HINTTILL", "AFTERTILL"])
async def test_of_two_refunds_alike_the_one_that_never_arrived_is_not_taken_for_the_other(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    """The provider tells of one refund of 40 and not whose it is; both can be repeated safely, and are."""
    reference = await paid(merchant, shopper, code)
    await installation.fault(code.lower(), "events", "no_event", reference, times=99)
    for name, fault in (("R-1", "error_before"), ("R-2", "error_after")):
        await installation.fault(code.lower(), "refund", fault, reference)
        assert (await merchant.refunds(reference, "40", name)).body["refundStatus"] == "PENDING"

    async def settled() -> bool:
        await installation.advance(61)
        return all(row["status"] == "SUCCESSFUL" for row in (await merchant.details(reference))["refunds"])

    await eventually(settled)
    assert ((await merchant.details(reference))["refundedAmount"], installation.balance(reference)) == ("80", 20)
    assert [kind for kind, _ in installation.ledger(reference)].count("refund") == 2


async def test_two_refunds_that_together_are_what_the_provider_tells_are_both_done(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    """It can't be asked for each of them, but its total says it all: nobody has to look."""
    reference = await paid(merchant, shopper, "BLINDTILL")
    await installation.fault("blindtill", "refund", "error_after", reference, times=2)
    for name, amount in (("R-1", "30"), ("R-2", "40")):
        assert (await merchant.refunds(reference, amount, name)).body["refundStatus"] == "PENDING"
    assert Decimal((await merchant.details(reference))["refundedAmount"]) == 0
    order = await operations.order_of(installation.core, "mer_demo", reference)
    await asking.ask(installation.core, order, "poll")
    details = await merchant.details(reference)
    assert [row["status"] for row in details["refunds"]] == ["SUCCESSFUL", "SUCCESSFUL"]
    assert (details["refundedAmount"], details["needsReview"]) == ("70", None)


async def test_a_confirms_late_no_does_not_undo_the_payment_that_an_event_has_told(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, gate_at: GateAt,
    refusing: Callable[[str, str], None], eventually: Eventually, request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    """The payment is there and goes through a fraud check; only then comes the answer to our confirm, and it is no."""
    till = tills["CONFIRMTILL"]
    opened = await merchant.creates("CONFIRMTILL")
    reference = opened["orderReference"]
    back = await shopper.decides(opened["redirectUrl"], "approve")
    gate = gate_at(calls, "_called", when=lambda _, taken: taken.order.reference == reference)
    returning = asyncio.create_task(shopper.returns(back))
    await gate.reached.wait()
    till.checks = True
    request.addfinalizer(lambda: setattr(till, "checks", False))
    till.pay(till.of(reference))
    till.checks = False

    async def told() -> bool:
        named = bool((await merchant.status(reference))["bnplOrderId"])
        return named and await heard(installation, reference, 1)

    await eventually(told)
    refusing("CONFIRMTILL", "confirm")
    gate.open()
    assert (await returning)["status"] == "PENDING"
    await installation.settle(reference, "approve")

    async def over() -> bool:
        return bool((await merchant.status(reference))["status"] != "PENDING")

    await eventually(over)
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"
    assert installation.balance(reference) == 100


async def test_a_charge_that_never_arrived_and_is_refused_when_repeated_is_declined(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    """The provider knows of no charge when it is asked once more: the no was no answer to one that had gone through."""
    agreed = await merchant.creates("PLANPAY_AU", getToken=True)
    await shopper.pays(agreed["redirectUrl"])

    async def token() -> Any:
        events = installation.inbox.events(agreed["orderReference"], "ORDER_ASYNC_CALLBACK")
        return events and events[0]["data"]["token"]

    body = merchant.order("PLANPAY_AU", token=await eventually(token), customerPresent=False)
    body["customer"] = {**body["customer"], "email": "declined@shop.example"}
    reference = body["orderReference"]
    await installation.fault("generic", "charge_token", "error_before", reference)
    answer = await merchant.post("/orders", body)
    assert (answer.status, answer.body["paymentStatus"]) == (201, "pending")

    async def over() -> bool:
        await installation.advance(61)
        return bool((await merchant.status(reference))["status"] != "PENDING")

    await eventually(over)
    assert (await merchant.status(reference))["status"] == "DECLINED"
    assert installation.ledger(reference) == []
