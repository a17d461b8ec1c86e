"""Writes what the documents take from the code: providers.md, a page per provider, the tables of settings.

Run by `make docs`; `--check` writes nothing and fails when a file is stale. Everything comes from the registry
(each connector's provider.toml), from Settings, and, as to what a connector can do, from what the field-probe saw it do
(evidence.py); nothing about a single provider is known here.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from docs.evidence import Evidence, Seen, disproved, seen

from paymux.connectors.facts import Capabilities, CodeFacts, EventKind, Moving, ProviderFacts
from paymux.connectors.registry import all_providers
from paymux.money import plain
from paymux.platform.settings import Settings, default_of

DOCS = Path(__file__).parent
HEAD = (
    "<!-- Made by `make docs` from the connectors' provider.toml and from what they did: change that, not this. -->\n"
)
MEANING = {
    "sale": "pay at once (`autoCapture` true)",
    "deferred_capture": "authorise now, capture later (`autoCapture` false)",
    "confirm": "paid only once paymux confirms the shopper's approval",
    "recover_confirm": "a confirm whose answer was lost is found again or undone",
    "confirm_by_poll": "the confirm is also tried without the shopper's return",
    "capture_after_authorisation": "a sale is an authorisation that paymux captures at once",
    "partial_capture": "capture a part",
    "multiple_captures": "capture in several parts",
    "void": "void what is not captured",
    "partial_void": "void a part",
    "refund": "refund",
    "partial_refund": "refund a part",
    "multiple_refunds": "refund in several parts",
    "token": "make a token for later payments (`getToken`)",
    "charge_token": "pay with a token",
    "status": "ask for the state of a payment",
    "find_move": "ask for one capture, void or refund by its key",
    "cancel": "close an unpaid checkout",
    "check": "test the credentials (`paymux providers check`)",
    "set_up_events": "register the event URL by itself",
}
EVENTS = {
    EventKind.SIGNED: "Events are signed.",
    EventKind.HEADER: "Events are authenticated by a secret header.",
    EventKind.UNSIGNED: "Events are not signed, so each only makes paymux ask.",
    EventKind.NONE: "There are no events: paymux asks by itself.",
}
SET_UP = {"none": "no", "per order": "auto", "by call": "auto", "in the portal": "yes"}
COLUMNS = (
    ("later", "deferred_capture", "partial_capture"), ("void", "void", "partial_void"),
    ("refund", "refund", "partial_refund"), ("token", "token", "charge_token"), ("cancel", "cancel", "cancel"),
    ("check", "check", "check"),
)  # fmt: skip
WORTH = {"proved": "proved", "hints": "hints", "none": ""}


def documents() -> dict[Path, str]:
    """Every generated file with its text."""
    known = seen()
    found = {name: Evidence(provider, known) for name, provider in sorted(all_providers().items())}
    made = {DOCS / "providers.md": overview(found)}
    for name, evidence in found.items():
        made[DOCS / "providers" / f"{name}.md"] = page(evidence)
    made[DOCS / "operate.md"] = with_settings((DOCS / "operate.md").read_text(encoding="utf-8"))
    return made


# -- the overview -----------------------------------------------------------------------------


def overview(found: dict[str, Evidence]) -> str:
    """docs/providers.md."""
    codes = [(code, evidence) for evidence in found.values() for code in evidence.facts.codes.values()]
    own = [evidence.facts for evidence in found.values() if not evidence.facts.fallback]
    retired = [(facts.title, facts.retired) for facts in own if facts.retired]
    retired += [
        (f"{code.title} (`{code.code}`)", code.retired)
        for facts in own
        for code in facts.codes.values()
        if code.retired
    ]
    lines = [
        HEAD,
        "# Providers\n",
        f"{len(codes)} payment method codes: {sum(len(facts.codes) for facts in own)} by {len(own)} connectors of their own, the"
        " others by the [open contract](generic-contract.md), for which you bring a small web service. `paymux providers --json`"
        " says the same of your installation.\n",
        "**Confidence**: A is documented publicly and proved in running code, A-, B+ and B are less; `unverified` is not offered in"
        " live mode, except through the open contract with an `endpoint` of yours. Nothing here was tried with a provider's own"
        " account: the simulators are written from the sources that each page names.\n",
        "**later** authorise now and capture later, **token** for later payments, **cancel** of an unpaid checkout, **check** of the"
        " credentials: `yes`, `parts` (in parts, too; for a token: it can be charged), `whole` (not in parts), or blank for no."
        " **events**: `proved` by a signature or a secret, or `hints` that make paymux ask; their **set-up**: `yes` by you in the"
        " provider's portal, `auto` by paymux, `no` there is nothing to set up.\n",
        "What a code can do is written down from what it did. The field-probe opened, paid, captured, voided, refunded and so on with"
        " each code at its simulator, whether that is claimed or not (only a confirm ahead of the shopper is not tried unclaimed),"
        " and looked at what moved there; `make test` does it again, and"
        " fails where a connector, its facts and this table differ. **proved by**: `probe` in how many countries and currencies;"
        " `suite` the conformance suite in a whole installation, with a provider's first code; `samples` how many of the provider's"
        " own documented requests and answers are kept, `rebuilt` how many more are put together from the fields that its code or"
        " pages name, with values of ours; and who else judged connector and simulator: the provider's published"
        " `specification`, its `official client`, a `signature vector` or `documented example` of its own. Each page tells more.\n",
    ]
    for title, fallback in (("Connectors of their own", False), ("By the open contract", True)):
        lines += [f"## {title}\n"]
        if fallback:
            lines += ["Proved is the open contract, at its own simulator; of these providers themselves nothing.\n"]
        lines += [*_table([pair for pair in codes if pair[1].facts.fallback is fallback]), ""]
    if retired:
        lines += ["## Closed\n", "They work in the sandbox, and are not offered in live mode.\n"]
        lines += [f"- {title}: {end.says} ({end.source})" for title, end in retired]
    return "\n".join(lines) + "\n"


def _table(codes: list[tuple[CodeFacts, Evidence]]) -> list[str]:
    able = " | ".join(column[0] for column in COLUMNS)
    head = f"| code | currency | provider | confidence | {able} | events | set-up | proved by |"
    return [
        head, "|---" * (head.count("|") - 1) + "|",
        *(_row(code, evidence) for code, evidence in sorted(codes, key=lambda pair: pair[0].code)),
    ]  # fmt: skip


def _row(code: CodeFacts, evidence: Evidence) -> str:
    facts, one = evidence.facts, evidence.of(code.code)
    end = facts.closed(code)
    mark = "" if end is None else " (closed)" if end.known else " (not offered)"
    cells = [
        f"`{code.code}`", ", ".join(code.currencies) or "any",
        f"[{_cell(facts.title)}](providers/{facts.name}.md){mark}", facts.confidence,
        *(_able(one, facts, *column[1:]) for column in COLUMNS),
        WORTH[one.events] if one else "", SET_UP[one.set_up] if one else "", evidence.short(code.code),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _able(one: Seen | None, facts: ProviderFacts, whole: str, part: str) -> str:
    done = one.done - facts.held_back.keys() if one else frozenset[str]()
    if whole not in done:
        return ""
    if whole == part:
        return "yes"
    return "parts" if part in done else "yes" if whole in ("token", "deferred_capture") else "whole"


# -- a provider's page ------------------------------------------------------------------------


def page(evidence: Evidence) -> str:
    """docs/providers/<name>.md."""
    facts = evidence.facts
    parts = [
        HEAD, f"# {facts.title}\n", f"{facts.summary}\n", *_standing(facts), *_codes(facts), *_set_up(facts),
        *_works(evidence), *_limits(evidence), *_additional(facts), *_sandbox(evidence), *_proven(evidence), *_missing(facts),
        *_unverified(facts), *_sources(facts),
    ]  # fmt: skip
    return "\n".join(parts).rstrip("\n") + "\n"


def _standing(facts: ProviderFacts) -> list[str]:
    lines = []
    ends = [("", facts.retired), *((f" (`{code.code}`)", code.retired) for code in facts.codes.values())]
    for what, end in ends:
        if end is not None:
            word = f"**Closed**{what}: {end.date}" if end.known else f"**Not offered**{what}: {end.says}"
            lines.append(f"{word} ({end.source}). It works in the sandbox only.\n")
    if facts.confidence == "unverified":
        offered = "offered only with an `endpoint` of yours" if facts.fallback else "not offered"
        lines.append(f"Confidence: `unverified`. In live mode it is {offered}.\n")
    else:
        lines.append(f"Confidence: {facts.confidence}. Not tried with an account of the provider's own.\n")
    return lines


def _codes(facts: ProviderFacts) -> list[str]:
    rows = [
        f"| `{code.code}` | {_cell(code.title)} | {', '.join(code.countries) or 'any'} | {', '.join(code.currencies) or 'any'} |"
        f" {plain(code.min)} to {plain(code.max)} | {_words(code.required)} |"
        for code in sorted(facts.codes.values(), key=lambda code: code.code)
    ]
    return [
        "| code | shown as | countries | currencies | amount, major units | `requiredFields` |", "|---|---|---|---|---|---|",
        *rows, "",
    ]  # fmt: skip


def _set_up(facts: ProviderFacts) -> list[str]:
    lines = ["## Set up\n"]
    lines += [f"{number}. {step}" for number, step in enumerate(facts.set_up, 1)] or [
        "Nothing is known to be needed first."
    ]
    lines += ["\nCredentials, the fields of the JSON file that `paymux provider-accounts set` takes:\n"]
    lines += ["| field | what it is | |", "|---|---|---|"]
    lines += [
        f"| `{name}` | {_cell(fact.title)} | {'secret' if fact.secret else 'shown'}, {'required' if fact.required else 'optional'} |"
        for name, fact in facts.credentials.items()
    ]
    code, fields = sorted(facts.codes)[0], ", ".join(f'"{name}": "…"' for name in facts.credentials)
    lines += [
        f"\n```sh\necho '{{{fields}}}' > {facts.name}.json",
        f"paymux provider-accounts set CLIENT_ID {code} --environment test --credentials {facts.name}.json",
    ]
    if facts.capabilities.check:
        lines.append(f"paymux providers check {code} --merchant CLIENT_ID")
    lines += ["```\n", f"{EVENTS[facts.events.kind]} {_events(facts)}\n"]
    if facts.events.recipe:
        lines.append(f"{facts.events.recipe}\n")
    hosts = [f"`{name}` {host.live} (test {host.test})" for name, host in facts.hosts.items()]
    return [*lines, f"Hosts: {'; '.join(hosts)}.\n"]


def _events(facts: ProviderFacts) -> str:
    if facts.events.set_up == "in the portal":
        return "**Set them up in the provider's portal**: the URL is the `eventUrl` that `paymux provider-accounts set` prints."
    if facts.events.set_up == "by call":
        return "paymux registers its URL by itself when the account is set."
    if facts.events.set_up == "per order":
        return "Their URL goes with every order; there is nothing to set up."
    return "There is nothing to set up."


def _works(evidence: Evidence) -> list[str]:
    facts = evidence.facts
    doing = {name: evidence.doing(name) for name in Capabilities.model_fields if name not in facts.held_back}
    lines = ["## What works\n", *(f"- {MEANING[name]}{_but(facts, codes)}" for name, codes in doing.items() if codes)]
    no = [MEANING[name] for name in _ASKED if name in doing and not doing[name]]
    no += [f"{MEANING[name]}: held back, for {why}" for name, why in facts.held_back.items()]
    if no:
        lines += ["\nRefused with `not_supported`, before anything is sent:\n", *(f"- {what}" for what in no)]
    safe = [kind for kind in ("create", *get_args(Moving)) if facts.idempotent.has(kind)]
    if safe:
        lines += [
            f"\nRepeated with its key, this moves nothing twice at the provider: {_words(safe)}.{_for_how_long(facts)}"
        ]
    else:
        lines += [
            "\nNo source says that a repeated call moves nothing twice at the provider: one that moves money is never repeated"
            " once it may have arrived."
        ]
    return [*lines, ""]


def _for_how_long(facts: ProviderFacts) -> str:
    """What is repeated only while the provider surely knows the key, because it can't be asked for."""
    safe = facts.idempotent
    hours = {
        kind: safe.life(kind).total_seconds() / 3600
        for kind in get_args(Moving)
        if safe.has(kind) and not getattr(facts.readable, kind) and kind not in safe.once
    }
    if not hours:
        return ""
    told = ", ".join(f"{kind.replace('_', ' ')} for {kept:g} h" for kind, kept in hours.items())
    unsure = [kind for kind in hours if kind not in safe.replays]
    no = (
        f" Where a repeated {_words(unsure)} is refused, a person is asked: no source says that the first answer is given again."
        if unsure
        else ""
    )
    return f" What can't be asked for is repeated only for a time, and then left to a person: {told}.{no}"


