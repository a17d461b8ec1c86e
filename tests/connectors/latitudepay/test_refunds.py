"""Refunds: in parts, repeated with their key, lost on the way, refused."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from paymux.connectors.contract import Moved, NotThere, Refused
from paymux.money import Money
from paymux.platform.http import NotSent
from tests.connectors.latitudepay.conftest import Scripted
from tests.connectors.latitudepay.test_signatures import checkout_for
from tests.connectors.till import KEY, LOST, NEVER_CAME, ONE, Till


def refunded(till: Till) -> list[Decimal]:
    return [amount for kind, amount, _ in till.counter.ledger() if kind == "refund"]


async def test_the_documented_refund_is_sent_with_its_signature(scripted: Scripted, till: Till) -> None:
    documented = scripted.replays("refund_created")
    checkout = checkout_for({"token": "4b1c6f0de1a24e0c9ad4a3b3a6c7d301", "reference": "R-1001"})
    key = "7d0b5c1e-4e0e-4a53-9b77-0d6b7a1c2e01"
    move = till.move("10.50", key, description="Returned")
    done = await scripted.connector.refund(checkout, move)
    ((method, path, body),) = scripted.asked
    assert (method, path) == ("POST", f"/v3/sale/{checkout.session}/refund?signature={documented['signature']}")
    assert body == documented["request"]
    assert scripted.headers[0]["X-Idempotency-Key"] == key
    assert isinstance(done, Moved)
    assert (done.provider_id, done.raw) == (documented["answer"]["refundId"], documented["answer"])


async def test_a_sale_is_refunded_in_parts_until_nothing_is_left(till: Till) -> None:
    checkout = await till.decided()
    first = await till.moves("refund", checkout, "30.50", KEY)
    second = await till.moves("refund", checkout, "69.50", ONE, "69.50")
    assert first.provider_id != second.provider_id
    assert refunded(till) == [Decimal("30.5"), Decimal("69.5")]
    with pytest.raises(Refused, match="more than what is left"):
        await till.moves("refund", checkout, "0.01", "another-key", "0.01")


async def test_a_repeat_with_its_key_moves_nothing_twice_and_a_new_key_does(till: Till) -> None:
    checkout = await till.decided()
    first = await till.moves("refund", checkout, "40.00", KEY)
    assert (await till.moves("refund", checkout, "40.00", KEY)).provider_id == first.provider_id
    assert (await till.moves("refund", checkout, "40.00", ONE, "60.00")).provider_id != first.provider_id
    assert refunded(till) == [Decimal(40), Decimal(40)]


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_lost_refund_is_unclear_and_its_repeat_moves_nothing_twice(till: Till, fault: str) -> None:
    checkout = await till.decided()
    await till.loses_track("refund", fault, checkout, "40.00", KEY)
    assert refunded(till) == ([Decimal(40)] if fault in LOST else [])
    await till.moves("refund", checkout, "40.00", KEY)
    assert refunded(till) == [Decimal(40)]


async def test_a_slow_refund_is_waited_for(till: Till) -> None:
    checkout = await till.decided()
    await till.counter.order_fault("refund", "slow")
    await till.moves("refund", checkout, "100.00", KEY)


async def test_a_refund_that_reached_nobody_certainly_did_nothing(till: Till) -> None:
    checkout = await till.decided()
    till.counter.base_url = "http://127.0.0.1:9"
    with pytest.raises(NotSent):
        await till.moves("refund", checkout, "100.00", KEY)
    assert refunded(till) == []


async def test_more_than_was_paid_is_refused_and_moves_nothing(till: Till) -> None:
    checkout = await till.decided()
    with pytest.raises(Refused) as no:
        await till.moves("refund", checkout, "100.01", KEY)
    assert no.value.code == "400"
    await till.moves("refund", checkout, "60.00", KEY)
    with pytest.raises(Refused):
        await till.moves("refund", checkout, "40.01", ONE, "40.00")
    assert refunded(till) == [Decimal(60)]


@pytest.mark.parametrize("outcome", [None, "decline", "cancel", "pending", "error"])
async def test_a_sale_that_was_not_paid_is_not_refunded(till: Till, outcome: str | None) -> None:
    opened, checkout = await till.opens()
    if outcome:
        await till.counter.shopper(opened.url, outcome)
    with pytest.raises(Refused, match="Only an approved purchase"):
        await till.moves("refund", checkout, "1.00", KEY)
    assert till.counter.ledger() == []


async def test_a_refund_in_another_currency_or_of_another_sale_is_refused(till: Till) -> None:
    checkout = await till.decided()
    with pytest.raises(Refused, match=r"amount\.currency must be AUD"):
        await till.connector.refund(checkout, till.counter.move(Money(Decimal(1), "NZD"), KEY, "100"))
    with pytest.raises(NotThere):
        await till.moves("refund", replace(checkout, session="00ff"), "1.00", KEY)
    till.code = "GENOAPAY"
    with pytest.raises(NotThere):
        await till.moves("refund", checkout, "1.00", KEY)
    assert refunded(till) == []


async def test_genoapay_is_refunded_in_new_zealand_dollars(till: Till) -> None:
    till.code = "GENOAPAY"
    await till.moves("refund", await till.decided("approve", "35.50"), "35.50", KEY, "35.50")
    assert till.counter.ledger()[-1] == ("refund", Decimal("35.5"), "NZD")


async def test_less_than_a_cent_is_refused_before_anything_is_sent(scripted: Scripted, till: Till) -> None:
    with pytest.raises(Refused, match="more decimals"):
        checkout = checkout_for({"token": "t", "reference": "R"})
        await scripted.connector.refund(checkout, till.move("1.001", KEY))
    assert scripted.asked == []


async def test_a_refund_without_a_reason_still_gives_one_and_its_text_can_be_signed(till: Till) -> None:
    checkout = await till.decided()
    await till.moves("refund", checkout, "10.00", KEY, description="")
    await till.moves("refund", checkout, "10.00", ONE, "90.00", description='too "small",\n\\ trop serré')
    assert refunded(till) == [Decimal(10), Decimal(10)]


async def test_a_refund_in_the_portal_keeps_the_same_rules(till: Till) -> None:
    checkout = await till.decided()
    assert await till.post("/sandbox/provider-refund", id=checkout.session, amount="60.00") == 201
    assert await till.post("/sandbox/provider-refund", id=checkout.session, amount="40.01") == 422
    assert await till.post("/sandbox/provider-refund", id=checkout.session, amount="x") == 422
    assert await till.post("/sandbox/provider-refund", id="1", amount="1.00") == 404
    with pytest.raises(Refused):
        await till.moves("refund", checkout, "40.01", KEY, "40.00")
    assert refunded(till) == [Decimal(60)]


async def test_a_restarted_simulator_remembers_what_was_refunded(till: Till) -> None:
    checkout = await till.decided()
    first = await till.moves("refund", checkout, "40.00", KEY)
    simulators = till.counter.sandbox.simulators
    simulators["latitudepay"] = type(simulators["latitudepay"])(simulators["latitudepay"].desk)
    assert (await till.moves("refund", checkout, "40.00", KEY)).provider_id == first.provider_id
    assert refunded(till) == [Decimal(40)]
