"""The field of the probe: every code, in every country and currency that its facts name."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal

from paymux.connectors.facts import CodeFacts

ANY = ("EUR", "JPY", "KWD")
"""The currencies that a code without a list is tried in: two decimals, none, and three."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a code is tried: a country (ISO 3166) and a currency (ISO 4217)."""

    country: str
    currency: str

    def __str__(self) -> str:
        return f"{self.country}/{self.currency}"


def home(currency: str) -> str:
    """A country that has this currency: ISO 4217 begins a currency's code with its country's."""
    return "DE" if currency == "EUR" else currency[:2]


def places(code: CodeFacts) -> list[Place]:
    """Every country of a code, with the money of that country where the code takes it, and every currency of a code."""
    currencies = code.currencies or ANY
    if not code.countries:
        return [Place(home(currency), currency) for currency in currencies]
    found = [Place(country, _money(country, currencies)) for country in code.countries]
    seen = {place.currency for place in found}
    return found + [Place(code.countries[0], currency) for currency in currencies if currency not in seen]


def _money(country: str, currencies: tuple[str, ...]) -> str:
    own = [currency for currency in currencies if currency[:2] == country]
    return own[0] if own else "EUR" if "EUR" in currencies else currencies[0]


def amount(code: CodeFacts) -> Decimal:
    """An amount that the code takes, in whole units that every currency has: 100 where the limits allow it."""
    return min(max(Decimal(100), code.min.to_integral_value(ROUND_UP)), code.max)
