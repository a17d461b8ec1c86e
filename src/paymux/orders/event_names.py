"""What an event names, and what an order is known by at its provider, in a form in which both can be stored and compared.

As keyed hashes: an account may serve other shops as well, and what their orders are called is nobody's business here.
"""

from __future__ import annotations

from paymux.platform.encryption import KeyRing


def digests(keyring: KeyRing, *, session: str | None, payment_id: str | None, reference: str | None) -> list[str]:
    """A keyed hash of each name that is given; equal for the same kind and text only."""
    named = {"session": session, "payment": payment_id, "reference": reference}
    return [keyring.digest(f"{kind}:{name}") for kind, name in named.items() if name]
