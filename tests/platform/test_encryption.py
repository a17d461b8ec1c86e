"""The key ring: sealed for a purpose, opened with any key of the ring, never readable by others."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from paymux.platform.encryption import KeyRing, Unreadable
from paymux.platform.key_file import KeyFileMissing


def key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def write(path: Path, content: Any, mode: int = 0o600) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "down" / "keys.json"


@pytest.fixture
def ring(path: Path) -> KeyRing:
    return KeyRing.load(path, create=True)


def test_a_new_key_file_is_for_its_owner_alone_and_is_read_again_afterwards(path: Path, ring: KeyRing) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["keys.json"]
    kept = json.loads(path.read_text())
    assert kept["primary"] == "k1"
    assert len(base64.b64decode(kept["keys"]["k1"])) == 32
    assert KeyRing.load(path, create=False).unseal(ring.seal("secret", "test"), "test") == "secret"


def test_a_process_that_lost_the_race_for_the_first_key_takes_the_winners(
    path: Path, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "exists", lambda self: False)  # it looked before the winner had written
    assert KeyRing.load(path, create=True).unseal(ring.seal("secret", "test"), "test") == "secret"
    assert [item.name for item in path.parent.iterdir()] == ["keys.json"]


def test_a_missing_key_file_is_not_made_unless_asked(path: Path) -> None:
    with pytest.raises(KeyFileMissing, match="There is no key file at"):
        KeyRing.load(path, create=False)
    assert not path.exists()


def test_the_refusal_of_a_missing_key_file_shows_a_form_that_works(path: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyFileMissing) as missing:
        KeyRing.load(path, create=False)
    shown = str(missing.value)[str(missing.value).index("{") :].replace("<32 random bytes in base64>", key())
    ring = KeyRing.load(write(tmp_path / "keys.json", shown), create=False)
    assert ring.unseal(ring.seal("x", "test"), "test") == "x"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_file_that_others_can_read_is_refused(path: Path, ring: KeyRing, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(KeyFileMissing, match="0600"):
        KeyRing.load(path, create=False)


@pytest.mark.parametrize(
    "content",
    [
        "", "no json", "[]", "{}", "null", '{"primary": "k1", "keys": []}', '{"primary": "k1", "keys": {}}',
        {"primary": "k2", "keys": {"k1": key()}},
        {"primary": "k1", "keys": {"k1": base64.b64encode(b"short").decode()}},
        {"primary": "k1", "keys": {"k1": "***" + key()}},
        {"primary": "k1", "keys": {"k1": 7}},
        {"primary": "x" * 256, "keys": {"x" * 256: key()}},
        {"primary": "", "keys": {"": key()}},
    ],
)  # fmt: skip
def test_a_key_file_that_is_not_one_is_refused_with_a_sentence(tmp_path: Path, content: Any) -> None:
    with pytest.raises(KeyFileMissing, match="can't be used"):
        KeyRing.load(write(tmp_path / "keys.json", content), create=False)


def test_what_is_sealed_says_nothing_and_never_looks_the_same_twice(ring: KeyRing) -> None:
    first, second = ring.seal("a secret", "test"), ring.seal("a secret", "test")
    assert first != second
    assert b"a secret" not in first


def test_another_purpose_does_not_open_it(ring: KeyRing) -> None:
    with pytest.raises(Unreadable, match="another purpose"):
        ring.unseal(ring.seal("a secret", "payment-secret"), "webhook-secret")


def test_another_ring_does_not_open_it(ring: KeyRing, tmp_path: Path) -> None:
    other = KeyRing.load(tmp_path / "other.json", create=True)
    with pytest.raises(Unreadable):
        other.unseal(ring.seal("a secret", "test"), "test")


def test_every_changed_bit_is_noticed(ring: KeyRing) -> None:
    sealed = ring.seal("a secret", "test")
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(Unreadable):
            ring.unseal(changed, "test")


def test_whatever_is_cut_off_is_unreadable_and_nothing_worse(ring: KeyRing) -> None:
    sealed = ring.seal("a secret", "test")
    for length in range(len(sealed)):
        with pytest.raises(Unreadable):
            ring.unseal(sealed[:length], "test")
    with pytest.raises(Unreadable):
        ring.unseal(b"\x02\xff\xfe" + bytes(40), "test")


def test_after_a_rotation_the_old_opens_the_new_seals_and_digests_stay(tmp_path: Path) -> None:
    one, two = key(), key()
    before = KeyRing.load(write(tmp_path / "a.json", {"primary": "k1", "keys": {"k1": one}}), create=False)
    after = KeyRing.load(write(tmp_path / "b.json", {"primary": "k2", "keys": {"k1": one, "k2": two}}), create=False)
    assert after.unseal(before.seal("old", "test"), "test") == "old"
    with pytest.raises(Unreadable, match="'k2', which is not in the ring"):
        before.unseal(after.seal("new", "test"), "test")
    assert after.digest("a token") == before.digest("a token")


def test_a_digest_is_keyed_and_takes_any_text(ring: KeyRing, tmp_path: Path) -> None:
    assert len(ring.digest("a token")) == 64
    assert ring.digest("a token") != ring.digest("another token")
    assert ring.digest("a token") != KeyRing.load(tmp_path / "other.json", create=True).digest("a token")
    assert ring.digest("\ud800")
