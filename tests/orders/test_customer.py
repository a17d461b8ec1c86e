"""Texts without an order's customer: a provider's reason, what an erasure leaves."""

from __future__ import annotations

from typing import Any

import pytest

from paymux.orders.customer import Customer

BODY: dict[str, Any] = {
    "customer": {"firstName": "Zoë", "lastName": "Li", "email": "zoe.li@shop.example", "phoneNumber": "+61491570156"},
    "billingAddress": {"streetAddress": "7 Long Lane", "city": "Perth", "postalCode": "6000", "country": "AU", "state": "WA"},
    "shippingAddress": None, "additionalData": {"note": {"deep": ["for Grandma"]}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("ZOE.LI@SHOP.EXAMPLE is not accepted", "[erased] is not accepted"),
        ("zoë li was refused", "[erased] [erased] was refused"),
        ("?mail=zoe.li%40shop.example&x=1", "?mail=[erased]&x=1"),
        ("lives at 7+Long+Lane", "lives at [erased]"),
        ("a gift for grandma", "a gift [erased]"),
        ("the limit of 6000 is reached", "the limit of 6000 is reached"),
        ("delivery is applied", "delivery is applied"),
        ("declined in AU, WA", "declined in AU, WA"),
    ],
)
def test_the_customer_goes_and_the_sentence_stays(text: str, left: str) -> None:
    assert Customer.of(BODY).without(text) == left


def test_a_json_value_loses_him_at_any_depth_and_keeps_its_numbers() -> None:
    value = {"reason": "Perth", "sums": [1, {"of": "Zoë"}], "none": None}
    assert Customer.of(BODY).without(value) == {"reason": "[erased]", "sums": [1, {"of": "[erased]"}], "none": None}


def test_who_is_not_known_is_not_looked_for() -> None:
    erased = {
        "customer": dict.fromkeys(("firstName", "lastName", "email", "phoneNumber"), ""),
        "billingAddress": {"country": "AU"},
    }
    nobody = Customer.of(erased)
    assert nobody.without("nothing to see") == "nothing to see"
    assert not nobody.named_in("nothing to see")
