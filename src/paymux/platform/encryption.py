"""The key ring: everything secret or personal is encrypted at rest with authenticated encryption (K3)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE = 12
_TAG = 16


_NO_FILE = (
    "There is no key file at {path}. Put the installation's own back: without it nothing that it sealed can be read. "
    'A new installation needs one with mode 0600: {{"primary": "k1", "keys": {{"k1": "<32 random bytes in base64>"}}}}'
)


class KeyFileMissing(Exception):
    """There is no key file, or it can't be used: the sentence says what to do."""


class Unreadable(Exception):
    """Something sealed that no key of the ring opens, or for another purpose."""


class KeyRing:
    """Seals texts with the primary key and opens them with any key of the ring.

    To rotate: add a key **behind** the others and name it as primary. Digests are made with a key derived from the
    first one, so the first must stay where it is for as long as anything is looked up by digest.
    """

    def __init__(self, keys: dict[str, bytes], primary: str) -> None:
        self._keys, self._primary = keys, primary
        first = next(iter(keys.values()))
        self._digest_key = HKDF(hashes.SHA256(), 32, None, b"paymux digest").derive(first)

    @classmethod
    def load(cls, path: Path, *, create: bool) -> KeyRing:
        """Read the key file; make one with mode 0600 when there is none and `create`. Raises KeyFileMissing."""
        if not path.exists():
            if not create:
                raise KeyFileMissing(_NO_FILE.format(path=path))
            cls._write_new(path)
        if path.stat().st_mode & 0o077:
            raise KeyFileMissing(f"The key file {path} can be read by others; set its mode to 0600")
        try:
            kept = json.loads(path.read_text())
            keys = {name: base64.b64decode(value, validate=True) for name, value in kept["keys"].items()}
            if not keys or kept["primary"] not in keys:
                raise ValueError("its primary key is not among its keys")
            if any(len(key) != 32 or not 0 < len(name.encode()) < 256 for name, key in keys.items()):
                raise ValueError("a key is not 32 bytes long, or its name not 1 to 255")
        except OSError as fault:
            raise KeyFileMissing(f"The key file {path} can't be read: {fault.strerror}") from fault
        except (ValueError, KeyError, AttributeError, TypeError) as fault:
            raise KeyFileMissing(f"The key file {path} can't be used: {fault}") from fault
        return cls(keys, kept["primary"])

    @staticmethod
    def _write_new(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        # Written beside and linked into place: two processes that start together end with one file.
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"primary": "k1", "keys": {"k1": key}}, file)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()

    def seal(self, text: str, purpose: str) -> bytes:
        """Encrypt a text for a purpose; only the same purpose opens it."""
        nonce, name = os.urandom(_NONCE), self._primary.encode()
        sealed = AESGCM(self._keys[self._primary]).encrypt(nonce, text.encode(), purpose.encode())
        return bytes([len(name)]) + name + nonce + sealed

    def unseal(self, sealed: bytes, purpose: str) -> str:
        """Decrypt what was sealed for this purpose. Raises Unreadable."""
        size = sealed[0] if sealed else 0
        name, rest = sealed[1 : 1 + size].decode(errors="replace"), sealed[1 + size :]
        if name not in self._keys:
            raise Unreadable(f"sealed with key {name!r}, which is not in the ring")
        if len(rest) < _NONCE + _TAG:
            raise Unreadable("cut off")
        try:
            return AESGCM(self._keys[name]).decrypt(rest[:_NONCE], rest[_NONCE:], purpose.encode()).decode()
        except InvalidTag as fault:
            raise Unreadable("sealed for another purpose, or changed") from fault

    def digest(self, text: str) -> str:
        """A keyed hash (HMAC-SHA256, hexadecimal) for looking secrets up and comparing them; rotation keeps it."""
        return hmac.new(self._digest_key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
