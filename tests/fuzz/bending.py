"""Documented messages, bent: keys dropped, types changed, numbers out of all bounds, nulls, junk, strange strings."""

from __future__ import annotations

import copy
from decimal import Decimal, InvalidOperation
from typing import Any

from hypothesis import strategies as st

# A few of every kind: all of Unicode takes seconds to set up and finds no more.
letters = st.sampled_from("aZ09 .,:;_-/\\'\"{}[]%&?#<>@+=\t\n\r\0\x07\x7f\x85ä注𝄞\u2028\u202e\ufeff\ud800\udfff٣")
NUMBERS = [
    "0", "-1", "1", "1.5", "0.001", "-0", "100", "99999999999999999999", "1e400", "1e-1000010", "1e99999999999999999999",
    "NaN", "Infinity", "-Infinity", "1_000", " 12 ", "0x10", "٣", "1" * 60,
]  # fmt: skip
STRINGS = [
    "", " ", "AUD", "EUR", "XXX", "XTS", "aud", "null", "true", "../..", "a/b?c#d", "x" * 400, "\0", "\ud800",
    "https://127.0.0.1:1/", "http://", "javascript:alert(1)", "2023-08-29T00:57:25Z", "2023-08-29", "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59", "2023-02-30T00:00:00Z",
]  # fmt: skip
words = st.sampled_from(STRINGS + NUMBERS) | st.text(letters, max_size=10)
leaves = (
    st.none() | st.booleans() | words | st.integers(-(10**18), 10**18)
    | st.sampled_from([10**40, -(10**40), Decimal("1E+400"), Decimal("1E-400"), Decimal("0.1"), Decimal("100.001"), 10**4200])
)  # fmt: skip
junk = st.recursive(
    leaves, lambda part: st.lists(part, max_size=3) | st.dictionaries(words, part, max_size=3), max_leaves=5
)

Bends = list[tuple[str, int, Any]]
bends: st.SearchStrategy[Bends] = st.lists(
    st.tuples(st.just("drop"), st.integers(0, 9999), st.none())
    | st.tuples(st.just("put"), st.integers(0, 9999), junk)
    | st.tuples(st.just("word"), st.integers(0, 9999), words)
    | st.tuples(st.just("wrap"), st.integers(0, 9999), st.sampled_from(["list", "dict", "text"]))
    | st.tuples(st.just("twice"), st.integers(0, 9999), st.none())
    | st.tuples(st.just("swap"), st.integers(0, 9999), st.integers(0, 9999)),
    max_size=3,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every part of a JSON value."""
    found = [at] if at else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        found += places(part, (*at, key))
    return found


def bent(value: Any, todo: Bends) -> Any:
    """A JSON value with all of these changes made to a copy of it."""
    whole = [copy.deepcopy(value)]
    for what, where, more in todo:
        ways = places(whole)
        *way, last = ways[where % len(ways)]
        holder: Any = whole
        for step in way:
            holder = holder[step]
        if what == "drop" and holder is not whole:
            del holder[last]
        elif what in ("put", "word"):
            holder[last] = copy.deepcopy(more)
        elif what == "wrap":
            part = holder[last]
            holder[last] = {"list": [part], "dict": {"value": part}, "text": str(part)}[more]
        elif what == "twice" and isinstance(holder, list) and holder is not whole:
            holder.append(copy.deepcopy(holder[last]))
        elif what == "swap":
            *other, end = ways[more % len(ways)]
            there: Any = whole
            for step in other:
                there = there[step]
            holder[last] = copy.deepcopy(there[end])
    return whole[0]


def numbers_in(value: Any) -> set[Decimal]:
    """Every number that a message says, whether as a number or as text."""
    if isinstance(value, dict):
        return set().union(*(numbers_in(part) for part in value.values()), numbers_in(list(value.keys())))
    if isinstance(value, list):
        return set().union(*(numbers_in(part) for part in value))
    if value is None or isinstance(value, bool):
        return set()
    try:
        number = Decimal(str(value).strip()) if not isinstance(value, Decimal | int) else Decimal(value)
    except (InvalidOperation, ValueError):
        return set()
    return {number} if number.is_finite() else set()


def words_in(value: Any) -> set[str]:
    """Every text that a message says, and every number as it is written."""
    if isinstance(value, dict):
        return set().union(*(words_in(part) for part in value.values()))
    if isinstance(value, list):
        return set().union(*(words_in(part) for part in value))
    return set() if value is None else {str(value)}
