"""Another order's genuine signed return, brought to this order's address: it proves nothing here and moves nothing (T1)."""

from __future__ import annotations

from functools import partial

import pytest

from paymux.connectors import contract as c
from paymux.money import Money
from paymux.orders import reports, store
from paymux.orders.decide import Deciding, deciding
from paymux.orders.model import Kind
from tests.installation import Installation, Merchant


@pytest.mark.parametrize(("source", "claimed"), [("return", 0), ("event", 0), ("poll", 1)])
async def test_a_payment_of_another_reference_goes_back_only_when_the_provider_was_asked_about_this_order(
    source: str, claimed: int, installation: Installation, merchant: Merchant
) -> None:
    """Else a shopper could have his other, paid order refunded by replaying its return here."""
    opened = await merchant.creates("LATITUDEPAY_AU")
    total = Money(opened["orderAmount"], "AUD")
    paid = c.Paid(payment_id="somebody-elses", total=total, captured=total.amount, reference="ANOTHER-ORDER")

    await deciding(installation.core, opened["orderId"], source, partial(_report, paid))

    async with installation.database.transaction() as tx:
        moves = [op for op in await store.operations(tx, opened["orderId"]) if op.kind in (Kind.REFUND, Kind.VOID)]
    assert len(moves) == claimed
    details = await merchant.details(opened["orderReference"])
    assert details["status"] == "PENDING"
    assert "another reference" in details["needsReview"]


async def _report(paid: c.Paid, desk: Deciding) -> None:
    await reports.apply_report(desk, paid)
