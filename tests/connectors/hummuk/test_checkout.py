"""Opening a checkout at humm in the United Kingdom, the return, and what asking tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Ask, Cancelled, NotThere, Paid, Pending, Redirect, Refused
from paymux.money import Money
from paymux.platform.http import CallFailed, NotSent, Unclear
from tests.connectors.hummuk.conftest import CALLS, KEY, Scripted, Till, sample

SALE = [("authorize", Decimal(100)), ("capture", Decimal(100))]


async def test_a_checkout_leads_the_shopper_to_humm_and_moves_nothing(till: Till) -> None:
    opened, checkout = await till.opens()
    assert opened.url.endswith(f"/checkout/hummuk/{opened.session}")
    report = await till.connector.fetch(checkout)
    assert isinstance(report, Pending)
    assert (report.reason, report.completed) == ("NOT_STARTED", False)
    assert till.rows() == []


async def test_the_request_is_as_the_plugin_makes_it(scripted: Scripted, till: Till) -> None:
    documented = sample("process_initiated")
    order = replace(
        till.order(),
        created_at=datetime(2022, 12, 23, 9, tzinfo=UTC),
        return_url="https://shop.example/humm/checkout/1",
    )
    scripted.grants()
    scripted.replays("process_initiated")
    opened = await scripted.connector.create_checkout(order, KEY)
    method, path, body = scripted.asked[-1]
    assert (method, path) == ("POST", f"{CALLS}/initiateProcess")
    assert scripted.headers[-1]["Authorization"] == "Bearer T-1"
    expected = {**documented["request"], "orderDetails": {**documented["request"]["orderDetails"]}}
    expected["orderDetails"]["orderDescription"] = "Order R-1001"
    assert body == expected
    assert isinstance(opened, Redirect)
    assert (opened.session, opened.url) == ("P-1001", documented["answer"]["redirectURL"])


@pytest.mark.parametrize(
    ("partner", "flexi", "session"),
    [("P-1", "F-1", "P-1"), ("", "F-1", "F-1"), (None, "F-1", "F-1"), ("P-1", None, "P-1")],
)
async def test_the_partners_id_names_the_checkout_where_there_is_one(
    scripted: Scripted, till: Till, partner: str | None, flexi: str | None, session: str
) -> None:
    scripted.grants()
    scripted.replays("process_initiated", partnerTrackingId=partner, flexiTrackingId=flexi)
    assert (await scripted.connector.create_checkout(till.order(), KEY)).session == session


@pytest.mark.parametrize(
    "changes",
    [
        {"partnerTrackingId": None, "flexiTrackingId": ""}, {"redirectURL": None}, {"redirectURL": "javascript:alert(1)"},
        {"success": None},
    ],
)  # fmt: skip
async def test_an_answer_that_opens_nothing_is_unclear(scripted: Scripted, till: Till, changes: dict[str, Any]) -> None:
    scripted.grants()
    scripted.replays("process_initiated", **changes)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.order(), KEY)


async def test_a_clear_no_keeps_humms_own_code(scripted: Scripted, till: Till) -> None:
    scripted.grants()
    scripted.replays("process_refused")
    with pytest.raises(Refused, match="The account is not known") as no:
        await scripted.connector.create_checkout(till.order(), KEY)
    assert no.value.code == "INCORRECT_ACCOUNTID"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("+44 7700 900123", "7700900123"), ("07700 900123", "7700900123"), ("+44 (0)7700-900123", "7700900123"),
        ("00447700900123", "7700900123"), ("7700900123", "7700900123"), ("4477009001", "4477009001"),
    ],
)  # fmt: skip
async def test_a_mobile_number_goes_as_ten_digits(scripted: Scripted, till: Till, given: str, sent: str) -> None:
    scripted.grants()
    scripted.replays("process_initiated")
    await scripted.connector.create_checkout(till.order(phone=given), KEY)
    assert scripted.asked[-1][2]["customerInfo"]["mobileNumber"] == sent


@pytest.mark.parametrize("given", ["", "+61400000000", "+44 7700 90012", "+353851234567", "12"])
async def test_another_number_is_refused_by_its_fields_name_before_anything_is_sent(
    scripted: Scripted, till: Till, given: str
) -> None:
    with pytest.raises(Refused, match=r"customer\.phoneNumber has to be a British mobile number"):
        await scripted.connector.create_checkout(till.order(phone=given), KEY)
    assert scripted.asked == []


async def test_an_amount_that_pounds_cannot_hold_is_refused_before_anything_is_sent(
    scripted: Scripted, till: Till
) -> None:
    with pytest.raises(Refused):
        await scripted.connector.create_checkout(replace(till.order(), total=Money(Decimal("100.001"), "GBP")), KEY)
    assert scripted.asked == []


async def test_an_amount_that_humm_does_not_lend_is_a_clear_no(till: Till) -> None:
    with pytest.raises(Refused) as no:
        await till.opens("15000.01")
    assert no.value.code == "INCORRECT_AMOUNT"


@pytest.mark.parametrize("fault", ["timeout_after", "error_after", "reset_after", "malformed"])
async def test_a_create_whose_answer_was_lost_moves_nothing_and_is_made_anew(till: Till, fault: str) -> None:
    await till.counter.order_fault("create", fault)
    with pytest.raises(CallFailed):
        await till.opens()
    await till.pays()
    assert till.rows() == SALE


# -- the return -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        (sample("return_completed")["query"], Ask(session="P-1001", completed=True)),
        (sample("return_cancelled")["query"], Ask(session="P-1001", left=True)),
        ({"Success": "True", "FlexiTrackingId": "F000000000000001"}, Ask(session="P-1001", completed=True)),
        ({"success": "false", "partnerTrackingId": "P-1001"}, Ask(session="P-1001")),
        ({"success": "true", "partnerTrackingId": "P-2"}, Ask(session="P-2", completed=True)),
        ({"accid": "0014L00000Nt0tP", "orderid": "P-2"}, Ask(session="P-2", left=True)),
        ({}, Ask()),
    ],
)
def test_a_return_is_only_a_hint(scripted: Scripted, till: Till, query: dict[str, str], hint: Ask) -> None:
    assert scripted.connector.read_return(query, till.checkout()) == hint


@pytest.mark.parametrize(
    ("outcome", "hint"),
    [
        ("approve", {"completed": True}),
        ("decline", {"left": True}),
        ("cancel", {"left": True}),
        ("pending", {}),
        ("error", {}),
    ],
)
async def test_a_shopper_who_comes_back_names_his_checkout(till: Till, outcome: str, hint: dict[str, bool]) -> None:
    checkout, query = await till.decides(outcome)
    assert till.connector.read_return(query, checkout) == Ask(session=checkout.session, **hint)


# -- asking ---------------------------------------------------------------------------------------


async def test_a_paid_checkout_says_how_much(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    paid = await till.connector.fetch(checkout)
    assert isinstance(paid, Paid)
    assert (paid.payment_id, paid.total, paid.captured) == (checkout.session, till.money("100.00"), Decimal(100))
    assert (paid.session, paid.reference, paid.refunded) == (None, None, None)
    assert till.rows() == SALE


async def test_the_documented_answers_are_read(scripted: Scripted, till: Till) -> None:
    scripted.grants()
    scripted.replays("payment_done", "payment_cancelled")
    paid, cancelled = [await scripted.connector.fetch(till.checkout()) for _ in range(2)]
    assert scripted.asked[-1][1:] == (f"{CALLS}/getPaymentDetails", sample("payment_done")["request"])
    assert isinstance(paid, Paid)
    assert paid.total == till.money("100.00")
    assert isinstance(cancelled, Cancelled)
    assert cancelled.reason == "Cancelled by the customer"


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("NOT_STARTED", Pending), ("IN_PROGRESS", Pending), ("PAYMENT_DONE", Paid), ("PAYMENT_CANCELLED", Cancelled),
        ("CUSTOMER_REFUNDED", Paid), ("REFUND_IN_PROGRESS", Paid), ("PARTIAL_REFUND_COMPLETED", Paid),
        ("FULL_REFUND_REQUESTED", Paid), ("A_NEW_WORD", Pending), (None, Pending),
    ],
)  # fmt: skip
async def test_every_documented_status_is_known_and_any_other_is_pending(
    scripted: Scripted, till: Till, word: str | None, kind: type
) -> None:
    scripted.grants()
    scripted.says(200, {"success": True, "status": word})
    assert type(await scripted.connector.fetch(till.checkout())) is kind


async def test_another_amount_than_the_orders_is_told_as_it_is(scripted: Scripted, till: Till) -> None:
    scripted.grants()
    scripted.replays("payment_done", paymentAmount=1)
    paid = await scripted.connector.fetch(till.checkout())
    assert isinstance(paid, Paid)
    assert (paid.total, paid.captured) == (till.money("1"), Decimal(1))


async def test_once_the_payment_is_known_its_amount_is_not_read_any_more(scripted: Scripted, till: Till) -> None:
    scripted.grants()
    scripted.replays("payment_done", status="PARTIAL_REFUND_COMPLETED", paymentAmount=60)
    paid = await scripted.connector.fetch(till.checkout(payment_id="P-1001"))
    assert isinstance(paid, Paid)
    assert (paid.total, paid.captured, paid.refunded) == (None, None, None)


@pytest.mark.parametrize("success", [True, False])
async def test_a_checkout_that_humm_does_not_know_is_not_there(scripted: Scripted, till: Till, success: bool) -> None:
    scripted.grants()
    scripted.says(200, {"success": success, "status": "TRACKING_ID_NOT_FOUND"})
    with pytest.raises(NotThere):
        await scripted.connector.fetch(till.checkout())


@pytest.mark.parametrize(
    "body", ["nonsense", "[]", "{}", '{"success": true, "paymentAmount": "much", "status": "PAYMENT_DONE"}']
)
async def test_an_answer_that_cannot_be_read_is_unclear(scripted: Scripted, till: Till, body: str) -> None:
    scripted.grants()
    scripted.says(200, body)
    with pytest.raises(Unclear):
        await scripted.connector.fetch(till.checkout())


async def test_a_pending_application_is_decided_later(till: Till) -> None:
    checkout, _ = await till.decides("pending")
    assert isinstance(await till.connector.fetch(checkout), Pending)
    simulator = till.counter.sandbox.simulators["hummuk"]
    await simulator.settle(simulator.case(checkout.session), "approve")
    assert isinstance(await till.connector.fetch(checkout), Paid)


# -- credentials ----------------------------------------------------------------------------------


async def test_the_right_credentials_are_proved(till: Till) -> None:
    assert await till.connector.check() == "humm granted an access token and answered a question about a checkout"


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("client_id", "invalid_client"), ("client_secret", "invalid_client"), ("refresh_token", "invalid_grant"),
        ("account_id", "INCORRECT_ACCOUNTID"),
    ],
)  # fmt: skip
async def test_a_wrong_credential_is_a_clear_no(till: Till, field: str, code: str) -> None:
    with pytest.raises(Refused) as no:
        await till.counter.connector("HUMM_UK", **{field: "wrong"}).check()
    assert no.value.code == code


async def test_the_token_is_asked_for_in_a_form_and_kept(scripted: Scripted, till: Till) -> None:
    scripted.grants()
    scripted.replays("payment_done", "payment_done")
    for _ in range(2):
        await scripted.connector.fetch(till.checkout())
    assert scripted.asked[0] == ("POST", "/services/oauth2/token", sample("token_granted")["form"])
    assert [path for _, path, _ in scripted.asked[1:]] == [f"{CALLS}/getPaymentDetails"] * 2


async def test_a_token_that_has_ended_is_replaced_once(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    till.passes(hours=1)
    assert isinstance(await till.connector.fetch(checkout), Paid)


async def test_a_token_that_is_refused_again_is_a_clear_no(scripted: Scripted, till: Till) -> None:
    ended = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    for token in ("T-1", "T-2"):
        scripted.grants(token)
        scripted.says(401, ended)
    with pytest.raises(Refused, match="Session expired or invalid") as no:
        await scripted.connector.fetch(till.checkout())
    assert no.value.code == "INVALID_SESSION_ID"
    assert [headers.get("Authorization") for headers in scripted.headers] == [None, "Bearer T-1", None, "Bearer T-2"]


@pytest.mark.parametrize(
    "instance",
    [
        "http://humm.my.salesforce.com", "https://salesforce.com.example", "https://evilsalesforce.com", "nonsense",
        "https://humm.my.salesforce.com@evil.example", "https://humm.example/x.salesforce.com",
    ],
)  # fmt: skip
async def test_a_token_is_sent_to_salesforce_only(scripted: Scripted, till: Till, instance: str) -> None:
    scripted.grants(instance=instance)
    with pytest.raises(NotSent, match="not Salesforce's"):
        await scripted.connector.create_checkout(till.order(), KEY)
    assert len(scripted.asked) == 1


@pytest.mark.parametrize(("status", "body"), [(200, "{}"), (200, "nonsense"), (500, ""), (429, "")])
async def test_without_a_token_the_call_never_left(scripted: Scripted, till: Till, status: int, body: str) -> None:
    scripted.says(status, body)
    with pytest.raises(NotSent):
        await scripted.connector.create_checkout(till.order(), KEY)
    assert len(scripted.asked) == 1
