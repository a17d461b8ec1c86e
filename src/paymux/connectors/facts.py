"""A provider's facts: the typed form of `provider.toml`. A misspelt or missing fact is refused when it is read."""

from __future__ import annotations

import tomllib
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from paymux.money import accepted_decimals


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class EventKind(StrEnum):
    """How a provider's events are authenticated: `signed` and `header` prove themselves, `unsigned` is a hint."""

    SIGNED = "signed"
    HEADER = "header"
    UNSIGNED = "unsigned"
    NONE = "none"


class Host(_Facts):
    """One of the provider's hosts: its live and its test base URL, without trailing slash."""

    live: str
    test: str


class Instalments(_Facts):
    """The plan that `GET /options` shows: how many payments, and in what `unit` the time between two is told."""

    count: int = Field(ge=1)
    weeks: Decimal = Field(gt=0, description="Weeks between two payments; 4.345 for a month.")
    unit: str = "weeks"


class Retired(_Facts):
    """The provider, or its business behind one code, has closed: works in the sandbox, not offered in live mode."""

    date: str
    source: str
    known: bool = Field(True, description="Whether a source says so; false: it has shown no sign of life since then.")

    @property
    def says(self) -> str:
        """In words, to go on after a name or a mark."""
        return f"closed {self.date}" if self.known else f"no sign of life since {self.date}"


class CodeFacts(_Facts):
    """One published code (`AFTERPAY_AU`): where it works, in what, for how much."""

    code: str = ""
    title: str = Field(description="What the shopper sees.")
    countries: tuple[str, ...] = Field((), description="ISO 3166 alpha-2; empty: no source names any, all allowed.")
    currencies: tuple[str, ...] = Field((), description="ISO 4217; empty: any.")
    min: Decimal = Field(Decimal("1"), description="Least amount of an order, in major units.")
    max: Decimal = Field(Decimal("1000000"), description="Greatest amount of an order, in major units.")
    required: tuple[str, ...] = Field((), description="Paths into the order body that this provider demands (O1).")
    instalments: Instalments | None = None
    terms: str = Field(
        "",
        description="A sentence for the shopper; {currency}, {instalment}, {count}, {amount} and {title} are filled in.",
    )
    hosts: dict[str, Host] = Field(default_factory=dict, description="Hosts that differ from the provider's.")
    unverified: tuple[str, ...] = Field((), description="What no source says and is assumed for this code.")
    retired: Retired | None = None
    settings: dict[str, str] = Field(default_factory=dict, description="Whatever else differs by code.")
    lacks: tuple[Literal["deferred_capture", "sale", "token", "charge_token", "cancel"], ...] = Field(
        (), description="What the provider can do, but not for this code."
    )
    missing: str = Field(
        "",
        description="Of a fallback's code only: what a connector of its own would still need, and where it was looked for.",
    )


class Capabilities(_Facts):
    """What the provider can do. What is not said here is refused by the core, before anything is sent (E5)."""

    sale: bool = Field(True, description="autoCapture true.")
    deferred_capture: bool = Field(False, description="autoCapture false.")
    confirm: bool = Field(False, description="Paying needs our confirm after the shopper's approval.")
    recover_confirm: bool = Field(False, description="A confirm whose answer was lost can be found again or undone.")
    capture_after_authorisation: bool = Field(
        False, description="With autoCapture true the provider only authorises; we capture at once."
    )
    partial_capture: bool = Field(
        False, description="Less than the authorisation can be captured; the rest stays open or is voided."
    )
    multiple_captures: bool = Field(False, description="One authorisation can be captured several times.")
    void: bool = Field(False, description="What is authorised and not captured can be set free.")
    partial_void: bool = Field(False, description="A part of it can be set free, and the rest captured.")
    refund: bool = Field(False, description="What was captured can be given back by a call.")
    partial_refund: bool = Field(False, description="A part of it can be given back.")
    multiple_refunds: bool = Field(False, description="One payment can be refunded several times.")
    token: bool = Field(False, description="getToken true.")
    charge_token: bool = Field(False, description="Pay with a token.")
    status: bool = Field(False, description="`fetch` can ask for the state of a checkout.")
    find_move: bool = Field(False, description="`find_move` can ask for one operation by its key.")
    confirm_by_poll: bool = Field(
        False, description="Trying the confirm before the shopper agreed is safe and documented, so the poll tries it."
    )
    cancel: bool = Field(False, description="An unpaid checkout can be closed.")
    check: bool = Field(False, description="A call that moves nothing tells whether the credentials are right.")
    set_up_events: bool = Field(False, description="Our event URL can be registered by a call.")

    @model_validator(mode="after")
    def _consistent(self) -> Capabilities:
        for part, whole in (
            (self.partial_capture, self.deferred_capture),
            (self.multiple_captures, self.partial_capture),
            (self.partial_void, self.void),
            (self.partial_refund, self.refund),
            (self.charge_token, self.token),
            (self.recover_confirm, self.confirm),
            (self.confirm_by_poll, self.confirm),
        ):
            if part and not whole:
                raise ValueError("a capability is declared without the one that it builds on")
        return self


