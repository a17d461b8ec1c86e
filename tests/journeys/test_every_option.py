"""Every method that `GET /options` can show is one that a shopper can buy with, in the sandbox."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.registry import all_codes
from tests.installation import Installation, Merchant, Shopper

LIMITS = {"provider_timeout": 10.0, "lease": 20.0}

ANYWHERE = "AUD"
CURRENCIES = sorted({(facts.currencies or (ANYWHERE,))[0] for _, facts in all_codes().values()})


def _sold_in(currency: str) -> set[str]:
    """The codes whose first currency this is; those that take any are sold in one."""
    return {code for code, (_, facts) in all_codes().items() if (facts.currencies or (ANYWHERE,))[0] == currency}


async def _offered(merchant: Merchant, currency: str) -> dict[str, dict[str, Any]]:
    """The options of a currency over the amounts that its codes take."""
    amounts = {Decimal(100)} | {all_codes()[code][1].min for code in _sold_in(currency)}
    found: dict[str, dict[str, Any]] = {}
    for amount in sorted(amounts):
        answer = await merchant.get(f"/options?amount={max(amount, Decimal(1))}&currency={currency}")
        assert answer.status == 200, answer.body
        found |= {option["name"]: option for option in answer.body}
    return found


@pytest.mark.parametrize("currency", CURRENCIES)
async def test_every_option_of_a_currency_can_be_bought_with(
    currency: str, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    options = await _offered(merchant, currency)
    sold = _sold_in(currency)
    assert sold <= options.keys()
    together = asyncio.Semaphore(4)

    async def bought(code: str) -> str:
        least, most = Decimal(options[code]["minAmount"]), Decimal(options[code]["maxAmount"])
        async with together:
            opened = await merchant.creates(code, str(min(max(Decimal(100), least), most)))
            await shopper.pays(opened["redirectUrl"])
        return str(opened["orderReference"])

    references = dict(zip(sorted(sold), await asyncio.gather(*map(bought, sorted(sold))), strict=True))
    await installation.quiet()
    # An event that came in the very moment before its order knew the payment is looked at again a minute later.
    await installation.advance(61)
    await installation.quiet()
    unpaid = {}
    for code, reference in references.items():
        status = await merchant.status(reference)
        if (status["status"], installation.balance(reference)) != ("SUCCESSFUL", status["amount"]):
            unpaid[code] = (status["status"], installation.balance(reference))
    assert unpaid == {}


async def test_no_code_is_left_out(merchant: Merchant) -> None:
    shown: set[str] = set()
    for currency in CURRENCIES:
        shown |= (await _offered(merchant, currency)).keys()
    assert shown == set(all_codes())
