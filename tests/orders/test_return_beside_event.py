"""The shopper's return beside a provider event that says the same, at the moment when the event has only claimed."""

from __future__ import annotations

from decimal import Decimal

from paymux.connectors.contract import Paid
from paymux.money import Money
from paymux.orders import reports, store
from paymux.orders.decide import deciding
from paymux.orders.model import Kind
from tests.installation import Installation, Merchant, Shopper

CODE = "TABBY_AE"


async def test_a_shopper_sees_the_capture_that_an_event_has_claimed_but_not_yet_called_for(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(CODE)
    reference = opened["orderReference"]
    await installation.fault("tabby", "events", "no_event", reference, times=1000)
    back = await shopper.decides(opened["redirectUrl"], "approve")
    core, _, case = installation.core, *installation.store.cases(reference)[0]
    paid = Paid(
        session=case.id, payment_id=case.id, total=Money(Decimal(100), "AED"), captured=Decimal(0), voided=Decimal(0)
    )  # fmt: skip
    # The event's job is held here: its claim is committed, its call comes later.
    decision = await deciding(core, opened["orderId"], "event", lambda desk: reports.apply_report(desk, paid))
    assert len(decision.run) == 1
    assert (await shopper.returns(back))["status"] == "SUCCESSFUL"
    async with core.database.connection() as held:
        (capture,) = [op for op in await store.operations(held, decision.order.id) if op.kind is Kind.CAPTURE]
    assert (capture.id, capture.calls) == (decision.run[0], 1)
    assert installation.ledger(reference) == [("authorize", Decimal(100)), ("capture", Decimal(100))]
