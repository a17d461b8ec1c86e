"""`paymux connectors new`: a connector to start from, with its simulator and tests, green from the first minute."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Annotated

import typer

import paymux
from paymux import connector_template
from paymux.connectors.registry import all_providers

connectors = typer.Typer(no_args_is_help=True, help="Write a connector.")

_TEMPLATE = Path(connector_template.__file__).parent
_NAME = re.compile(r"[a-z][a-z0-9]{1,30}")
_CODE = re.compile(r"[A-Z][A-Z0-9_]{1,62}")


@connectors.callback()
def about() -> None:
    """Write a connector."""


@connectors.command("new", short_help="Make a small connector to start from.")
def new(
    name: Annotated[str, typer.Argument(help="The folder's name: lower-case letters and digits, e.g. flowerpay.")],
    title: Annotated[str, typer.Option(help="The name that people read; by default made of NAME.")] = "",
    code: Annotated[str, typer.Option(help="Its first payment method code; by default NAME in capitals.")] = "",
    root: Annotated[
        Path, typer.Option(help="The checkout of paymux to write into.", exists=True, file_okay=False)
    ] = Path(paymux.__file__).parents[2],
) -> None:
    """Make a complete small connector of an invented provider: connector, facts, simulator, samples and tests.

    It is green as it stands; docs/connectors.md says what to change first, and why.
    """
    title, code = title or name.capitalize(), code or name.upper()
    folder, tests = root / "src/paymux/connectors" / name, root / "tests/connectors" / name
    if fault := _refusal(name, title, code, folder, tests):
        typer.echo(fault, err=True)
        raise typer.Exit(1)
    words = {"newpay": name, "New Pay": title, "NewPay": _class(title), "NEWPAY": code}
    written = [_write(path, folder / path.relative_to(_TEMPLATE / "newpay"), words) for path in _sources()]
    written.append(_write(_TEMPLATE / "test_newpay.py.txt", tests / f"test_{name}.py", words))
    (tests / "__init__.py").touch()
    for path in written:
        typer.echo(f"  {path.relative_to(root)}")
    typer.echo(f"Now: make tools && .venv/bin/pytest tests/connectors/{name}   and read docs/connectors.md.")


def _sources() -> list[Path]:
    return [
        path for path in sorted((_TEMPLATE / "newpay").rglob("*")) if path.is_file() and "__pycache__" not in path.parts
    ]


def _class(title: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", title))


def _refusal(name: str, title: str, code: str, folder: Path, tests: Path) -> str | None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        return "NAME must be 2 to 31 lower-case letters and digits, beginning with a letter."
    if not _CODE.fullmatch(code):
        return "--code must be capitals, digits and underscores, beginning with a letter."
    if not title.isprintable() or '"' in title or "\\" in title or not _class(title)[:1].isalpha():
        return "--title must be a printable name that begins with a letter."
    if not folder.parent.is_dir() or not tests.parent.is_dir():
        return f"{folder.parent} is no checkout of paymux: name one with --root."
    if folder.exists() or tests.exists():
        return f"{folder if folder.exists() else tests} exists already, and is left as it is."
    owner = next((p for p in all_providers().values() if code in p.facts.codes and not p.facts.fallback), None)
    return f"{code} is the connector {owner.name}'s: choose another --code." if owner else None


def _write(source: Path, target: Path, words: dict[str, str]) -> Path:
    text = re.sub("|".join(words), lambda found: words[found[0]], source.read_text(encoding="utf-8"))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target
