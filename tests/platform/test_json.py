"""JSON with exact decimals: what is no number is no JSON, whoever sent it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from paymux.platform.database import from_json


def test_numbers_with_a_point_stay_exact() -> None:
    assert from_json('{"amount": 10.10}') == {"amount": Decimal("10.10")}


def test_an_exponent_that_no_decimal_has_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="no number"):
        from_json('{"amount": 1e99999999999999999999}')


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (r'{"a": "x\u0000y"}', {"a": "x\ufffdy"}),
        (rb'{"a": ["\ud83d", {"\uDE00": 1.5}]}', {"a": ["\ufffd", {"\ufffd": Decimal("1.5")}]}),
        (rb'{"a": "\ud83d\ude00 \u00e9 \\u0000"}', {"a": "😀 é \\u0000"}),
    ],
)  # fmt: skip
def test_what_nothing_of_ours_can_keep_is_replaced_and_every_other_letter_stays(
    said: str | bytes, kept: object
) -> None:
    assert from_json(said) == kept
