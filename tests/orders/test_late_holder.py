"""A caller who lost his lease while he lived, and brings his answer after another one has done his work (U4, I1)."""

from __future__ import annotations

import asyncio
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
