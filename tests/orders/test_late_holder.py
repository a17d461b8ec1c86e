"""A caller who lost his lease while he lived, and brings his answer after another one has done his work (U4, I1)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from paymux.orders import calls, store
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import GateAt, Till
from tests.orders.test_statuses import paid


@pytest.fixture
def nobody_renews(monkeypatch: pytest.MonkeyPatch) -> None:
    """No renewal of a lease reaches the database."""

    async def lost(*_: Any) -> None: ...

    monkeypatch.setattr(store, "renew_lease", lost)


async def lapse(installation: Installation, reference: str) -> None:
    """Let every lease of an order's operations lapse, as time would."""
    async with installation.database.transaction() as tx:
        await tx.execute(
            "UPDATE operations SET lease_until_real = now() - interval '1 minute' FROM orders o"
            " WHERE o.id = order_id AND o.reference = $1",
            reference,
        )


@pytest.mark.parametrize("answer", ["opened", "refused"])
async def test_a_checkout_that_was_handed_out_is_not_replaced_by_a_late_answer_to_the_first_create(
    answer: str, installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, gate_at: GateAt,
    nobody_renews: None, request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    """The shop's retry took the create over and sent its shopper to the second checkout: the payment there counts."""
    body = merchant.order("BLINDTILL")
    reference, key, till = body["orderReference"], {"Idempotency-Key": body["orderReference"]}, tills["BLINDTILL"]
    gate = gate_at(calls, "_called", when=lambda _, taken: taken.order.reference == reference,
                   after=answer == "opened")  # fmt: skip
    first = asyncio.create_task(merchant.post("/orders", body, **key))
    await gate.reached.wait()
    await lapse(installation, reference)
    second = await merchant.post("/orders", body, **key)
    assert (second.status, second.body["paymentStatus"]) == (201, "pending")
    if answer == "refused":
        till.refuse.add("create")
        request.addfinalizer(lambda: till.refuse.discard("create"))
    gate.open()
    late = await first
    till.refuse.discard("create")
    assert (late.status, late.body["redirectUrl"]) == (201, second.body["redirectUrl"])
    assert (await shopper.pays(second.body["redirectUrl"]))["status"] == "SUCCESSFUL"


async def test_the_no_to_a_call_that_another_one_has_repeated_since_decides_nothing(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, gate_at: GateAt,
    nobody_renews: None, request: pytest.FixtureRequest, eventually: Eventually,
) -> None:  # fmt: skip
    """The repeat did it and its answer was lost; then the first call arrives, and is refused."""
    till = tills["SALESTILL"]
    reference = await paid(merchant, shopper, "SALESTILL")
    await installation.fault("salestill", "events", "no_event", reference, times=9)
    gate = gate_at(calls, "_send_move", when=lambda taken: taken.order.reference == reference)
    first = asyncio.create_task(merchant.refunds(reference, "60", "R-1"))
    await gate.reached.wait()
    await lapse(installation, reference)
    await installation.fault("salestill", "refund", "error_after", reference)
    async with installation.database.connection() as held:
        operation_id = await held.fetchval(
            "SELECT p.id FROM operations p JOIN orders o ON o.id = order_id WHERE o.reference = $1 AND p.kind = 'refund'",
            reference,
        )
    decision = await calls.run_operation(installation.core, operation_id)
    assert decision is not None
    till.refuse.add("refund")
    till.once_forgets.add("refund")
    request.addfinalizer(till.once_forgets.clear)
    request.addfinalizer(lambda: till.refuse.discard("refund"))
    gate.open()
    assert (await first).body["refundStatus"] == "PENDING"

    async def found() -> bool:
        await installation.advance(61)
        return bool((await merchant.details(reference))["refundedAmount"] == "60")

    await eventually(found)
    assert installation.balance(reference) == 40


async def test_a_merchant_hears_the_first_answer_again_and_not_a_later_ones_of_the_same_key(
    installation: Installation, merchant: Merchant, shopper: Shopper, gate_at: GateAt
) -> None:
    """The first request is held before it keeps its answer; the retry is answered, and that answer is the one that counts."""
    body = merchant.order("SALESTILL")
    key = {"Idempotency-Key": body["orderReference"]}
    gate = gate_at(store, "keep_answer", when=lambda _tx, _merchant, name, *_: name == body["orderReference"])
    late = asyncio.create_task(merchant.post("/orders", body, **key))
    await gate.reached.wait()
    opened = (await merchant.details(body["orderReference"]))["redirectUrl"]
    assert (await shopper.pays(opened))["status"] == "SUCCESSFUL"
    retried = await merchant.post("/orders", body, **key)
    assert (retried.status, retried.body["paymentStatus"]) == (201, "successful")
    gate.open()
    assert (await late).body["paymentStatus"] == "pending", "it was made before"
    again = await merchant.post("/orders", body, **key)
    assert (again.status, again.body) == (201, retried.body)


async def test_who_asked_before_a_repeat_leaves_it_to_whoever_has_taken_it_over_meanwhile(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, gate_at: GateAt
) -> None:
    """Both have asked, and nothing was there: the one whose lease lapsed must not send a second call beside the other's."""
    till = tills["SALESTILL"]
    reference = await paid(merchant, shopper, "SALESTILL")
    await installation.fault("salestill", "events", "no_event", reference, times=9)
    await installation.fault("salestill", "refund", "error_before", reference)
    assert (await merchant.refunds(reference, "60", "R-1")).body["refundStatus"] == "PENDING"
    async with installation.database.connection() as held:
        operation_id = await held.fetchval(
            "SELECT p.id FROM operations p JOIN orders o ON o.id = order_id WHERE o.reference = $1 AND p.kind = 'refund'",
            reference,
        )
    # Leases that no worker takes over while this story lasts.
    core = replace(installation.core, settings=installation.settings.model_copy(update={"lease": 600.0}))
    asked = gate_at(calls, "_again", when=lambda _, taken, **__: taken.op.id == operation_id)
    first = asyncio.create_task(calls.run_operation(core, operation_id))
    await asked.reached.wait()
    await lapse(installation, reference)
    sends = gate_at(calls, "_send_move", when=lambda taken: taken.op.id == operation_id)
    second = asyncio.create_task(calls.run_operation(core, operation_id))
    await sends.reached.wait()

    asked.open()
    await first
    assert till.count("refund", reference) == 0, "the repeat is the second one's, who has not sent it yet"
    sends.open()
    await second
    assert (till.count("refund", reference), installation.balance(reference)) == (1, 40)
    [refund] = (await merchant.details(reference))["refunds"]
    assert refund["status"] == "SUCCESSFUL"
