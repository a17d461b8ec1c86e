"""What the documents say is proven: each test that is named as a proof is there, and says itself what it proves."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from docs import evidence, generate
from typer.testing import CliRunner

from paymux import cli
from paymux.connectors.facts import Proof, ProviderFacts, Withheld
from paymux.connectors.registry import Provider, all_codes, all_providers

ROOT = Path(__file__).parents[2]
JUDGES = ("test_official_client.py", "test_published_spec.py", "test_published_specs.py", "test_specification.py")
"""Files of tests in which somebody else judges: by their name a proof."""
PROOFS = [(name, proof) for name, provider in sorted(all_providers().items()) for proof in provider.facts.proofs]


def _words(text: str) -> str:
    return " ".join(text.replace("_", " ").split())


@pytest.mark.parametrize(("name", "proof"), PROOFS, ids=[f"{name}-{proof.kind}" for name, proof in PROOFS])
def test_a_proof_names_a_test_of_its_connector_that_says_what_it_proves(name: str, proof: Proof) -> None:
    file = ROOT / proof.by
    assert file.parent == ROOT / "tests" / "connectors" / name
    text = file.read_text()
    assert re.search(r"^(async )?def test_\w+\(", text, re.M)
    assert _words(proof.what) in _words(text)


@pytest.mark.parametrize(
    "proof", [proof for _, proof in PROOFS if proof.kind == "official client"], ids=lambda p: p.what
)
def test_an_official_client_is_locked_in_the_version_that_the_proof_names(proof: Proof) -> None:
    package, version = proof.what.split()
    assert re.search(
        rf"^{re.escape(package)}=={re.escape(version)} ", (ROOT / "requirements-dev.lock").read_text(), re.M
    )


def test_every_judge_is_named_as_a_proof() -> None:
    judges = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests" / "connectors").glob("*/test_*.py")
        if path.name in JUDGES
    ]
    assert len(judges) >= 8
    assert sorted(set(judges) - {proof.by for _, proof in PROOFS}) == []


@pytest.mark.parametrize("name", sorted(all_providers()))
def test_every_sample_tells_its_source_and_is_counted(name: str) -> None:
    provider = all_providers()[name]
    samples = [json.loads(file.read_text()) for file in (provider.folder / "samples").glob("*.json")]
    assert all(sample.get("source") for sample in samples)
    told = evidence.Evidence(provider, {})
    assert told.samples + told.rebuilt == len(samples) > 0
    assert told.rebuilt == sum(sample.get("rebuilt", False) for sample in samples)


_OUR_VALUES = re.compile(r"made up|put together|values are ours", re.IGNORECASE)


@pytest.mark.parametrize("name", sorted(all_providers()))
def test_a_sample_with_values_of_ours_is_not_counted_as_documented(name: str) -> None:
    for file in (all_providers()[name].folder / "samples").glob("*.json"):
        sample = json.loads(file.read_text())
        assert sample.get("rebuilt", False) or not _OUR_VALUES.search(str(sample["source"])), file.name


def test_what_was_seen_is_what_is_claimed_of_every_code() -> None:
    assert evidence.disproved(all_providers()) == []


def _changed(name: str, **changes: object) -> Provider:
    """A connector whose facts are a little different."""
    provider = all_providers()[name]
    facts = ProviderFacts.model_validate({**provider.facts.model_dump(), **changes})
    return Provider(facts, provider.folder, provider.connector)


def _able(**changes: bool) -> dict[str, bool]:
    return {**all_providers()["zip"].facts.capabilities.model_dump(), **changes}


def test_a_claim_that_was_not_seen_is_told_without_trying_it_anew() -> None:
    everybody = dict(all_providers())
    everybody["zip"] = _changed("zip", capabilities=_able(cancel=True))
    assert evidence.disproved(everybody) == [
        f"{code} was seen to differ from its facts in cancel" for code in ("ZIP_AU", "ZIP_NZ", "ZIP_UK")
    ]
    everybody["zip"] = _changed("zip", capabilities=_able(check=False))
    assert "ZIP_NZ was seen to differ from its facts in check" in evidence.disproved(everybody)


def test_a_code_that_came_or_went_is_told() -> None:
    everybody = dict(all_providers())
    codes = dict(everybody["alma"].facts.codes)
    codes["ALMA_XX"] = codes.pop("ALMA")
    everybody["alma"] = _changed("alma", codes=codes)
    assert evidence.disproved(everybody) == ["ALMA was tried, and is no more", "ALMA_XX was not tried yet"]


def test_a_proof_for_one_code_is_shown_for_that_code_alone() -> None:
    proof = {
        "kind": "signature vector",
        "what": "the published one",
        "by": "tests/connectors/zip/test_x.py",
        "codes": ["ZIP_AU"],
    }
    told = evidence.Evidence(_changed("zip", proofs=[proof]), evidence.seen())
    assert "signature vector" in told.short("ZIP_AU")
    assert "signature vector" not in told.short("ZIP_NZ")
    assert "- Signature vector: the published one, for `ZIP_AU` (`tests/connectors/zip/test_x.py`)." in told.told()


def test_facts_that_contradict_themselves_are_refused() -> None:
    proof = {
        "kind": "specification",
        "what": "somebody's own",
        "by": "tests/connectors/zip/test_x.py",
        "codes": ["ZIP_XX"],
    }
    with pytest.raises(ValueError, match="codes that are not here: ZIP_XX"):
        _changed("zip", proofs=[proof])
    for name in ("refund", "nothing_of_the_kind"):
        with pytest.raises(ValueError, match=f"{name} is withheld, and is no capability or declared all the same"):
            _changed("zip", withheld=[Withheld(what=(name,), why="for a reason that is long enough")])


def test_what_is_withheld_is_not_offered_and_the_page_says_why() -> None:
    made = generate.documents()
    row = re.search(r"^\| `SCALAPAY` .*$", made[generate.DOCS / "providers.md"], re.M)
    assert row is not None
    assert row[0].split(" | ")[4] == "yes"  # later, and not in parts
    page = made[generate.DOCS / "providers" / "scalapay.md"]
    assert "- capture a part: held back, for no source tells what becomes of the rest when a part is captured" in page


def test_the_list_for_programs_says_of_each_code_what_was_seen() -> None:
    cli.add_the_rest()
    rows = json.loads(CliRunner().invoke(cli.app, ["providers", "--json"]).stdout)
    seen = evidence.seen()
    offered = {row["code"]: set(row["capabilities"]) for row in rows}
    assert offered == {code: set(one.done) for code, one in seen.items()}
    held = {code: set(provider.facts.held_back) for code, (provider, _) in all_codes().items()}
    assert {code: set(one.held_back) for code, one in seen.items()} == held
    assert held["SCALAPAY"] == {"partial_capture"}
    assert "cancel" not in offered["ALIPAY_ID"]
    assert "cancel" in offered["ALIPAY_CN"]


def test_who_can_give_nothing_back_says_that_a_person_is_asked() -> None:
    known, made = evidence.seen(), generate.documents()
    for name, provider in all_providers().items():
        page = made[generate.DOCS / "providers" / f"{name}.md"]
        refunds = any("refund" in known[code].done for code in provider.facts.codes)
        assert ("left to a person (`needsReview`)" in page) is not refunds, name


@pytest.mark.parametrize("name", sorted(all_providers()))
def test_a_page_tells_all_that_somebody_has_to_know_of_a_provider(name: str) -> None:
    """What to set up there, credentials and where they go, what works, limits, additionalData, sandbox, proofs, sources."""
    facts = all_providers()[name].facts
    parts = generate.documents()[generate.DOCS / "providers" / f"{name}.md"].split("\n## ")[1:]
    told = {part.partition("\n")[0]: part.partition("\n")[2].strip() for part in parts}
    wanted = [
        "Set up",
        "What works",
        "Limits",
        "`additionalData`",
        "In the sandbox",
        "What is proven, and by what",
        "Sources",
    ]
    assert [heading for heading in wanted if not told.get(heading)] == []
    assert all(f"| `{field}` |" in told["Set up"] for field in facts.credentials)
    assert f"paymux provider-accounts set CLIENT_ID {sorted(facts.codes)[0]} " in told["Set up"]
    assert all(step in told["Set up"] for step in facts.set_up)
    assert facts.set_up, "say what has to be done at the provider first"
    assert all(source.where in told["Sources"] for source in facts.sources)
    assert facts.sources, "say where each fact was read"
    assert all(f"| `{key}` |" in told["`additionalData`"] for key in facts.additional_data)
