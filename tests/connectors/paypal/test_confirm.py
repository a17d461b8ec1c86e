"""Turning the shopper's approval into a payment, captured or authorised, and saving his account."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Approved, Declined, Expired, Paid, Pending, ProviderToken, Redirect, Refused
from paymux.money import Money
from paymux.platform.http import CallFailed, Unclear
from tests.connectors.paypal.conftest import Till, checkout
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY, LOST, NEVER_CAME, ONE, TWO

ALL = Decimal("100.00")


async def test_an_approved_order_is_captured_whole(till: Till) -> None:
    own = await till.decided()
    assert isinstance(await till.connector.fetch(own), Approved)
    paid = await till.connector.confirm(own, KEY)
    assert isinstance(paid, Paid)
    assert (paid.session, paid.reference) == (own.session, "R-1001")
    assert (paid.total, paid.captured, paid.underway) == (Money(ALL, "USD"), ALL, False)
    assert till.rows() == [("authorize", ALL), ("capture", ALL)]


async def test_a_deferred_order_is_authorised_for_29_days(till: Till) -> None:
    own, paid = await till.confirmed(auto_capture=False)
    assert (paid.captured, paid.voided, paid.expired) == (0, 0, 0)
    assert paid.authorised_until is not None
    assert (paid.authorised_until - till.counter.sandbox.clock.now()).days in (28, 29)
    assert till.rows() == [("authorize", ALL)]
    assert (await till.paid_now(own)).total == Money(ALL, "USD")


@pytest.mark.parametrize("auto_capture", [True, False])
async def test_before_the_shopper_agreed_a_confirm_has_no_effect(till: Till, auto_capture: bool) -> None:
    _, own = await till.opens(auto_capture=auto_capture)
    report = await till.connector.confirm(own, KEY)
    assert isinstance(report, Pending)
    assert not report.completed
    assert till.rows() == []


@pytest.mark.parametrize("auto_capture", [True, False])
async def test_a_second_confirm_with_another_key_finds_the_payment(till: Till, auto_capture: bool) -> None:
    _, paid = await till.confirmed(auto_capture=auto_capture)
    again = await till.connector.confirm(checkout(paid.session or "", auto_capture=auto_capture), ONE)
    assert isinstance(again, Paid)
    assert again.payment_id == paid.payment_id
    assert len([kind for kind, _ in till.rows() if kind == "authorize"]) == 1


@pytest.mark.parametrize("fault", LOST)
async def test_a_confirm_whose_answer_was_lost_is_repeated_and_pays_once(till: Till, fault: str) -> None:
    own = await till.decided()
    await till.counter.order_fault("confirm", fault)
    with pytest.raises(CallFailed):
        await till.connector.confirm(own, KEY)
    assert isinstance(await till.connector.confirm(own, KEY), Paid)
    assert till.rows() == [("authorize", ALL), ("capture", ALL)]


@pytest.mark.parametrize("fault", NEVER_CAME)
async def test_a_confirm_that_never_came_leaves_the_order_approved(till: Till, fault: str) -> None:
    own = await till.decided()
    await till.counter.order_fault("confirm", fault)
    with pytest.raises(CallFailed):
        await till.connector.confirm(own, KEY)
    assert isinstance(await till.connector.fetch(own), Approved)
    assert till.rows() == []


@pytest.mark.parametrize(("auto_capture", "code"), [(True, "INSTRUMENT_DECLINED"), (False, "PAYER_CANNOT_PAY")])
async def test_a_means_of_payment_that_will_not_do_is_a_decline(till: Till, auto_capture: bool, code: str) -> None:
    own = await till.decided("decline", auto_capture=auto_capture)
    report = await till.connector.confirm(own, KEY)
    assert isinstance(report, Declined)
    assert report.code == code
    assert till.rows() == []


@pytest.mark.parametrize("auto_capture", [True, False])
async def test_a_payment_under_review_is_underway_until_paypal_decides(till: Till, auto_capture: bool) -> None:
    own = await till.decided("pending", auto_capture=auto_capture)
    paid = await till.connector.confirm(own, KEY)
    assert isinstance(paid, Paid)
    assert paid.underway
    assert till.rows() == []
    assert await till.settles("approve") == 200
    settled = await till.paid_now(own)
    assert (settled.underway, settled.captured) == (False, ALL if auto_capture else 0)


@pytest.mark.parametrize("auto_capture", [True, False])
async def test_a_payment_that_paypals_review_refuses_is_declined(till: Till, auto_capture: bool) -> None:
    own = await till.decided("pending", auto_capture=auto_capture)
    await till.connector.confirm(own, KEY)
    assert await till.settles("decline") == 200
    assert isinstance(await till.connector.fetch(own), Declined)
    assert till.rows() == []


async def test_an_order_that_expired_before_it_was_confirmed_is_expired(till: Till) -> None:
    own = await till.decided()
    till.passes(hours=6)
    assert isinstance(await till.connector.confirm(own, KEY), Expired)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("error_not_approved", Pending), ("error_instrument_declined", Declined), ("error_not_found", Expired)],
)
async def test_documented_refusals_of_a_confirm(scripted: Scripted, name: str, kind: type[Any]) -> None:
    scripted.replays(name)
    assert isinstance(await scripted.connector.confirm(checkout(), KEY), kind)


@pytest.mark.parametrize(
    "issue", ["DECLINED_DUE_TO_RELATED_TXN", "DOMESTIC_TRANSACTION_REQUIRED", "PAYPAL_TRANSACTION_ID_EXPIRED"]
)
async def test_what_paypal_does_not_take_of_this_payer_is_a_decline(scripted: Scripted, issue: str) -> None:
    """Each is among the refusals of a capture and of an authorisation in PayPal's published description."""
    for auto_capture in (True, False):
        scripted.says(422, {"name": "UNPROCESSABLE_ENTITY", "details": [{"issue": issue}]})
        report = await scripted.connector.confirm(checkout(auto_capture=auto_capture), KEY)
        assert isinstance(report, Declined)
        assert report.code == issue


