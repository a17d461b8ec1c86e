"""Alma's own Python client, alma-client 3.0.2, at the simulator: it knows nothing of paymux and reads Alma's API its own way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from alma_client import AsyncClient
from alma_client.entities import InstallmentState, PaymentState
from alma_client.request import RequestError

KEY = "sk_test_paymux-sandbox"


def order(**changes: Any) -> dict[str, Any]:
    """What a merchant sends for 100 euros in three instalments."""
    payment = {
        "purchase_amount": 10000, "installments_count": 3, "return_url": "https://shop.example/back",
        "shipping_address": {"first_name": "Ada", "last_name": "Byron", "line1": "1 rue de Rivoli", "city": "Paris"},
    }  # fmt: skip
    return {"payment": {**payment, **changes}, "order": {"merchant_reference": "R-1001"}}


class Shop:
    """A merchant with Alma's client, and his shopper at Alma's page."""

    def __init__(self, counter: Any, key: str = KEY) -> None:
        self.counter = counter
        self.client = AsyncClient.with_api_key(key, api_root=f"{counter.base_url}/alma")

    async def sells(self, outcome: str = "approve", **changes: Any) -> Any:
        """A payment on which the shopper has decided, as the client fetches it."""
        payment = await self.client.payments.create(order(**changes))
        assert (await self.counter.shopper(payment.url, outcome))["pid"] == payment.id
        return await self.client.payments.fetch(payment.id)


@pytest.fixture
async def shop(counter_of: Callable[[str], Any]) -> Shop:
    return Shop(await counter_of("alma"))


async def test_it_reads_who_the_merchant_is(shop: Shop) -> None:
    me = await shop.client.merchants.me()
    assert (me.can_create_payments, me.minimum_purchase_amount < me.maximum_purchase_amount) == (True, True)


async def test_it_creates_a_payment_and_reads_its_state_its_plan_and_its_order(shop: Shop) -> None:
    payment = await shop.client.payments.create(order(custom_data={"cart": "7"}))
    assert (payment.state, payment.purchase_amount) == (PaymentState.NOT_STARTED, 10000)
    assert [part.state for part in payment.payment_plan] == [InstallmentState.PENDING] * 3
    assert sum(part.purchase_amount for part in payment.payment_plan) == 10000
    assert [part.due_date for part in payment.payment_plan] == sorted({part.due_date for part in payment.payment_plan})
    assert [(one.merchant_reference, bool(one.id)) for one in payment.orders] == [("R-1001", True)]
    assert (payment.custom_data, payment.refunds) == ({"cart": "7"}, [])


@pytest.mark.parametrize(
    ("outcome", "count", "state"),
    [
        ("approve", 3, PaymentState.IN_PROGRESS),
        ("approve", 1, PaymentState.PAID),
        ("decline", 3, PaymentState.SCORED_NO),
        ("pending", 3, PaymentState.SCORED_MAYBE),
        ("cancel", 3, PaymentState.NOT_STARTED),
    ],
)
async def test_what_the_shopper_decided_is_a_state_that_it_knows(
    shop: Shop, outcome: str, count: int, state: PaymentState
) -> None:
    payment = await shop.sells(outcome, installments_count=count)
    assert payment.state is state
    paid = {PaymentState.IN_PROGRESS: [InstallmentState.PAID, *[InstallmentState.PENDING] * 2],
            PaymentState.PAID: [InstallmentState.PAID]}.get(state, [InstallmentState.PENDING] * count)  # fmt: skip
    assert [part.state for part in payment.payment_plan] == paid
    assert shop.counter.moved() == ([("authorize", "100.00"), ("capture", "100.00")] if outcome == "approve" else [])


async def test_it_refunds_a_part_and_then_the_rest(shop: Shop) -> None:
    sold = await shop.sells()
    part = await shop.client.payments.refund(sold.id, 4000, merchant_reference="M-1")
    assert [(one.amount, one.merchant_reference) for one in part.refunds] == [(4000, "M-1")]
    assert (part.state, part.amount_already_refunded) == (PaymentState.IN_PROGRESS, 4000)
    whole = await shop.client.payments.refund(sold.id, 0, full_refund=True)
    assert (whole.state, [one.amount for one in whole.refunds]) == (PaymentState.PAID, [4000, 6000])
    assert shop.counter.moved()[2:] == [("refund", "40.00"), ("refund", "60.00")]


async def test_a_refusal_is_its_own_error_with_the_message_that_alma_gave(shop: Shop) -> None:
    sold = await shop.sells()
    for call, status, said in (
        (shop.client.payments.refund(sold.id, 10001), 400, "exceeds"),
        (shop.client.payments.create(order(return_url="nowhere")), 400, "return_url"),
        (shop.client.payments.create(order(purchase_amount=99)), 400, "purchase_amount"),
        (shop.client.payments.fetch("payment_of_nobody"), 404, "payment"),
        (Shop(shop.counter, "sk_test_other").client.merchants.me(), 401, "key"),
    ):
        with pytest.raises(RequestError) as no:
            await call
        assert (no.value.response.status_code, said in no.value.error) == (status, True), no.value.error
    assert len(shop.counter.moved()) == 2
