"""What gets installed is exactly what was locked, from wherever; and `make audit` says what it knows, and no more."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import distributions, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock", "build/pip-audit.lock")


def requirements(text: str) -> list[str]:
    """The requirements of a lock, each with all that belongs to it."""
    whole = re.sub(r"\\\n", " ", text)
    return [line for line in whole.splitlines() if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_one_version_with_its_hashes_and_names_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text()
    found = requirements(text)

    assert len(found) > 20
    assert [line for line in found if not re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []
    assert "://" not in text, "a lock names no host: every machine asks its own index"
    assert not re.search(r"--(index|extra-index|find-links|trusted-host)|-[if] ", text)


def test_what_runs_in_production_is_locked_alike_for_those_who_develop() -> None:
    runtime, develop = (
        {line.split(" --hash")[0].strip() for line in requirements((ROOT / lock).read_text())} for lock in LOCKS[:2]
    )

    assert runtime <= develop


def test_what_is_installed_has_all_that_it_asks_for_but_what_the_overrides_name() -> None:
    """The development lock is installed without looking at dependencies, so nobody but this looks."""
    overridden = {
        canonicalize_name(Requirement(line).name)
        for line in (ROOT / "build" / "client-overrides.txt").read_text().splitlines()
        if line and not line.startswith("#")
    }
    here = {canonicalize_name(one.name): one.version for one in distributions()}
    asked = [
        (name, Requirement(text))
        for name in (line.split("==")[0] for line in requirements((ROOT / "requirements-dev.lock").read_text()))
        if name in here
        for text in requires(name) or ()
    ]
    unmet = {
        canonicalize_name(wanted.name)
        for _, wanted in asked
        if (wanted.marker is None or wanted.marker.evaluate({"extra": ""}))
        and (
            canonicalize_name(wanted.name) not in here
            or not wanted.specifier.contains(here[canonicalize_name(wanted.name)], prereleases=True)
        )
    }

    assert len(asked) > 100
    assert unmet == overridden


def test_the_makefile_installs_by_hash_only() -> None:
    installs = [
        line for line in (ROOT / "Makefile").read_text().splitlines() if "pip install" in line and "-r " in line
    ]

    assert installs
    assert [line for line in installs if "--require-hashes" not in line] == []


def vulnerable(name: str) -> dict[str, Any]:
    return {"dependencies": [{"name": name, "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}]}


def audit(tmp_path: Path, known: object, locks: object) -> tuple[int, str]:
    """`make audit`'s script over a tool that finds this in what everybody knows, and that in our locks."""
    (tmp_path / "build").mkdir()
    for name in ("audit_packages.sh", "show_vulnerabilities.py", "pip-audit.lock"):
        shutil.copy(ROOT / "build" / name, tmp_path / "build")
    for name, found in (("known", known), ("locks", locks)):
        (tmp_path / name).write_text("" if found is None else json.dumps(found))
    tool = tmp_path / ".venv" / "audit" / "bin"
    tool.mkdir(parents=True)
    (tool / "python").symlink_to(sys.executable)
    (tool / "pip-audit").write_text(
        '#!/bin/sh\nfor word; do [ "$before" = -r ] && lock=$word; [ "$before" = -o ] && out=$word; before=$word; done\n'
        'case $lock in *known*) found=known;; *) found=locks;; esac\n[ -s $found ] || { echo "lost: all" >&2; exit 1; }\n'
        'cat $found >"$out"; ! grep -q CVE "$out"\n'
    )
    (tool / "pip-audit").chmod(0o755)
    done = subprocess.run(
        ["sh", "build/audit_packages.sh", sys.executable], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_the_audit_names_what_is_vulnerable_and_fails(tmp_path: Path) -> None:
    code, said = audit(tmp_path, vulnerable("jinja2"), vulnerable("ours"))

    assert (code, "requirements.lock:\n  ours 1.0: CVE-1, mended in 1.1" in said) == (1, True), said


def test_the_audit_says_when_nothing_is_known(tmp_path: Path) -> None:
    code, said = audit(tmp_path, vulnerable("jinja2"), {"dependencies": []})

    assert (code, said) == (
        0, "requirements.lock: no known vulnerability\nrequirements-dev.lock: no known vulnerability\n",
    )  # fmt: skip


@pytest.mark.parametrize("known", [None, {"dependencies": []}])
def test_the_audit_says_not_checked_when_nobody_answers_or_whoever_answers_knows_nothing(
    tmp_path: Path, known: object
) -> None:
    code, said = audit(tmp_path, known, {"dependencies": []})

    assert (code, said.startswith("not checked: "), "no known" in said) == (0, True, False), said
