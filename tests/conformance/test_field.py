"""What connectors do is what their facts claim and what the documents say: tried by the field-probe, and the probe itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from paymux import connector_template
from paymux.connectors import registry
from paymux.connectors.contract import Ask, Checkout, Connector, Forged, Incoming, Pending, Report
from paymux.connectors.facts import CodeFacts
from paymux.connectors.registry import all_providers
from tests.conformance import throw_away
from tests.conformance.field import places
from tests.conformance.field_probe import KEPT, field_of
from tests.conformance.findings import differences, groups

Change = tuple[str, str, str]
"""In which file of the throw-away connector, and which text becomes which."""
Make = Callable[[type[Connector]], type[Connector]]
"""Makes another connector of one."""


@pytest.mark.parametrize("name", sorted(all_providers()))
async def test_a_connector_does_what_it_claims_and_what_the_documents_tell_of_it(name: str) -> None:
    found = await field_of(name)
    assert differences(all_providers()[name].facts, found) == []
    assert groups(all_providers()[name].facts, found) == json.loads(KEPT.read_text()).get(name), (
        "run `make docs` and commit what it writes"
    )


@pytest.mark.parametrize("code", sorted(registry.all_codes()))
def test_a_code_is_tried_in_each_of_its_countries_and_currencies(code: str) -> None:
    facts = registry.all_codes()[code][1]
    tried = places(facts)
    assert {place.country for place in tried} >= set(facts.countries)
    assert {place.currency for place in tried} >= set(facts.currencies)
    assert len(tried) == len(set(tried)) > 0


def test_a_code_of_any_currency_is_tried_with_two_decimals_with_none_and_with_three() -> None:
    assert [str(place) for place in places(CodeFacts(title="Any"))] == ["DE/EUR", "JP/JPY", "KW/KWD"]


@pytest.fixture
def paperpay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Adds the throw-away connector, changed; its name."""

    def add(*changes: Change) -> str:
        folder = throw_away.write(tmp_path)
        for file, old, new in changes:
            text = (folder / file).read_text()
            assert old in text
            (folder / file).write_text(text.replace(old, new))
        monkeypatch.setattr(registry, "_extra", (*registry._extra, folder))
        return folder.name

    return add


async def said(name: str) -> list[str]:
    """The differences of a connector of one code in one place."""
    sentences = differences(all_providers()[name].facts, await field_of(name))
    where = " (PAPERPAY_NZ NZ/NZD)"
    assert all(sentence.endswith(where) for sentence in sentences)
    return [sentence.removesuffix(where) for sentence in sentences]


async def test_the_connector_that_the_command_makes_does_what_it_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(connector_template.__file__).parent / "newpay"
    monkeypatch.setattr(registry, "_extra", (*registry._extra, folder))
    assert differences(all_providers()["newpay"].facts, await field_of("newpay")) == []


async def test_a_connector_that_does_what_it_claims_has_no_differences(paperpay: Callable[..., str]) -> None:
    assert await said(paperpay()) == []


