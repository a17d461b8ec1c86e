"""Every sealed column of an installation, for what it is sealed, and what versions before left in clear beside it (K3)."""

from __future__ import annotations

from paymux.orders.given_words import CONFIGURATION, DESCRIPTION, FORM
from paymux.platform.sealed_store import ClearColumn, SealedColumn

SEALED = (
    SealedColumn("signing_keys", "private_sealed", ("signing-key",), ("kid",)),
    SealedColumn("merchant_secrets", "secret_sealed", ("payment-secret", "webhook-secret")),
    SealedColumn("provider_accounts", "credentials_sealed", ("credentials",)),
    SealedColumn("orders", "request_sealed", ("order-request",)),
    SealedColumn("orders", "raw_sealed", ("raw-answer",)),
    SealedColumn("orders", "checkout_form_sealed", (FORM,)),
    SealedColumn("orders", "partner_configuration_sealed", (CONFIGURATION,)),
    SealedColumn("operations", "description_sealed", (DESCRIPTION,)),
    SealedColumn("idempotency_keys", "answer_sealed", ("kept-answer",), ("merchant_id", "key")),
    SealedColumn("payment_tokens", "token_sealed", ("payment-token",)),
    SealedColumn("payment_tokens", "provider_token_sealed", ("provider-token",)),
    SealedColumn("provider_events", "request_sealed", ("provider-event",)),
    SealedColumn("outbox_events", "body_sealed", ("outbox",)),
)

CLEAR = (
    ClearColumn(
        "orders", "checkout_form", "checkout_form_sealed", FORM,
        text="jsonb_build_object('url', checkout_url, 'fields', checkout_form)::text",
    ),
    ClearColumn(
        "orders", "partner_configuration", "partner_configuration_sealed", CONFIGURATION,
        text="partner_configuration::text",
    ),
    ClearColumn("operations", "description", "description_sealed", DESCRIPTION, text="description", empty="''"),
)  # fmt: skip
