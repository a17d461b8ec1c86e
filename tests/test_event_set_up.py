"""A provider that takes our event URL by a call gets it from a worker, soon after the account is set."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from paymux.accounts import demo, service
from paymux.connectors import registry
from paymux.orders import provider_accounts
from paymux.platform.jobs import NotYet
from paymux.platform.settings import Settings
from tests.conftest import Eventually
from tests.installation import Installation

BY_CALL = sorted(p.facts.name for p in registry.all_providers().values() if p.facts.capabilities.set_up_events)


@pytest.mark.parametrize("name", BY_CALL)
async def test_the_event_url_is_registered_at_the_provider(
    name: str, installation: Installation, eventually: Eventually
) -> None:
    core, code = installation.core, sorted(registry.all_providers()[name].facts.codes)[0]
    async with core.database.connection() as held:
        account = await service.account_for(held, core.keyring, demo.MERCHANT_ID, "", code)
    assert account is not None
    url = service.event_url(core.settings, account)

    async def registered() -> bool:
        kept = installation.store._db.execute("SELECT body FROM notes WHERE simulator = ?", (name,)).fetchall()
        return any(url in json.dumps(json.loads(body)) for (body,) in kept)

    await eventually(registered)


async def test_a_provider_that_does_not_answer_is_asked_again(installation: Installation) -> None:
    core = installation.core
    async with core.database.transaction() as tx:
        await service.add_channel(tx, demo.MERCHANT_ID, "later", "later")
        account = await service.set_provider_account(
            tx, core.keyring, core.clock, core.settings, demo.MERCHANT_ID, "TABBY_AE", environment="sandbox",
            credentials=demo.simulator_credentials(registry.all_providers()["tabby"]), channel="later",
        )  # fmt: skip
        queued = await tx.fetchval("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'provider_account'")
    assert queued >= 1
    unreachable = Settings(**(core.settings.model_dump() | {"sandbox_url": "http://127.0.0.1:1"}))
    # So that the job is tried again, and the log tells what it waits for.
    with pytest.raises(NotYet, match="could not be registered at TABBY_AE: "):
        await provider_accounts.set_up_events(replace(core, settings=unreachable), account.id)
