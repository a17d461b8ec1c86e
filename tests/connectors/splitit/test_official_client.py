"""Splitit's own Python client, splitit-web-python-sdk 3.0.9, at the simulator: made for Splitit from its specification, it checks
every answer against its own schemas, statuses and amounts included."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from splitit_client import ApiException, Splitit
from splitit_client.configuration import Configuration

USER, PASSWORD, TERMINAL = "APIUserSandbox", "sandbox-splitit-password", "sandbox-terminal"
FUTURE_FIRST = "FutureInstallmentsFirst"


class Shop:
    """A merchant with Splitit's client, and his shopper at Splitit's form."""

    def __init__(self, counter: Any, secret: str = PASSWORD) -> None:
        self.counter, self.keys = counter, count(1)
        self.settings = Configuration(
            host=f"{counter.base_url}/splitit", token_url=f"{counter.base_url}/splitit-id/connect/token",
            client_id=USER, client_secret=secret,
        )  # fmt: skip
        self.client = Splitit(self.settings)

    async def does(self, verb: str, *, key: str = "", **more: Any) -> Any:
        """One call of the client, its answer read by the client's schemas."""
        if self.settings.oauth.access_token is None:
            # This part of the client blocks, so it has to be asked in a thread of its own.
            await asyncio.to_thread(self.settings.oauth.refresh_access_token)
        call = getattr(self.client.installment_plan, f"a{verb}")
        answer = await call(
            x_splitit_idempotency_key=key or f"key-{next(self.keys)}", x_splitit_touch_point="shop",
            skip_deserialization=False, **more,
        )  # fmt: skip
        return answer.body

    async def initiates(self, amount: float = 100, *, auto_capture: bool = True, key: str = "", **more: Any) -> Any:
        """A plan of four instalments."""
        plan = {
            "TotalAmount": amount, "Currency": "USD", "NumberOfInstallments": 4, "PurchaseMethod": "ECommerce",
            "TerminalId": TERMINAL, "RefOrderNumber": "R-1001", **more,
        }  # fmt: skip
        pages = {name: f"https://shop.example/{name}" for name in ("Succeeded", "Failed", "Cancel")}
        return await self.does(
            "post", key=key, plan_data=plan, redirect_urls=pages, auto_capture=auto_capture,
            shopper={"FullName": "Ada Byron", "Email": "ada@shop.example", "PhoneNumber": "+15550100"},
            billing_address={"AddressLine1": "1 High Street", "City": "Springfield", "Country": "US", "Zip": "12345"},
            events_endpoints={"CreateSucceeded": self.counter.inbox.url},
        )  # fmt: skip

    async def sold(self, outcome: str = "approve", **more: Any) -> Any:
        """A plan on whose form the shopper has decided, as the client gets it."""
        plan = await self.initiates(**more)
        await self.counter.shopper(plan["CheckoutUrl"], outcome)
        return await self.gets(plan)

    async def gets(self, plan: Any) -> Any:
        return await self.does("get", installment_plan_number=plan["InstallmentPlanNumber"])

    async def refunds(self, plan: Any, amount: float, **more: Any) -> Any:
        return await self.does("refund", installment_plan_number=plan["InstallmentPlanNumber"], amount=amount, **more)


@pytest.fixture
async def shop(counter_of: Callable[[str], Any]) -> Shop:
    return Shop(await counter_of("splitit"))


@pytest.mark.parametrize(
    ("outcome", "auto_capture", "status", "card", "authorized"),
    [
        ("approve", True, "Active", "Succeeded", 100),
        ("approve", False, "PendingCapture", "Succeeded", 100),
        ("decline", True, "Initialized", "Failed", 0),
        ("pending", True, "Initialized", "Pending3DS", 0),
        ("cancel", True, "Initialized", "NA", 0),
    ],
)
async def test_it_initiates_a_plan_and_gets_what_the_shopper_decided(
    shop: Shop, outcome: str, auto_capture: bool, status: str, card: str, authorized: int
) -> None:
    plan = await shop.sold(outcome, auto_capture=auto_capture)
    assert (plan["Status"], plan["Authorization"]["Status"], plan["OriginalAmount"]) == (status, card, Decimal(100))
    assert (plan["RefOrderNumber"], plan["Currency"], plan["PurchaseMethod"]) == ("R-1001", "USD", "ECommerce")
    said = await shop.does("verify_authorization", installment_plan_number=plan["InstallmentPlanNumber"])
    assert (bool(said["IsAuthorized"]), said["AuthorizationAmount"]) == (authorized > 0, Decimal(authorized))
    if outcome == "approve":
        assert [part["Status"] for part in plan["Installments"]] == [
            "Processed" if auto_capture else "Pending", "Pending", "Pending", "Pending",
        ]  # fmt: skip
        assert sum(part["Amount"] for part in plan["Installments"]) == 100
    held = [("authorize", "100.00")] if authorized else []
    assert shop.counter.moved() == held + ([("capture", "100.00")] if plan["Status"] == "Active" else [])


