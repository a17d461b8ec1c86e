"""A merchant cancels an order whose checkout is being opened at that moment (D1, U2)."""

from __future__ import annotations

import asyncio

from paymux.orders import calls
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import GateAt


async def test_the_checkout_of_an_order_that_was_cancelled_during_its_create_is_handed_to_nobody(
    installation: Installation, merchant: Merchant, shopper: Shopper, gate_at: GateAt
) -> None:
    """Its provider has no call that closes a checkout: who got its URL could pay an order that is over."""
    body = merchant.order("READTILL")
    reference = body["orderReference"]
    gate = gate_at(calls, "_called", when=lambda _, taken: taken.order.reference == reference, after=True)
    creating = asyncio.create_task(merchant.post("/orders", body, **{"Idempotency-Key": reference}))
    await gate.reached.wait()
    assert (await merchant.post(f"/orders/{reference}/cancel", {})).status == 201
    gate.open()
    answer = await creating
    assert (answer.status, answer.body["paymentStatus"]) == (201, "canceled")
    again = await merchant.post("/orders", body, **{"Idempotency-Key": reference})
    for told in (answer.body, again.body):
        assert told["redirectUrl"] == f"{merchant.base}/return/{told['orderToken']}"
    assert (await shopper.returns(answer.body["redirectUrl"]))["status"] == "CANCELLED"
