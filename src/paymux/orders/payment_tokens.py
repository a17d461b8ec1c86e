"""Payment tokens: what the merchant gets is our own `tok_…`; the provider's token stays encrypted beside it (K1)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from paymux.connectors.contract import ProviderToken
from paymux.orders import store
from paymux.orders.errors import ApiError
from paymux.orders.model import Order
from paymux.platform.database import Connection
from paymux.platform.identifiers import new_id, new_secret

if TYPE_CHECKING:
    from paymux.orders.core import Core


async def keep(core: Core, tx: Connection, order: Order, token: ProviderToken, now: datetime) -> str:
    """Make a token of ours for the provider's, bound to merchant and provider account; return its id."""
    ours, token_id = new_secret("tok"), new_id("ptk")
    await store.insert_token(
        tx, id=token_id, merchant_id=order.merchant_id, account_id=order.account_id, order_id=order.id,
        token_hash=core.keyring.digest(ours), token_sealed=core.keyring.seal(ours, "payment-token"), hint=ours[-4:],
        provider_token_sealed=core.keyring.seal(token.value, "provider-token"), expires_at=token.expires_at, created_at=now,
    )  # fmt: skip
    return token_id


async def provider_token(core: Core, tx: Connection, merchant_id: str, account_id: str, token: str) -> tuple[str, str]:
    """Our token's id and the provider's token behind it. Raises ApiError `token_not_valid` (K1)."""
    row = await store.payment_token(tx, merchant_id, account_id, core.keyring.digest(token))
    if row is None or (row["expires_at"] is not None and row["expires_at"] <= core.clock.now()):
        raise ApiError("token is not valid for this merchant and payment method", code="token_not_valid", status=422)
    return row["id"], core.keyring.unseal(row["provider_token_sealed"], "provider-token")
