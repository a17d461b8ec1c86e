"""Reading an order, its details, capture, void, refund and cancel, as documented (E5, I2, M5, D3)."""

from __future__ import annotations

import re
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.conftest import Holds
from tests.installation import Answer, Installation, Merchant, Shopper

STRANGE = "Ä b+c?d#e&f=g%h'\"<1>"


async def paid(merchant: Merchant, shopper: Shopper, code: str = "PLANPAY_AU", **changes: Any) -> str:
    opened = await merchant.creates(code, **changes)
    await shopper.pays(opened["redirectUrl"])
    reference: str = opened["orderReference"]
    return reference


async def test_a_new_order_is_answered_with_every_documented_field(merchant: Merchant, holds: Holds) -> None:
    answer = await merchant.post("/orders", merchant.order("PLANPAY_AU", "144.89"))
    holds("CreatedOrder", answer.body)
    assert answer.body["orderAmount"] == Decimal("144.89")
    assert answer.body["paymentStatus"] == "pending"
    assert answer.body["orderPaymentOption"] == "buy now pay later"
    assert re.fullmatch(r"[0-9a-f]{10}", answer.body["transactionReference"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer.body["orderDate"])


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_state_of_an_order_has_every_documented_field_before_and_after_payment(
    slash: str, merchant: Merchant, shopper: Shopper, holds: Holds
) -> None:
    opened = await merchant.creates("PLANPAY_AU", partnerConfiguration={"till": 7})
    before = await merchant.get(f"/orders/{opened['orderReference']}{slash}")
    holds("OrderState", before.body)
    assert (before.status, before.body["status"], before.body["captureStatus"]) == (200, "PENDING", None)
    await shopper.pays(opened["redirectUrl"])
    after = (await merchant.get(f"/orders/{opened['orderReference']}{slash}")).body
    holds("OrderState", after)
    assert after["merchantReference"] == after["orderReference"] == opened["orderReference"]
    assert after["transactionReference"] == opened["transactionReference"]
    assert (after["status"], after["captureStatus"], after["amount"], after["surcharge"], after["currency"], after["provider"]) == (
        "SUCCESSFUL", "CAPTURED", 100, 0, "AUD", "PLANPAY_AU",
    )  # fmt: skip
    assert after["partnerConfiguration"] == {"till": 7}
    assert after["bnplOrderId"]
    assert (after["failureReason"], after["rejectReason"], after["cancelledBy"]) == (None, None, None)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_details_tell_the_history_the_money_and_what_comes_next(
    method: str, slash: str, merchant: Merchant, shopper: Shopper, holds: Holds
) -> None:
    opened = await merchant.creates("PLANPAY_AU", autoCapture=False)
    path = f"/orders/{opened['orderReference']}/details{slash}"

    async def details() -> dict[str, Any]:
        answer = await (merchant.get(path) if method == "GET" else merchant.post(path, b""))
        assert answer.status == 200
        holds("OrderDetails", answer.body)
        found: dict[str, Any] = answer.body
        return found

    before = await details()
    assert before["redirectUrl"] == opened["redirectUrl"]
    assert [row["status"] for row in before["transactionHistory"]] == ["INITIATED", "PENDING"]
    assert before["nextStep"]["what"] == "poll"
    assert before["needsReview"] is None
    await shopper.pays(opened["redirectUrl"])
    reference = opened["orderReference"]
    assert (await merchant.captures(reference, "60.5", "C-1")).status == 201
    assert (await merchant.voids(reference, "39.5", "V-1")).status == 201
    assert (await merchant.refunds(reference, "20", "R-1")).status == 201
    after = await details()
    assert "redirectUrl" not in after
    assert [row["status"] for row in after["transactionHistory"]] == ["INITIATED", "PENDING", "SUCCESSFUL"]
    assert len({row["transactionId"] for row in after["transactionHistory"]}) == 3
    assert [after[name] for name in ("amount", "capturedAmount", "voidedAmount", "refundedAmount", "surcharge")] == [
        "100", "60.5", "39.5", "20", "0",
    ]  # fmt: skip
    for rows, name, id_, amount in (
        ("orderCaptures", "captureId", "C-1", "60.5"), ("orderVoids", "voidId", "V-1", "39.5"), ("refunds", "refundId", "R-1", "20"),
    ):  # fmt: skip
        assert [(row[name], row["amount"], row["status"], row["initiator"]) for row in after[rows]] == [
            (id_, amount, "SUCCESSFUL", "MERCHANT")
        ]
    assert (after["refunds"][0]["refundReason"], after["refunds"][0]["refundFailureReason"]) == ("returned", "")


@pytest.mark.parametrize("slash", ["", "/"])
async def test_every_call_works_on_a_reference_that_has_to_be_encoded(
    slash: str, merchant: Merchant, shopper: Shopper, holds: Holds
) -> None:
    reference = STRANGE + slash.replace("/", "2")
    await paid(merchant, shopper, orderReference=reference, autoCapture=False)
    at = f"/orders/{quote(reference, safe='')}"
    assert (await merchant.get(at + slash)).body["orderReference"] == reference
    assert (await merchant.get(f"{at}/details{slash}")).status == 200
    capture = await merchant.post(
        f"{at}/capture{slash}", {"captureReference": STRANGE, "amount": 60, "description": "Please"}
    )
    assert (capture.status, capture.body["captureReference"], capture.body["capturedAmount"]) == (201, STRANGE, 60)
    holds("Captured", capture.body)
    void = await merchant.post(f"{at}/void{slash}", {"voidReference": STRANGE, "amount": 40})
    assert (void.status, void.body["voidReference"], void.body["amount"]) == (201, STRANGE, 40)
    holds("Voided", void.body)
    refund = await merchant.post(
        f"{at}/refund{slash}",
        {
            "refundReference": STRANGE,
            "refundAmount": {"amount": Decimal("9.5"), "currency": "AUD"},
            "refundDescription": "Sorry",
        },
    )
    assert (refund.status, refund.body["refundReference"], refund.body["refundedAmount"]) == (
        201,
        STRANGE,
        Decimal("9.5"),
    )
    holds("Refunded", refund.body)
    assert (refund.body["description"], refund.body["bnplProvider"], refund.body["refundStatus"]) == (
        "Sorry",
        "PLANPAY_AU",
        "SUCCESSFUL",
    )
    assert refund.body["refundDate"].endswith(" GMT")
    parsedate_to_datetime(refund.body["refundDate"])


async def test_an_unpaid_order_is_cancelled_by_its_merchant_once_and_again(merchant: Merchant, holds: Holds) -> None:
    for body in (b"", {}, {"description": "Out of stock"}):
        reference = (await merchant.creates("PLANPAY_AU"))["orderReference"]
        for _ in range(2):
            answer = await merchant.post(f"/orders/{reference}/cancel", body)
            assert answer.status == 201
            holds("OrderState", answer.body)
            assert (answer.body["status"], answer.body["cancelledBy"]) == ("CANCELED", "MERCHANT")


async def test_a_paid_order_is_not_cancelled(merchant: Merchant, shopper: Shopper) -> None:
    answer = await merchant.post(f"/orders/{await paid(merchant, shopper)}/cancel", {})
    assert (answer.status, answer.body["code"], answer.body["error"]) == (409, "order_final", "Conflict")


CALLS = {
    "capture": {"captureReference": "C", "amount": 1}, "void": {"voidReference": "V", "amount": 1},
    "refund": {"refundReference": "R", "refundAmount": {"amount": 1}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "code"), [("capture", "not_authorised"), ("void", "not_authorised"), ("refund", "not_captured")]
)
async def test_what_an_unpaid_order_does_not_allow_is_a_409(
    name: str, code: str, merchant: Merchant, holds: Holds
) -> None:
    reference = (await merchant.creates("PLANPAY_AU"))["orderReference"]
    answer = await merchant.post(f"/orders/{reference}/{name}", CALLS[name])
    assert (answer.status, answer.body["code"]) == (409, code)
    assert isinstance(answer.body["message"], str)
    holds("Error", answer.body)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("capture", {}, "captureReference is required"), ("capture", {"captureReference": "C"}, "amount is required"),
    ("capture", {"captureReference": "a/b", "amount": 1}, "captureReference must not contain"),
    ("capture", {"captureReference": "x" * 300, "amount": 1}, "captureReference must be 1 to 128"),
    ("capture", {"captureReference": "C", "amount": 0}, "amount must be greater than 0"),
    ("capture", {"captureReference": "C", "amount": "1"}, "amount must be a number"),
    ("capture", {"captureReference": "C", "amount": Decimal("0.001")}, "amount must have at most 2 decimals"),
    ("capture", {"captureReference": "C", "amount": 1, "description": 5}, "description must be a string"),
    ("void", {"amount": -1}, "voidReference is required"), ("void", {"voidReference": "V", "amount": -1}, "amount must be at least 0"),
    ("refund", {"refundReference": "R"}, "refundAmount is required"),
    ("refund", {"refundReference": "R", "refundAmount": 5}, "refundAmount must be an object"),
    ("refund", {"refundReference": "R", "refundAmount": {}}, "refundAmount.amount is required"),
    ("refund", {"refundReference": "R", "refundAmount": {"amount": 1, "currency": "XYZ"}}, "refundAmount.currency must be a valid"),
    ("refund", {"refundReference": "R", "refundAmount": {"amount": 1, "currency": "USD"}}, "refundAmount.currency must be AUD"),
    ("refund", {"refundReference": "\0", "refundAmount": {"amount": 1}}, "refundReference must not contain"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body", "fault"), WRONG)
async def test_an_operation_that_breaks_a_rule_is_a_400_by_field_and_rule(
    name: str, body: dict[str, Any], fault: str, deferred: str, merchant: Merchant, holds: Holds
) -> None:
    answer = await merchant.post(f"/orders/{deferred}/{name}", body)
    assert answer.status == 400
    assert any(said.startswith(fault) for said in answer.body["message"]), answer.body
    holds("Error", answer.body)


@pytest.fixture(scope="module")
async def deferred(installation: Installation) -> str:
    """An authorised order with 10 captured, whose totals no refused call may change."""
    merchant, shopper = installation.merchant, Shopper(installation)
    reference = await paid(merchant, shopper, autoCapture=False)
    assert (await merchant.captures(reference, "10", "FIRST")).status == 201
    return reference


async def test_more_than_is_left_is_a_400_with_the_rest_in_its_sentence(deferred: str, merchant: Merchant) -> None:
    for answer, code, rest in (
        (await merchant.captures(deferred, "90.01", "C-2"), "over_capture", "90"),
        (await merchant.voids(deferred, "90.01", "V-2"), "over_void", "90"),
        (await merchant.refunds(deferred, "10.01", "R-2"), "over_refund", "10"),
    ):
        assert (answer.status, answer.body["code"]) == (400, code)
        assert f"must be at most {rest}:" in answer.body["message"]
    assert (await merchant.details(deferred))["capturedAmount"] == "10"


async def test_the_same_reference_and_body_repeat_the_answer_and_another_body_is_a_409(
    deferred: str, merchant: Merchant, installation: Installation
) -> None:
    before = installation.ledger(deferred)
    again = await merchant.captures(deferred, "10.00", "FIRST")
    assert (again.status, again.body["capturedAmount"]) == (201, 10)
    other = await merchant.captures(deferred, "11", "FIRST")
    assert (other.status, other.body["code"]) == (409, "duplicate_reference")
    assert installation.ledger(deferred) == before


async def test_a_refused_operation_is_a_422_that_its_reference_repeats(merchant: Merchant, shopper: Shopper) -> None:
    reference = await paid(merchant, shopper, code="PLANPAY_AU", **slow_shopper(merchant))
    first = await merchant.refunds(reference, "10", "R-1")
    assert (first.status, first.body["refundStatus"]) == (201, "PENDING")
    await merchant.installation.settle(reference, "decline")
    await merchant.installation.advance(31)
    answer: Answer = first
    for _ in range(200):
        answer = await merchant.refunds(reference, "10", "R-1")
        if answer.status != 201:
            break
    assert (answer.status, answer.body["code"], answer.body["error"]) == (
        422,
        "provider_refused",
        "Unprocessable Entity",
    )
    row = (await merchant.details(reference))["refunds"][0]
    assert (row["status"], row["refundFailureReason"]) == ("FAILED", row["failureReason"])


def slow_shopper(merchant: Merchant) -> dict[str, Any]:
    who = merchant.order("PLANPAY_AU")["customer"] | {"email": "slow@shop.example"}
    return {"customer": who}


async def test_what_a_provider_can_not_do_is_refused_before_anything_is_sent(
    merchant: Merchant, shopper: Shopper, installation: Installation
) -> None:
    opened = await merchant.creates("LATITUDEPAY_AU", "200")
    await shopper.pays(opened["redirectUrl"])
    reference, before = opened["orderReference"], installation.ledger(opened["orderReference"])
    answer = await merchant.captures(reference, "1", "C-1")
    assert answer.status in (400, 409)
    assert installation.ledger(reference) == before


async def test_nobody_sees_or_touches_another_merchants_order(
    merchant: Merchant, rival: Merchant, shopper: Shopper, holds: Holds
) -> None:
    reference = await paid(merchant, shopper, autoCapture=False)
    calls = [
        ("GET", ""),
        ("GET", "/details"),
        ("POST", "/details"),
        *(("POST", f"/{name}") for name in CALLS),
        ("POST", "/cancel"),
    ]
    for method, ending in calls:
        path, body = f"/orders/{reference}{ending}", CALLS.get(ending[1:], {})
        answer = await (rival.get(path) if method == "GET" else rival.post(path, body))
        assert (answer.status, answer.body["code"]) == (404, "order_not_found"), (method, ending)
        holds("Error", answer.body)
        unknown = path.replace(reference, "NOBODYS")
        same = await (rival.get(unknown) if method == "GET" else rival.post(unknown, body))
        assert same.body["message"] == answer.body["message"].replace(reference, "NOBODYS"), "both look the same"
    assert (await merchant.status(reference))["captureStatus"] == "AUTHORIZED"
    mine = await rival.post("/orders", rival.order("PLANPAY_AU", orderReference=reference))
    assert mine.status == 201, "a reference is unique per merchant only"


async def test_a_provider_that_says_no_at_create_leaves_a_declined_order_that_is_announced(
    merchant: Merchant, installation: Installation, eventually: Any
) -> None:
    body = merchant.order("PLANPAY_AU")
    body["customer"] = body["customer"] | {"email": "declined@shop.example"}
    answer = await merchant.post("/orders", body)
    assert (answer.status, answer.body["code"]) == (422, "provider_refused")
    state = await merchant.status(body["orderReference"])
    assert state["status"] == "DECLINED"
    assert state["rejectReason"] == answer.body["message"]
    assert (await merchant.post("/orders", body)).body["code"] == "duplicate_reference"

    async def told() -> Any:
        return installation.inbox.events(body["orderReference"], "ORDER_ASYNC_CALLBACK")

    assert (await eventually(told))[0]["data"]["status"] == "DECLINED"
