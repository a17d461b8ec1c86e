"""The simulator demands what PayPal demands, whoever calls it."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.connectors.paypal.conftest import Till
from tests.connectors.till import KEY

CREATE = "/v2/checkout/orders"


def body(**changes: Any) -> dict[str, Any]:
    unit = {"amount": {"currency_code": "USD", "value": "10.00"}, "custom_id": "R-1001"}
    context = {"return_url": "https://shop.example/r", "cancel_url": "https://shop.example/c"}
    asked: dict[str, Any] = {
        "intent": "CAPTURE", "purchase_units": [unit | changes.pop("unit", {})],
        "payment_source": {"paypal": {"experience_context": context | changes.pop("context", {})}},
    }  # fmt: skip
    return asked | changes


async def creates(till: Till, said: Any, **headers: str) -> tuple[int, Any]:
    return await till.call("POST", CREATE, said, **{"PayPal_Request_Id": KEY, **headers})


def issue(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["details"][0]["issue"]


def amount(value: str, **breakdown: str) -> dict[str, Any]:
    parts = {name: {"currency_code": "USD", "value": text} for name, text in breakdown.items()}
    return {"amount": {"currency_code": "USD", "value": value, **({"breakdown": parts} if parts else {})}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"intent": "SALE"}, (400, "INVALID_PARAMETER_VALUE")),
        ({"purchase_units": []}, (400, "MISSING_REQUIRED_PARAMETER")),
        ({"unit": amount("0.00")}, (422, "CANNOT_BE_ZERO_OR_NEGATIVE")),
        ({"unit": amount("10.001")}, (422, "DECIMAL_PRECISION")),
        ({"unit": {"amount": {"currency_code": "KWD", "value": "10.00"}}}, (422, "INVALID_CURRENCY_CODE")),
        ({"unit": {"amount": {"currency_code": "HUF", "value": "10.50"}}}, (422, "DECIMALS_NOT_SUPPORTED")),
        ({"unit": amount("10.00", item_total="9.00")}, (422, "AMOUNT_MISMATCH")),
        ({"unit": {"custom_id": "R" * 128}}, (400, "INVALID_STRING_LENGTH")),
        ({"unit": {"shipping": {"address": {"country_code": "US"}}}}, (422, "CITY_REQUIRED")),
        ({"context": {"return_url": "http://shop.example/r"}}, (400, "INVALID_PARAMETER_SYNTAX")),
        ({"context": {"locale": "english"}}, (400, "INVALID_PARAMETER_SYNTAX")),
        ({"context": {"shipping_preference": "SET_PROVIDED_ADDRESS"}}, (400, "MISSING_REQUIRED_PARAMETER")),
    ],
)
async def test_an_order_that_breaks_a_rule_is_refused_by_paypals_own_word(
    till: Till, changes: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert issue(await creates(till, body(**changes))) == expected


async def test_lines_have_to_come_to_their_total(till: Till) -> None:
    item = {"name": "Shirt", "quantity": "3", "unit_amount": {"currency_code": "USD", "value": "3.33"}}
    assert issue(await creates(till, body(unit={"items": [item]}))) == (422, "ITEM_TOTAL_REQUIRED")
    wrong = amount("10.00", item_total="10.00") | {"items": [item]}
    assert issue(await creates(till, body(unit=wrong))) == (422, "ITEM_TOTAL_MISMATCH")
    right = amount("10.00", item_total="9.99", tax_total="0.01") | {"items": [item]}
    assert (await creates(till, body(unit=right)))[0] == 201


async def test_a_payment_source_needs_a_request_id_and_a_token(till: Till) -> None:
    assert issue(await till.call("POST", CREATE, body())) == (400, "PAYPAL_REQUEST_ID_REQUIRED")
    async with aiohttp.ClientSession() as http:
        url = f"{till.counter.base_url}/paypal{CREATE}"
        async with http.post(url, json=body(), headers={"Authorization": "Bearer A21AAwrong"}) as answer:
            assert (answer.status, (await answer.json())["name"]) == (401, "AUTHENTICATION_FAILURE")


async def test_an_answer_is_brief_unless_it_is_asked_to_be_whole(till: Till) -> None:
    status, brief = await creates(till, body())
    assert (status, brief.keys()) == (201, {"id", "status", "links"})
    again, same = await creates(till, body())
    assert (again, same["id"]) == (200, brief["id"])
    _, whole = await till.call("GET", f"{CREATE}/{brief['id']}")
    assert whole["purchase_units"][0]["custom_id"] == "R-1001"


async def test_an_order_is_confirmed_by_its_own_intent_only(till: Till) -> None:
    own = await till.decided()
    status, said = await till.call("POST", f"{CREATE}/{own.session}/authorize", {})
    assert (status, said["details"][0]["issue"]) == (422, "ACTION_DOES_NOT_MATCH_INTENT")


async def test_captures_may_exceed_an_authorisation_by_15_percent_and_no_more(till: Till) -> None:
    own = await till.holds()
    path = f"/v2/payments/authorizations/{own.payment_id}/capture"
    for value, expected in (("115.01", 422), ("115.00", 201)):
        status, _ = await till.call("POST", path, {"amount": {"currency_code": "USD", "value": value}})
        assert status == expected


async def test_a_repeated_request_is_forgotten_after_six_hours(till: Till) -> None:
    _, first = await creates(till, body())
    till.passes(hours=6)
    status, other = await creates(till, body())
    assert (status, other["id"] != first["id"]) == (201, True)