def _but(facts: ProviderFacts, doing: list[str]) -> str:
    """The codes that do not do it, where they are not all."""
    others = [code for code in facts.codes if code not in doing]
    return f" (not with {', '.join(f'`{code}`' for code in others)})" if others else ""


def _proven(evidence: Evidence) -> list[str]:
    return ["## What is proven, and by what\n", *evidence.told()]


_ASKED = (
    "sale", "deferred_capture", "partial_capture", "multiple_captures", "void", "partial_void", "refund", "partial_refund",
    "multiple_refunds", "token", "charge_token",
)  # fmt: skip


def _limits(evidence: Evidence) -> list[str]:
    facts = evidence.facts
    times = facts.times
    lines = ["## Limits\n"]
    lines.append(f"- A checkout can be paid for {_span(times.checkout)}.")
    lines += [
        f"- Amounts in {currency} have at most {places} decimals: others are refused before anything is sent."
        if places
        else f"- Amounts in {currency} are whole: others are refused before anything is sent."
        for currency, places in facts.decimals.items()
    ]
    if facts.capabilities.deferred_capture or facts.capabilities.capture_after_authorisation:
        lines.append(f"- An authorisation can be captured for {_span(times.authorisation)}.")
    lines.append(
        f"- After the shopper's part it is decided within {_span(times.decides_within)}; later a person is asked."
    )
    if facts.refunds_when_closed:
        lines.append(
            "- Nothing is refunded while a part of the order is open (409 `still_open`): capture or void it first."
        )
    where = f" (`{facts.reference.field}`)" if facts.reference.field else ""
    form = "" if facts.reference.pattern == ".+" else f" and fits `{facts.reference.pattern}`"
    lines.append(
        f"- The provider sees your `orderReference`{where} if it has at most {facts.reference.max_length} characters{form},"
        " else paymux's order id."
    )
    if not evidence.doing("refund"):
        lines.append(
            "- Nothing can be given back by a call: a payment that comes after its order ended is left to a person (`needsReview`)."
        )
    return [*lines, ""]


