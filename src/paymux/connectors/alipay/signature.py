"""Alipay's signatures: RSA with SHA-256 (PKCS #1 v1.5) over method, path, client, time and body.

A request, its answer and a notification are signed alike, each with its sender's private key.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from urllib.parse import quote, unquote

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

_SIGNATURE = re.compile(r"(?:^|[,\s])signature=([^,\s]+)")


class UnusableKey(ValueError):
    """What was entered as a key is no RSA key."""


def sign(key: str, content: bytes) -> str:
    """The `Signature` header for a content: the signature in base64, its special characters escaped."""
    signature = _private(key).sign(content, padding.PKCS1v15(), hashes.SHA256())
    return f"algorithm=RSA256,keyVersion=1,signature={quote(base64.b64encode(signature).decode(), safe='')}"


def genuine(header: str, key: str, content: bytes) -> bool:
    """Whether a `Signature` header is the key owner's for a content. Anything that can't be read is not."""
    found = _SIGNATURE.search(header)
    if found is None:
        return False
    try:
        signature = base64.b64decode(unquote(found[1]), validate=True)
        _public(key).verify(signature, content, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def content(path: str, client: str, time: str, body: bytes) -> bytes:
    """What is signed. `path` is the URL's path with its query, if it has one; the method is always POST."""
    return f"POST {path}\n{client}.{time}.".encode() + body


def _der(key: str) -> bytes:
    """A key's bytes, given as PEM or as its bare base64."""
    return base64.b64decode("".join(re.sub(r"-----[A-Z ]+-----", "", key).split()), validate=True)


@lru_cache(maxsize=64)
def _private(key: str) -> RSAPrivateKey:
    try:
        loaded = load_der_private_key(_der(key), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
        raise UnusableKey("the private key is no RSA key") from fault
    if not isinstance(loaded, RSAPrivateKey):
        raise UnusableKey("the private key is no RSA key")
    return loaded


@lru_cache(maxsize=64)
def _public(key: str) -> RSAPublicKey:
    try:
        loaded = load_der_public_key(_der(key))
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
        raise UnusableKey("the public key is no RSA key") from fault
    if not isinstance(loaded, RSAPublicKey):
        raise UnusableKey("the public key is no RSA key")
    return loaded
