"""What the probe found of a code, how that differs from what the facts claim, and the form in which it is kept."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from paymux.connectors.facts import Capabilities, CodeFacts, EventKind, ProviderFacts
from tests.conformance.field import Place

Result = Mapping[str, Mapping[Place, "Findings"]]
"""What was found of a connector, by code and place."""


class Did(StrEnum):
    """What became of a try. `otherwise`: something else than was asked for, or no clear answer."""

    DONE = "done"
    REFUSED = "refused"
    OTHERWISE = "otherwise"
    ABSENT = "not built"


class Events(StrEnum):
    """What the provider's events are worth: proved by a signature or a secret, hints that only make us ask, or none."""

    PROVED = "proved"
    HINTS = "hints"
    NONE = "none"


WORTH = {
    EventKind.SIGNED: Events.PROVED, EventKind.HEADER: Events.PROVED, EventKind.UNSIGNED: Events.HINTS,
    EventKind.NONE: Events.NONE,
}  # fmt: skip


@dataclass
class Findings:
    """What was found of one code in one place. `why`: how a try ended otherwise; `odd`: what must never be, in words."""

    did: dict[str, Did] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    events: Events = Events.NONE
    events_set_up: str = "none"
    signed_return: bool = False
    settles_later: bool = False
    odd: list[str] = field(default_factory=list)

    def named(self, did: Did) -> list[str]:
        """The capabilities of which this became, in the order of the facts."""
        return [name for name in Capabilities.model_fields if self.did.get(name, Did.ABSENT) is did]

    def kept(self, withheld: Collection[str]) -> dict[str, Any]:
        """What the documents need to know, without the place. What is withheld was done, and is not offered: it stands apart."""
        done = self.named(Did.DONE)
        return {
            "done": [name for name in done if name not in withheld],
            "heldBack": [name for name in done if name in withheld],
            "refused": self.named(Did.REFUSED), "otherwise": self.named(Did.OTHERWISE), "events": str(self.events),
            "eventsSetUp": self.events_set_up, "signedReturn": self.signed_return, "settlesLater": self.settles_later,
        }  # fmt: skip


def differences(facts: ProviderFacts, result: Result) -> list[str]:
    """Where a connector does otherwise than its facts claim, in sentences."""
    told: dict[str, list[str]] = {}
    for code, by_place in result.items():
        for place, findings in by_place.items():
            for sentence in _differences(facts, facts.codes[code], findings):
                told.setdefault(sentence, []).append(f"{code} {place}")
    return [f"{sentence} ({', '.join(where)})" for sentence, where in told.items()]


def _differences(facts: ProviderFacts, code: CodeFacts, found: Findings) -> Iterator[str]:
    claims, done, held = facts.able(code), set(found.named(Did.DONE)), set(facts.held_back)
    yield from (f"it does {name}, and does not claim it" for name in sorted(done - claims - held))
    for name in sorted(claims - done):
        yield f"it claims {name}: {found.did.get(name, Did.ABSENT)} {found.why.get(name, '')}".strip()
    yield from (f"it withholds {name}, which it cannot do" for name in sorted(held - done))
    for what, claim, seen in (
        ("events", WORTH[facts.events.kind], found.events),
        ("events.set_up", facts.events.set_up, found.events_set_up),
        ("signed_return", facts.signed_return, found.signed_return),
        ("settles_later", facts.settles_later, found.settles_later),
    ):
        if claim != seen:
            yield f"it claims {what} {claim}, and it is {seen}"
    yield from found.odd


def groups(facts: ProviderFacts, result: Result) -> list[dict[str, Any]]:
    """A result as it is kept: the codes that behave alike together, each with the places where it was tried."""
    found: dict[str, dict[str, Any]] = {}
    for code, by_place in result.items():
        kept = next(iter(by_place.values())).kept(facts.held_back)
        group = found.setdefault(json.dumps(kept), {"codes": {}, **kept})
        group["codes"][code] = [str(place) for place in by_place]
    return list(found.values())


def text_of(kept: Mapping[str, list[dict[str, Any]]]) -> str:
    """The file of all results: for each connector its groups, each of their facts on a line."""
    return _spread({name: kept[name] for name in sorted(kept)}, 3) + "\n"


def _spread(value: Any, depth: int, indent: str = "") -> str:
    """JSON, spread over lines down to a depth."""
    if depth == 0 or not isinstance(value, dict | list):
        return json.dumps(value)
    deeper = indent + "  "
    if isinstance(value, dict):
        parts, ends = [f"{json.dumps(name)}: {_spread(part, depth - 1, deeper)}" for name, part in value.items()], "{}"
    else:
        parts, ends = [_spread(part, depth - 1, deeper) for part in value], "[]"
    return f"{ends[0]}\n{deeper}" + f",\n{deeper}".join(parts) + f"\n{indent}{ends[1]}"
