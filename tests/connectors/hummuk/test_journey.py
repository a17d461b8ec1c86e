"""humm in the United Kingdom in a whole installation: what the conformance suite leaves out, as humm names no currency (T1)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper

CODE = "HUMM_UK"


async def test_a_cheaper_payment_never_counts_and_is_given_back(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates(CODE, "100")
    reference = opened["orderReference"]
    ((name, case),) = installation.store.cases(reference)
    case.amount = Decimal("50.00")
    installation.store.save(name, case, (), installation.clock.now())
    assert (await shopper.pays(opened["redirectUrl"]))["status"] != "SUCCESSFUL"

    async def given_back() -> bool:
        return installation.balance(reference) == 0 and len(installation.ledger(reference)) > 2

    await eventually(given_back)
    assert (await merchant.status(reference))["status"] != "SUCCESSFUL"


async def test_what_was_given_back_in_humms_portal_is_not_given_back_again(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates(CODE, "64.10")
    reference = opened["orderReference"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    ((_, case),) = installation.store.cases(reference)
    url = f"{installation.settings.sandbox_base_url}/hummuk/sandbox/provider-refund"
    assert (await installation.call("POST", url, json={"id": case.id, "amount": "64.10"})).status == 201
    refused = await merchant.refunds(reference, "64.10", "R-1")
    assert refused.status >= 400 or refused.body["refundStatus"] == "FAILED"
    assert [kind for kind, _ in installation.ledger(reference)].count("refund") == 1


@pytest.mark.parametrize(
    ("amount", "changes", "named"),
    [
        ("49.99", {}, "orderAmount"), ("15000.01", {}, "orderAmount"), ("100", {"purchaseCurrency": "EUR"}, "purchaseCurrency"),
        ("100", {"autoCapture": False}, "autoCapture"), ("100", {"getToken": True}, "getToken"),
    ],
)  # fmt: skip
async def test_what_humm_cannot_do_is_refused_by_its_fields_name(
    merchant: Merchant, amount: str, changes: dict[str, Any], named: str
) -> None:
    refused = await merchant.post("/orders", merchant.order(CODE, amount, **changes))
    assert refused.status == 400
    assert named in str(refused.body["message"])


async def test_a_foreign_mobile_number_says_which_field_to_mend(merchant: Merchant) -> None:
    who = {"firstName": "Ada", "lastName": "Byron", "email": "ada@shop.example", "phoneNumber": "+61400000000"}
    refused = await merchant.post("/orders", merchant.order(CODE, "100", customer=who))
    assert refused.status == 422
    assert "customer.phoneNumber has to be a British mobile number" in str(refused.body["message"])
