"""Credentials that the provider does not accept: the merchant is told so, and which fields of his account to look at."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from paymux.accounts import demo, service
from paymux.connectors.contract import Refused
from paymux.connectors.registry import Provider, simulator_module
from paymux.orders import provider_accounts
from paymux.sandbox.simulator import Simulator
from tests.conformance.trial import PATIENT, Trial

LIMITS = PATIENT
# Whose wrong value the sandbox can't know, and why.
UNKNOWABLE = {("mpgs", "gateway"): "every gateway is the same simulator"}


def _asked(provider: Provider) -> bool:
    """Whether opening a checkout is a call of ours: a form that the browser posts is refused to the shopper's face."""
    kinds = [kind for kind in vars(simulator_module(provider)).values() if isinstance(kind, type)]
    return not any("form_checkout" in vars(kind) for kind in kinds if kind is not Simulator)


def _changed(value: str) -> str:
    """Another value of the same length and much the same letters."""
    middle = len(value) // 2
    return value[:middle] + ("x" if value[middle] != "x" else "y") + value[middle + 1 :]


def _names(said: str, field: str, title: str) -> bool:
    """Whether a sentence names a credential, by its name or by what the portal calls it."""
    short = title.partition(" (")[0].partition(":")[0].partition(",")[0].partition(";")[0]
    return any(word.casefold() in said.casefold() for word in (field, field.replace("_", " "), short))


async def _opens_account(trial: Trial, wrong: str) -> str:
    """An account of the connector's first code with one credential wrong, on a channel of its own; the channel."""
    core, channel = trial.installation.core, f"wrong-{trial.provider.name}-{wrong}".replace("_", "-")
    async with core.database.transaction() as tx:
        good = await service.account_for(tx, core.keyring, demo.MERCHANT_ID, "", trial.code)
        assert good is not None
        credentials: Mapping[str, str] = {**good.credentials, wrong: _changed(good.credentials[wrong])}
        await service.add_channel(tx, demo.MERCHANT_ID, channel, channel)
        await service.set_provider_account(
            tx, core.keyring, core.clock, core.settings, demo.MERCHANT_ID, trial.code, environment="sandbox",
            credentials=credentials, channel=channel,
        )  # fmt: skip
    return channel


async def _check_says(trial: Trial, channel: str) -> str:
    """What the check of an account says against it; empty when it passes, or there is none."""
    if not trial.can("check"):
        return ""
    core = trial.installation.core
    async with core.database.connection() as held:
        account = await service.account_for(held, core.keyring, demo.MERCHANT_ID, channel, trial.code)
    assert account is not None
    try:
        await provider_accounts.check(core, account)
    except Refused as no:
        return no.reason
    return ""


@pytest.mark.where(holds=_asked)
async def test_a_wrong_credential_is_named_where_it_is_refused(trial: Trial) -> None:
    async with trial.installation.database.connection() as held:
        good = await service.account_for(held, trial.installation.keyring, demo.MERCHANT_ID, "", trial.code)
    assert good is not None
    signing = {name: fact.title for name, fact in trial.facts.credentials.items() if fact.signs_in}
    given = [name for name in signing if good.credentials.get(name) and (trial.provider.name, name) not in UNKNOWABLE]
    assert given
    for name in given:
        channel = await _opens_account(trial, name)
        checked = await _check_says(trial, channel)
        opened = await trial.merchant.post("/orders", trial.body(channel=channel))
        refused = [checked] if checked else []
        if opened.status == 422:
            assert opened.body["code"] == "provider_refused"
            refused.append(opened.body["message"])
        assert refused, f"nothing tells of a wrong {name}"
        assert [said for said in refused if not _names(said, name, signing[name])] == [], name
