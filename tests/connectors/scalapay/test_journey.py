"""Scalapay in a whole installation: API, worker, real PostgreSQL and the sandbox, whose ledger is the witness."""

from __future__ import annotations

from decimal import Decimal

from tests.connectors.journey import Shop, money, sale

CODE = "SCALAPAY"


async def test_an_order_is_approved_captured_and_partly_refunded(shop: Shop) -> None:
    order = await shop.sells(CODE, "64.10")
    assert (await order.status())["captureStatus"] == "CAPTURED"
    assert await order.refunded("40") == "SUCCESSFUL"
    assert order.ledger == sale("64.10", ("refund", "40"))


async def test_a_delayed_order_takes_no_parts_and_is_captured_whole(shop: Shop) -> None:
    order = await shop.sells(CODE, autoCapture=False)
    for answer in (await order.captures("50"), await order.voids("50")):
        assert (answer.status, answer.body["code"]) == (400, "not_supported")
    assert (await order.captures("100", "C-2")).body["status"] == "SUCCESSFUL"
    assert order.ledger == sale()


async def test_an_authorisation_that_nobody_captures_has_expired_after_five_days(shop: Shop) -> None:
    """Scalapay voids it by itself then."""
    order = await shop.sells(CODE, autoCapture=False)
    await order.later(6 * 86_400)
    details = await order.reaches(captureStatus="EXPIRED")
    assert (Decimal(details["expiredAmount"]), Decimal(details["voidedAmount"])) == (100, 0)
    late = await order.captures("100")
    assert (late.status, late.body["code"]) == (409, "authorisation_expired")
    assert order.ledger == money(("authorize", "100"), ("void", "100"))
    assert await order.differences() == []


async def test_a_refused_shopper_is_declined_once_the_order_has_expired(shop: Shop) -> None:
    order = await shop.opens(CODE)
    assert await order.pays("decline") == "PENDING"
    await order.later(2_401)
    assert await order.state() == "DECLINED"
    assert order.ledger == []
