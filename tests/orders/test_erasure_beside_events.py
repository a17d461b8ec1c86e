"""A customer is erased while a provider's event about him is on its way to its order (P1)."""

from __future__ import annotations

from typing import Any

from paymux.notifications import delivery
from paymux.orders import erasure, provider_events
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import GateAt, Till


async def test_an_event_that_is_stored_and_not_yet_decided_is_left_whole_and_told(
    installation: Installation, merchant: Merchant, tills: Till, gate_at: GateAt, eventually: Eventually
) -> None:
    """Emptied, it could not be read any more: a provider that can't be asked would never tell of that payment again."""
    opened = await merchant.creates("ONCETILL")
    reference, till = opened["orderReference"], tills["ONCETILL"]
    case = till.of(reference)
    body = {**till._shown(case), "status": "paid", "captured": "100", "buyer": "ada@shop.example"}
    gate = gate_at(provider_events, "run_event")
    answer = await installation.call("POST", case.data["events_url"], json=body, headers={"X-Key": "till-key"})
    assert answer.status == 200
    await gate.reached.wait()
    done = await erasure.erase(installation.core, erasure.Asked(by="operator", email="ada@shop.example"))
    assert [row["orderReference"] for row in done["left"]] == [reference]
    assert done["waiting"] == 1
    gate.open()

    async def paid() -> bool:
        return bool((await merchant.status(reference))["status"] == "SUCCESSFUL")

    await eventually(paid)
    done = await erasure.erase(installation.core, erasure.Asked(by="operator", email="ada@shop.example"))
    assert (done["left"], done["waiting"], len(done["erased"])) == ([], 0, 1)


async def test_a_webhook_that_is_replayed_after_an_erasure_carries_no_token(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("PLANPAY_AU", getToken=True)
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])

    async def told() -> Any:
        return installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")

    [event] = await eventually(told)
    assert event["data"]["token"].startswith("tok_")
    await installation.quiet()
    await erasure.erase(installation.core, erasure.Asked(by="operator", reference=reference))
    async with installation.database.transaction() as tx:
        delivery_id = await tx.fetchval(
            "SELECT d.id FROM deliveries d JOIN outbox_events e ON e.id = d.event_id"
            " WHERE e.order_id = $1 AND e.event = 'ORDER_ASYNC_CALLBACK'",
            opened["orderId"],
        )
        assert await delivery.replay(tx, "mer_demo", delivery_id)
    before = len(installation.inbox.received)

    async def again() -> bool:
        return len(installation.inbox.received) > before

    await eventually(again)
    [event] = await told()
    assert (event["data"]["status"], "token" in event["data"]) == ("SUCCESSFUL", False)
