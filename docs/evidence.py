"""What is proven of each code, and by what: seen by the field-probe, bought with by the suite, judged by somebody else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from paymux.connectors.facts import Capabilities, ProviderFacts
from paymux.connectors.registry import Provider

KEPT = Path(__file__).parent / "capabilities.json"


@dataclass(frozen=True)
class Seen:
    """What the field-probe saw a code do at its simulator. `held_back`: done, and not offered all the same; `otherwise`:
    something else than was asked for."""

    code: str
    places: tuple[str, ...]
    done: frozenset[str]
    held_back: frozenset[str]
    refused: frozenset[str]
    otherwise: frozenset[str]
    events: str
    set_up: str
    signed_return: bool
    settles_later: bool


def seen() -> dict[str, Seen]:
    """All that the field-probe saw when `make docs` was run last, by code."""
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    return {
        code: Seen(
            code, tuple(places), frozenset(group["done"]), frozenset(group["heldBack"]), frozenset(group["refused"]),
            frozenset(group["otherwise"]),
            group["events"], group["eventsSetUp"], group["signedReturn"], group["settlesLater"],
        )
        for groups in kept.values()
        for group in groups
        for code, places in group["codes"].items()
    }  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """What is proven of a provider's codes, and by what."""

    provider: Provider
    seen: Mapping[str, Seen]

    @property
    def facts(self) -> ProviderFacts:
        return self.provider.facts

    @cached_property
    def _kept(self) -> list[Mapping[str, object]]:
        files = (self.provider.folder / "samples").glob("*.json")
        told: list[Mapping[str, object]] = [json.loads(file.read_text(encoding="utf-8")) for file in files]
        return [sample for sample in told if "source" in sample]

    @property
    def samples(self) -> int:
        """How many requests, answers and events are kept as the provider documents them, with their source."""
        return sum(not sample.get("rebuilt") for sample in self._kept)

    @property
    def rebuilt(self) -> int:
        """How many are put together from the fields that the provider's own code or page names, with values of ours."""
        return len(self._kept) - self.samples

    @property
    def bought_with(self) -> str:
        """The code with which the conformance suite buys: a provider's first."""
        return next(iter(self.facts.codes), "")

    def of(self, code: str) -> Seen | None:
        """What was seen of a code; None before `make docs` was run with it."""
        return self.seen.get(code)

    def doing(self, capability: str) -> list[str]:
        """The codes that were seen to do it."""
        return [code for code in self.facts.codes if (one := self.of(code)) and capability in one.done]

    def short(self, code: str) -> str:
        """Who vouches for what the table tells of a code, in a cell."""
        one = self.of(code)
        if one is None:
            return "not tried yet"
        said = [f"probe {len(one.places)}"]
        said += ["suite"] if code == self.bought_with else []
        said += [f"samples {self.samples}"] if self.samples else []
        said += [f"rebuilt {self.rebuilt}"] if self.rebuilt else []
        kinds = (proof.kind for proof in self.facts.proofs if not proof.codes or code in proof.codes)
        return ", ".join([*said, *dict.fromkeys(kinds)])

    def told(self) -> list[str]:
        """The same for the provider's page, in full."""
        places = [f"`{one.code}` in {', '.join(one.places)}" for code in self.facts.codes if (one := self.of(code))]
        if not places:
            return ["- Nothing yet: `make docs` has not been run with it.\n"]
        lines = [
            f"- The field-probe tried every capability at the simulator, claimed or not: {'; '.join(places)}.",
            *self._tried_in_vain(),
            f"- The conformance suite buys with `{self.bought_with}` in a whole installation: every outcome, every movement, each"
            " fault and forgery.",
        ]
        if self.samples:
            lines.append(
                f"- {self.samples} documented requests, answers and events, each with its source, are in `samples/`."
            )
        if self.rebuilt:
            lines.append(
                f"- {self.rebuilt} samples are rebuilt: the fields are those that its code or pages name, the values are ours."
            )
        for proof in self.facts.proofs:
            only = f", for {', '.join(f'`{code}`' for code in proof.codes)}" if proof.codes else ""
            lines.append(f"- {proof.kind.capitalize()}: {proof.what}{only} (`{proof.by}`).")
        return [*lines, ""]

    def _tried_in_vain(self) -> list[str]:
        """What was refused, or not done as asked, and with which codes."""
        found = [one for code in self.facts.codes if (one := self.of(code))]
        said: dict[str, list[str]] = {}
        for one in found:
            for what, names in (("refused", one.refused), ("not done as asked, so never offered", one.otherwise)):
                words = ", ".join(f"`{name}`" for name in Capabilities.model_fields if name in names)
                if words:
                    said.setdefault(f"- Tried, and {what}: {words}", []).append(f"`{one.code}`")
        return [
            f"{line}." if len(codes) == len(found) else f"{line} ({', '.join(codes)})." for line, codes in said.items()
        ]


def disproved(found: Mapping[str, Provider]) -> list[str]:
    """Where what was seen is not what the facts claim, or is of other codes: a sentence each."""
    known, wrong = seen(), []
    codes = {code: provider.facts for provider in found.values() for code in provider.facts.codes}
    for code in sorted(codes.keys() | known.keys()):
        if code not in codes or code not in known:
            wrong.append(f"{code} was {'not tried yet' if code in codes else 'tried, and is no more'}")
            continue
        facts = codes[code]
        claims = facts.able(facts.codes[code])
        done = (known[code].done | known[code].held_back) - (facts.held_back.keys() - claims)
        if differing := sorted(claims ^ done):
            wrong.append(f"{code} was seen to differ from its facts in {', '.join(differing)}")
    return wrong