def _additional(facts: ProviderFacts) -> list[str]:
    if not facts.additional_data:
        return ["## `additionalData`\n", "No keys; any is refused.\n"]
    rows = [f"| `{name}` | {datum.type} | {_cell(datum.title)} |" for name, datum in facts.additional_data.items()]
    return ["## `additionalData`\n", "| key | type | what it is |", "|---|---|---|", *rows, ""]


def _sandbox(evidence: Evidence) -> list[str]:
    facts, tried = evidence.facts, [one for code in evidence.facts.codes if (one := evidence.of(code))]
    back = "signed" if any(one.signed_return for one in tried) else "not relied on, so paymux asks"
    if any(one.settles_later for one in tried):
        back += ", and no payment is final then: it is `PENDING` until the next poll or event, so advance the clock"
    return [
        "## In the sandbox\n",
        "The same connector talks to a simulator of the provider's API. Its checkout page offers *approve*, *decline*, *cancel*,"
        " *pending* and *error*; a pending payment is decided by `POST /control/settle`."
        f" The shopper's return is {back}. Faults of each call are ordered by `POST /control/faults`"
        f" with provider `{facts.name}` (see [operate](../operate.md#the-sandbox)).\n",
    ]


def _missing(facts: ProviderFacts) -> list[str]:
    whys = dict.fromkeys(code.missing for code in facts.codes.values() if code.missing)
    said = {why: [code.code for code in facts.codes.values() if code.missing == why] for why in whys}
    lines = [f"- {', '.join(f'`{code}`' for code in sorted(codes))}: {why}" for why, codes in said.items()]
    return ["## Why these have no connector of their own\n", *sorted(lines), ""] if lines else []


