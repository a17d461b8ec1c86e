"""Opening a page; what the return, a query and the callback say of its payment."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import (
    Address,
    Ask,
    Broken,
    Cancelled,
    Declined,
    Expired,
    Forged,
    MoveKind,
    NotThere,
    Paid,
    Pending,
    Redirect,
    Refused,
    Report,
    WrongCredentials,
)
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.paytabs.conftest import Till, key, sample, signed, told, transaction
from tests.connectors.scripted import Scripted
from tests.connectors.till import KEY

ENDS = [("D", Declined), ("C", Cancelled), ("X", Expired), ("E", Broken)]


# -- opening ------------------------------------------------------------------------------------


async def test_a_page_is_asked_for_with_the_order_and_our_addresses(till: Till, scripted: Scripted) -> None:
    scripted.says(200, sample("page")["answer"])
    order = till.order("129.95", locale="ar_SA")
    opened = await scripted.connector.create_checkout(order, KEY)
    ((method, path, body),) = scripted.asked
    assert (method, path, scripted.headers[0]["Authorization"]) == (
        "POST", "/sau/payment/request", "SSJN-SANDBOX-PAYTABS",
    )  # fmt: skip
    assert body["customer_details"] == {
        "name": "Ada Byron", "email": "ada@shop.example", "phone": "+61400000000", "street1": "1 High Street",
        "city": "Sydney", "state": "NSW", "country": "DE", "zip": "2000",
    }  # fmt: skip
    assert {name: value for name, value in body.items() if "details" not in name} == {
        "profile_id": 987654, "tran_type": "sale", "tran_class": "ecom", "cart_id": "R-1001", "cart_currency": "AED",
        "cart_amount": 129.95, "cart_description": "Shirt (1)", "paypage_lang": "ar", "payment_methods": ["all"],
        "hide_shipping": False, "return": order.return_url, "callback": order.events_url,
    }  # fmt: skip
    assert isinstance(opened, Redirect)
    assert (opened.session, opened.url) == ("TST2231101374414", sample("page")["answer"]["redirect_url"])


async def test_valu_is_asked_for_at_the_egyptian_host_whatever_the_accounts_region(
    till: Till, scripted: Scripted
) -> None:
    scripted.says(200, sample("page")["answer"])
    valu, order = scripted.altered("VALU", region="ARE"), till.order(billing=Address(country="EG"), delivery=None)
    await valu.create_checkout(order, KEY)
    ((_, path, body),) = scripted.asked
    assert (path, body["payment_methods"], body["hide_shipping"]) == ("/egy/payment/request", ["valu"], True)
    assert "shipping_details" not in body


@pytest.mark.parametrize("failed", sample("failures")["failures"][:2])
async def test_a_failure_keeps_paytabs_own_code(till: Till, scripted: Scripted, failed: dict[str, Any]) -> None:
    scripted.says(failed["status"], failed["answer"])
    with pytest.raises(Refused) as no:
        await scripted.connector.create_checkout(till.order(), KEY)
    assert (no.value.code, no.value.reason) == (str(failed["answer"]["code"]), failed["answer"]["message"])


@pytest.mark.parametrize(
    "answer", ["<html>", {}, {"tran_ref": "TST1"}, {"tran_ref": "T", "redirect_url": "javascript:1"}]
)
async def test_an_answer_without_a_page_is_unclear(till: Till, scripted: Scripted, answer: Any) -> None:
    scripted.says(200, answer)
    with pytest.raises(Unclear):
        await scripted.connector.create_checkout(till.order(), KEY)


async def test_a_region_that_paytabs_does_not_have_is_refused_before_anything_is_sent(till: Till) -> None:
    for wrong in ({"region": "AUS"}, {"profile_id": "x1"}):
        with pytest.raises(Refused):
            await till.counter.connector("PAYTAB", **wrong).create_checkout(till.order(), KEY)


async def test_a_page_asked_for_again_within_two_minutes_has_a_cart_of_its_own_and_still_our_reference(
    till: Till,
) -> None:
    await till.opens()
    opened = await till.connector.create_checkout(till.order(), key(7))
    assert isinstance(opened, Redirect)
    await till.counter.shopper(opened.url, "approve")
    paid = await till.connector.fetch(till.counter.checkout(till.order(), opened))
    assert isinstance(paid, Paid)
    assert (paid.session, paid.reference) == (opened.session, "R-1001")
    assert paid.raw is not None
    assert paid.raw["cart_id"] == "R-1001~000000076a0e"


async def test_in_live_mode_nobody_is_sent_to_a_page_of_a_test_profile(till: Till, scripted: Scripted) -> None:
    live = scripted.altered(live=True)
    page = sample("page")["answer"]
    scripted.says(200, page)
    with pytest.raises(WrongCredentials, match="test payment"):
        await live.create_checkout(till.order(), KEY)
    scripted.says(200, page | {"tran_ref": "PTS2231101374414"})
    opened = await live.create_checkout(till.order(), KEY)
    assert isinstance(opened, Redirect)
    assert opened.session == "PTS2231101374414"


# -- the return -----------------------------------------------------------------------------------


async def test_a_signed_return_of_a_payment_is_asked_about_for_it_names_no_amount(till: Till) -> None:
    checkout, query = await till.decides("approve")
    assert till.connector.read_return(query, checkout) == Ask(session=checkout.session, completed=True)


async def test_the_documented_return_is_signed_as_openssl_signs_it(till: Till) -> None:
    fields = sample("return")["fields"]
    given = fields | {"signature": "1e9cf88b341b7324b25e28194dcd2a300d1493ba3b934e94699f064067562aea"}
    checkout = (await till.opens())[1]
    assert till.connector.read_return(given, checkout) == Ask(session="TST2028600008198", completed=True)
    # ~ is written as PHP does: %7E.
    odd = {
        "cartId": "cart ~ 1/2",
        "respCode": "321",
        "respMessage": "Cancelled & gone",
        "respStatus": "C",
        "tranRef": "TST2",
    }
    odd["signature"] = "1d96748e6b0e2a15686b85634cc7c64c59644bb5c759d27013bb6a93307be9d1"
    said = till.connector.read_return(odd, checkout)
    assert isinstance(said, Cancelled)
    assert (said.session, said.reason) == ("TST2", "Cancelled & gone")


@pytest.mark.parametrize(("status", "kind"), ENDS)
async def test_a_signed_return_of_an_end_is_believed(till: Till, status: str, kind: type[Report]) -> None:
    query = signed(cartId="R-1001", respCode="300", respMessage="no", respStatus=status, tranRef="TST1")
    said = till.connector.read_return(query, (await till.opens())[1])
    assert isinstance(said, kind)
    assert (said.session, said.reference) == ("TST1", "R-1001")


@pytest.mark.parametrize("changed", ["respStatus", "cartId", "tranRef", "signature", "more"])
async def test_a_changed_return_is_forged_and_an_unsigned_one_a_hint(till: Till, changed: str) -> None:
    checkout, query = await till.decides("decline")
    with pytest.raises(Forged):
        till.connector.read_return({**query, changed: "A"}, checkout)
    assert till.connector.read_return({"respStatus": "A", "tranRef": "TST9"}, checkout) == Ask(session="TST9")


# -- the query ------------------------------------------------------------------------------------


async def test_a_page_that_nobody_has_paid_is_pending(till: Till) -> None:
    said = await till.connector.fetch((await till.opens())[1])
    assert isinstance(said, Pending)
    assert not said.completed


@pytest.mark.parametrize(("auto", "captured"), [(True, "100"), (False, "0")])
async def test_a_payment_is_read_with_its_amount(till: Till, auto: bool, captured: str) -> None:
    checkout = await till.pays(auto_capture=auto)
    paid = await till.connector.fetch(checkout)
    assert isinstance(paid, Paid)
    assert (paid.total, paid.captured, paid.moves) == (Money(Decimal(100), "AED"), Decimal(captured), ())
    assert (paid.session, paid.payment_id, paid.underway) == (checkout.session, checkout.session, False)


@pytest.mark.parametrize("status", ["A", "H", "V"])
async def test_in_live_mode_a_payment_of_a_test_profile_is_none(till: Till, scripted: Scripted, status: str) -> None:
    live, checkout = scripted.altered(live=True), (await till.opens())[1]
    scripted.says(200, transaction(status=status))
    said = await live.fetch(checkout)
    assert isinstance(said, Broken)
    assert "test profile" in said.reason
    assert (said.code, said.session, said.reference) == ("test_payment", "TST1", "R-1001")
    scripted.says(200, transaction(status=status, tran_ref="PTS1"))
    scripted.says(200, [])
    assert isinstance(await live.fetch(checkout), Paid)


async def test_in_live_mode_a_payment_request_is_not_completed_by_a_test(till: Till, scripted: Scripted) -> None:
    live, checkout = scripted.altered(live=True), (await till.opens())[1]
    request = transaction(tran_ref=checkout.session, tran_type="Payment Request", status="P")
    for completing, kind in (("TST2", Broken), ("PTS2", Paid)):
        scripted.says(200, request)
        scripted.says(200, [request, transaction(tran_ref=completing, previous_tran_ref=checkout.session)])
        scripted.says(200, [])
        assert isinstance(await live.fetch(checkout), kind)
        scripted.answers.clear()


@pytest.mark.parametrize(("status", "kind"), [*ENDS, ("P", Pending), ("Z", Pending)])
async def test_every_other_status_is_mapped_and_unknown_ones_are_pending(
    till: Till, scripted: Scripted, status: str, kind: type
) -> None:
    scripted.says(200, transaction(status=status))
    assert isinstance(await scripted.connector.fetch((await till.opens())[1]), kind)


async def test_a_payment_on_hold_is_under_way_and_a_voided_one_came_to_nothing(till: Till, scripted: Scripted) -> None:
    checkout = (await till.opens())[1]
    scripted.says(200, transaction(status="H"))
    held = await scripted.connector.fetch(checkout)
    assert isinstance(held, Paid)
    assert held.underway
    scripted.says(200, transaction(status="V"))
    scripted.says(200, [])
    voided = await scripted.connector.fetch(checkout)
    assert isinstance(voided, Paid)
    assert (voided.captured, voided.voided) == (Decimal(0), Decimal(100))


async def test_the_charged_amount_counts_where_it_differs_from_the_carts(till: Till, scripted: Scripted) -> None:
    scripted.says(200, transaction(tran_total="90.00", tran_currency="USD"))
    scripted.says(200, [])
    paid = await scripted.connector.fetch((await till.opens())[1])
    assert isinstance(paid, Paid)
    assert paid.total == Money(Decimal(90), "USD")


async def test_a_payment_request_is_completed_by_a_later_sale_that_names_it(till: Till, scripted: Scripted) -> None:
    checkout = (await till.opens())[1]
    request = transaction(tran_ref=checkout.session, tran_type="Payment Request", status="P")
    scripted.says(200, request)
    scripted.says(200, [request])
    waiting = await scripted.connector.fetch(checkout)
    assert isinstance(waiting, Pending)
    assert waiting.completed
    scripted.says(200, request)
    scripted.says(200, [request, transaction(tran_ref="TST2", previous_tran_ref=checkout.session)])
    scripted.says(200, [])
    paid = await scripted.connector.fetch(checkout)
    assert isinstance(paid, Paid)
    assert (paid.session, paid.payment_id) == (checkout.session, "TST2")


@pytest.mark.parametrize(("status", "code"), [(400, 2), (404, 2), (200, 2)])
async def test_a_query_that_is_refused_says_nothing_of_the_payment(
    till: Till, scripted: Scripted, status: int, code: int
) -> None:
    scripted.says(status, {"code": code, "message": "Invalid request"})
    assert isinstance(await scripted.connector.fetch((await till.opens())[1]), Pending)


async def test_a_query_with_a_wrong_key_is_refused(till: Till) -> None:
    checkout = (await till.opens())[1]
    with pytest.raises(Refused) as no:
        await till.counter.connector("PAYTAB", server_key="wrong").fetch(checkout)
    assert no.value.code == "1"
    assert not isinstance(no.value, NotThere)


# -- the callback ---------------------------------------------------------------------------------


async def test_the_documented_callback_is_verified_and_names_its_payment_request(till: Till) -> None:
    event = told(sample("callback")["body"])
    assert event.headers["signature"] == "1825225da45a5b31e81945f426695e3f72d90c7a8ada750a4bb28919a7093d8d"
    assert till.connector.verify_event(event) == "TST2617402946403/A"
    read = till.connector.read_event(event)
    assert (read.session, read.payment_id, read.reference) == ("TST2617402946400", "TST2617402946403", "ca-03")
    assert isinstance(read.report, Paid)
    assert (read.report.total, read.report.captured) == (Money(Decimal(700), "SAR"), Decimal(700))


async def test_in_live_mode_a_callback_of_a_test_profile_pays_nothing(scripted: Scripted) -> None:
    live, body = scripted.altered(live=True), sample("callback")["body"]
    said = live.read_event(told(body)).report
    assert isinstance(said, Broken)
    assert "test profile" in said.reason
    assert isinstance(live.read_event(told(body.replace("TST", "PTS"))).report, Paid)


@pytest.mark.parametrize(("outcome", "kind"), [("approve", Paid), ("decline", Declined), ("pending", Paid)])
async def test_the_simulators_callback_brings_the_decision(
    till: Till, outcome: str, kind: type, eventually: Any
) -> None:
    checkout, _ = await till.decides(outcome)

    async def came() -> Any:
        return till.counter.inbox.received

    ((_, headers, _, body),) = await eventually(came)
    event = told(body.decode(), **headers)
    assert till.connector.verify_event(event) is not None
    read = till.connector.read_event(event)
    assert read.session == checkout.session
    assert isinstance(read.report, kind)
    assert getattr(read.report, "underway", False) == (outcome == "pending")


@pytest.mark.parametrize("kind", ["Capture", "Void", "Release", "Refund", "Chargeback"])
async def test_an_event_of_what_followed_a_payment_only_says_whom_to_ask_about(till: Till, kind: str) -> None:
    said = transaction(tran_ref="TST5", tran_type=kind, previous_tran_ref="TST1", cart_id="R-1001~0000000a6a0e")
    read = till.connector.read_event(told(said))
    assert (read.session, read.payment_id, read.reference, read.report) == ("TST1", "TST1", "R-1001", None)


async def test_a_callback_with_another_signature_is_forged(till: Till) -> None:
    body = json.dumps(transaction())
    for wrong in (told(body + " ", signature=told(body).headers["signature"]), told(body, signature="")):
        with pytest.raises(Forged):
            till.connector.verify_event(wrong)
    for body in ("[]", "{", "\x00", '{"tran_ref": ""}'):
        assert till.connector.verify_event(told(body)) is None
        with pytest.raises(ValueError, match=r"\w"):
            till.connector.read_event(told(body))


async def test_what_was_done_in_the_dashboard_is_listed_and_what_is_ours_is_not(till: Till) -> None:
    checkout = await till.pays()
    await till.connector.refund(checkout, till.follow_up("10.00", number=3))
    await till.post("/sandbox/dashboard", tran_ref=checkout.payment, tran_type="refund", amount="25.00")
    paid = await till.connector.fetch(checkout)
    assert isinstance(paid, Paid)
    assert paid.moves is not None
    ((kind, amount, echoed),) = [(move.kind, move.amount, move.key) for move in paid.moves]
    assert (kind, amount, echoed) == (MoveKind.REFUND, Decimal("25.00"), None)


async def test_the_check_asks_for_a_transaction_that_nobody_has(till: Till) -> None:
    said = await till.connector.check()
    assert "took the server key and the profile ID" in said
    assert "tests" not in said
    assert till.rows() == []


async def test_the_check_of_a_live_account_says_that_it_can_not_tell_a_test_profile(scripted: Scripted) -> None:
    scripted.says(404, {"code": 113, "message": "Transaction not found"})
    assert "profile is one for tests" in await scripted.altered(live=True).check()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"server_key": "wrong"}, "Authentication failed"), ({"profile_id": "1"}, "profile_id"),
        ({"profile_id": "x"}, "region or profile ID"), ({"region": "MARS"}, "region or profile ID"),
    ],
)  # fmt: skip
async def test_the_check_names_credentials_that_are_wrong(till: Till, wrong: dict[str, str], words: str) -> None:
    connector = till.counter.connector(till.code, **wrong)
    with pytest.raises(Refused, match=words) as no:
        await connector.check()
    assert connector.turned_away(no.value)


async def test_words_on_the_merchant_are_about_the_profile_and_any_other_no_is_an_answer(scripted: Scripted) -> None:
    scripted.says(400, {"code": 5, "message": "No merchant information found in the request"})
    with pytest.raises(WrongCredentials, match="No merchant information"):
        await scripted.connector.check()
    scripted.says(404, {"code": 113, "message": "Transaction not found"})
    assert await scripted.connector.check()
    scripted.says(500, {"code": 400, "message": "try again"})
    with pytest.raises(Unclear):
        await scripted.connector.check()