async def test_it_captures_a_plan_that_waits_for_it(shop: Shop) -> None:
    plan = await shop.sold(auto_capture=False)
    number = plan["InstallmentPlanNumber"]
    done = await shop.does(
        "update_order", installment_plan_number=number, capture=True, shipping_status="Shipped", ref_order_number="R-2"
    )
    assert (done["Status"], done["ShippingStatus"], done["RefOrderNumber"]) == ("Active", "Shipped", "R-2")
    now = await shop.gets(plan)
    assert (now["Status"], now["RefOrderNumber"], shop.counter.moved()) == (
        "Active", "R-2", [("authorize", "100.00"), ("capture", "100.00")],
    )  # fmt: skip


async def test_it_refunds_a_part_and_then_the_rest(shop: Shop) -> None:
    plan = await shop.sold()
    part = await shop.refunds(plan, 90.5, refund_strategy=FUTURE_FIRST, reference_id="M-1")
    # What is not collected yet is taken off the plan; only the rest goes back to the card.
    assert (part["NonCreditRefundAmount"], part["CreditRefundAmount"]) == (Decimal(75), Decimal("15.5"))
    assert (part["Summary"]["SucceededAmount"], part["ReferenceId"]) == (Decimal("90.5"), "M-1")
    await shop.refunds(plan, 9.5, refund_strategy=FUTURE_FIRST)
    now = await shop.gets(plan)
    assert [(one["Status"], one["TotalAmount"]) for one in now["Refunds"]] == [
        ("Succeeded", Decimal("90.5")), ("Succeeded", Decimal("9.5")),
    ]  # fmt: skip
    assert (now["Amount"], now["OriginalAmount"]) == (0, 100)
    assert shop.counter.moved()[2:] == [("refund", "90.50"), ("refund", "9.50")]


async def test_a_plan_that_was_not_captured_is_given_back_whole(shop: Shop) -> None:
    plan = await shop.sold(auto_capture=False)
    await shop.refunds(plan, 100)
    now = await shop.gets(plan)
    assert (now["Status"], now["Authorization"]["Status"]) == ("Canceled", "Voided")
    assert shop.counter.moved() == [("authorize", "100.00"), ("void", "100.00")]


async def test_a_repeated_key_gets_the_first_answer_and_with_another_payload_an_error(shop: Shop) -> None:
    first, again = [await shop.initiates(key="one") for _ in range(2)]
    assert first["InstallmentPlanNumber"] == again["InstallmentPlanNumber"]
    await shop.counter.shopper(first["CheckoutUrl"], "approve")
    refunds = [await shop.refunds(first, 10, key="two", refund_strategy=FUTURE_FIRST) for _ in range(2)]
    assert refunds[0]["RefundId"] == refunds[1]["RefundId"]
    with pytest.raises(ApiException) as no:
        await shop.refunds(first, 11, key="two", refund_strategy=FUTURE_FIRST)
    assert no.value.body["Error"]["Message"] == "IdempotencyHashMismatchError"
    assert shop.counter.moved()[2:] == [("refund", "10.00")]


async def test_a_refusal_is_the_clients_own_error_with_splitits_words(shop: Shop) -> None:
    plan = await shop.sold()
    for call, status, code in (
        (shop.refunds(plan, 100.01, refund_strategy=FUTURE_FIRST), 400, "562"),
        (shop.initiates(TerminalId="other"), 400, "400"),
        (shop.does("get", installment_plan_number="1"), 404, "404"),
        (
            shop.does("update_order", installment_plan_number=plan["InstallmentPlanNumber"], capture=True), 400, "400",
        ),
    ):  # fmt: skip
        with pytest.raises(ApiException) as no:
            await call
        error = no.value.body["Error"]
        assert (no.value.status, error["Code"]) == (status, code)
        assert all((error["Message"], error["AdditionalInfo"], no.value.body["TraceId"]))
    assert len(shop.counter.moved()) == 2


async def test_a_wrong_secret_gets_no_token_and_a_wrong_token_no_answer(shop: Shop) -> None:
    with pytest.raises(Exception, match="HTTP Error 400"):
        await asyncio.to_thread(Shop(shop.counter, "other").settings.oauth.refresh_access_token)
    # On a 401 the client asks for another token, once more in a way that blocks.
    shop.settings.oauth.refresh_access_token = lambda: None
    shop.settings.oauth.access_token = "nobodys"
    with pytest.raises(ApiException) as no:
        await shop.does("get", installment_plan_number="1")
    assert (no.value.status, no.value.body["Error"]["Message"]) == (401, "Unauthorized Request")
