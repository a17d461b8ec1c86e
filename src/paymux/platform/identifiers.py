"""Ids that sort by time and say what they name: `ord_…`, `cap_…`; secrets that nobody can guess."""

from __future__ import annotations

import secrets
from datetime import datetime

from uuid6 import uuid7

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str) -> str:
    """A sortable id with a prefix, 26 characters of Crockford base 32 after it: at most 31 in all."""
    return f"{prefix}_{_written(uuid7().int)}"


def id_at(prefix: str, at: datetime) -> str:
    """The least id of an instant: every id that was made before it, in real time, is smaller, every later one greater."""
    return f"{prefix}_{_written(int(max(at.timestamp(), 0) * 1000) << 80)}"


def _written(number: int) -> str:
    letters = []
    for _ in range(26):
        number, digit = divmod(number, 32)
        letters.append(_ALPHABET[digit])
    return "".join(reversed(letters))


def new_secret(prefix: str, bits: int = 128) -> str:
    """A random secret with a prefix, of so many bits, URL-safe."""
    return f"{prefix}_{secrets.token_urlsafe(bits // 8)}"
