"""Ids that sort by time and say what they name: `ord_…`, `cap_…`; secrets that nobody can guess."""

from __future__ import annotations

import secrets

from uuid6 import uuid7

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str) -> str:
    """A sortable id with a prefix, 26 characters of Crockford base 32 after it: at most 31 in all."""
    number, letters = uuid7().int, []
    for _ in range(26):
        number, digit = divmod(number, 32)
        letters.append(_ALPHABET[digit])
    return f"{prefix}_{''.join(reversed(letters))}"


def new_secret(prefix: str, bits: int = 128) -> str:
    """A random secret with a prefix, of so many bits, URL-safe."""
    return f"{prefix}_{secrets.token_urlsafe(bits // 8)}"
