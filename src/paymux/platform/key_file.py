"""The keys of an installation as they are kept: a JSON object in a file for one owner, or in the environment (K3)."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NO_FILE = (
    "There is no key file at {path}. Put the installation's own back: without it nothing that it sealed can be read. "
    'A new installation needs one with mode 0600: {{"primary": "k1", "keys": {{"k1": "<32 random bytes in base64>"}}}}'
)
_SIZE = 32


class KeyFileMissing(Exception):
    """There is no key file, or it can't be used: the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Named keys, oldest first; the one that seals; and the key of all digests, which no rotation changes."""

    keys: Mapping[str, bytes]
    primary: str
    digest: bytes

    @classmethod
    def new(cls) -> Keys:
        """One random key."""
        key = secrets.token_bytes(_SIZE)
        return cls({"k1": key}, "k1", _digest_key(key))

    @classmethod
    def read(cls, text: str, place: str) -> Keys:
        """The keys of a JSON text; `place` says in errors where it is. Raises KeyFileMissing."""
        try:
            kept = json.loads(text)
            keys = {name: _decoded(value) for name, value in kept["keys"].items()}
            if not keys or kept["primary"] not in keys:
                raise ValueError("its primary key is not among its keys")
            if any(len(key) != _SIZE or not 0 < len(name.encode()) < 256 for name, key in keys.items()):
                raise ValueError("a key is not 32 bytes long, or its name not 1 to 255")
            # Without one of its own, the digests of an installation are made with a key from its first one.
            digest = _decoded(kept["digest"]) if "digest" in kept else _digest_key(next(iter(keys.values())))
            if len(digest) != _SIZE:
                raise ValueError("its digest key is not 32 bytes long")
        except (ValueError, KeyError, AttributeError, TypeError) as fault:
            raise KeyFileMissing(f"{place} can't be used: {fault}") from None
        return cls(keys, kept["primary"], digest)

    def text(self) -> str:
        """The JSON text that `read` reads."""
        keys = {name: _encoded(key) for name, key in self.keys.items()}
        return json.dumps({"primary": self.primary, "keys": keys, "digest": _encoded(self.digest)})

    @property
    def prepared(self) -> str | None:
        """A key behind the primary one: added already, and sealing nothing yet."""
        names = list(self.keys)
        behind = names[names.index(self.primary) + 1 :]
        return behind[0] if behind else None

    def with_prepared(self) -> Keys:
        """These keys and one more, which every process may learn of before anything is sealed with it."""
        if self.prepared is not None:
            return self
        numbers = [int(found[1]) for name in self.keys if (found := re.fullmatch(r"k([0-9]{1,9})", name))]
        return replace(self, keys={**self.keys, f"k{max(numbers, default=0) + 1}": secrets.token_bytes(_SIZE)})

    def rotated(self) -> Keys:
        """These keys with the prepared one, or else a new one, as primary. The old ones go on opening."""
        ready = self.with_prepared()
        assert ready.prepared is not None
        return replace(ready, primary=ready.prepared)

    def without(self, *names: str) -> Keys:
        """These keys without some that open nothing any more. Raises ValueError for the primary or an unknown one."""
        for name in names:
            if name not in self.keys:
                raise ValueError(f"There is no key {name}; there are {', '.join(self.keys)}.")
            if name == self.primary:
                raise ValueError(f"{name} is the primary key: rotate first.")
        return replace(self, keys={name: key for name, key in self.keys.items() if name not in names})


def read_file(path: Path) -> Keys:
    """The keys of a file that its owner alone can read. Raises KeyFileMissing."""
    try:
        if path.stat().st_mode & 0o077:
            raise KeyFileMissing(f"The key file {path} can be read by others; set its mode to 0600")
        text = path.read_text()
    except FileNotFoundError:
        raise KeyFileMissing(_NO_FILE.format(path=path)) from None
    except (OSError, ValueError) as fault:
        said = fault.strerror if isinstance(fault, OSError) else "it is not text"
        raise KeyFileMissing(f"The key file {path} can't be used: {said}") from fault
    return Keys.read(text, f"The key file {path}")


def make_file(path: Path) -> None:
    """Write a file with one new key, mode 0600, unless there is one. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and linked into place: two processes that start together end with one file.
    draft = _drafted(path, Keys.new())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def change_file(path: Path, change: Callable[[Keys], Keys]) -> Keys:
    """Replace a key file whole, by one command at a time; the keys as they are then. Raises KeyFileMissing, OSError."""
    path = path.resolve()
    with _alone(path.parent):
        before = read_file(path)
        after = change(before)
        if after.text() == before.text():
            return after
        draft, owner = _drafted(path, after), path.stat()
        try:
            if (owner.st_uid, owner.st_gid) != (draft.stat().st_uid, draft.stat().st_gid):
                # The processes that read it run as its owner, whoever types the command.
                os.chown(draft, owner.st_uid, owner.st_gid)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        return after


def _drafted(path: Path, keys: Keys) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(keys.text())
        file.flush()
        os.fsync(file.fileno())
    return draft


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _digest_key(first: bytes) -> bytes:
    return HKDF(hashes.SHA256(), _SIZE, None, b"paymux digest").derive(first)


def _decoded(value: str) -> bytes:
    return base64.b64decode(value, validate=True)


def _encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()
