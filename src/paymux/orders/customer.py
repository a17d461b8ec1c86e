"""Who an order's customer is, and any text without him."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from paymux.orders.model import Order
from paymux.platform.database import from_json
from paymux.platform.encryption import KeyRing, Unreadable
from paymux.platform.logs import without_secrets

REQUEST = "order-request"
ERASED = "[erased]"
NOT_KEPT = "not kept: the customer was erased"
"""Stands for whatever words come in for an order whose customer was erased."""
LONGEST = 1_000
"""So many characters of what a provider says in one place are kept: enough for any reason, and no room for a flood."""
_PARTS = ("customer", "billingAddress", "shippingAddress")
_PERSONAL = ("firstName", "lastName", "email", "phoneNumber", "streetAddress", "streetAddress2", "city", "postalCode")
_SHORTEST = 4
"""Shorter words than this, and plain numbers, are looked for as a whole only, so that nothing else is torn apart."""


class Customer:
    """The words by which a customer is known."""

    def __init__(self, *words: str) -> None:
        # A postal code of digits alone says nothing of anybody, and is easily an amount.
        known = {
            word.strip() for word in words if word.strip() and not (word.strip().isdigit() and len(word.strip()) < 7)
        }
        forms = {form for word in known for form in (word, quote(word, safe=""), quote_plus(word))}
        parts = [
            rf"(?<!\w){re.escape(form)}(?!\w)" if len(form) < _SHORTEST or form.isdigit() else re.escape(form)
            for form in sorted(forms, key=len, reverse=True)
        ]
        self._words = re.compile("|".join(parts), re.I) if parts else None

    @classmethod
    def of(cls, body: Mapping[str, Any], *more: str) -> Customer:
        """The customer of an order's request, what else it says in a free text (`additionalData`), and `more` words."""
        parts = [body.get(name) or {} for name in _PARTS]
        found = {str(part[name]) for part in parts for name in _PERSONAL if part.get(name)}
        return cls(*found, *_texts(body.get("additionalData")), *more)

    def named_in(self, text: str) -> bool:
        """Whether a text names him."""
        return self._words is not None and self._words.search(text) is not None

    def without(self, value: Any, mark: str = ERASED) -> Any:
        """A text, or the texts of a JSON value, without him."""
        if isinstance(value, str):
            return self._words.sub(mark, value) if self._words else value
        if isinstance(value, Mapping):
            return {name: self.without(part, mark) for name, part in value.items()}
        return [self.without(part, mark) for part in value] if isinstance(value, list) else value


def comparable(address: str) -> str:
    """An e-mail address in the form in which two are compared."""
    return address.strip().casefold()


def addresses_of(body: Mapping[str, Any]) -> set[str]:
    """The e-mail addresses that an order's request names, as two are compared."""
    found = {comparable(str((body.get(name) or {}).get("email") or "")) for name in _PARTS}
    return found - {""}


def _texts(value: Any) -> set[str]:
    """The texts of a free JSON value that are long enough to be somebody's."""
    if isinstance(value, str):
        return {value} if len(value) >= _SHORTEST else set()
    if isinstance(value, Mapping | list):
        return {text for part in (value.values() if isinstance(value, Mapping) else value) for text in _texts(part)}
    return set()


def words_without_him(keyring: KeyRing, order: Order, text: str) -> str:
    """What a provider said, on one line and without the customer: its words reach columns, webhooks, answers and an
    operator's screen, and are not sealed there (K3). Of one who was erased nobody knows the words any more: none are kept."""
    if not text:
        return text
    if order.erased_at is not None:
        return NOT_KEPT
    text = "".join(letter if letter.isprintable() else " " for letter in text[:LONGEST])
    try:
        body = from_json(keyring.unseal(order.request_sealed, REQUEST))["body"]
    except Unreadable:
        return "the provider's words can't be shown"
    return without_secrets(str(Customer.of(body).without(text, "[…]")))
