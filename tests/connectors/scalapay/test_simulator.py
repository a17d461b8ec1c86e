"""The simulator demands what Scalapay demands, whoever calls it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.scalapay.conftest import Till, sample
from tests.connectors.till import KEY, ONE, TWO


def body(**changes: Any) -> dict[str, Any]:
    return {**sample("order_created")["request"], **changes}


async def test_the_documented_order_is_accepted(till: Till) -> None:
    status, said, _ = await till.call("POST", "/v2/orders", body())
    assert (status, said.keys()) == (200, {"token", "expires", "checkoutUrl"})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"totalAmount": {"amount": 190, "currency": "EUR"}}, "amount"),
        ({"totalAmount": {"amount": "190,00", "currency": "EUR"}}, "amount"),
        ({"totalAmount": {"amount": "190.00", "currency": "USD"}}, "currency"), ({"consumer": None}, "consumer"),
        ({"consumer": {"email": "a@b.example"}}, "phoneNumber"), ({"shipping": {}}, "phoneNumber"),
        ({"items": []}, "items"), ({"items": [{"name": "Cap"}]}, "category"), ({"product": "pay-in-5"}, "product"),
        ({"merchant": {"redirectConfirmUrl": "http://shop.example", "redirectCancelUrl": "x"}}, "redirectConfirmUrl"),
    ],
)  # fmt: skip
async def test_an_order_that_breaks_a_rule_is_refused(till: Till, changes: dict[str, Any], field: str) -> None:
    status, said, _ = await till.call("POST", "/v2/orders", body(**changes))
    assert (status, said["errorCode"], said["httpStatusCode"]) == (400, "api_validationerror", 400)
    assert said["message"]["errors"][0]["field"][-1] == field


async def test_without_the_key_nothing_is_answered(till: Till) -> None:
    for method, path in (("GET", "/v2/payments/1"), ("POST", "/v2/orders"), ("POST", "/v2/payments/capture")):
        status, said, _ = await till.call(method, path, {}, Authorization="Bearer wrong")
        assert (status, said) == (401, "Unauthorized")
    assert (await till.call("GET", "/v2/payments/1"))[0] == 422


async def test_a_repeat_with_the_same_key_gets_the_first_answer_marked_as_such(till: Till) -> None:
    own, _ = await till.confirmed()
    path = f"/v2/payments/{own.session}/refund"
    asked = {"refundAmount": {"amount": "10.00", "currency": "EUR"}}
    _, first, headers = await till.call("POST", path, asked, Idempotency_Key=ONE)
    assert "Request-Idempotency" not in headers
    _, again, headers = await till.call("POST", path, asked, Idempotency_Key=ONE)
    assert (again, headers["Request-Idempotency"]) == (first, "true")
    await till.call("POST", path, asked, Idempotency_Key=TWO)
    assert [kind for kind, _ in till.rows()].count("refund") == 2


@pytest.mark.parametrize("verb", ["delay", "void", "capture"])
async def test_only_an_authorised_order_can_be_captured_delayed_or_voided(till: Till, verb: str) -> None:
    own = await till.decided("cancel")
    path = "/v2/payments/capture" if verb == "capture" else f"/v2/payments/{own.session}/{verb}"
    asked = {"token": own.session, "authorizationExpiryMilliseconds": 1}
    status, said, _ = await till.call("POST", path, asked, Idempotency_Key=KEY)
    assert (status, said["errorCode"]) == (400, "pre_condition_failed")
    assert till.rows() == []


async def test_a_delay_says_how_long(till: Till) -> None:
    own = await till.decided()
    assert (await till.call("POST", f"/v2/payments/{own.session}/delay", {}))[0] == 400


async def test_an_order_can_be_given_up_before_it_is_captured_or_delayed(till: Till) -> None:
    own = await till.decided()
    status, said, _ = await till.call("POST", f"/v2/payments/{own.session}/void", {})
    assert (status, said["token"]) == (200, own.session)
    _, shown, _ = await till.call("GET", f"/v2/payments/{own.session}")
    assert (shown["status"], shown["captureStatus"]) == ("expired", "voided")
    assert till.rows() == []


async def test_a_refund_in_the_partner_portal_moves_money(till: Till) -> None:
    own, _ = await till.confirmed()
    assert (await till.call("POST", "/sandbox/provider-refund", {"id": own.session, "amount": "5"}))[0] == 201
    assert (await till.call("POST", "/sandbox/provider-refund", {"id": own.session, "amount": "96"}))[0] == 400
    assert [kind for kind, _ in till.rows()] == ["authorize", "capture", "refund"]