_BUILT_ON = {
    "partial_capture": "deferred_capture",
    "multiple_captures": "deferred_capture",
    "void": "deferred_capture",
    "partial_void": "deferred_capture",
    "charge_token": "token",
}
"""What goes with what a code lacks: no authorisation stays open where nothing is captured later."""


KEY_LIFE = timedelta(hours=1)
"""How long a provider is trusted to know a key again where no source says how long it keeps one."""
Moving = Literal["confirm", "capture", "void", "refund", "charge_token"]


class Idempotent(_Facts):
    """Per operation: true where a repeat with its first key moves nothing twice, for as long as the provider keeps the key."""

    create: bool = False
    confirm: bool = False
    capture: bool = False
    void: bool = False
    refund: bool = False
    charge_token: bool = False
    kept: dict[Moving, int] = Field(
        {},
        description="For how many seconds the provider keeps a key, by operation. An hour counts where no source tells.",
    )
    once: tuple[Moving, ...] = Field(
        (),
        description="What the provider does once for a checkout, whatever the key: a repeat moves nothing twice, but its no"
        " may come from the first call's yes.",
    )

    replays: tuple[Moving, ...] = Field(
        (),
        description="Of what a source says that a repeat with its first key is given the first answer again. Of all else a"
        " repeat's no may come from the first call's yes, such as «this key was used».",
    )

    @model_validator(mode="after")
    def _replays_what_is_idempotent(self) -> Self:
        loose = [kind for kind in self.replays if not self.has(kind)]
        if loose:
            raise ValueError(f"replays names what is not idempotent: {', '.join(loose)}")
        return self

    def life(self, kind: str) -> timedelta:
        """For how long a repeat counts as the same call."""
        return next((timedelta(seconds=told) for name, told in self.kept.items() if name == kind), KEY_LIFE)

    def remembers(self, kind: str, age: timedelta) -> bool:
        """Whether the provider still knows a key that it saw so long ago: a repeat does nothing anew."""
        return self.has(kind) and age < self.life(kind)

    def answers_again(self, kind: str, age: timedelta) -> bool:
        """Whether the answer to a repeat with a key that it saw so long ago is that to the first call."""
        return kind in self.replays and self.remembers(kind, age)

    def bears(self, kind: str, age: timedelta) -> bool:
        """Whether a repeat with a key that it saw so long ago moves nothing twice."""
        return self.remembers(kind, age) or (self.has(kind) and kind in self.once)

    def has(self, kind: str) -> bool:
        """Whether the operation is declared idempotent."""
        return bool(getattr(self, kind, False))


class Readable(_Facts):
    """Per operation: true where its outcome can be asked for later (U1), by `fetch` or `find_move`."""

    confirm: bool = False
    capture: bool = False
    void: bool = False
    refund: bool = False
    charge_token: bool = False
    parts: bool = Field(True, description="A capture, void or refund of a part shows, too.")

    def shows(self, kind: str, *, whole: bool) -> bool:
        """Whether an operation that happened is surely seen when it is asked for."""
        return bool(getattr(self, kind, False)) and (self.parts or whole)


