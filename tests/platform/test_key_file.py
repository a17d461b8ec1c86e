"""The key file: replaced whole, by one at a time, and followed by processes that run."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from paymux.platform import encryption
from paymux.platform.encryption import KeyRing, Unreadable
from paymux.platform.key_file import KeyFileMissing, Keys, change_file, make_file, read_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "keys.json"
    make_file(found)
    return found


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Running processes look at the file whenever they seal."""
    monkeypatch.setattr(encryption, "LOOK_EVERY", 0.0)


def test_a_rotation_adds_a_primary_key_behind_the_old_ones_and_changes_no_digest(path: Path) -> None:
    before = KeyRing.load(path, create=False)
    change_file(path, Keys.rotated)
    change_file(path, Keys.rotated)
    after = read_file(path)
    assert (list(after.keys), after.primary) == (["k1", "k2", "k3"], "k3")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["keys.json"]
    assert KeyRing.load(path, create=False).digest("a token") == before.digest("a token")


def test_digests_outlive_the_key_that_they_were_derived_from(path: Path) -> None:
    before = KeyRing.load(path, create=False)
    change_file(path, Keys.rotated)
    left = change_file(path, lambda keys: keys.without("k1"))
    assert list(left.keys) == ["k2"]
    assert KeyRing.load(path, create=False).digest("a token") == before.digest("a token")


def test_a_running_process_seals_with_the_new_key_by_itself(path: Path, looks: None) -> None:
    running = KeyRing.load(path, create=False)
    old = running.seal("old", "test")
    change_file(path, Keys.rotated)
    new = running.seal("new", "test")
    assert (old[1:3], new[1:3]) == (b"k1", b"k2")
    assert running.unseal(old, "test") == "old"


def test_a_process_that_has_not_looked_yet_opens_what_another_one_has_sealed_with_the_new_key(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encryption, "LOOK_EVERY", 3600.0)
    late = KeyRing.load(path, create=False)
    change_file(path, Keys.rotated)
    assert late.unseal(KeyRing.load(path, create=False).seal("new", "test"), "test") == "new"


def test_a_prepared_key_is_known_to_all_before_it_seals_anything(path: Path, looks: None) -> None:
    prepared = change_file(path, Keys.with_prepared)
    assert (prepared.primary, prepared.prepared) == ("k1", "k2")
    assert change_file(path, Keys.with_prepared).keys == prepared.keys, "a second one is not made"
    running = KeyRing.load(path, create=False)
    assert running.seal("x", "test")[1:3] == b"k1"
    rotated = change_file(path, Keys.rotated)
    assert (rotated.primary, rotated.keys) == ("k2", prepared.keys)


@pytest.mark.parametrize("content", ["", "{}", "{", '{"primary": "k1", "keys": {}}'])
def test_a_file_that_breaks_under_a_running_process_leaves_it_working(path: Path, looks: None, content: str) -> None:
    running = KeyRing.load(path, create=False)
    kept = running.seal("kept", "test")
    path.write_text(content)
    assert running.unseal(running.seal("new", "test"), "test") == "new"
    path.unlink()
    assert running.unseal(kept, "test") == "kept"


def test_another_installations_file_is_not_taken_over(path: Path, tmp_path: Path, looks: None) -> None:
    running = KeyRing.load(path, create=False)
    digest, kept = running.digest("a token"), running.seal("kept", "test")
    other = tmp_path / "other.json"
    make_file(other)
    change_file(other, Keys.rotated)
    other.replace(path)
    assert running.unseal(running.seal("new", "test"), "test") == "new"
    assert (running.digest("a token"), running.unseal(kept, "test")) == (digest, "kept")


def test_commands_that_race_for_the_file_come_one_after_the_other(path: Path) -> None:
    threads = [threading.Thread(target=change_file, args=(path, Keys.rotated)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(read_file(path).keys) == [f"k{number}" for number in range(1, 10)]


def test_the_primary_and_unknown_keys_are_not_taken_out(path: Path) -> None:
    before = path.read_bytes()
    for name in ("k1", "k7"):
        with pytest.raises(ValueError, match=name):
            change_file(path, lambda keys, name=name: keys.without(name))  # type: ignore[misc]
    assert path.read_bytes() == before


def test_a_ring_comes_from_the_environment_as_well(path: Path) -> None:
    given = KeyRing.given(path.read_text())
    assert given.unseal(KeyRing.load(path, create=False).seal("x", "test"), "test") == "x"
    with pytest.raises(KeyFileMissing, match="PAYMUX_KEYS can't be used"):
        KeyRing.given("{}")


def test_a_digest_key_that_is_none_is_refused(path: Path) -> None:
    kept = json.loads(path.read_text())
    path.write_text(json.dumps(kept | {"digest": "c2hvcnQ="}))
    with pytest.raises(KeyFileMissing, match="digest key"):
        read_file(path)


def test_nothing_of_a_key_shows_in_what_is_said_of_it(path: Path) -> None:
    secret = json.loads(path.read_text())["keys"]["k1"]
    with pytest.raises(KeyFileMissing) as refused:
        Keys.read(json.dumps({"primary": "k1", "keys": {"k1": "***" + secret}}), "The key file")
    assert secret not in str(refused.value)
    with pytest.raises(Unreadable) as unreadable:
        KeyRing.load(path, create=False).unseal(b"\x02k9" + b"a marked text" * 3, "test")
    assert "marked" not in str(unreadable.value)
