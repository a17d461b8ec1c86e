"""A signed return that says paid comes to an order that has ended, of a provider that can be asked: it may be old (T3)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from yarl import URL

from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import Till

CODE = "SIGNEDTILL"


async def cancelled_then_paid(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> tuple[dict[str, Any], str]:
    """An order that the merchant cancelled while the shopper was at the provider, where he paid; his signed return."""
    opened = await merchant.creates(CODE, autoCapture=False)
    page = await shopper.reaches(opened["redirectUrl"])
    assert (await merchant.post(f"/orders/{opened['orderReference']}/cancel", {})).status == 201
    answer = await installation.call("POST", page, data={"outcome": "approve"})
    return opened, proof(answer.headers["Location"])


def proof(back: str) -> str:
    return str(URL(back, encoded=True).update_query(claims="paid"))


async def test_a_payment_that_is_gone_by_now_is_not_given_back_however_often_its_old_proof_comes(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till
) -> None:
    opened, back = await cancelled_then_paid(installation, merchant, shopper)
    reference, till = opened["orderReference"], tills[CODE]
    till.move(till.of(reference), "void", Decimal(100))  # in the provider's portal
    before = till.count("status", reference)
    for asked in (1, 2):
        assert (await shopper.returns(back))["status"] == "CANCELLED"
        assert till.count("status", reference) == before + asked
    details = await merchant.details(reference)
    assert (details["refunds"], details["orderVoids"], details["needsReview"]) == ([], [], None)
    assert till.count("refund", reference) == till.count("void", reference) == 0
    assert installation.ledger(reference) == [("authorize", Decimal(100)), ("void", Decimal(100))]


async def test_a_payment_that_is_there_goes_back_as_the_provider_says_it_is(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till
) -> None:
    """The proof says captured, and it is no more than authorised: there is nothing to refund, but to void."""
    opened, back = await cancelled_then_paid(installation, merchant, shopper)
    reference = opened["orderReference"]
    assert (await shopper.returns(back))["status"] == "CANCELLED"
    assert tills[CODE].count("refund", reference) == 0
    assert installation.ledger(reference) == [("authorize", Decimal(100)), ("void", Decimal(100))]
    details = await merchant.details(reference)
    assert ([row["initiator"] for row in details["orderVoids"]], details["needsReview"]) == (["SYSTEM"], None)


async def test_where_the_provider_does_not_answer_just_then_it_is_asked_again(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    opened = await merchant.creates(CODE, autoCapture=False)
    reference, till = opened["orderReference"], tills[CODE]
    back = await shopper.decides(opened["redirectUrl"], "decline")
    assert (await shopper.returns(back))[
        "status"
    ] == "DECLINED"  # by the provider's own word: nobody watches it any more
    till.pay(till.of(reference))
    await installation.fault("signedtill", "status", "error_before", reference)
    assert (await shopper.returns(proof(back)))["status"] == "DECLINED"
    assert installation.ledger(reference) == [("authorize", Decimal(100))], "what can be asked is not believed unasked"
    await installation.advance(31)

    async def given_back() -> bool:
        return installation.ledger(reference) == [("authorize", Decimal(100)), ("void", Decimal(100))]

    await eventually(given_back)
