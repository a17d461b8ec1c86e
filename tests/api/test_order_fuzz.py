"""Any body at all: the answer is 201 or a 4xx in the documented shape, never a 500, and only a 201 leaves an order."""

from __future__ import annotations

import copy
import itertools
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paymux.platform.database import from_json, to_json
from tests.api.conftest import Holds
from tests.installation import Merchant

_NUMBERS = itertools.count(1)
NUMBERS = ["1e400", "-0", "0.001", "1e-1000010", "1e99999999999999999999", "-1", "100", "0", "1" * 60, "1e9", "3.14"]

# A few of every kind of character: all of Unicode takes seconds to set up and finds no more.
letters = st.sampled_from("aZ09 .,:;_-/\\'\"{}[]%&?#<>@+\t\n\r\0\x07\x7f\x85ä注𝄞\u2028\u202e\ufeff\ud800\udfff")
words = st.text(letters, max_size=12) | st.sampled_from(
    [
        "",
        "AUD",
        "AU",
        "en_AU",
        "KLARNA",
        "YOUR_URL",
        "https://shop.example/",
        "http://127.0.0.1/",
        "\0",
        "\ud800",
        "..",
        "x" * 300,
    ]
)
numbers = (
    st.sampled_from(NUMBERS).map(lambda text: _Raw(text))
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
)
leaves = st.none() | st.booleans() | words | numbers
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4), max_leaves=8
)


class _Raw(str):
    """A number as it stands in the JSON text."""


def paths_of(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        found += paths_of(part, (*at, key))
    return found


EXTRA = [
    "shippingAmount", "taxAmount", "discountAmount", "shippingType", "shippingMethod", "autoCapture", "additionalData", "token",
    "dynamicRedirectURL", "dynamicCallbackUrl", "cancellationTimeout", "checkoutSessionTimeout", "checkoutTimeout", "channel",
    "partnerConfiguration", "getToken", "customerPresent", "sessionId", "partnerOrderReference", "customerToken", "unknownField",
]  # fmt: skip


@st.composite
def mutations(draw: st.DrawFn) -> list[tuple[str, Any, Any]]:
    """Up to four changes: put anything at a place, take a place away, double a list's item, or add a known field."""
    return draw(
        st.lists(
            st.tuples(st.just("put"), st.integers(0, 10_000), anything)
            | st.tuples(st.just("drop"), st.integers(0, 10_000), st.none())
            | st.tuples(st.just("add"), st.sampled_from(EXTRA), anything),
            min_size=1, max_size=4,
        )
    )  # fmt: skip


def changed(body: dict[str, Any], todo: list[tuple[str, Any, Any]]) -> Any:
    body = copy.deepcopy(body)
    for what, where, value in todo:
        places = paths_of(body)
        if what == "add":
            body[where] = value
        elif places:
            *way, last = places[where % len(places)]
            holder: Any = body
            for step in way:
                holder = holder[step]
            if what == "put":
                holder[last] = value
            else:
                del holder[last]
    return body


def text_of(value: Any) -> bytes:
    """JSON text with numbers as they were written, and what no UTF-8 holds escaped."""
    if isinstance(value, _Raw):
        return str(value).encode()
    if isinstance(value, dict):
        return b"{" + b",".join(text_of(str(k)) + b":" + text_of(v) for k, v in value.items()) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(text_of(part) for part in value) + b"]"
    if isinstance(value, str):
        import json

        return json.dumps(value).encode()
    return to_json(value).encode()


@pytest.fixture
def base(merchant: Merchant) -> dict[str, Any]:
    body: dict[str, Any] = from_json(to_json(merchant.order("PLANPAY_AU")))
    return body


@settings(
    max_examples=200, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(todo=mutations())
async def test_whatever_is_sent_the_answer_is_201_or_a_4xx_that_says_why(
    todo: list[tuple[str, Any, Any]], base: dict[str, Any], merchant: Merchant, holds: Holds
) -> None:
    reference = f"FUZZ-{next(_NUMBERS)}"
    body = changed(base | {"orderReference": reference}, todo)
    answer = await merchant.post("/orders", text_of(body))
    assert answer.status == 201 or 400 <= answer.status < 500, answer.body
    kept = await merchant.get(f"/orders/{reference}")
    if answer.status == 201:
        holds("CreatedOrder", answer.body)
        if body["orderReference"] == reference:
            assert (kept.status, kept.body["amount"]) == (200, answer.body["orderAmount"])
            assert Decimal(kept.body["amount"]) == Decimal(str(body["orderAmount"]))
    else:
        holds("Error", answer.body)
        assert answer.body["message"]
        if answer.status == 400:
            assert kept.status == 404, "a refused body leaves nothing"


OPERATIONS = [
    ("capture", {"captureReference": "C", "amount": 1}), ("void", {"voidReference": "V", "amount": 1}),
    ("refund", {"refundReference": "R", "refundAmount": {"amount": 1, "currency": "AUD"}}), ("cancel", {"description": "x"}),
]  # fmt: skip


@settings(
    max_examples=60, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(which=st.sampled_from(OPERATIONS), todo=mutations())
async def test_whatever_is_asked_of_an_unpaid_order_it_stays_as_it_is(
    which: tuple[str, dict[str, Any]], todo: list[tuple[str, Any, Any]], unpaid: str, merchant: Merchant, holds: Holds
) -> None:
    name, body = which
    answer = await merchant.post(f"/orders/{unpaid}/{name}", text_of(changed(body, todo)))
    if name == "cancel" and answer.status == 201:
        return
    assert 400 <= answer.status < 500, answer.body
    holds("Error", answer.body)


@pytest.fixture
async def unpaid(merchant: Merchant) -> str:
    reference: str = (await merchant.creates("PLANPAY_AU"))["orderReference"]
    return reference
