"""What PayJustNow's simulator refuses and repeats as documented, asked by plain HTTP and not through the connector."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.payjustnow.conftest import TOKEN, Till, sample
from tests.connectors.scripted import changed

ORDER: dict[str, Any] = {
    "requestId": "idempkey",
    "payjustnow": {
        **sample("order_sent")["request"]["payjustnow"],
        "customer": {
            "firstName": "Matthew", "lastName": "Monson", "email": "m@shop.example", "phoneNumber": "0786542314",
        },
        "confirmRedirectUrl": "https://storefront.com/order/3dje30",
        "cancelRedirectUrl": "https://storefront.com/order/3dje30",
    },
}  # fmt: skip
REFUND = sample("refunded")["request"]


async def test_the_documented_order_is_opened_shown_and_cancelled(till: Till) -> None:
    status, made, _ = await till.call("create", ORDER)
    assert (status, made["checkoutPaymentStatus"], made["checkoutTotalCents"]) == (200, "PENDING_ORDER", 200000)
    named = {"checkoutToken": made["checkoutToken"]}
    status, shown, _ = await till.call("getstatus", named)
    assert (status, shown["requestId"], shown["merchantOrderReference"]) == (200, "idempkey", "test4")
    assert shown.keys() <= sample("status_paid")["answer"].keys() | sample("cancelled")["answer"].keys()
    status, cancelled, _ = await till.call("cancel", named)
    assert status == 200
    assert cancelled.keys() >= sample("cancelled")["answer"].keys()
    assert (await till.call("cancel", named))[0] == 403


async def test_a_call_that_is_not_signed_with_the_accounts_key_is_refused(till: Till) -> None:
    for who in ({"account": "2"}, {"key": "wrong"}):
        for name in ("create", "getstatus", "refund", "cancel"):
            assert (await till.call(name, ORDER, **who))[0] == 401
    assert (await till.request("POST", "/v2/create", ORDER))[0] == 401


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("payjustnow", None), ("payjustnow.merchantOrderReference", ""), ("payjustnow.orderAmountCents", 0),
        ("payjustnow.orderAmountCents", 100.5), ("payjustnow.orderItems", []), ("payjustnow.customer.email", None),
        ("payjustnow.orderItems.0.quantity", 0), ("payjustnow.orderItems.0.priceCents", "100"),
        ("payjustnow.confirmRedirectUrl", "/order"), ("payjustnow.cancelRedirectUrl", "http://shop.example"),
    ],
)  # fmt: skip
async def test_an_order_that_breaks_a_rule_is_refused(till: Till, path: str, value: Any) -> None:
    body = changed(ORDER, path, value)
    status, answer, _ = await till.call("create", body)
    assert status == 400
    assert path.rpartition(".")[2] in answer["message"]


async def test_a_repeated_request_of_a_refund_gets_the_first_answer_and_moves_nothing(till: Till) -> None:
    checkout, _ = await till.decides("approve", "1000.00")
    body = REFUND | {"checkoutToken": checkout.session}
    status, first, replay = await till.call("refund", body)
    assert (status, replay) == (200, "")
    assert first.keys() == sample("refunded")["answer"].keys()
    assert (await till.call("refund", body | {"refundAmountCents": 1})) == (200, first, "true")
    assert len(till.rows()) == 3
    assert (await till.call("refund", {name: value for name, value in body.items() if name != "requestId"}))[2] == ""
    assert len(till.rows()) == 4


@pytest.mark.parametrize("name", ["merchantRefundReference", "refundDescription", "refundAmountCents"])
async def test_a_refund_that_lacks_a_field_is_refused(till: Till, name: str) -> None:
    checkout, _ = await till.decides("approve", "1000.00")
    body = {key: value for key, value in REFUND.items() if key != name} | {"checkoutToken": checkout.session}
    assert (await till.call("refund", body))[0] == 400


async def test_what_is_no_json_or_names_an_unknown_checkout_is_refused(till: Till) -> None:
    assert (await till.call("create", b"[]"))[0] == 400
    assert (await till.call("create", b"{"))[0] == 400
    assert (await till.call("getstatus", {}))[0] == 400
    assert (await till.call("getstatus", {"checkoutToken": TOKEN}))[0] == 404
