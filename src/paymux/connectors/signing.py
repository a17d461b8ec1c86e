"""Signatures by a shared secret: HMAC in the forms that providers write it, compared in constant time."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Literal

Algorithm = Literal["sha256", "sha512"]


def hmac_bytes(secret: str, message: str | bytes, algorithm: Algorithm = "sha256") -> bytes:
    """The HMAC of a message under a secret's UTF-8 bytes."""
    content = message.encode() if isinstance(message, str) else message
    return hmac.new(secret.encode(), content, getattr(hashlib, algorithm)).digest()


def hmac_hex(secret: str, message: str | bytes, algorithm: Algorithm = "sha256") -> str:
    """The HMAC as lower-case hexadecimal."""
    return hmac_bytes(secret, message, algorithm).hex()


def hmac_base64(secret: str, message: str | bytes, algorithm: Algorithm = "sha256") -> str:
    """The HMAC as standard base64 with padding."""
    return base64.b64encode(hmac_bytes(secret, message, algorithm)).decode()


def same(said: str | None, expected: str) -> bool:
    """Whether a signature or secret that came is the expected one, in constant time; an empty expected one never is."""
    # Half a surrogate pair is no part of any signature, but JSON can bring one.
    given = (said or "").encode("utf-8", "backslashreplace")
    return bool(expected) and hmac.compare_digest(given, expected.encode())
