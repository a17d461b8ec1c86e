"""The simulator demands what humm demands, whoever calls it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.hummuk.conftest import Till, sample


def body(till: Till, **changes: Any) -> dict[str, Any]:
    """The documented request of the sandbox's own account; a change to None takes a field away."""
    own = till.counter.sandbox.simulators["hummuk"].credentials["account_id"]
    asked: dict[str, Any] = {**sample("process_initiated")["request"], "accountId": own}
    for part in ("customerInfo", "orderDetails"):
        asked[part] = {**asked[part], **{name: value for name, value in changes.items() if name in asked[part]}}
    return {**asked, **{name: value for name, value in changes.items() if name in asked}}


async def test_the_documented_request_is_accepted(till: Till) -> None:
    status, said = await till.call("/initiateProcess", body(till))
    assert (status, said["success"], said["error"]) == (200, True, None)
    assert len(said["flexiTrackingId"]) == 16
    assert said.keys() >= sample("process_initiated")["answer"].keys()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"accountId": "other"}, "INCORRECT_ACCOUNTID"), ({"customerInfo": None}, "REQUIRED_FIELD_MISSING"),
        ({"name": ""}, "REQUIRED_FIELD_MISSING"), ({"email": "ada"}, "INCORRECT_FORMAT"),
        ({"mobileNumber": "+447700900123"}, "INVALID_MOBILE_NUMBER"), ({"mobileNumber": "770090012"}, "INVALID_MOBILE_NUMBER"),
        ({"orderDescription": None}, "REQUIRED_FIELD_MISSING"), ({"orderDate": "23/12/2022"}, "INCORRECT_FORMAT"),
        ({"orderInvoiceAmt": "100.00"}, "REQUIRED_FIELD_MISSING"), ({"orderInvoiceAmt": 100.001}, "INCORRECT_FORMAT"),
        ({"orderInvoiceAmt": 49.99}, "INCORRECT_AMOUNT"), ({"checkout_returnURL": "shop.example"}, "INCORRECT_FORMAT"),
    ],
)  # fmt: skip
async def test_a_request_that_breaks_a_rule_is_answered_without_success(
    till: Till, changes: dict[str, Any], code: str
) -> None:
    status, said = await till.call("/initiateProcess", body(till, **changes))
    assert (status, said["success"], said["error"]["errorCode"]) == (200, False, code)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"), ({"client_id": "x"}, "invalid_client"),
        ({"refresh_token": "x"}, "invalid_grant"),
    ],
)  # fmt: skip
async def test_a_token_is_granted_for_all_of_the_credentials_only(
    till: Till, changes: dict[str, str], error: str
) -> None:
    status, said = await till.signs_in(**changes)
    assert (status, said["error"]) == (400, error)


async def test_without_a_living_token_nothing_is_answered(till: Till) -> None:
    assert (await till.call("/initiateProcess", body(till), token="made-up"))[0] == 401
    token = (await till.signs_in())[1]["access_token"]
    assert (await till.call("/initiateProcess", body(till), token=token))[0] == 200
    till.passes(hours=1)
    status, said = await till.call("/initiateProcess", body(till), token=token)
    assert (status, said[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
