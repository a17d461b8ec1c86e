"""`paymux providers check`: an account's credentials tested at its provider, and said in words."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from paymux.accounts import demo, service
from paymux.cli_providers import checked
from tests.accounts.conftest import AddConnector, add_connector
from tests.installation import Installation, free_port
from tests.processes import environment_of

__all__ = ["add_connector"]
SECRET = "whsec_" + "A" * 32


@dataclass
class Operator:
    """Types the command against a running installation."""

    installation: Installation

    async def __call__(self, *words: str) -> tuple[int, str, str]:
        settings = self.installation.settings
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "paymux", "providers", "check", *words, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment_of(
                PAYMUX_HOME=str(settings.home), PAYMUX_DATABASE_URL=settings.database_url,
                PAYMUX_SANDBOX_PORT=str(settings.sandbox_port),
            ),
        )  # fmt: skip
        out, said = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), said.decode()

    async def sets(self, code: str, channel: str = "", **credentials: str) -> None:
        """Give the demo merchant an account."""
        core = self.installation.core
        async with core.database.transaction() as tx:
            if channel:
                await service.add_channel(tx, demo.MERCHANT_ID, channel, channel)
            await service.set_provider_account(
                tx, core.keyring, core.clock, core.settings, demo.MERCHANT_ID, code, environment="sandbox",
                credentials=credentials, channel=channel,
            )  # fmt: skip


@pytest.fixture
def operator(installation: Installation) -> Operator:
    return Operator(installation)


async def test_good_credentials_pass_and_it_is_said_what_was_seen(operator: Operator) -> None:
    code, out, said = await operator("AFTERPAY_AU")
    assert (code, said) == (0, "")
    assert out.startswith("AFTERPAY_AU: passed. Read the account's configuration: payments from ")


async def test_bad_ones_fail_with_the_provider_s_own_word(operator: Operator) -> None:
    await operator.sets("AFTERPAY_AU", channel="bad", merchant_id="M-1", secret_key="wrong")
    code, out, _ = await operator("AFTERPAY_AU", "--channel", "bad", "--json")
    shown = json.loads(out)
    assert code == 1
    assert (shown["result"], shown["providerCode"], shown["merchant"]) == ("failed", "unauthorized", "demo-merchant")
    assert shown["said"].endswith(".")


async def test_a_service_of_somebody_s_is_tested_against_the_open_contract(operator: Operator) -> None:
    settings = operator.installation.settings
    ours = await checked(operator.installation.core, "PLANPAY_AU", "", "")
    assert ours["result"] == "passed"
    assert "speaks contract version 2026-11-01" in ours["said"]

    await operator.sets("PLANPAY_AU", channel="forged", secret=SECRET)
    forged = await checked(operator.installation.core, "PLANPAY_AU", demo.MERCHANT_ID, "forged")
    assert forged["result"] == "failed"
    assert forged["said"].startswith("While an unknown checkout must be 404 not_found: ")

    # A web server that is no such service: here the installation's own API.
    await operator.sets("PLANPAY_AU", channel="other", secret=SECRET, endpoint=settings.base_url)
    other = await checked(operator.installation.core, "PLANPAY_AU", "", "other")
    assert (other["result"], other["said"]) == (
        "failed",
        "A request without a signature must be answered 401, not 404.",
    )

    await operator.sets("PLANPAY_AU", channel="gone", secret=SECRET, endpoint=f"http://127.0.0.1:{free_port()}")
    gone = await checked(operator.installation.core, "PLANPAY_AU", "", "gone")
    assert (gone["result"], "could not be reached" in gone["said"]) == ("unreachable", True)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("NOBODY_XX",), "NOBODY_XX is no known payment method code. `paymux providers` lists them all."),
        (("AFTERPAY_AU", "--merchant", "nobody"), "There is no merchant nobody."),
        (("AFTERPAY_AU", "--channel", "none"), "demo-merchant has no account of AFTERPAY_AU on channel none"),
    ],
)
async def test_what_can_not_be_found_is_said(operator: Operator, words: tuple[str, ...], reason: str) -> None:
    code, out, said = await operator(*words)
    assert (code, out) == (1, "")
    assert reason in said


async def test_a_provider_without_a_harmless_call_is_not_testable(
    operator: Operator, add_connector: AddConnector
) -> None:
    folder = add_connector("flower", "FLOWER_AU")
    text = (folder / "provider.toml").read_text()
    assert "\ncheck = true\n" in text
    (folder / "provider.toml").write_text(text.replace("\ncheck = true\n", "\n"))
    await operator.sets("FLOWER_AU", merchant_id="M", secret_key="S")
    shown: dict[str, Any] = await checked(operator.installation.core, "FLOWER_AU", "", "")
    assert (shown["result"], "no harmless call" in shown["said"]) == ("not testable", True)
