"""What a provider said is kept for merchants who asked for it, and never stands in the way of deciding."""

from __future__ import annotations

from functools import partial

from paymux.connectors import contract as c
from paymux.orders import reports
from paymux.orders.decide import Deciding, deciding
from tests.installation import Installation, Merchant


async def test_half_a_letter_in_a_providers_answer_does_not_keep_an_order_from_being_decided(
    installation: Installation, merchant: Merchant
) -> None:
    opened = await merchant.creates("LATITUDEPAY_AU")
    refused = c.Declined(reason="no", code="NO", raw={"said": "half \ud800 a letter"})

    await deciding(installation.core, opened["orderId"], "poll", partial(_report, refused))

    assert (await merchant.status(opened["orderReference"]))["status"] == "DECLINED"


async def _report(report: c.Report, desk: Deciding) -> None:
    await reports.apply_report(desk, report)
