"""A payment of a provider's test mode, told to a live account: in a whole installation it pays nothing, and ends its order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paymux.accounts import service
from paymux.accounts.model import ProviderAccount
from paymux.connectors.contract import Account
from paymux.platform.settings import Settings
from tests.connectors.journey import Shop

CODES = {"MPGS": "USD", "PAYTAB": "AED", "TABBY_AE": "AED"}
"""Codes of providers whose answers tell a test payment from a real one, with a currency of each."""


@pytest.mark.parametrize("code", CODES)
async def test_a_test_payment_pays_nothing_and_ends_the_order_of_a_live_account(
    code: str, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await shop.opens(code, purchaseCurrency=CODES[code])
    await order.loses_every_event()
    back = await order.decides()
    known = service.connector_account

    def live(settings: Settings, account: ProviderAccount) -> Account:
        return replace(known(settings, account), live=True)

    monkeypatch.setattr(service, "connector_account", live)
    await order.returns(back)
    await order.later(61, 601)
    details = await order.details()
    assert (details["status"], details["capturedAmount"]) == ("ERROR", "0")
    (data,) = await order.told()
    assert data["status"] == "ERROR"