TOO_MUCH_TAKEN = ('"sum": move.amount.text}', '"sum": checkout.total.text if kind == "capture" else move.amount.text}')
CASES: dict[str, tuple[Sequence[Change], list[str]]] = {
    "a claim without a method": (
        [("provider.toml", "status = true", "status = true\nvoid = true")],
        ["it claims void: not built"],
    ),
    "a method without a claim": (
        [("provider.toml", "multiple_captures = true\n", "")],
        ["it does multiple_captures, and does not claim it"],
    ),
    "a part that takes the whole": (
        [("connector.py", *TOO_MUCH_TAKEN)],
        ["it claims multiple_captures: otherwise", "it claims partial_capture: otherwise"],
    ),
    "movements that are told of and not made": (
        [("simulator.py", 'self.save(case, (made["kind"], Decimal(made["sum"]), made["id"]))', "self.save(case)")],
        [f"it claims {name}: otherwise" for name in
         ("deferred_capture", "multiple_captures", "multiple_refunds", "partial_capture", "partial_refund", "refund")],
    ),
    "a refusal": (
        [("simulator.py", 'if case.status != "paid":', 'if body["kind"] == "refund":')],
        [f"it claims {name}: refused" for name in ("multiple_refunds", "partial_refund", "refund")],
    ),
    "a state that denies the payment": (
        [("connector.py", "captured=captured, refunded", "captured=captured + 1, refunded")],
        ["it claims status: otherwise"],
    ),
    "a code that lacks what it can": (
        [("provider.toml", 'required = ["customer.email"]', 'required = ["customer.email"]\nlacks = ["deferred_capture"]')],
        [f"it does {name}, and does not claim it" for name in
         ("deferred_capture", "multiple_captures", "partial_capture")],
    ),
    "a capability withheld that is not there": (
        [("provider.toml", "[idempotent]", '[[withheld]]\nwhat = ["cancel"]\nwhy = "nobody has asked for it so far"\n\n[idempotent]')],
        ["it withholds cancel, which it cannot do"],
    ),
    "events that never come": (
        [("provider.toml", 'kind = "none"\nset_up = "none"', 'kind = "signed"\nset_up = "per order"')],
        ["it claims events proved, and it is none", "it claims events.set_up per order, and it is none"],
    ),
    "a return that is not signed": (
        [("provider.toml", 'confidence = "B"', 'confidence = "B"\nsigned_return = true')],
        ["it claims signed_return True, and it is False"],
    ),
    "a payment that is there at once": (
        [("provider.toml", 'confidence = "B"', 'confidence = "B"\nsettles_later = true')],
        ["it claims settles_later True, and it is False"],
    ),
    "money taken from a shopper who declined": (
        [("simulator.py", '{"approve": "paid", "cancel"', '{"approve": "paid", "decline": "paid", "cancel"')],
        ["decline: authorize 100.00, capture 100.00"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
async def test_a_false_claim_is_found(case: str, paperpay: Callable[..., str]) -> None:
    changes, found = CASES[case]
    assert await said(paperpay(*changes)) == found


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Make], None]:
    """Puts a connector made of the real one in its place."""

    def put(name: str, make: Make) -> None:
        provider = all_providers()[name]
        monkeypatch.setitem(all_providers(), name, replace(provider, connector=make(provider.connector)))

    return put


def _credulous(real: type[Connector]) -> type[Connector]:
    class Credulous(real):  # type: ignore[valid-type,misc]
        def verify_event(self, event: Incoming) -> str | None:
            return None

    return Credulous


def _suspicious(real: type[Connector]) -> type[Connector]:
    class Suspicious(real):  # type: ignore[valid-type,misc]
        def verify_event(self, event: Incoming) -> str | None:
            raise Forged("all of them")

    return Suspicious


def _trusting(real: type[Connector]) -> type[Connector]:
    class Trusting(real):  # type: ignore[valid-type,misc]
        def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
            try:
                said: Ask | Report = super().read_return(query, checkout)
            except Forged:
                return Pending(reason="whatever")
            return said

    return Trusting


@pytest.mark.parametrize(
    ("name", "make", "found"),
    [
        ("affirm", _credulous, "it claims events proved, and it is hints (AFFIRM_US US/USD, AFFIRM_CAD CA/CAD)"),
        ("affirm", _suspicious, "events: Forged all of them (AFFIRM_US US/USD, AFFIRM_CAD CA/CAD)"),
        ("humm", _trusting, "it claims signed_return True, and it is False (HUMM_AU AU/AUD, HUMM_NZ NZ/NZD)"),
    ],
)
async def test_who_checks_no_signature_or_refuses_every_one_is_found(
    name: str, make: Make, found: str, instead: Callable[[str, Make], None]
) -> None:
    instead(name, make)
    assert found in differences(all_providers()[name].facts, await field_of(name))
