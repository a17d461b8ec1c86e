"""The documents say what the code does: generated ones are fresh, snippets are true, every code word is explained."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import playwright
import pytest
from docs import evidence, generate

from paymux import connector_template
from paymux.connectors import registry
from paymux.connectors.facts import Idempotent, ProviderFacts
from paymux.platform.settings import Settings
from tests.accounts.conftest import AddConnector, add_connector

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
__all__ = ["add_connector"]


def test_what_is_generated_is_fresh() -> None:
    stale = [str(path.relative_to(ROOT)) for path in generate.stale()]
    assert stale == [], "run `make docs` and commit what it writes"


def test_every_code_has_a_row_and_every_provider_a_page() -> None:
    overview = (DOCS / "providers.md").read_text()
    for code, (provider, _) in registry.all_codes().items():
        assert re.search(rf"^\| `{code}` \| .*providers/{provider.name}\.md", overview, re.M), code
        assert f"| `{code}` |" in (DOCS / "providers" / f"{provider.name}.md").read_text()


def test_a_new_connector_appears_by_its_facts_alone(add_connector: AddConnector) -> None:
    before = set(generate.stale())
    add_connector("flower", "FLOWER_AU", facts='retired = { date = "2026-01-01", source = "its letter" }')
    made = generate.documents()
    assert "| `FLOWER_AU` |" in made[DOCS / "providers.md"]
    assert "**Closed**: 2026-01-01 (its letter)" in made[DOCS / "providers" / "flower.md"]
    assert {path.name for path in set(generate.stale()) - before} == {"providers.md", "flower.md"} - {
        p.name for p in before
    }
    assert ": closed 2026-01-01 (its letter)" in made[DOCS / "providers.md"]
    # What it does is not known until it was tried.
    assert "| not tried yet |" in made[DOCS / "providers.md"]
    assert evidence.disproved(registry.all_providers()) == ["FLOWER_AU was not tried yet"]


def test_a_code_that_has_closed_alone_and_a_provider_of_which_nothing_is_heard_are_told_apart() -> None:
    made = generate.documents()
    overview, zip_, pace = (made[DOCS / name] for name in ("providers.md", "providers/zip.md", "providers/pace.md"))
    assert re.search(r"^\| `ZIP_UK` .*\.md\) \(closed\)", overview, re.M)
    assert re.search(r"^\| `ZIP_AU` .*\.md\) \|", overview, re.M)
    assert "**Closed** (`ZIP_UK`): 2022-08-25" in zip_
    assert "**Closed**:" not in zip_
    assert re.search(r"^\| `PACE` .*\.md\) \(not offered\)", overview, re.M)
    assert "**Not offered**: no sign of life since 2023-03-13" in pace


def test_a_page_of_a_connector_that_is_gone_is_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "DOCS", tmp_path)
    (tmp_path / "operate.md").write_text("<!-- settings: --><!-- end of settings -->")
    for path, text in generate.documents().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (tmp_path / "providers" / "gone.md").write_text("")
    assert [path.name for path in generate.stale()] == ["gone.md"]


def test_every_setting_is_explained() -> None:
    table = (DOCS / "operate.md").read_text()
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"| `PAYMUX_{name.upper()}` |" in table


def test_every_error_code_is_explained() -> None:
    """What a shop may meet as `code` of an error stands in the table of docs/integrate.md."""
    rooms = [ROOT / "src/paymux" / room for room in ("api", "orders", "checkout", "accounts")]
    text = "\n".join(path.read_text() for room in rooms for path in room.rglob("*.py"))
    raised = set(re.findall(r"""(?:ApiError|BodyFaults|NotFound|Conflict|ProviderRefused|Unavailable|ProviderUnreachable)\(
        (?:[^()]|\([^()]*\))*?code="([a-z_]+)\"""", text, re.X))  # fmt: skip
    raised |= set(re.findall(r"""faults\.add\((?:[^()]|\([^()]*\))*,\s*"([a-z_]+)"\s*,?\s*\)""", text))
    raised |= set(re.findall(r"""^    (?:status, )?code = (?:\d+, )?"([a-z_]+)\"""", text, re.M))
    assert {"duplicate_reference", "in_progress", "amount_mismatch", "not_supported", "provider_unreachable"} <= raised
    explained = set(re.findall(r"^\| `([a-z_]+)` \| \d{3}", (DOCS / "integrate.md").read_text(), re.M))
    assert sorted(raised - explained) == []


def _node() -> str:
    """The Node that comes with Playwright."""
    return str(Path(playwright.__file__).parent / "driver" / "node")


def _blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.S | re.M)


def test_the_walk_through_shows_the_connector_that_the_command_makes() -> None:
    template = Path(connector_template.__file__).parent
    shown = {
        "python": "".join(path.read_text() for path in (template / "newpay").glob("*.py")),
        "toml": (template / "newpay" / "provider.toml").read_text(),
    }
    for language, text in shown.items():
        blocks = _blocks(DOCS / "connectors.md", language)
        assert len(blocks) >= 2
        for block in blocks:
            assert block.strip("\n") in text, block


def test_the_walk_through_names_every_fact_that_only_some_providers_have() -> None:
    told = (DOCS / "connectors.md").read_text()
    flags = {name for name, fact in ProviderFacts.model_fields.items() if fact.annotation is bool} - {"fallback"}
    bends = {name for name, fact in Idempotent.model_fields.items() if fact.annotation is not bool}
    for name in flags | bends | {"decimals", "moves_echo_keys"}:
        assert re.search(rf"[`\[ .]{name}[`\] ]", told), name
    for shared in ("reading", "amounts", "bearer", "signing", "sealing"):
        assert f"`{shared}.py`" in told


PAGES = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "examples").rglob("*.md")]


