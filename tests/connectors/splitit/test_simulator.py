"""The simulator demands what Splitit demands, whoever calls it."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.connectors.splitit.conftest import Till, sample
from tests.connectors.till import ONE

INITIATE = "/api/installmentplans/initiate"


def body(**parts: Any) -> dict[str, Any]:
    """The documented plan with some of its parts changed."""
    asked: dict[str, Any] = sample("plan_initiated")["request"]
    return {name: ({**part, **parts[name]} if name in parts else part) if isinstance(part, dict) else part
            for name, part in asked.items()}  # fmt: skip


async def test_the_documented_plan_is_accepted(till: Till) -> None:
    status, said = await till.call("POST", INITIATE, body())
    assert (status, said["Status"], said["RefOrderNumber"]) == (200, "Initialized", "MerchantOrder123")


@pytest.mark.parametrize(
    ("parts", "word"),
    [
        ({"PlanData": {"TotalAmount": "121"}}, "InvalidAmount"), ({"PlanData": {"TotalAmount": 0}}, "InvalidAmount"),
        ({"PlanData": {"TerminalId": "other"}}, "TerminalApiKeyMissing"),
        ({"PlanData": {"Currency": None}}, "CurrencyMustBeDefinedOnTransaction"),
        ({"PlanData": {"NumberOfInstallments": 0}}, "InvalidNumberOfInstallments"),
        ({"Shopper": {"Email": "nobody"}}, "InvalidEmailFormat"), ({"Shopper": {"PhoneNumber": ""}}, "PhoneIsMissing"),
        ({"BillingAddress": {"City": ""}}, "AddressDataIsMissingOrPartiallyInitiated"),
        ({"BillingAddress": {"Zip": "1"}}, "InvalidZIPCode"),
        ({"RedirectUrls": {"Failed": "http://shop.example"}}, "General Error"),
        ({"EventsEndpoints": {"CreateSucceeded": "shop.example"}}, "General Error"),
    ],
)  # fmt: skip
async def test_a_plan_that_breaks_a_rule_is_refused(till: Till, parts: dict[str, Any], word: str) -> None:
    status, said = await till.call("POST", INITIATE, body(**parts))
    assert (status, said["Error"]["Message"]) == (400, word)


async def test_every_call_needs_a_token_a_key_and_a_touch_point(till: Till) -> None:
    path = "/api/installmentplans/1"
    assert (await till.call("GET", path))[0] == 404
    assert (await till.call("GET", path, Authorization="Bearer wrong"))[0] == 401
    assert (await till.call("GET", path, X_Splitit_IdempotencyKey=""))[0] == 400
    assert (await till.call("GET", path, X_Splitit_TouchPoint=""))[0] == 400


@pytest.mark.parametrize(
    "changes", [{"grant_type": "password"}, {"scope": "api.v1"}, {"client_id": "x"}, {"client_secret": "x"}]
)
async def test_a_token_is_granted_for_the_right_form_only(till: Till, changes: dict[str, str]) -> None:
    simulator = till.counter.sandbox.simulators["splitit"]
    form = {"grant_type": "client_credentials", "scope": "api.v3", **simulator.credentials}
    url = f"{till.counter.base_url}/splitit-id/connect/token"
    async with aiohttp.ClientSession() as http:
        async with http.post(url, data=form) as answer:
            assert answer.status == 200
        async with http.post(url, data=form | changes) as answer:
            assert answer.status == 400


async def test_an_access_token_is_renewed_when_it_has_run_out(till: Till) -> None:
    _, own = await till.opens()
    till.passes(hours=2)
    assert (await till.connector.fetch(own)).reference == "R-1001"


async def test_a_key_with_another_payload_is_refused(till: Till) -> None:
    own = await till.pays()
    path = f"/api/installmentplans/{own.session}/refund"
    first = await till.call("POST", path, {"Amount": 1})
    assert first[0] == 200
    assert await till.call("POST", path, {"Amount": 1}) == first
    status, said = await till.call("POST", path, {"Amount": 2})
    assert (status, said["Error"]["Message"]) == (400, "IdempotencyHashMismatchError")
    assert [kind for kind, _ in till.rows()].count("refund") == 1


async def test_a_part_of_a_plan_that_does_not_run_yet_cannot_be_given_back(till: Till) -> None:
    own = await till.pays(auto_capture=False)
    path = f"/api/installmentplans/{own.session}/refund"
    assert (await till.call("POST", path, {"Amount": 99}))[0] == 400
    assert (await till.call("POST", path, {"Amount": 100, "RefundStrategy": "Any"}, X_Splitit_IdempotencyKey=ONE))[
        0
    ] == 400
    assert [kind for kind, _ in till.rows()] == ["authorize"]


async def test_a_refund_lessens_the_instalments_to_come_before_the_card(till: Till) -> None:
    own = await till.pays("90.00")
    path = f"/api/installmentplans/{own.session}"
    _, said = await till.call("POST", f"{path}/refund", {"Amount": 40})
    assert (said["NonCreditRefundAmount"], said["CreditRefundAmount"]) == (40, 0)
    _, plan = await till.call("GET", path)
    assert [(part["Amount"], part["Status"]) for part in plan["Installments"]] == [
        (30, "Processed"), (0, "Canceled"), (20, "Pending"),
    ]  # fmt: skip
    _, said = await till.call("POST", f"{path}/refund", {"Amount": 50}, X_Splitit_IdempotencyKey=ONE)
    assert (said["NonCreditRefundAmount"], said["CreditRefundAmount"]) == (20, 30)