def _unverified(facts: ProviderFacts) -> list[str]:
    lines = [f"- {what}" for what in facts.unverified]
    for what in dict.fromkeys(what for code in facts.codes.values() for what in code.unverified):
        which = [code.code for code in facts.codes.values() if what in code.unverified]
        lines.append(f"- {_few(which)}: {what}")
    return ["## Unverified\n", "What no source says and is assumed:\n", *lines, ""] if lines else []


def _sources(facts: ProviderFacts) -> list[str]:
    return ["## Sources\n", *(f"- {source.what}: {source.where} (read {source.read})" for source in facts.sources)]


# -- settings ---------------------------------------------------------------------------------


def with_settings(text: str) -> str:
    """docs/operate.md with the table of settings between its two marks."""
    rows = ["| variable | meaning | default |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `PAYMUX_{name.upper()}` | {_cell(field.description or '')} | `{default_of(name)}` |")
    table = "<!-- settings: made by `make docs` -->\n" + "\n".join(rows) + "\n<!-- end of settings -->"
    return re.sub(r"<!-- settings:.*?<!-- end of settings -->", lambda _: table, text, flags=re.S)


# -- words ------------------------------------------------------------------------------------


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _words(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _few(codes: list[str]) -> str:
    return ", ".join(codes) if len(codes) <= 6 else f"{len(codes)} codes"


def _span(seconds: int | None) -> str:
    if seconds is None:
        return "a time that no source tells"
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds % size == 0:
            count = seconds // size
            return f"{count} {name}{'s' if count != 1 else ''}"
    return f"{seconds} seconds"


def stale() -> list[Path]:
    """The generated files that are missing, differ from what the code says, or belong to no connector any more."""
    made = documents()
    wrong = [path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    return wrong + [path for path in sorted((DOCS / "providers").glob("*.md")) if path not in made]


def main() -> None:
    """Write the stale files; with `--check` name them and fail."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is stale")
    only_check = parser.parse_args().check
    wrong, made, false = stale(), documents(), disproved(all_providers())
    for sentence in false:
        print(sentence)  # noqa: T201
    for path in wrong:
        print(f"{'stale' if only_check else 'written' if path in made else 'removed'}: {path.relative_to(DOCS.parent)}")  # noqa: T201
        if not only_check:
            path.parent.mkdir(exist_ok=True)
            if path in made:
                path.write_text(made[path], encoding="utf-8")
            else:
                path.unlink()
    sys.exit("Run `make docs`." if false or (only_check and wrong) else 0)


if __name__ == "__main__":
    main()
