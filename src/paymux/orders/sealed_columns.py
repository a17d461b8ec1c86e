"""Every sealed column of an installation, and for what it is sealed (K3)."""

from __future__ import annotations

from paymux.platform.sealed_store import SealedColumn

SEALED = (
    SealedColumn("signing_keys", "private_sealed", ("signing-key",), ("kid",)),
    SealedColumn("merchant_secrets", "secret_sealed", ("payment-secret", "webhook-secret")),
    SealedColumn("provider_accounts", "credentials_sealed", ("credentials",)),
    SealedColumn("orders", "request_sealed", ("order-request",)),
    SealedColumn("orders", "raw_sealed", ("raw-answer",)),
    SealedColumn("idempotency_keys", "answer_sealed", ("kept-answer",), ("merchant_id", "key")),
    SealedColumn("payment_tokens", "token_sealed", ("payment-token",)),
    SealedColumn("payment_tokens", "provider_token_sealed", ("provider-token",)),
    SealedColumn("provider_events", "request_sealed", ("provider-event",)),
    SealedColumn("outbox_events", "body_sealed", ("outbox",)),
)
