"""What the sandbox has ready for every connector: accounts, credentials that work, and faults that can strike."""

from __future__ import annotations

from paymux.accounts import service as accounts
from paymux.connectors.contract import Account
from paymux.connectors.provider_http import ProviderHttp
from tests.conformance.trial import PATIENT, Trial

LIMITS = PATIENT
STRUCK = ("confirm", "status", "capture", "void", "refund", "cancel", "charge_token")


async def _accounts(trial: Trial) -> dict[str, Account]:
    """The demo merchant's accounts of this connector's codes, as the connector is given them."""
    running = trial.installation
    async with running.database.connection() as held:
        found = await accounts.provider_accounts(held, running.keyring, "mer_demo", "")
    return {
        account.code: accounts.connector_account(running.settings, account)
        for account in found
        if account.code in trial.facts.codes and account.environment == "sandbox" and account.active
    }


async def test_the_demo_merchant_has_an_account_in_the_sandbox_for_every_code(trial: Trial) -> None:
    found = await _accounts(trial)
    assert found.keys() == trial.facts.codes.keys()
    for account in found.values():
        assert not account.live
        for name in trial.facts.hosts:
            assert account.hosts[name].startswith(trial.installation.settings.sandbox_base_url)


async def test_every_accounts_credentials_are_accepted(trial: Trial) -> None:
    if not trial.can("check"):
        opened = await trial.opens()
        assert opened["paymentStatus"] == "pending"
        return
    for account in (await _accounts(trial)).values():
        connector = trial.provider.connector(account, ProviderHttp(trial.installation.core.client))
        assert await connector.check()


def test_every_declared_operation_can_be_struck_by_a_fault(trial: Trial) -> None:
    able = trial.able
    declared = {"create"} | {name for name in STRUCK if getattr(able, name, False)}
    if able.deferred_capture or able.capture_after_authorisation:
        declared.add("capture")
    simulator = trial.installation.sandbox.simulators[trial.provider.name]
    assert declared <= {name for route in simulator.routes() for name in (route.operation, *route.others)}
    assert {route.host for route in simulator.routes()} <= {"api", *trial.facts.hosts}
