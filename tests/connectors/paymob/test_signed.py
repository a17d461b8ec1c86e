"""Callbacks and returns: whose they are, and how far they are believed.

The signatures were made by `printf %s TEXT | openssl dgst -sha512 -hmac 5ANDB0X0HMAC`, the text of the callback being
the documented one.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Ask, Declined, EventReading, Forged, Incoming, Paid, Pending
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
FAILED = (
    "ae3ea66607c9ce844fa20a253708e7f161161bb306a7f1b262dafc0a320db020"
    "06903532d3dc7b64b9b3048483da9810079b80071b2b001a8bb1ae220865db94"
)
PAID = (
    "aa119f06ae7abe7a98859ca39c4cce6b3fb86e0360c868e6b3c9126671aa7567"
    "979cbfb41ee92da7ee205e49773dbbd12f854b2e29159d42f414ba9eb0f4c24b"
)
UNDECIDED = (
    "531ed926843041b6059d6f49974b0c78e7c6f243e8aa58a209c9e04aad31ce24"
    "eff991017954a2d3a17fdf11cf03c51a7991118176db6bc0612fe917c1bd6421"
)
RETURN = {
    "amount_cents": "1000", "created_at": "2026-11-30T10:00:00.000000", "currency": "EGP", "error_occured": "false",
    "has_parent_transaction": "false", "id": "555101", "integration_id": "5083949", "is_3d_secure": "true",
    "is_auth": "false", "is_capture": "false", "is_refunded": "false", "is_standalone_payment": "true",
    "is_voided": "false", "order": "399862108", "owner": "211", "pending": "false", "source_data.pan": "2346",
    "source_data.sub_type": "MasterCard", "source_data.type": "card", "success": "false",
    "merchant_order_id": "R-1001_2f4a3f1f6f01", "data.message": "Do not honour", "txn_response_code": "DECLINED",
}  # fmt: skip


def told(signature: str | None = CALLBACK, type: str = "TRANSACTION", **changes: Any) -> Incoming:
    body = {"type": type, "obj": sample("callback_signed")["obj"] | changes}
    query = {} if signature is None else {"hmac": signature}
    return Incoming(method="POST", headers={}, query=query, body=json.dumps(body).encode())


# -- callbacks --------------------------------------------------------------------------------


def test_the_documented_callback_is_accepted_and_proves_its_payment(scripted: Scripted) -> None:
    assert scripted.connector.verify_event(told()) is None
    assert scripted.connector.verify_event(told(CALLBACK.upper())) is None
    read = scripted.connector.read_event(told())
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
    assert scripted.connector.verify_event(altered) is None
    report = scripted.connector.read_event(altered).report
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


@pytest.mark.parametrize("signature", [None, "", "0" * 128, CALLBACK[:-1], FAILED])
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


def _returned(scripted: Scripted, **changes: str) -> Any:
    return scripted.connector.read_return({**RETURN, **changes}, scripted.checkout())


def test_a_signed_failure_that_the_shopper_comes_back_with_ends_the_order(scripted: Scripted) -> None:
    said = _returned(scripted, hmac=FAILED)
    assert isinstance(said, Declined)
    assert (said.session, said.reason, said.code) == ("399862108", "Do not honour", "DECLINED")


def test_the_order_may_be_called_order_id(scripted: Scripted) -> None:
    query = {name: value for name, value in RETURN.items() if name != "order"} | {"order_id": "399862108"}
    said = scripted.connector.read_return({**query, "hmac": FAILED}, scripted.checkout())
    assert isinstance(said, Declined)


def test_a_signed_success_and_an_undecided_try_are_asked_about(scripted: Scripted) -> None:
    asked = Ask(session="399862108", completed=True)
    assert _returned(scripted, success="true", hmac=PAID) == asked
    assert _returned(scripted, pending="true", hmac=UNDECIDED) == asked


@pytest.mark.parametrize(
    "changes",
    [{"hmac": PAID}, {"hmac": ""}, {"hmac": FAILED, "order": "1"}, {"hmac": FAILED, "success": "true"},
     {"hmac": FAILED, "amount_cents": "1"}],
)  # fmt: skip
def test_a_return_with_a_wrong_signature_is_forged(scripted: Scripted, changes: dict[str, str]) -> None:
    with pytest.raises(Forged):
        _returned(scripted, **changes)


def test_an_unsigned_return_proves_nothing(scripted: Scripted) -> None:
    assert _returned(scripted) == Ask(session="399862108")
    assert scripted.connector.read_return({}, scripted.checkout()) == Ask(left=True)


@pytest.mark.parametrize("outcome", ["decline", "error"])
async def test_a_shopper_whose_payment_failed_comes_back_declined(till: Till, outcome: str) -> None:
    checkout, query = await till.decides(outcome)
    said = till.connector.read_return(query, checkout)
    assert isinstance(said, Declined)
    assert said.session == checkout.session


@pytest.mark.parametrize(("outcome", "left"), [("approve", False), ("pending", False), ("cancel", True)])
async def test_any_other_return_leads_to_asking(till: Till, outcome: str, left: bool) -> None:
    checkout, query = await till.decides(outcome)
    session = None if left else checkout.session
    assert till.connector.read_return(query, checkout) == Ask(session=session, completed=not left, left=left)
    said = await till.connector.fetch(checkout)
    assert isinstance(said, Paid if outcome == "approve" else Pending)
