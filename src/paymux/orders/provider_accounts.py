"""A provider account's own calls, outside of any order: its check, and the registration of our event URL."""

from __future__ import annotations

import structlog

from paymux.accounts import service as accounts
from paymux.accounts.model import ProviderAccount
from paymux.audit import trail
from paymux.connectors.contract import Connector, Refused
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.registry import UnknownCode, provider_of
from paymux.orders.core import Core
from paymux.platform.http import CallFailed
from paymux.platform.jobs import NotYet

log = structlog.get_logger()


def connector_of(core: Core, account: ProviderAccount) -> Connector:
    """The connector of an account, labelled towards simulators. Raises UnknownCode."""
    provider, _ = provider_of(account.code)
    label = None
    if account.environment == "sandbox":
        label = {"merchant": account.merchant_id, "reference": "account", "code": account.code}
    http = ProviderHttp(core.client, label, core.calls.recorder(account.id))
    return provider.connector(accounts.connector_account(core.settings, account), http)


async def check(core: Core, account: ProviderAccount) -> str:
    """Prove an account's credentials by the provider's cheapest harmless call: a sentence on what was seen.

    For a code whose connector declares `check`. Raises Refused, NotSent or Unclear.
    """
    connector = connector_of(core, account)
    try:
        return await connector.check()
    except Refused as no:
        raise connector.explained(no) from no
    finally:
        await _write_calls(core, account.id)


async def _write_calls(core: Core, account_id: str) -> None:
    async with core.database.transaction() as tx:
        await trail.record_calls(tx, core.calls.take(account_id))


async def set_up_events(core: Core, account_id: str) -> None:
    """Register our event URL at the provider, where a call can: the job `provider_account`. Repeating does no harm.

    A refusal is logged and not repeated: only a person can change the credentials. Raises NotYet where the provider
    does not answer, or not so that it can be understood; this and anything else is tried again.
    """
    async with core.database.connection() as held:
        account = await accounts.account_by_id(held, core.keyring, account_id)
    try:
        connector = connector_of(core, account)
        if account.active and connector.facts.capabilities.set_up_events:
            await connector.set_up_events(accounts.event_url(core.settings, account))
            async with core.database.transaction() as tx:
                await trail.record(
                    tx, "provider_account.events_set_up", account.id, merchant_id=account.merchant_id, code=account.code
                )
            log.info("provider_account.events_set_up", account=account.id, code=account.code)
    except UnknownCode:
        return
    except Refused as no:
        log.warning("provider_account.events_refused", account=account.id, code=account.code, reason=no.code)
    except CallFailed as fault:
        raise NotYet(f"the event URL could not be registered at {account.code}: {fault}") from fault
    finally:
        await _write_calls(core, account_id)
