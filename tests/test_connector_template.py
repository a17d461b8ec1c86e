"""`paymux connectors new`: what it makes is green from the first minute, in a copy of the source tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from paymux.cli_connectors import connectors

ROOT = Path(__file__).parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what a connector needs of the tree: its own tests and the connectors that are there."""
    root = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", root / "src", ignore=ignored)
    (root / "tests/connectors").mkdir(parents=True)
    shared = [*(ROOT / "tests").glob("*.py"), *(ROOT / "tests/connectors").glob("*.py")]
    for path in (path for path in shared if not path.name.startswith("test_")):
        shutil.copy(path, root / path.relative_to(ROOT))
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def new(root: Path, *words: str) -> tuple[int, str]:
    answer = CliRunner().invoke(connectors, ["new", *words, "--root", str(root)])
    return answer.exit_code, answer.output


def run(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"}
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_a_new_connector_passes_its_own_tests_and_the_linters(checkout: Path) -> None:
    assert new(checkout, "flowerpay", "--title", "Flower Pay", "--code", "FLOWERPAY_AU")[0] == 0
    tested = run(checkout, "pytest", "tests/connectors/flowerpay", "-p", "no:cacheprovider")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert " passed" in tested.stdout
    made = ["src/paymux/connectors/flowerpay", "tests/connectors/flowerpay"]
    for linter in (("ruff", "check", *made), ("ruff", "format", "--check", *made), ("mypy", *made)):
        linted = run(checkout, *linter)
        assert linted.returncode == 0, linted.stdout + linted.stderr
    listed = run(checkout, "paymux", "providers")
    assert "FLOWERPAY_AU             flowerpay        unverified refund, partial refund, cancel, check" in listed.stdout


def test_a_field_that_the_provider_does_not_have_is_refused_before_it_is_sent(checkout: Path) -> None:
    new(checkout, "flowerpay")
    connector = checkout / "src/paymux/connectors/flowerpay/connector.py"
    text = connector.read_text()
    assert text.count('"email": order.customer.email') == 1
    connector.write_text(text.replace('"email": order.customer.email', '"e_mail": order.customer.email'))
    refused = run(checkout, "mypy", str(connector.relative_to(checkout)))
    assert refused.returncode == 1
    for sentence in (
        'Missing key "email" for TypedDict "NewCheckout"',
        'Extra key "e_mail" for TypedDict "NewCheckout"',
    ):
        assert sentence in refused.stdout


def test_nothing_of_the_example_is_left_in_it(checkout: Path) -> None:
    new(checkout, "flowerpay", "--title", "Flower Pay", "--code", "FLOWERPAY_AU")
    made = [
        *(checkout / "src/paymux/connectors/flowerpay").rglob("*.*"),
        *(checkout / "tests/connectors/flowerpay").iterdir(),
    ]
    assert len(made) >= 6
    for path in made:
        assert not any(word in path.read_text() for word in ("newpay", "New Pay", "NewPay", "NEWPAY")), path


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("Flower-Pay",), "lower-case letters"),
        (("class",), "lower-case letters"),
        (("flowerpay", "--code", "flower"), "--code must be capitals"),
        (("flowerpay", "--title", 'Flower"Pay'), "--title must be"),
        (("flowerpay", "--code", "AFTERPAY_AU"), "AFTERPAY_AU is the connector afterpay's"),
        (("afterpay",), "exists already"),
    ],
)
def test_what_can_not_be_a_connector_is_refused_in_words(checkout: Path, words: tuple[str, ...], reason: str) -> None:
    code, said = new(checkout, *words)
    assert code == 1
    assert reason in said
    assert not (checkout / "tests/connectors/flowerpay").exists()


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    code, said = new(tmp_path, "flowerpay")
    assert (code, "no checkout of paymux" in said) == (1, True)
