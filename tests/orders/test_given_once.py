"""What a provider gives once, such as the token of Grab's charge, is kept by whoever got it, and nobody asks for it without end."""

from __future__ import annotations

from functools import partial

import pytest

from paymux.connectors.contract import Checkout, Pending, Report
from paymux.connectors.grab.connector import Grab
from paymux.orders import asking, reconciliation, store
from paymux.orders.decide import Deciding, deciding
from paymux.orders.model import Order
from tests.connectors.journey import ENDLESSLY
from tests.installation import Installation, Merchant, Shopper

GIVEN_ELSEWHERE = Pending(reason="no token", completed=True, elsewhere=True)
ENOUGH = 6
"""So many questions, and the provider falls silent: else a question without end would not end the test either."""


async def order_of(installation: Installation, order_id: str) -> Order:
    async with installation.database.connection() as held:
        return await store.order_by_id(held, order_id)


async def opened(installation: Installation, merchant: Merchant, code: str) -> dict[str, str]:
    """An order of which the provider tells nothing by itself."""
    body = await merchant.creates(code)
    await installation.fault("grab", "events", "no_event", body["orderReference"], ENDLESSLY)
    return body


async def cancelled(installation: Installation, merchant: Merchant, code: str) -> dict[str, str]:
    body = await opened(installation, merchant, code)
    answer = await merchant.post(f"/orders/{body['orderReference']}/cancel", {})
    assert (answer.status, answer.body["status"]) == (201, "CANCELED")
    return body


async def test_of_an_order_that_has_ended_the_provider_is_asked_once_when_nobody_learnt_anything(
    installation: Installation, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await order_of(installation, (await cancelled(installation, merchant, "GRAB_SG"))["orderId"])
    asked: list[str] = []

    async def fetch(self: Grab, checkout: Checkout) -> Report:
        asked.append(checkout.session)
        assert len(asked) < ENOUGH
        return GIVEN_ELSEWHERE

    monkeypatch.setattr(Grab, "fetch", fetch)
    answered = await asking.ask_provider(installation.core, order, "watch")
    assert (asked, answered.report, answered.answered) == ([order.session], GIVEN_ELSEWHERE, True)


async def test_the_provider_is_asked_a_second_time_and_no_third_however_much_others_learn(
    installation: Installation, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await order_of(installation, (await opened(installation, merchant, "GRAB_SG"))["orderId"])
    asked: list[str | None] = []

    async def learn(what: str, desk: Deciding) -> None:
        await desk.change(connector_state={**desk.order.connector_state, "learnt": what})

    async def fetch(self: Grab, checkout: Checkout) -> Report:
        asked.append(checkout.state.get("learnt"))
        assert len(asked) < ENOUGH
        await deciding(installation.core, order.id, "event", partial(learn, str(len(asked))))
        return GIVEN_ELSEWHERE

    monkeypatch.setattr(Grab, "fetch", fetch)
    await asking.ask_provider(installation.core, order, "return")
    assert asked == [None, "1"]


async def test_a_shopper_who_agrees_after_the_cancel_is_not_charged_and_his_token_is_kept(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    body = await cancelled(installation, merchant, "GRAB_MY")
    reference, order_id = body["orderReference"], body["orderId"]
    back = await shopper.decides(body["redirectUrl"], "approve")
    for seconds in (31, 61):
        await installation.advance(seconds)
        await installation.quiet()
    assert (await shopper.returns(back))["status"] == "CANCELLED"
    assert installation.ledger(reference) == []
    assert "access_token" in (await order_of(installation, order_id)).connector_state
    async with installation.database.connection() as held:
        made = await held.fetch("SELECT path FROM provider_calls WHERE order_id = $1", order_id)
    paths = [row["path"].rpartition("/")[2].partition("?")[0] for row in made]
    # One call opened it; the cancel and each watch looked once; the code was exchanged once.
    assert (paths.count("token"), sorted(set(paths))) == (1, ["init", "status", "token"])
    assert paths.count("status") <= 4


async def test_the_token_of_an_approval_that_an_ending_order_meets_is_kept_and_nothing_is_confirmed(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    body = await opened(installation, merchant, "GRAB_SG")
    await shopper.decides(body["redirectUrl"], "approve")
    before = await order_of(installation, body["orderId"])
    asked = await asking.ask_provider(installation.core, before, "deadline", confirm=False)
    assert "access_token" not in before.connector_state
    assert "access_token" in asked.order.connector_state
    assert installation.ledger(body["orderReference"]) == []


async def test_the_daily_comparison_keeps_what_it_is_given_and_the_shopper_still_pays(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    body = await opened(installation, merchant, "GRAB_SG")
    back = await shopper.decides(body["redirectUrl"], "approve")
    seen = await reconciliation.compared(installation.core, body["orderId"])
    assert (seen.answered, list(seen.differences)) == (True, [])
    assert "access_token" in seen.order.connector_state
    assert installation.ledger(body["orderReference"]) == []
    assert (await shopper.returns(back))["status"] == "SUCCESSFUL"
