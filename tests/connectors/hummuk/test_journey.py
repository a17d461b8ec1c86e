"""humm in the United Kingdom in a whole installation: what the conformance suite leaves out, as humm names no currency (T1)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.connectors.journey import Shop

CODE = "HUMM_UK"


async def test_a_cheaper_payment_never_counts_and_is_given_back(shop: Shop) -> None:
    order = await shop.opens(CODE, "100")
    ((name, case),) = shop.installation.store.cases(order.reference)
    case.amount = Decimal("50.00")
    shop.installation.store.save(name, case, (), shop.installation.clock.now())
    assert await order.pays() != "SUCCESSFUL"

    async def given_back() -> bool:
        return order.balance == 0 and len(order.ledger) > 2

    await shop.eventually(given_back)
    assert await order.state() != "SUCCESSFUL"


async def test_what_was_given_back_in_humms_portal_is_not_given_back_again(shop: Shop) -> None:
    order = await shop.sells(CODE, "64.10")
    await order.at_provider("provider-refund", amount="64.10")
    refused = await order.refunds("64.10")
    assert refused.status >= 400 or refused.body["refundStatus"] == "FAILED"
    assert [kind for kind, _ in order.ledger].count("refund") == 1


@pytest.mark.parametrize(
    ("amount", "changes", "named"),
    [
        ("49.99", {}, "orderAmount"), ("15000.01", {}, "orderAmount"), ("100", {"purchaseCurrency": "EUR"}, "purchaseCurrency"),
        ("100", {"autoCapture": False}, "autoCapture"), ("100", {"getToken": True}, "getToken"),
    ],
)  # fmt: skip
async def test_what_humm_cannot_do_is_refused_by_its_fields_name(
    amount: str, changes: dict[str, Any], named: str, shop: Shop
) -> None:
    refused = await shop.is_refused(CODE, amount, **changes)
    assert refused.status == 400
    assert named in str(refused.body["message"])


async def test_a_foreign_mobile_number_says_which_field_to_mend(shop: Shop) -> None:
    who = {"firstName": "Ada", "lastName": "Byron", "email": "ada@shop.example", "phoneNumber": "+61400000000"}
    refused = await shop.is_refused(CODE, "100", customer=who)
    assert refused.status == 422
    assert "customer.phoneNumber has to be a British mobile number" in str(refused.body["message"])