async def test_an_unknown_refusal_keeps_paypals_own_word(scripted: Scripted) -> None:
    scripted.says(422, {"name": "UNPROCESSABLE_ENTITY", "details": [{"issue": "AUTH_CAPTURE_NOT_ENABLED"}]})
    with pytest.raises(Refused) as no:
        await scripted.connector.confirm(checkout(), KEY)
    assert no.value.code == "AUTH_CAPTURE_NOT_ENABLED"


async def test_a_first_try_that_still_runs_is_unclear_and_never_a_refusal(scripted: Scripted) -> None:
    scripted.says(409, {"name": "RESOURCE_CONFLICT", "message": "m", "debug_id": "d"})
    with pytest.raises(Unclear):
        await scripted.connector.confirm(checkout(), KEY)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 422])
async def test_a_refusal_without_a_readable_body_keeps_its_status(scripted: Scripted, code: int) -> None:
    scripted.says(code, "<html>")
    scripted.says(code, "<html>")
    with pytest.raises(Refused) as no:
        await scripted.connector.fetch(checkout())
    assert no.value.code == str(code)


# -- accounts saved with a purchase ----------------------------------------------------------------------------


async def test_an_account_saved_with_the_purchase_is_a_token(till: Till) -> None:
    own, paid = await till.confirmed(get_token=True)
    assert till.exchanges[0].sent["payment_source"]["paypal"]["attributes"]["vault"]["store_in_vault"] == "ON_SUCCESS"
    assert paid.token is not None
    assert paid.token_failure is None
    assert (await till.paid_now(own)).token == paid.token


async def test_no_token_is_made_where_none_was_asked_for(till: Till) -> None:
    _, paid = await till.confirmed()
    assert (paid.token, paid.token_failure) == (None, None)


async def test_a_purchase_whose_account_was_not_saved_is_paid_and_says_why(scripted: Scripted) -> None:
    scripted.replays("order_captured")
    report = await scripted.connector.confirm(checkout("24F22464WC842504J", get_token=True), KEY)
    assert isinstance(report, Paid)
    assert report.token is None
    assert "did not save" in (report.token_failure or "")


