"""A gift that costs nothing, and a discount, are in valid orders (M2, M3): no provider is sent what makes it refuse them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.conformance.trial import PATIENT, Trial

LIMITS = PATIENT
LOWEST = Decimal(300)
"""What each order comes to, where the code's limits allow it: enough for a line, a discount and what is shipped."""

ORDERS: dict[str, dict[str, Any]] = {
    "a gift beside what is paid": {"lines": (0, 1)},
    "a gift in three pieces": {"lines": (1, 0), "pieces": 3},
    "a gift of which only the shipping is paid": {"lines": (0,), "shippingAmount": 1},
    "a discount": {"lines": (Decimal("1.25"),), "discountAmount": Decimal("0.25")},
    "a discount as large as a line": {"lines": (1, Decimal("0.5")), "discountAmount": Decimal("0.5")},
    "a gift, a discount, shipping and tax": {
        "lines": (1, 0), "discountAmount": Decimal("0.5"), "shippingAmount": Decimal("0.3"), "taxAmount": Decimal("0.2"),
    },
    "a discount on the shipping": {
        "lines": (1,), "shippingAmount": Decimal("0.1"), "discountAmount": Decimal("0.1"),
    },
}  # fmt: skip
"""What the lines, shipping, tax and discount are, as parts of the order's amount."""


def _body(trial: Trial, code: str, told: dict[str, Any]) -> dict[str, Any]:
    rule = trial.facts.codes[code]
    total = min(max(LOWEST, rule.min.to_integral_value() + 1), rule.max)
    items = [
        {
            "name": f"Thing {number}", "sku": f"S-{number}", "quantity": pieces, "unitPrice": total * part / pieces,
            "totalAmount": total * part,
        }
        for number, part in enumerate(told["lines"])
        for pieces in (told.get("pieces", 1) if part == 0 else 1,)
    ]  # fmt: skip
    extra = {name: total * part for name, part in told.items() if name.endswith("Amount")}
    return trial.merchant.order(code, str(total), orderItems=items, **extra)


@pytest.mark.parametrize("told", ORDERS.values(), ids=list(ORDERS))
async def test_an_order_with_a_gift_or_a_discount_is_opened_for_every_code(trial: Trial, told: dict[str, Any]) -> None:
    refused = {}
    for code in trial.facts.codes:
        answer = await trial.merchant.post("/orders", _body(trial, code, told))
        if answer.status != 201:
            refused[code] = answer.body["message"]
    assert refused == {}
