"""A merchant's account at a provider is closed to new orders while orders of it are under way."""

from __future__ import annotations

from decimal import Decimal

from paymux.accounts import service as accounts
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import Till


async def deactivate(installation: Installation, code: str) -> None:
    async with installation.database.transaction() as tx:
        await accounts.set_provider_account(
            tx, installation.keyring, installation.clock, installation.settings, "mer_demo", code, environment="sandbox",
            credentials={"key": "till-key"}, active=False,
        )  # fmt: skip


async def test_an_account_that_is_closed_to_new_orders_goes_on_with_those_that_it_has(
    installation: Installation,
    merchant: Merchant,
    shopper: Shopper,
    tills: Till,
    eventually: Eventually,
) -> None:
    """Paid, told by event only, refunded by us and at the provider: all of it after the account was switched off."""
    till = tills["ONCETILL"]
    opened = await merchant.creates("ONCETILL")
    reference = opened["orderReference"]
    await deactivate(installation, "ONCETILL")
    refused = await merchant.post("/orders", merchant.order("ONCETILL"))
    assert (refused.status, refused.body["code"]) == (400, "provider_not_available")
    await shopper.decides(opened["redirectUrl"], "approve")

    async def successful() -> bool:
        return bool((await merchant.status(reference))["status"] == "SUCCESSFUL")

    await eventually(successful)
    assert (await merchant.refunds(reference, "30", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    await installation.quiet()
    till.move(till.of(reference), "refund", Decimal(20))

    async def refunded() -> bool:
        return bool((await merchant.details(reference))["refundedAmount"] == "50")

    await eventually(refunded)
    assert installation.balance(reference) == 50
