"""The shopper's return beside a provider event that says the same, at the moment when the event has only claimed."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from paymux.connectors.contract import Approved, Checkout, Paid, Report
from paymux.connectors.grab.answers import Transaction
from paymux.connectors.grab.connector import Grab
from paymux.money import Money
from paymux.orders import asking, reports, store
from paymux.orders.core import Core
from paymux.orders.decide import deciding
from paymux.orders.model import Kind, Order
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


async def test_a_return_waits_for_the_event_that_was_given_what_its_provider_gives_once(
    installation: Installation, merchant: Merchant, shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, go_on, approved = asyncio.Event(), asyncio.Event(), Grab._approved

    async def held(self: Grab, checkout: Checkout, seen: Transaction, told: dict[str, str]) -> Report:
        report = await approved(self, checkout, seen, told)
        if isinstance(report, Approved):
            taken.set()
            await go_on.wait()  # it has the charge's token, and the order does not know yet
        return report

    waits, looked = asyncio.Event(), asking.as_it_is

    async def looks(core: Core, order_id: str) -> Order:
        waits.set()
        return await looked(core, order_id)

    monkeypatch.setattr(Grab, "_approved", held)
    monkeypatch.setattr(asking, "as_it_is", looks)
    opened = await merchant.creates("GRAB_SG")
    reference = opened["orderReference"]
    await installation.fault("grab", "events", "no_event", reference, times=1000)
    back = await shopper.decides(opened["redirectUrl"], "approve")
    async with installation.core.database.connection() as connection:
        order = await store.order_by_id(connection, opened["orderId"])
    event = asyncio.create_task(asking.ask(installation.core, order, "event"))
    await taken.wait()
    returning = asyncio.create_task(shopper.returns(back))
    # Until it waits for the event, however busy the machine; one that does not wait is through first.
    waiting = asyncio.create_task(waits.wait())
    await asyncio.wait([returning, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    go_on.set()
    assert (await returning)["status"] == "SUCCESSFUL"
    await event
    assert installation.ledger(reference) == [("authorize", Decimal(100)), ("capture", Decimal(100))]
