"""A confirm that found the payment approved, and moved nothing: it goes on with what it found, and never without end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from paymux.connectors.contract import Approved, Checkout, Refused, Report
from paymux.connectors.registry import provider_of
from paymux.orders import calls, store
from paymux.orders.model import Kind, Operation
from tests.installation import Installation, Merchant, Shopper

CODE = "CONFIRMTILL"
ENOUGH = 6
"""So many confirms, and the provider falls silent: else one without end would not end the test either."""


async def confirm_of(installation: Installation, order_id: str) -> Operation:
    async with installation.database.connection() as held:
        [op] = [op for op in await store.operations(held, order_id) if op.kind is Kind.CONFIRM]
    return op


async def test_a_confirm_that_finds_nothing_new_waits_as_one_without_an_answer_does(
    installation: Installation, merchant: Merchant, shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmed: list[str] = []

    async def confirm(self: object, checkout: Checkout, key: str) -> Report:
        confirmed.append(key)
        assert len(confirmed) < ENOUGH
        return Approved(session=checkout.session)

    monkeypatch.setattr(provider_of(CODE)[0].connector, "confirm", confirm)
    opened = await merchant.creates(CODE)
    told = await shopper.pays(opened["redirectUrl"])
    await installation.quiet()
    assert (told["status"], len(confirmed)) == ("PENDING", 1)
    assert (await confirm_of(installation, opened["orderId"])).asks == 1


@pytest.mark.parametrize(("earlier", "status", "listed"), [(0, "DECLINED", False), (1, "PENDING", True)])
async def test_what_it_found_is_kept_and_then_called_for_and_a_no_counts_unless_an_earlier_call_may_have_done_it(
    earlier: int, status: str, listed: bool,
    installation: Installation, merchant: Merchant, shopper: Shopper, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """An earlier version charged without keeping anything: its lost call stays one that may have charged."""
    confirmed: list[str | None] = []

    async def confirm(self: object, checkout: Checkout, key: str) -> Report:
        confirmed.append(checkout.state.get("found"))
        assert len(confirmed) < ENOUGH
        if "found" not in checkout.state:
            return Approved(session=checkout.session, state={"found": "it"})
        raise Refused("the key was used", "used")

    facts = provider_of(CODE)[0].facts
    monkeypatch.setattr(provider_of(CODE)[0].connector, "confirm", confirm)
    monkeypatch.setitem(vars(facts.readable), "confirm", False)
    opened = await merchant.creates(CODE)
    await installation.fault("confirmtill", "events", "no_event", opened["orderReference"], times=100)
    back = await shopper.decides(opened["redirectUrl"], "approve")
    async with installation.database.transaction() as tx:
        order = await store.lock_order(tx, opened["orderId"])
        op = await store.claim(
            tx, order, Kind.CONFIRM, installation.clock.now(), reference="confirm", calls=earlier,
            holder="proc_dead", lease=-timedelta(hours=1).total_seconds(),
        )  # fmt: skip
    assert op is not None
    await calls.run_operation(installation.core, op.id)
    assert confirmed == [None, "it"]
    await installation.call("GET", back)
    shown = await merchant.details(opened["orderReference"])
    assert (shown["status"], shown["needsReview"] is not None) == (status, listed)
