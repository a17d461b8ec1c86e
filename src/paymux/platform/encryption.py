"""The key ring: everything secret or personal is encrypted at rest with authenticated encryption (K3)."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from paymux.platform.key_file import KeyFileMissing, Keys, make_file, read_file

log = structlog.get_logger()

LOOK_EVERY = 2.0
"""Seconds after which a process that seals looks whether its key file has changed."""
_NONCE = 12
_TAG = 16


class Unreadable(Exception):
    """Something sealed that no key of the ring opens, or for another purpose."""


class KeyRing:
    """Seals texts with the primary key and opens them with any key of the ring.

    A ring that was loaded from a file follows it: a rotation reaches a running process within LOOK_EVERY seconds, and at
    once when it meets a text that is sealed with a key it does not know.
    """

    def __init__(self, keys: Keys, path: Path | None = None) -> None:
        self._ring, self._path = keys, path
        self._seen: tuple[int, int, int] | None = None
        self._next_look = time.monotonic() + LOOK_EVERY

    @classmethod
    def load(cls, path: Path, *, create: bool) -> KeyRing:
        """Read the key file; make one with mode 0600 when there is none and `create`. Raises KeyFileMissing."""
        if create and not path.exists():
            make_file(path)
        return cls(read_file(path), path)

    @classmethod
    def given(cls, text: str) -> KeyRing:
        """The ring of a JSON text, as PAYMUX_KEYS holds it. Raises KeyFileMissing."""
        return cls(Keys.read(text, "PAYMUX_KEYS"))

    @property
    def primary(self) -> str:
        """The name of the key that seals."""
        self._follow()
        return self._ring.primary

    def seal(self, text: str, purpose: str) -> bytes:
        """Encrypt a text for a purpose; only the same purpose opens it."""
        name = self.primary
        nonce = os.urandom(_NONCE)
        sealed = AESGCM(self._ring.keys[name]).encrypt(nonce, text.encode(), purpose.encode())
        return mark_of(name) + nonce + sealed

    def unseal(self, sealed: bytes, purpose: str) -> str:
        """Decrypt what was sealed for this purpose. Raises Unreadable."""
        size = sealed[0] if sealed else 0
        name, rest = sealed[1 : 1 + size].decode(errors="replace"), sealed[1 + size :]
        if name not in self._ring.keys:
            self._follow(at_once=True)
        if name not in self._ring.keys:
            raise Unreadable(f"sealed with key {name!r}, which is not in the ring")
        if len(rest) < _NONCE + _TAG:
            raise Unreadable("cut off")
        try:
            return AESGCM(self._ring.keys[name]).decrypt(rest[:_NONCE], rest[_NONCE:], purpose.encode()).decode()
        except InvalidTag as fault:
            raise Unreadable("sealed for another purpose, or changed") from fault

    def reseal(self, sealed: bytes, purposes: tuple[str, ...]) -> bytes:
        """The same text under the primary key, for whichever of the purposes it was sealed. Raises Unreadable."""
        for purpose in purposes[:-1]:
            try:
                return self.seal(self.unseal(sealed, purpose), purpose)
            except Unreadable:
                continue
        return self.seal(self.unseal(sealed, purposes[-1]), purposes[-1])

    def digest(self, text: str) -> str:
        """A keyed hash (HMAC-SHA256, hexadecimal) for looking secrets up and comparing them; rotation keeps it."""
        return hmac.new(self._ring.digest, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat() if self._path is not None else None
        except OSError:
            return None
        return (found.st_ino, found.st_mtime_ns, found.st_size) if found is not None else None

    def _follow(self, *, at_once: bool = False) -> None:
        """Take the file's keys over if it has changed. One that is gone, or can't be used, leaves what there is."""
        if self._path is None or (not at_once and time.monotonic() < self._next_look):
            return
        self._next_look = time.monotonic() + LOOK_EVERY
        seen = self._look()
        if seen is None or seen == self._seen:
            return
        try:
            keys = read_file(self._path)
        except KeyFileMissing as fault:
            log.warning("keys.unusable", reason=str(fault))
            return
        self._seen = seen
        if keys.digest != self._ring.digest:
            # Another installation's: nobody's secret would be known any more.
            log.warning("keys.of_another_installation", path=str(self._path))
            return
        self._ring = keys


def mark_of(key: str) -> bytes:
    """How everything begins that is sealed with this key."""
    name = key.encode()
    return bytes([len(name)]) + name
