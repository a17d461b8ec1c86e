"""Callbacks and returns: whose they are, and how far they are believed.

The signatures were made by `printf %s TEXT | openssl dgst -sha512 -hmac 5ANDB0X0HMAC`, the text of the callback being
the documented one.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Ask, EventReading, Forged, Incoming, Paid, Pending
from paymux.money import Money
from tests.connectors.paymob.conftest import Scripted, Till, sample

CALLBACK = (
    "efab9f3450feb4980dffa5d6cdfcb4c0088b45d7ab22d7c9d1684042fe398713"
    "792b0f8f28ba890ef218c4832272dce9ee624f1b3aa5f282191f9f19f8b601a5"
)
WITHOUT_PAN = (
    "14f7d81e854ad1b6c3e0889f16bec39b30ba93ea779d3ed0a9ccdbc5a4e152a3"
    "cd84f70893ff320d97f89aec9426aa29d181134e2e3559edc94219b22846fb0a"
)


def told(signature: str | None = CALLBACK, type: str = "TRANSACTION", **changes: Any) -> Incoming:
    body = {"type": type, "obj": sample("callback_signed")["obj"] | changes}
    query = {} if signature is None else {"hmac": signature}
    return Incoming(method="POST", headers={}, query=query, body=json.dumps(body).encode())


# -- callbacks --------------------------------------------------------------------------------


def test_the_documented_callback_is_accepted_and_proves_its_payment(scripted: Scripted) -> None:
    connector = scripted.altered(integration_ids="5083949, 6741")
    assert connector.verify_event(told()) is None
    assert connector.verify_event(told(CALLBACK.upper())) is None
    read = connector.read_event(told())
    assert (read.session, read.payment_id) == ("4778239", "2556706")
    report = read.report
    assert isinstance(report, Paid)
    assert (report.payment_id, report.session, report.total) == ("2556706", "4778239", Money(Decimal(1), "EGP"))
    # Neither our reference nor what was refunded is signed.
    assert (report.captured, report.reference, report.refunded) == (Decimal(1), None, None)


def test_what_is_not_signed_is_not_believed(scripted: Scripted) -> None:
    altered = told(
        order={"id": 4778239, "merchant_order_id": "another_2f4a3f1f6f01"}, refunded_amount_cents=100, is_refund=True
    )
    connector = scripted.altered(integration_ids="6741")
    assert connector.verify_event(altered) is None
    report = connector.read_event(altered).report
    assert isinstance(report, Paid)
    assert (report.reference, report.refunded) == (None, None)


def test_an_empty_value_is_signed_as_nothing(scripted: Scripted) -> None:
    source = {"pan": None, "type": "card", "sub_type": "MasterCard"}
    assert scripted.connector.verify_event(told(WITHOUT_PAN, source_data=source)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_cents": 101}, {"currency": "USD"}, {"success": False}, {"order": {"id": 4778240}}, {"id": 2556707},
        {"pending": True}, {"is_voided": True}, {"is_auth": True}, {"created_at": "2020-03-25T18:39:44.719229"},
        {"source_data": {"pan": "2347", "type": "card", "sub_type": "MasterCard"}}, {"owner": [4705]}, {"order": 4778239},
        {"source_data": None},
    ],
)  # fmt: skip
def test_a_callback_that_was_changed_is_forged(scripted: Scripted, changes: dict[str, Any]) -> None:
    with pytest.raises(Forged):
        scripted.connector.verify_event(told(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_cents": 1002, "created_at": "020-03-25T18:39:44.719228"},
        {"is_3d_secure": "truefalse", "is_capture": ""},
        {"error_occured": "falsefalse", "has_parent_transaction": ""},
        {"created_at": "2020-03-25T18:39:44.719228E", "currency": "GP"},
        {"is_voided": "false4", "order": {"id": 778239}}, {"owner": "4705false", "pending": ""},
    ],
)  # fmt: skip
def test_a_callback_whose_values_were_moved_into_each_other_is_forged(
    scripted: Scripted, changes: dict[str, Any]
) -> None:
    """The signed text stays the same: nothing stands between the values."""
    with pytest.raises(Forged):
        scripted.connector.verify_event(told(**changes))


def test_a_payment_of_another_integration_is_asked_about(scripted: Scripted) -> None:
    """A digit that was moved from the integration to the payment would have refunds go to another payment."""
    moved = told(id=25567066, integration_id=741)
    connector = scripted.altered(integration_ids="6741")
    assert connector.verify_event(moved) is None
    assert connector.read_event(moved) == EventReading(session="4778239")


@pytest.mark.parametrize("signature", [None, "", "0" * 128, CALLBACK[:-1], WITHOUT_PAN])
def test_a_callback_without_its_signature_is_forged(scripted: Scripted, signature: str | None) -> None:
    with pytest.raises(Forged):
        scripted.connector.verify_event(told(signature))


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"type": "TRANSACTION"}', '{"type": "TOKEN", "obj": {"id": 1}}'])
def test_what_is_no_transaction_callback_is_forged(scripted: Scripted, body: str) -> None:
    event = Incoming(method="POST", headers={}, query={"hmac": CALLBACK}, body=body.encode())
    with pytest.raises(Forged):
        scripted.connector.verify_event(event)


def test_without_a_secret_nothing_is_accepted(scripted: Scripted) -> None:
    with pytest.raises(Forged):
        scripted.altered(hmac_secret="").verify_event(told())


@pytest.mark.parametrize(
    "changes",
    [{"success": False}, {"pending": True}, {"is_auth": True}, {"error_occured": True}, {"is_voided": True},
     {"is_refunded": True}, {"has_parent_transaction": True, "parent_transaction": 2556700}],
)  # fmt: skip
def test_of_anything_but_a_fresh_payment_paymob_is_asked(scripted: Scripted, changes: dict[str, Any]) -> None:
    assert scripted.connector.read_event(told(**changes)) == EventReading(session="4778239")


async def test_the_simulators_callbacks_are_of_its_order_and_signed(till: Till) -> None:
    checkout = await till.pays("64.10")
    await till.moves("refund", checkout, "4.10", open="64.10")
    paid, refunded = await till.events(2)
    for event in (paid, refunded):
        assert till.connector.verify_event(event) is None
    read = till.connector.read_event(paid)
    assert isinstance(read.report, Paid)
    assert (read.session, read.payment_id, read.report.total) == (
        checkout.session, checkout.payment_id, till.money("64.10"),
    )  # fmt: skip
    assert till.connector.read_event(refunded) == EventReading(session=checkout.session)
    with pytest.raises(Forged):
        till.counter.connector("PAYMOB_EG", hmac_secret="another").verify_event(paid)


# -- returns ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "completed"), [("approve", True), ("pending", True), ("decline", False), ("error", False)]
)
async def test_a_try_with_which_the_shopper_comes_back_leads_to_asking(
    till: Till, outcome: str, completed: bool
) -> None:
    checkout, query = await till.decides(outcome)
    said = till.connector.read_return(query, checkout)
    assert said == Ask(session=checkout.session, completed=completed, left=not completed)
    assert isinstance(await till.connector.fetch(checkout), Paid if outcome == "approve" else Pending)


async def test_who_comes_back_without_a_try_has_left(till: Till) -> None:
    checkout, query = await till.decides("cancel")
    assert till.connector.read_return(query, checkout) == Ask(left=True)


def test_the_order_of_a_return_may_be_called_order_id(scripted: Scripted) -> None:
    query = {"order_id": "399862108", "success": "true"}
    assert scripted.connector.read_return(query, scripted.checkout()) == Ask(session="399862108", completed=True)
