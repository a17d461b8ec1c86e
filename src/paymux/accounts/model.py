"""Merchants and their accounts at providers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """Who takes payments. `redirect_url` and `webhook_url` are his defaults."""

    id: str
    name: str
    client_id: str
    redirect_url: str | None
    webhook_url: str | None
    raw_provider_response: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMerchant:
    """A merchant with his secrets in clear: shown once, then never again."""

    merchant: Merchant
    client_secret: str
    payment_secret: str
    webhook_secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAccount:
    """A merchant's account at a provider, on one channel ('' is the default one). Amounts in major units."""

    id: str
    merchant_id: str
    channel: str
    code: str
    environment: str
    event_key: str
    min_amount: Decimal | None
    max_amount: Decimal | None
    priority: int
    active: bool
    credentials: Mapping[str, str]