class Times(_Facts):
    """Lives and deadlines, in seconds; None where no source tells one."""

    checkout: int | None = Field(None, description="How long a checkout can be paid after create.")
    authorisation: int | None = Field(None, description="How long an authorisation can be captured.")
    decides_within: int = Field(86_400, description="From completion until the provider has surely decided (U3).")


class Reference(_Facts):
    """What the provider allows as the merchant's reference: a length, and a regular expression for the whole."""

    max_length: int = Field(128, description="Characters at most.")
    pattern: str = Field(r".+", description="A regular expression that the whole must match.")
    field: str = Field("", description="Where it goes, for people.")


class Credential(_Facts):
    """A field of the credentials file. `secret` ones are never shown again."""

    title: str
    secret: bool = True
    required: bool = True
    signs_in: bool = Field(
        True, description="Whether our calls are authenticated with it, so that a wrong one is refused as such."
    )


class AdditionalDatum(_Facts):
    """A key that `additionalData` may carry for this provider (E5)."""

    type: str = Field(pattern="^(string|integer|number|boolean|object|array)$")
    title: str
    min: int | None = Field(None, description="Of an integer: the least that the provider takes.")
    max: int | None = Field(None, description="Of an integer: the greatest that the provider takes.")


class Events(_Facts):
    """How the provider tells us, and how that is authenticated."""

    kind: EventKind
    set_up: str = Field(pattern="^(none|per order|by call|in the portal)$", description="Who registers the URL.")
    header: str = Field("", description="The header with the signature or the secret, for people.")
    recipe: str = Field("", description="How the signature is made, for people.")
    answer: dict[str, Any] = Field(
        {"received": True},
        description="The JSON that the provider wants to be answered. Most look at the status alone.",
    )


class Source(_Facts):
    """Where a fact comes from: a public address or repository@commit, and when it was read."""

    what: str
    where: str
    read: date


class Proof(_Facts):
    """A judge of the connector and its simulator that neither of them brought along, and the test that asks it.

    `specification`: the provider's published description of its API, in a form that a program checks against;
    `official client`: a client that the provider publishes, run against the simulator; `signature vector`: a
    signature that the provider published with what was signed; `documented example`: requests or answers that the
    provider shows, other than those in `samples/`, which count by themselves.
    """

    kind: Literal["specification", "official client", "signature vector", "documented example"]
    what: str = Field(
        min_length=8, description="What judges, in words of the test file itself, be it of a test's name."
    )
    by: str = Field(
        pattern=r"^tests/connectors/\w+/test_\w+\.py$", description="The test file, from the repository's root."
    )
    codes: tuple[str, ...] = Field((), description="The codes that it is about; empty: all of the provider's.")


class Withheld(_Facts):
    """Capabilities that connector and simulator show, and that are not offered all the same, with the reason why."""

    what: tuple[str, ...] = Field(min_length=1, description="Their names in `capabilities`, where they are false.")
    why: str = Field(min_length=20)