def _prose(page: Path) -> str:
    """A page without its blocks of code, in which neither links nor headings are."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)


def _anchors(page: Path) -> set[str]:
    """What a heading is reached by, made as GitHub makes it."""
    headings = re.findall(r"^#+ (.+)$", _prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    for link, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", _prose(page)):
        if not link.startswith(("http://", "https://")):
            target = page.parent / link if link else page
            assert target.exists(), link
            assert not anchor or anchor in _anchors(target), f"{link}#{anchor}"


# A rule's code, as comments and docstrings cite it; V1 and V2 are versions of providers' APIs.
RULE = re.compile(r"\b(?:[A-UW-Z]\d{1,2}|design \d)\b")
# In any other text a code is cited in parentheses only: `(E5)`, `(M1, M2)`.
RULE_IN_TEXT = re.compile(r"\((?:[A-UW-Z]\d{1,2}(?:, )?)+\)")


def _remarks(path: Path) -> Iterator[str]:
    """What a file says beside its code: comments and docstrings, and of other texts what is in parentheses like a code."""
    text = path.read_text(encoding="utf-8")
    if not RULE.search(text):
        return
    if path.suffix != ".py":
        sign = "--" if path.suffix == ".sql" else "#"
        yield from re.findall(rf"^[^'\"\n]*?{sign}(.*)$", text, re.M)
        return
    first = True  # a text that begins a line is a docstring
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and first):
            yield token.string
        elif token.type == tokenize.STRING:
            yield from RULE_IN_TEXT.findall(token.string)
        if token.type != tokenize.COMMENT:
            first = token.type in (tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT)


def test_every_rule_that_is_cited_stands_in_the_list_of_rules() -> None:
    cited: dict[str, str] = {}
    for room in ("src", "tests", "bench", "examples", "build"):
        for path in (ROOT / room).rglob("*"):
            if path.suffix in (".py", ".sql", ".toml", ".sh"):
                where = str(path.relative_to(ROOT))
                cited |= {code: where for remark in _remarks(path) for code in RULE.findall(remark)}
    told = re.findall(r"^\| ([A-Z]\d{1,2}|design \d) \| \S", (DOCS / "rules.md").read_text(encoding="utf-8"), re.M)
    assert len(told) == len(set(told))
    assert {"T1", "U1", "E5", "M3", "design 5"} <= cited.keys()
    assert {code: where for code, where in cited.items() if code not in told} == {}


HASHED = ("secret", "SUCCESSFUL", "1234")
HASH = (
    "f242c50980560703bad5c6afcd8e9845afa642895bf550ae14390b1d738a0d3e"
    "3035ad2ef8074f60f00e8c0f194fe1c22cc8dcdfb5c8ca9b1fa9e630f0180971"
)


def test_the_python_check_of_a_return_accepts_the_published_vector_and_nothing_else() -> None:
    names: dict[str, object] = {}
    exec(next(b for b in _blocks(DOCS / "integrate.md", "python") if "sha512" in b), names)  # noqa: S102
    check = names["return_is_ours"]
    query = {"status": HASHED[1], "reference": HASHED[2], "hash": HASH}
    assert check(query, HASHED[0]) is True  # type: ignore[operator]
    assert check({**query, "status": "DECLINED"}, HASHED[0]) is False  # type: ignore[operator]


OTHERS = {
    "js": (_node(), "-e", "console.log(returnIsOurs(JSON.parse(process.argv[1]), process.argv[2]))", ()),
    "php": (
        shutil.which("php"),
        "-r",
        "echo returnIsOurs(json_decode($argv[1], true), $argv[2]) ? 'true' : 'false';",
        ("--",),
    ),
}


@pytest.mark.parametrize("language", [name for name, (program, *_) in OTHERS.items() if program])
def test_the_other_checks_of_a_return_do_the_same(language: str) -> None:
    program, option, call, before = OTHERS[language]
    block = next(b for b in _blocks(DOCS / "integrate.md", language) if "sha512" in b)
    query = {"status": HASHED[1], "reference": HASHED[2], "hash": HASH}
    for changed, expected in ((query, "true"), ({**query, "reference": "1235"}, "false")):
        words = [str(program), option, f"{block}\n{call}", *before, json.dumps(changed), HASHED[0]]
        ran = subprocess.run(words, capture_output=True, text=True, check=False)
        assert ran.stdout.strip() == expected, ran.stderr


def _guarantees(section: str) -> list[str]:
    """The rows of the tables of a section of docs/guarantees.md, without their heads."""
    page = (DOCS / "guarantees.md").read_text(encoding="utf-8")
    [text] = re.findall(rf"^## {section}$(.*?)(?=^## )", page, re.S | re.M)
    tables = re.findall(r"^\|[^\n]*\|\n\|[-|]+\|\n((?:\|[^\n]*\|\n)+)", text, re.M)
    return [row for table in tables for row in table.splitlines()]


def test_every_guarantee_names_tests_that_exist() -> None:
    page = (DOCS / "guarantees.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", page))
    assert len(named) > 80
    sources = {file: (ROOT / file).read_text(encoding="utf-8") for file, _ in named if (ROOT / file).is_file()}
    assert [f"{file}::{name}" for file, name in sorted(named) if f"def {name}(" not in sources.get(file, "")] == []
    assert re.findall(r"`test_\w+`", page) == [], "name the file, too"


@pytest.mark.parametrize(
    ("section", "least"),
    [("The promises", 30), ("Losses that others had, and the test that keeps each from happening here", 17),
     ("What happens without each guard", 30)],
)  # fmt: skip
def test_no_guarantee_stands_without_its_test(section: str, least: int) -> None:
    rows = _guarantees(section)
    assert len(rows) >= least
    assert [row for row in rows if "::test_" not in row] == []
