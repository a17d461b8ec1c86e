"""What merchants and connectors give that may name people, sealed in its row (K3).

A checkout's form holds the customer's name and address; in a configuration or a description a merchant may name whom he
likes. Versions before wrote these in clear, into columns of the same names without `_sealed`. What stands there is still
read, ahead of what is sealed, for an older version that serves beside this one wrote it later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paymux.orders.model import Operation, Order
from paymux.platform.database import from_json, to_json
from paymux.platform.encryption import KeyRing

FORM, CONFIGURATION, DESCRIPTION = "checkout-form", "partner-configuration", "description"


@dataclass(frozen=True, slots=True)
class Form:
    """What a shopper's browser has to POST, and where."""

    url: str
    fields: Mapping[str, str]


def sealed_form(keyring: KeyRing, form: Form) -> bytes:
    """A checkout's form for `checkout_form_sealed`."""
    return keyring.seal(to_json({"url": form.url, "fields": dict(form.fields)}), FORM)


def form_of(keyring: KeyRing, order: Order) -> Form | None:
    """The form by which an order's shopper gets to the provider; None where a URL is enough. Raises Unreadable."""
    if order.checkout_form is not None:
        return Form(order.checkout_url or "", order.checkout_form)
    if order.checkout_form_sealed is None:
        return None
    return Form(**from_json(keyring.unseal(order.checkout_form_sealed, FORM)))


def sealed_configuration(keyring: KeyRing, given: Mapping[str, Any] | None) -> bytes | None:
    """A merchant's `partnerConfiguration` for `partner_configuration_sealed`."""
    return keyring.seal(to_json(dict(given)), CONFIGURATION) if given else None


def configuration_of(keyring: KeyRing, order: Order) -> Mapping[str, Any]:
    """`partnerConfiguration` as the merchant sent it; empty when he sent none. Raises Unreadable."""
    if order.partner_configuration is not None:
        return order.partner_configuration
    if order.partner_configuration_sealed is None:
        return {}
    given: Mapping[str, Any] = from_json(keyring.unseal(order.partner_configuration_sealed, CONFIGURATION))
    return given


def sealed_description(keyring: KeyRing, text: str) -> bytes | None:
    """A description for `description_sealed`."""
    return keyring.seal(text, DESCRIPTION) if text else None


def description_of(keyring: KeyRing, op: Operation) -> str:
    """What the merchant says that a capture, void or refund is for; may be empty. Raises Unreadable."""
    if op.description or op.description_sealed is None:
        return op.description
    return keyring.unseal(op.description_sealed, DESCRIPTION)
