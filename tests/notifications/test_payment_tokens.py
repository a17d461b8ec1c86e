"""The payment token: in the success webhook's body and nowhere else; worth something to its owner only (K1)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.api.conftest import a_merchant
from tests.installation import Installation, Merchant, Shopper
from tests.notifications.conftest import Endpoint
from tests.notifications.test_events_of_orders import check, told

NewEndpoint = Callable[[], Awaitable[Endpoint]]


async def a_token(installation: Installation, merchant: Merchant, shopper: Shopper) -> str:
    opened = await merchant.creates("PLANPAY_AU", getToken=True)
    await shopper.pays(opened["redirectUrl"])
    events = await told(installation, opened["orderReference"])
    check(events)
    (token,) = [event["data"]["token"] for event in events if "token" in event["data"]]
    return str(token)


async def everything_kept(installation: Installation) -> str:
    """Every row of every table, as text."""
    async with installation.database.connection() as held:
        tables = await held.fetch("SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'")
        rows = [await held.fetch(f"SELECT t::text AS row FROM {table['name']} t") for table in tables]  # noqa: S608
    return "\n".join(row["row"] for found in rows for row in found)


async def test_the_token_comes_with_the_announced_success_and_in_no_other_place(
    installation: Installation, merchant: Merchant, shopper: Shopper, capfd: pytest.CaptureFixture[str]
) -> None:
    opened = await merchant.creates("PLANPAY_AU", getToken=True)
    assert "token" not in opened
    await shopper.pays(opened["redirectUrl"])
    events = await told(installation, opened["orderReference"])
    check(events)
    bearing = [event["event"] for event in events if "token" in event["data"]]
    assert bearing == ["ORDER_ASYNC_CALLBACK"]
    token = events[-1]["data"]["token"]
    assert re.fullmatch(r"tok_[A-Za-z0-9_-]{22,}", token), "128 random bits"
    assert "tokenFailureReason" not in events[-1]["data"]
    said = [await merchant.status(opened["orderReference"]), await merchant.details(opened["orderReference"])]
    for place in (str(said), await everything_kept(installation), "".join(capfd.readouterr())):
        assert token not in place
        assert token[4:] not in place


async def test_a_replay_carries_the_token_again(
    installation: Installation, merchant: Merchant, shopper: Shopper, new_endpoint: NewEndpoint
) -> None:
    from paymux.accounts import demo
    from paymux.notifications import delivery

    own = await new_endpoint()
    opened = await merchant.creates("PLANPAY_AU", getToken=True, dynamicCallbackUrl=own.url)
    await shopper.pays(opened["redirectUrl"])
    await installation.quiet()
    async with installation.database.transaction() as tx:
        rows = await delivery.list_deliveries(tx, demo.MERCHANT_ID, None, 10)
        for row in rows:
            if row["event"] == "ORDER_ASYNC_CALLBACK" and row["order_id"] == opened["orderId"]:
                await delivery.replay(tx, demo.MERCHANT_ID, row["id"])
    await installation.quiet()
    assert len(own.received) == 2
    assert own.received[0][1] == own.received[1][1]
    assert b'"token":"tok_' in own.received[0][1]


async def test_an_order_is_paid_with_the_token_at_once_and_its_redirect_leads_straight_back(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    token = await a_token(installation, merchant, shopper)
    opened = await merchant.creates("PLANPAY_AU", "40", token=token, customerPresent=False)
    assert opened["paymentStatus"] == "successful"
    assert installation.balance(opened["orderReference"]) == 40
    query = await shopper.returns(opened["redirectUrl"])
    assert (query["status"], query["reference"]) == ("SUCCESSFUL", opened["orderReference"])
    assert token not in await everything_kept(installation)


async def test_a_payment_that_gets_no_token_is_paid_and_says_why(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    who = merchant.order("PLANPAY_AU")["customer"] | {"email": "notoken@shop.example"}
    opened = await merchant.creates("PLANPAY_AU", getToken=True, customer=who)
    await shopper.pays(opened["redirectUrl"])
    events = await told(installation, opened["orderReference"])
    check(events)
    final = events[-1]["data"]
    assert (final["status"], "token" in final) == ("SUCCESSFUL", False)
    assert final["tokenFailureReason"] == "The shopper's agreement could not be kept."


async def test_an_order_that_is_not_paid_brings_no_token(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PLANPAY_AU", getToken=True)
    await shopper.pays(opened["redirectUrl"], "decline")
    for event in await told(installation, opened["orderReference"]):
        assert not {"token", "tokenFailureReason"} & set(event["data"])


async def test_a_token_is_worth_nothing_to_others_or_elsewhere_and_nothing_is_written(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    token = await a_token(installation, merchant, shopper)
    rival = await a_merchant(installation, "PLANPAY_AU")
    tries: list[tuple[Merchant, dict[str, Any]]] = [
        (rival, rival.order("PLANPAY_AU", token=token, customerPresent=True)),
        (merchant, merchant.order("SMARTPAY", token=token, customerPresent=True)),
        (merchant, merchant.order("PLANPAY_AU", token="tok_" + "x" * 22, customerPresent=True)),
        (merchant, merchant.order("PLANPAY_AU", token=token.upper(), customerPresent=True)),
    ]
    async with installation.database.transaction() as tx:
        await tx.execute("UPDATE payment_tokens SET revoked_at = now() WHERE hint = $1", token[-4:])
    tries.append((merchant, merchant.order("PLANPAY_AU", token=token, customerPresent=True)))
    for who, body in tries:
        answer = await who.post("/orders", body)
        assert (answer.status, answer.body["code"]) == (422, "token_not_valid")
        assert token not in str(answer.body)
        assert (await who.get(f"/orders/{body['orderReference']}")).status == 404
