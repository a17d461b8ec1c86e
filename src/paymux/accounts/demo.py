"""The demo merchant of sandbox mode: fixed credentials, and an account at every provider (sandbox mode only)."""

from __future__ import annotations

from paymux.accounts import service, store
from paymux.connectors.registry import Provider, all_codes, simulator_module
from paymux.platform.clock import Clock
from paymux.platform.database import Database
from paymux.platform.encryption import KeyRing
from paymux.platform.settings import Settings

MERCHANT_ID = "mer_demo"
CLIENT_ID = "demo-merchant"
SECRETS = {
    "client": "demo-secret",
    "payment": "demo-payment-secret",
    "webhook": "whsec_ZGVtby13ZWJob29rLXNlY3JldA==",
}


async def seed(database: Database, keyring: KeyRing, clock: Clock, settings: Settings) -> None:
    """Make the demo merchant, and an account for every code that he has none for; what he changed stays."""
    if not settings.sandbox:
        raise service.AccountFault("The demo merchant exists in sandbox mode only.")
    async with database.transaction() as tx:
        await service.stamp_mode(tx, settings, keyring.primary)
        await clock.refresh(tx)
        await store.lock_installation(tx)
        if await store.merchant(tx, MERCHANT_ID) is None:
            await service.create_merchant(
                tx, keyring, clock, "Demo merchant", merchant_id=MERCHANT_ID, client_id=CLIENT_ID, known=SECRETS
            )
        have = await store.codes_of(tx, MERCHANT_ID)
        credentials = {}
        for number, (code, (provider, _)) in enumerate(sorted(all_codes().items()), 1):
            if code in have:
                continue
            if provider.name not in credentials:
                credentials[provider.name] = simulator_credentials(provider)
            await service.set_provider_account(
                tx, keyring, clock, settings, MERCHANT_ID, code, environment="sandbox",
                credentials=credentials[provider.name], priority=number,
            )  # fmt: skip


def simulator_credentials(provider: Provider) -> dict[str, str]:
    """The credentials that a provider's simulator accepts."""
    module = simulator_module(provider)
    for item in vars(module).values():
        accepted = getattr(item, "credentials", None)
        if isinstance(item, type) and item.__module__ == module.__name__ and accepted:
            return dict(accepted)
    return {}
