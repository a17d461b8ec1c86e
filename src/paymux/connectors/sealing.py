"""What a connector keeps in its state and nobody else may read: sealed under a key made from a secret of the account.

The secret itself is kept encrypted and apart from the orders, in whose rows the sealed text stands.
"""

from __future__ import annotations

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE = 12


def seal(secret: str, purpose: str, bound: str, text: str) -> str:
    """A text sealed for a purpose ("grab access token") and bound to what it belongs to, such as a session."""
    nonce = os.urandom(_NONCE)
    sealed = nonce + _cipher(secret, purpose).encrypt(nonce, text.encode(), bound.encode())
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def unseal(secret: str, purpose: str, bound: str, sealed: str) -> str | None:
    """The text; None where it was sealed under another secret, for another purpose or for something else."""
    try:
        content = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        return _cipher(secret, purpose).decrypt(content[:_NONCE], content[_NONCE:], bound.encode()).decode()
    except (ValueError, InvalidTag):
        return None


def _cipher(secret: str, purpose: str) -> AESGCM:
    key = HKDF(hashes.SHA256(), 32, salt=None, info=f"paymux {purpose}".encode()).derive(secret.encode())
    return AESGCM(key)
