"""The simulator demands what PayTabs demands."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.paytabs.conftest import Till

PAGE = {
    "profile_id": 987654, "tran_type": "sale", "tran_class": "ecom", "cart_id": "R-1001", "cart_currency": "EGP",
    "cart_amount": 100, "cart_description": "Shirt", "payment_methods": ["all"], "return": "https://shop.example/r",
    "callback": "https://shop.example/c",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"profile_id": 1}, 400, 2),
        ({"profile_id": "987654"}, 400, 2),
        ({"tran_type": "buy"}, 400, 2),
        ({"cart_id": 7}, 400, 101),
        ({"cart_id": "x" * 65}, 400, 101),
        ({"cart_currency": "pounds"}, 400, 206),
        ({"cart_amount": "100"}, 400, 2),
        ({"cart_amount": 0}, 400, 2),
        ({"cart_description": ""}, 400, 2),
        ({"callback": "nowhere"}, 400, 2),
        ({"payment_methods": ["cash"]}, 400, 2),
        ({"payment_methods": ["valu"], "cart_currency": "AED"}, 400, 206),
        ({"payment_methods": ["valu"], "tran_type": "auth"}, 400, 206),
        ({"tran_type": "refund", "tran_ref": "TST0"}, 400, 2),
    ],
)
async def test_a_request_that_breaks_a_rule_is_not_taken(
    till: Till, changes: dict[str, Any], status: int, code: int
) -> None:
    said = await till.call("/payment/request", PAGE | changes)
    assert (said[0], said[1]["code"]) == (status, code)
    assert till.counter.sandbox.store.cases("R-1001") == []


async def test_another_key_is_told_nothing(till: Till) -> None:
    status, said = await till.call("/payment/request", PAGE, authorization="wrong")
    assert (status, said["code"]) == (401, 1)
    assert till.counter.sandbox.store.cases("R-1001") == []


async def test_the_same_cart_is_taken_again_after_two_minutes_only(till: Till) -> None:
    assert (await till.call("/payment/request", PAGE))[0] == 200
    assert await till.call("/payment/request", PAGE) == (
        409, {"code": 4, "message": "Duplicate Request", "trace": "PMNT0401.SANDBOX"},
    )  # fmt: skip
    assert (await till.call("/payment/request", PAGE | {"cart_amount": 99}))[0] == 200
    till.passes(minutes=2)
    assert (await till.call("/payment/request", PAGE))[0] == 200


@pytest.mark.parametrize(
    ("auto", "kind", "amount"),
    [(True, "capture", 10), (True, "void", 100), (True, "refund", 100.01), (False, "refund", 10), (False, "void", 99),
     (False, "release", 101), (False, "capture", 100.01)],
)  # fmt: skip
async def test_a_follow_up_that_the_payment_does_not_allow_is_declined(
    till: Till, auto: bool, kind: str, amount: float
) -> None:
    checkout = await till.pays(auto_capture=auto)
    before = till.counter.ledger()
    follow_up = {"tran_type": kind, "cart_id": "F-1", "cart_currency": "AED", "cart_amount": amount}
    status, said = await till.call("/payment/request", PAGE | follow_up | {"tran_ref": checkout.payment})
    assert (status, said["payment_result"]["response_status"]) == (200, "D")
    assert till.counter.ledger() == before


async def test_a_query_names_a_transaction_or_a_cart_and_not_both(till: Till) -> None:
    checkout = await till.pays()
    known = {"profile_id": 987654, "tran_ref": checkout.payment}
    assert (await till.call("/payment/query", known))[1]["tran_ref"] == checkout.payment
    assert (await till.call("/payment/query", {"profile_id": 987654, "cart_id": "nobody's"}))[1] == []
    for wrong in (known | {"cart_id": "R-1001"}, {"profile_id": 987654}, known | {"tran_ref": "TST0"}):
        assert (await till.call("/payment/query", wrong))[0] == 400


async def test_a_page_is_decided_once_and_a_payment_on_hold_later(till: Till) -> None:
    opened, _ = await till.opens()
    assert (await till.counter.shopper(opened.url, "pending"))["respStatus"] == "H"
    assert till.counter.ledger() == []
    assert (await till.counter.shopper(opened.url, "approve"))["respStatus"] == "A"
    assert (await till.counter.shopper(opened.url, "decline"))["respStatus"] == "A"
    assert [kind for kind, _, _ in till.counter.ledger()] == ["authorize", "capture"]
