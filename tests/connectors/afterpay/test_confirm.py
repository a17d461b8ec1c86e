"""The confirm: what makes a payment of a checkout, and what becomes of a lost one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from paymux.connectors.contract import Declined, Expired, Paid, Pending, Refused
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.afterpay.conftest import sample
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY, Till

ZERO = Decimal(0)
LOST = ["timeout_after", "error_after", "reset_after", "malformed"]
NEVER_CAME = ["timeout_before", "error_before"]
SALE = [("authorize", Decimal("100.00"), "AUD"), ("capture", Decimal("100.00"), "AUD")]
AUTH = [("authorize", Decimal("100.00"), "AUD")]


async def test_a_sale_is_captured_by_the_confirm(till: Till) -> None:
    checkout = await till.decided()
    paid = await till.connector.confirm(checkout, KEY)
    assert isinstance(paid, Paid)
    assert (paid.session, paid.reference) == (checkout.session, "R-1001")
    assert paid.total == Money(Decimal("100.00"), "AUD")
    assert (paid.captured, paid.voided, paid.refunded, paid.expired) == (Decimal("100.00"), ZERO, ZERO, ZERO)
    assert paid.payment_id.isdigit()
    assert till.counter.ledger() == SALE


async def test_a_deferred_order_is_authorised_for_thirteen_days(till: Till) -> None:
    checkout = await till.decided(auto_capture=False)
    paid = await till.connector.confirm(checkout, KEY)
    assert isinstance(paid, Paid)
    assert paid.captured == 0
    assert paid.authorised_until is not None
    assert timedelta(days=12, hours=23) < paid.authorised_until - datetime.now(UTC) < timedelta(days=13, hours=1)
    assert till.counter.ledger() == AUTH


@pytest.mark.parametrize("auto_capture", [True, False])
async def test_the_poll_finds_the_payment_by_token_and_by_its_id(till: Till, auto_capture: bool) -> None:
    checkout = await till.decided(auto_capture=auto_capture)
    paid = await till.connector.confirm(checkout, KEY)
    assert isinstance(paid, Paid)
    assert replace(await till.connector.fetch(checkout), raw=None) == replace(paid, raw=None)
    assert replace(await till.connector.fetch(replace(checkout, payment_id=paid.payment_id)), raw=None) == replace(
        paid, raw=None
    )


@pytest.mark.parametrize("auto_capture", [True, False])
@pytest.mark.parametrize("outcome", [None, "pending", "cancel"])
async def test_a_confirm_before_the_shopper_agreed_stays_pending_and_moves_nothing(
    till: Till, outcome: str | None, auto_capture: bool
) -> None:
    opened, checkout = await till.opens(auto_capture=auto_capture)
    if outcome:
        await till.counter.shopper(opened.url, outcome)
    report = await till.connector.confirm(checkout, KEY)
    assert isinstance(report, Pending)
    assert not report.completed
    assert till.counter.ledger() == []


async def test_a_shopper_whose_agreement_is_settled_later_is_confirmed_then(till: Till) -> None:
    opened, checkout = await till.opens()
    await till.counter.shopper(opened.url, "pending")
    assert isinstance(await till.connector.confirm(checkout, KEY), Pending)
    simulator = till.counter.sandbox.simulators["afterpay"]
    await simulator.settle(simulator.case(checkout.session), "approve")
    assert isinstance(await till.connector.confirm(checkout, KEY), Paid)
    assert till.counter.ledger() == SALE


@pytest.mark.parametrize("auto_capture", [True, False])
async def test_a_declined_shopper_is_declined_at_the_confirm_and_by_the_poll(till: Till, auto_capture: bool) -> None:
    opened, checkout = await till.opens(auto_capture=auto_capture)
    await till.counter.shopper(opened.url, "decline")
    for report in (await till.connector.confirm(checkout, KEY), await till.connector.fetch(checkout)):
        assert isinstance(report, Declined)
        assert report.code == ("CAPTURE_DECLINED" if auto_capture else "AUTH_DECLINED")
    assert till.counter.ledger() == []


async def test_a_confirm_after_the_checkouts_end_finds_it_expired(till: Till) -> None:
    checkout = await till.decided()
    till.passes(minutes=181)
    assert isinstance(await till.connector.confirm(checkout, KEY), Expired)
    assert till.counter.ledger() == []


@pytest.mark.parametrize("auto_capture", [True, False])
async def test_a_confirm_repeated_with_its_key_moves_nothing_twice(till: Till, auto_capture: bool) -> None:
    checkout = await till.decided(auto_capture=auto_capture)
    first = await till.connector.confirm(checkout, KEY)
    assert await till.connector.confirm(checkout, KEY) == first
    assert till.counter.ledger() == (SALE if auto_capture else AUTH)


async def test_a_confirm_with_a_new_key_of_a_used_token_reports_the_payment(till: Till) -> None:
    checkout = await till.decided(auto_capture=False)
    first = await till.connector.confirm(checkout, KEY)
    again = await till.connector.confirm(checkout, "another-key")
    assert isinstance(again, Paid)
    assert again.moves == first.moves  # type: ignore[attr-defined]
    assert till.counter.ledger() == AUTH


@pytest.mark.parametrize("auto_capture", [True, False])
@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_lost_confirm_is_unclear_and_recovered_without_a_second_payment(
    till: Till, fault: str, auto_capture: bool
) -> None:
    checkout = await till.decided(auto_capture=auto_capture)
    await till.counter.order_fault("confirm", fault)
    with pytest.raises(Unclear):
        await till.connector.confirm(checkout, KEY)
    assert isinstance(await till.connector.recover_confirm(checkout, KEY), Paid)
    assert till.counter.ledger() == (SALE if auto_capture else AUTH)


async def test_a_slow_confirm_is_waited_for(till: Till) -> None:
    checkout = await till.decided()
    await till.counter.order_fault("confirm", "slow")
    assert isinstance(await till.connector.confirm(checkout, KEY), Paid)


async def test_recovery_repeats_with_the_first_key_as_the_index_may_lag_behind(scripted: Scripted, till: Till) -> None:
    _, checkout = await till.opens(auto_capture=False)
    scripted.says(404, {"errorCode": "not_found", "message": "none"})
    scripted.says(201, sample("payment_authorised")["answer"])
    assert isinstance(await scripted.connector.recover_confirm(checkout, KEY), Paid)
    assert [path for _, path, _ in scripted.asked] == [f"/v2/payments/token:{checkout.session}", "/v2/payments/auth"]
    assert scripted.asked[1][2]["requestId"] == KEY


async def test_recovery_sends_nothing_when_the_payment_is_in_sight(scripted: Scripted, till: Till) -> None:
    _, checkout = await till.opens()
    scripted.says(200, sample("payment_captured")["answer"])
    assert isinstance(await scripted.connector.recover_confirm(checkout, KEY), Paid)
    assert [method for method, _, _ in scripted.asked] == ["GET"]


async def test_recovery_that_may_not_look_sends_nothing(scripted: Scripted, till: Till) -> None:
    _, checkout = await till.opens()
    scripted.says(401, {"errorCode": "unauthorized", "message": "no"})
    with pytest.raises(Refused):
        await scripted.connector.recover_confirm(checkout, KEY)
    assert len(scripted.asked) == 1


async def test_a_confirm_still_being_worked_on_is_unclear(scripted: Scripted, till: Till) -> None:
    _, checkout = await till.opens()
    scripted.says(409, {"errorCode": "conflict", "message": "still processing"})
    with pytest.raises(Unclear):
        await scripted.connector.confirm(checkout, KEY)


async def test_a_confirm_refused_for_another_reason_is_a_clear_no(scripted: Scripted, till: Till) -> None:
    _, checkout = await till.opens()
    scripted.says(412, {"errorCode": "precondition_failed", "message": "Order in pending reversal"})
    with pytest.raises(Refused) as no:
        await scripted.connector.confirm(checkout, KEY)
    assert (no.value.code, no.value.reason) == ("precondition_failed", "Order in pending reversal")


# -- whose payment it is (T1) -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tampered", "session", "reference", "total"),
    [
        ({"amount": "1.00"}, True, "R-1001", Money(Decimal("1.00"), "AUD")),
        ({"currency": "USD"}, True, "R-1001", Money(Decimal("100.00"), "USD")),
        ({"reference": "other"}, True, "other", Money(Decimal("100.00"), "AUD")),
    ],
)
async def test_what_is_reported_is_what_afterpay_says_and_never_ours(
    till: Till, tampered: dict[str, str], session: bool, reference: str, total: Money
) -> None:
    checkout = await till.decided()
    assert await till.post("/sandbox/tamper", id=checkout.session, **tampered) == 200
    for report in (await till.connector.confirm(checkout, KEY), await till.connector.fetch(checkout)):
        assert isinstance(report, Paid)
        assert (report.session == checkout.session, report.reference, report.total) == (session, reference, total)


async def test_another_checkouts_payment_is_reported_under_its_own_token(scripted: Scripted, till: Till) -> None:
    _, checkout = await till.opens()
    scripted.says(200, sample("payment_captured")["answer"])
    report = await scripted.connector.fetch(checkout)
    assert report.session == sample("payment_captured")["answer"]["token"] != checkout.session


async def test_what_afterpay_does_not_say_is_not_filled_in(scripted: Scripted, till: Till) -> None:
    _, checkout = await till.opens()
    said = {k: v for k, v in sample("payment_captured")["answer"].items() if k not in ("token", "merchantReference")}
    scripted.says(200, said)
    report = await scripted.connector.fetch(checkout)
    assert (report.session, report.reference) == (None, None)
