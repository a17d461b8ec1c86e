"""Our own page before the provider's, `/checkout/{order token}`: what it does with a lost create (U2)."""

from __future__ import annotations

import asyncio
from typing import Any

from yarl import URL

from tests.installation import Answer, Installation, Merchant, Shopper


async def opens(installation: Installation, url: str) -> Answer:
    return await installation.call("GET", URL(url, encoded=True))


async def lost(
    merchant: Merchant, installation: Installation, fault: str, times: int = 1, **changes: Any
) -> dict[str, Any]:
    """An order whose create brought no answer: still 201 and pending, with our own page."""
    body = merchant.order("PLANPAY_AU", **changes)
    await installation.fault("PLANPAY_AU", "create", fault, body["orderReference"], times)
    answer = await merchant.post("/orders", body)
    assert (answer.status, answer.body["paymentStatus"]) == (201, "pending")
    assert answer.body["redirectUrl"] == f"{merchant.base}/checkout/{answer.body['orderToken']}"
    found: dict[str, Any] = answer.body
    return found


async def test_it_tries_the_create_again_and_forwards_to_one_checkout(
    merchant: Merchant, shopper: Shopper, installation: Installation
) -> None:
    opened = await lost(merchant, installation, "reset_after")
    first, second = (
        await opens(installation, opened["redirectUrl"]),
        await opens(installation, opened["redirectUrl"] + "/"),
    )
    assert first.status == second.status == 303
    assert first.headers["Location"] == second.headers["Location"]
    assert (await merchant.details(opened["orderReference"]))["redirectUrl"] == first.headers["Location"]
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    assert installation.balance(opened["orderReference"]) == 100


async def test_many_tabs_at_once_open_one_checkout(merchant: Merchant, installation: Installation) -> None:
    opened = await lost(merchant, installation, "error_after")
    pages = await asyncio.gather(*(opens(installation, opened["redirectUrl"]) for _ in range(5)))
    assert {page.status for page in pages} <= {200, 303}
    assert len({page.headers["Location"] for page in pages if page.status == 303}) == 1


async def test_while_the_provider_does_not_answer_it_waits_and_goes_on_by_itself(
    merchant: Merchant, shopper: Shopper, installation: Installation
) -> None:
    opened = await lost(merchant, installation, "error_before", times=2)
    page = await opens(installation, opened["redirectUrl"])
    assert page.status == 200
    assert 'http-equiv="refresh"' in page.body
    assert (await opens(installation, opened["redirectUrl"])).status == 303


async def test_once_the_order_has_ended_it_sends_the_shopper_back(
    merchant: Merchant, installation: Installation
) -> None:
    opened = await lost(merchant, installation, "error_before", times=50)
    assert (await merchant.post(f"/orders/{opened['orderReference']}/cancel", {})).status == 201
    page = await opens(installation, opened["redirectUrl"])
    assert page.status == 303
    assert dict(URL(page.headers["Location"]).query)["status"] == "CANCELLED"


async def test_an_order_that_is_paid_already_is_not_paid_again(
    merchant: Merchant, shopper: Shopper, installation: Installation
) -> None:
    opened = await merchant.creates("PLANPAY_AU")
    await shopper.pays(opened["redirectUrl"])
    page = await opens(installation, f"{merchant.base}/checkout/{opened['orderToken']}")
    assert page.status == 303
    assert dict(URL(page.headers["Location"]).query)["status"] == "SUCCESSFUL"


async def test_the_page_for_providers_that_need_a_form_post_brings_the_shopper_there(
    merchant: Merchant, shopper: Shopper, installation: Installation
) -> None:
    opened = await merchant.creates("PLANPAY_AU")
    async with installation.database.transaction() as tx:
        await tx.execute(
            "UPDATE orders SET checkout_form = $1 WHERE reference = $2", {"token": "a\"><b>'"}, opened["orderReference"]
        )
    page = await opens(installation, f"{merchant.base}/checkout/{opened['orderToken']}")
    assert page.status == 200
    assert '<form method="post"' in page.body
    assert "100.00" in page.body
    assert f"order {opened['orderReference']}" in page.body
    assert "<b>" not in page.body, "what a provider said is text, never markup"
    assert (await merchant.details(opened["orderReference"]))["redirectUrl"].startswith(f"{merchant.base}/checkout/")