class ProviderFacts(_Facts):
    """Everything that is known of a provider, from its folder's `provider.toml`."""

    name: str
    title: str
    summary: str
    confidence: str = Field(
        pattern=r"^(A|A-|B\+|B|unverified)$",
        description="How sure its sources make us; `unverified` is not offered in live mode.",
    )
    colour: str = Field("#334155", pattern="^#[0-9A-Fa-f]{6}$", description="Of the neutral generated mark.")
    fallback: bool = Field(False, description="Gives a code up to any other connector that claims it.")
    retired: Retired | None = None
    hosts: dict[str, Host]
    codes: dict[str, CodeFacts]
    capabilities: Capabilities
    idempotent: Idempotent = Idempotent()
    readable: Readable = Readable()
    times: Times = Times()
    reference: Reference = Reference()
    credentials: dict[str, Credential]
    additional_data: dict[str, AdditionalDatum] = Field(default_factory=dict)
    events: Events
    signed_return: bool = Field(
        False, description="The shopper's return is signed by the provider, and so proves itself."
    )
    settles_later: bool = Field(
        False, description="No payment is final when the shopper comes back: a bank collects it days later (S5)."
    )
    moves_echo_keys: tuple[str, ...] = Field(
        (),
        description="Kinds (capture, void, refund) whose listed movements always carry our key: one without is not ours.",
    )
    reports_amount: bool = Field(
        True, description="Whether the provider's status names the amount that was to be paid."
    )
    reports_currency: bool = Field(True, description="Whether the provider's status names the currency.")
    decimals: dict[str, int] = Field(
        {},
        description="By currency: how many decimals an amount may have, where the provider takes fewer than M1 allows.",
    )
    refunds_when_closed: bool = Field(
        False, description="Nothing is refunded while a part of the authorisation is neither captured nor voided."
    )
    voids_what_expires: bool = Field(
        False,
        description="What is open at the authorisation's deadline is reported as voided: no word tells it from a void.",
    )
    set_up: tuple[str, ...] = Field((), description="What has to be done at the provider first, step by step.")
    unverified: tuple[str, ...] = Field((), description="What no source says and is assumed.")
    sources: tuple[Source, ...] = ()
    proofs: tuple[Proof, ...] = ()
    withheld: tuple[Withheld, ...] = ()

    @model_validator(mode="after")
    def _named(self) -> ProviderFacts:
        named = {code: facts.model_copy(update={"code": code}) for code, facts in self.codes.items()}
        object.__setattr__(self, "codes", named)
        if unknown := {code for proof in self.proofs for code in proof.codes} - set(named):
            raise ValueError(f"a proof names codes that are not here: {', '.join(sorted(unknown))}")
        if not self.fallback and (served := [code for code, facts in named.items() if facts.missing]):
            raise ValueError(f"missing is for a fallback's codes only, not for {', '.join(sorted(served))}")
        for name in self.held_back:
            if getattr(self.capabilities, name, True):
                raise ValueError(f"{name} is withheld, and is no capability or declared all the same")
        return self

    def accepted_decimals(self, currency: str) -> int:
        """How many decimals an amount may have: what M1 allows, or fewer where the provider takes no more."""
        allowed = accepted_decimals(currency)
        return min(allowed, self.decimals.get(currency, allowed))

    @property
    def ink(self) -> str:
        """What is written in on the colour: white where that can be read (WCAG 2.2: a contrast of 4.5), else black."""
        parts = [int(self.colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        return "#FFFFFF" if 1.05 / (light + 0.05) >= 4.5 else "#000000"

    def able(self, code: CodeFacts) -> frozenset[str]:
        """The capabilities claimed for a code: the provider's, less what the code lacks and what builds on that."""
        names = (name for name in Capabilities.model_fields if getattr(self.capabilities, name))
        return frozenset(name for name in names if not {name, _BUILT_ON.get(name)} & set(code.lacks))

    def for_code(self, code: CodeFacts) -> ProviderFacts:
        """These facts, with the capabilities that this one of the provider's codes has."""
        return self._by_code[code.code]

    @cached_property
    def _by_code(self) -> dict[str, ProviderFacts]:
        found = {}
        for name, code in self.codes.items():
            able = self.able(code)
            held = Capabilities.model_validate({name: name in able for name in Capabilities.model_fields})
            found[name] = self.model_copy(update={"capabilities": held}) if code.lacks else self
        return found

    def closed(self, code: CodeFacts) -> Retired | None:
        """What is known of the end of a code's business, be it the provider's or that of this code alone."""
        return code.retired or self.retired

    @property
    def held_back(self) -> dict[str, str]:
        """The capabilities that are not offered though they are there, each with the reason."""
        return {name: held.why for held in self.withheld for name in held.what}


def read_facts(path: Path) -> ProviderFacts:
    """The facts in a `provider.toml`. Raises ValueError that names the file and the fault."""
    try:
        return ProviderFacts.model_validate(tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal))
    except ValueError as fault:
        raise ValueError(f"{path.parent.name}/{path.name}: {fault}") from fault
