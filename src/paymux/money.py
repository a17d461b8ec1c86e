"""Money: a decimal amount in major units with its ISO 4217 currency. Nothing else is ever an amount (M1 to M3)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from iso4217 import Currency as _Iso4217


class InexactAmount(ValueError):
    """An amount that its currency or a provider's form can't hold exactly (M3: nothing is rounded away)."""


@lru_cache(maxsize=512)
def minor_units(currency: str) -> int:
    """The number of decimals that ISO 4217 gives a currency: 2 for AUD, 0 for JPY, 3 for KWD.

    Raises ValueError for a code that is no currency in use.
    """
    exponent = _Iso4217(currency).exponent
    if exponent is None:
        raise ValueError(f"{currency} has no minor unit")
    return int(exponent)


def is_currency(code: str) -> bool:
    """Whether `code` is an ISO 4217 currency with a minor unit."""
    try:
        minor_units(code)
    except ValueError:
        return False
    return True


def accepted_decimals(currency: str) -> int:
    """How many decimals a merchant may send: at most 2, and no more than the currency has (M1)."""
    return min(2, minor_units(currency))


def quantum(decimals: int) -> Decimal:
    """The smallest step at so many decimals: 2 gives 0.01."""
    return Decimal(1).scaleb(-decimals)


def fits(amount: Decimal, decimals: int) -> bool:
    """Whether an amount has no more than so many decimals, trailing zeros aside."""
    _, digits, exponent = amount.as_tuple()
    if not isinstance(exponent, int):
        return False
    # Exact: `normalize` would round what has more digits than the context, and so let it through.
    zeros = next((n for n, digit in enumerate(reversed(digits)) if digit), None)
    return zeros is None or -(exponent + zeros) <= decimals


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in major units and its currency."""

    amount: Decimal
    currency: str

    @property
    def minor(self) -> int:
        """The amount in the currency's minor unit (M3): 10.12 KWD is 10120. Raises InexactAmount."""
        scaled = self.amount.scaleb(minor_units(self.currency))
        if scaled != scaled.to_integral_value():
            raise InexactAmount(f"{self.amount} {self.currency} is not a whole number of minor units")
        return int(scaled)

    @property
    def text(self) -> str:
        """The amount as a decimal string with all the currency's decimals: `10.120` for KWD. Raises InexactAmount."""
        if not fits(self.amount, minor_units(self.currency)):
            raise InexactAmount(f"{self.amount} {self.currency} has more decimals than its currency")
        return str(self.amount.quantize(quantum(minor_units(self.currency))))

    @classmethod
    def from_minor(cls, minor: int | Decimal, currency: str) -> Money:
        """Money from an amount in minor units."""
        return cls(Decimal(minor).scaleb(-minor_units(currency)), currency)

    @classmethod
    def parse(cls, amount: str | int | Decimal, currency: str) -> Money:
        """Money from a provider's major-unit amount. Raises decimal.InvalidOperation when it is no number."""
        return cls(Decimal(amount), currency)

    def rounded(self) -> Decimal:
        """The amount rounded half up to the minor unit (M2)."""
        return self.amount.quantize(quantum(minor_units(self.currency)), rounding=ROUND_HALF_UP)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


def plain(amount: Decimal) -> str:
    """A decimal without exponent or trailing zeros, as the details endpoint shows it: `240`, `7.5`."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def exact(amount: Decimal) -> Decimal:
    """The same amount without trailing zeros, as a database or a provider may have added."""
    return Decimal(plain(amount))
