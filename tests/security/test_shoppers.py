"""What a shopper can do with the one address that he has: pay his order, and nothing to anybody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from yarl import URL

from paymux.checkout.shopper_pages import ASKS
from paymux.platform.http import Answer, HttpClient
from tests.installation import Installation, Merchant, Shopper

CODE = "PLANPAY_AU"
LIMITS = {"provider_timeout": 10.0}


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs that providers are called at."""
    urls: list[str] = []
    send = HttpClient.send

    async def noted(
        self: HttpClient, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        urls.append(url)
        return await send(self, method, url, headers=headers, body=body)

    monkeypatch.setattr(HttpClient, "send", noted)
    return urls


async def history(installation: Installation, order_id: str) -> int:
    async with installation.database.connection() as held:
        count: int = await held.fetchval("SELECT count(*) FROM order_events WHERE order_id = $1", order_id)
        return count


@pytest.mark.parametrize("query", ["", "?checkout_id=another", "?via=cancel"])
async def test_who_comes_back_again_and_again_takes_up_few_calls_and_little_history(
    query: str, installation: Installation, merchant: Merchant, called: list[str]
) -> None:
    opened = await merchant.creates(CODE)
    await installation.quiet()
    called.clear()
    before = await history(installation, opened["orderId"])
    url = URL(f"{merchant.base}/return/{opened['orderToken']}{query}", encoded=True)
    answers = await asyncio.gather(*(installation.call("GET", url) for _ in range(4 * ASKS)))
    assert {answer.status for answer in answers} == {303}
    assert {dict(URL(answer.headers["Location"]).query)["status"] for answer in answers} == {"PENDING"}
    assert 0 < len(called) <= ASKS + 2
    assert await history(installation, opened["orderId"]) - before <= ASKS + 2


async def test_the_flood_of_one_leaves_the_others_and_his_own_payment_is_noticed(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Any
) -> None:
    flooded, other = await merchant.creates(CODE), await merchant.creates(CODE)
    for _ in range(2 * ASKS):
        await installation.call("GET", f"{merchant.base}/return/{flooded['orderToken']}")
    assert (await shopper.pays(other["redirectUrl"]))["status"] == "SUCCESSFUL"
    await shopper.decides(flooded["redirectUrl"], "approve")

    async def paid() -> bool:
        return bool((await merchant.status(flooded["orderReference"]))["status"] == "SUCCESSFUL")

    await eventually(paid)
