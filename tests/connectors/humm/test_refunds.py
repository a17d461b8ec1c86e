"""Refunds: signed, answered without a body, and with reason codes when refused."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from paymux.connectors.contract import Checkout, Refused
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.humm.conftest import Till, sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import ONE


async def test_parts_are_refunded_until_nothing_is_left(till: Till) -> None:
    checkout = await till.pays()
    for amount in ("40.55", "59.45"):
        done = await till.moves("refund", checkout, amount)
        assert done.provider_id == f"{checkout.payment_id}/refund/{ONE}"
    assert till.counter.ledger()[2:] == [("refund", Decimal("40.55"), "AUD"), ("refund", Decimal("59.45"), "AUD")]
    with pytest.raises(Refused) as no:
        await till.moves("refund", checkout, "0.01")
    assert no.value.code == "MERR0003"


async def _paid(till: Till, purchase: str) -> Checkout:
    return replace((await till.opens())[1], payment_id=purchase)


async def test_the_documented_refund_is_sent_as_documented(till: Till, scripted: Scripted) -> None:
    wanted = sample("refund")["request"]
    move = till.move("10.00", description="Test \n refund")
    scripted.says(204)
    await scripted.connector.refund(await _paid(till, wanted["x_purchase_number"]), move)
    ((method, path, body),) = scripted.asked
    assert (method, path, body) == ("POST", "/api/ExternalRefund/v1/processrefund", wanted)
    assert scripted.headers[0]["User-Agent"].startswith("paymux/"), "without a User-Agent humm answers 403"


@pytest.mark.parametrize("refusal", sample("refund")["refusals"])
async def test_a_refusal_keeps_humms_own_code(till: Till, scripted: Scripted, refusal: dict[str, object]) -> None:
    answer = refusal["answer"]
    scripted.says(int(str(refusal["status"])), answer or "")
    with pytest.raises(Refused) as no:
        await scripted.connector.refund(await _paid(till, "1"), till.move("10.00"))
    assert no.value.code == (answer["Message"] if isinstance(answer, dict) else "401")


@pytest.mark.parametrize("status", [200, 201, 302, 408, 429, 500, 503])
async def test_an_answer_that_is_no_documented_yes_or_no_is_unclear(
    till: Till, scripted: Scripted, status: int
) -> None:
    scripted.says(status, {"Message": "MERR0003"})
    with pytest.raises(Unclear):
        await scripted.connector.refund(await _paid(till, "1"), till.move("10.00"))


async def test_an_amount_with_more_decimals_than_the_currency_is_refused_before_it_is_sent(
    till: Till, scripted: Scripted
) -> None:
    move = replace(till.move("10.00"), amount=Money(Decimal("10.001"), "AUD"))
    with pytest.raises(Refused):
        await scripted.connector.refund(await _paid(till, "1"), move)
    assert scripted.asked == []