@pytest.mark.parametrize("auto_capture", [True, False])
async def test_a_saved_account_pays_another_order_at_once_and_once(till: Till, auto_capture: bool) -> None:
    _, first = await till.confirmed(get_token=True)
    assert isinstance(first.token, ProviderToken)
    order = till.counter.order("PAYPAL", "64.10", auto_capture=auto_capture)
    charged = await till.connector.charge_token(order, first.token.value, ONE)
    again = await till.connector.charge_token(order, first.token.value, ONE)
    assert isinstance(charged, Paid)
    assert isinstance(again, Paid)
    assert (charged.session, charged.payment_id) == (again.session, again.payment_id)
    assert (charged.total, charged.captured) == (
        Money(Decimal("64.10"), "USD"),
        Decimal("64.10") if auto_capture else 0,
    )
    assert till.rows()[2:] == [
        ("authorize", Decimal("64.10")),
        *([("capture", Decimal("64.10"))] if auto_capture else []),
    ]


@pytest.mark.parametrize(("present", "who"), [(True, "CUSTOMER"), (False, "MERCHANT")])
async def test_paypal_is_told_whether_the_shopper_is_there(till: Till, present: bool, who: str) -> None:
    _, first = await till.confirmed(get_token=True)
    assert first.token is not None
    order = till.counter.order("PAYPAL", customer_present=present)
    assert isinstance(await till.connector.charge_token(order, first.token.value, ONE), Paid)
    sent = till.exchanges[-1].sent["payment_source"]["paypal"]
    assert sent["stored_credential"] == {"payment_initiator": who, "usage": "SUBSEQUENT"}


async def test_a_fault_can_strike_the_charge_alone_of_two_calls_on_one_path(till: Till) -> None:
    _, first = await till.confirmed(get_token=True)
    assert first.token is not None
    await till.counter.order_fault("charge_token", "error_after")
    assert isinstance(await till.connector.create_checkout(till.counter.order("PAYPAL"), TWO), Redirect)
    with pytest.raises(Unclear):
        await till.connector.charge_token(till.counter.order("PAYPAL"), first.token.value, ONE)
    assert isinstance(await till.connector.charge_token(till.counter.order("PAYPAL"), first.token.value, ONE), Paid)
    assert till.rows().count(("capture", ALL)) == 2


async def test_an_agreement_that_paypal_does_not_know_is_declined(till: Till) -> None:
    report = await till.connector.charge_token(till.counter.order("PAYPAL"), "gone", ONE)
    assert isinstance(report, Declined)
    assert report.code == "BILLING_AGREEMENT_NOT_FOUND"


async def test_a_saved_account_that_wants_the_shopper_again_is_declined(scripted: Scripted, till: Till) -> None:
    scripted.says(201, {"id": "5O190127TN364715T", "status": "PAYER_ACTION_REQUIRED"})
    report = await scripted.connector.charge_token(till.counter.order("PAYPAL"), "v", ONE)
    assert isinstance(report, Declined)


async def test_a_saved_account_whose_order_is_only_approved_is_left_to_the_confirm(
    scripted: Scripted, till: Till
) -> None:
    scripted.says(201, {"id": "5O190127TN364715T", "status": "APPROVED", "purchase_units": [{"custom_id": "R-1001"}]})
    report = await scripted.connector.charge_token(till.counter.order("PAYPAL"), "v", ONE)
    assert report == Approved(session="5O190127TN364715T", reference="R-1001", raw=report.raw)


async def test_the_documented_authorisation_is_read_as_it_is_written(scripted: Scripted) -> None:
    scripted.replays("order_authorized")
    report = await scripted.connector.confirm(checkout("8HD65802VF9526337", auto_capture=False), KEY)
    assert isinstance(report, Paid)
    assert (report.payment_id, report.total) == ("3KM30725CS262502P", Money(ALL, "USD"))
    assert report.authorised_until is not None
    assert report.authorised_until.isoformat() == "2022-03-09T23:41:56+00:00"
    assert report.reference == "R-1001"
    assert scripted.asked[0][1].endswith("/authorize")
