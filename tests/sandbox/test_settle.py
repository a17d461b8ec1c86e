"""`POST /control/settle` decides what the provider left undecided, as the provider would: only what a shopper could reach."""

from __future__ import annotations

from tests.installation import Installation, Merchant, Shopper


async def test_a_checkout_whose_answer_was_lost_is_never_settled(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    """Nobody has the address of its page: to approve it would look as if the order had been paid twice."""
    order = merchant.order("KLARNA")
    reference = order["orderReference"]
    await installation.fault("klarna", "create", "timeout_after", reference)
    opened = await merchant.post("/orders", order)
    await shopper.decides(opened.body["redirectUrl"], "approve")
    await installation.quiet()
    sessions = [case for _, case in installation.store.cases(reference)]
    assert [case.waiting for case in sessions] == [False, True], "the first session, whose answer was lost, stays open"
    url = f"{installation.settings.sandbox_base_url}/control/settle"
    answer = await installation.call("POST", url, json={"reference": reference, "outcome": "approve"})
    assert (answer.status, answer.body) == (404, {"error": f"nothing is waiting for '{reference}'"})
    assert [kind for kind, _ in installation.ledger(reference)] == ["authorize", "capture"]


async def test_what_the_shopper_left_undecided_is_settled_once(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("KLARNA")
    reference = opened["orderReference"]
    await shopper.decides(opened["redirectUrl"], "pending")
    await installation.settle(reference, "approve")
    url = f"{installation.settings.sandbox_base_url}/control/settle"
    again = await installation.call("POST", url, json={"reference": reference, "outcome": "approve"})
    assert again.status == 404
    await installation.quiet()
    assert [kind for kind, _ in installation.ledger(reference)] == ["authorize", "capture"]
