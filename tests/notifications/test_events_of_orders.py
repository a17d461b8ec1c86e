"""What a merchant is told of an order, over HTTP: every event, every documented field, in sequence without holes (W1, W2, W3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import jsonschema
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from paymux.accounts import demo, service
from paymux.platform.database import from_json
from tests.api.conftest import a_merchant
from tests.installation import Installation, Merchant, Shopper
from tests.notifications.conftest import Endpoint

NewEndpoint = Callable[[], Awaitable[Endpoint]]
TEXT, NUMBER, NOTHING = {"type": "string", "minLength": 1}, {"type": "number"}, {"type": "null"}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}


def shape(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
        "additionalProperties": False,
    }


ORDER = shape(
    {
        "merchantReference": TEXT, "orderReference": TEXT, "status": TEXT, "amount": NUMBER, "surcharge": NUMBER, "currency": TEXT,
        "provider": TEXT, "updatedAt": TIME, "failureReason": {"anyOf": [TEXT, NOTHING]}, "bnplOrderId": {"anyOf": [TEXT, NOTHING]},
        "transactionReference": TEXT, "rejectReason": {"anyOf": [TEXT, NOTHING]}, "partnerConfiguration": {"type": "object"},
        "cancelledBy": {"enum": ["USER", "MERCHANT", "SYSTEM", None]},
        "captureStatus": {"enum": ["AUTHORIZED", "PARTIALLY_CAPTURED", "CAPTURED", "VOIDED", "EXPIRED", None]}, "orderId": TEXT,
        "transactionId": TEXT, "sequence": {"type": "integer", "minimum": 1}, "occurredAt": TIME,
    },
    token=TEXT, tokenFailureReason=TEXT, sessionId=TEXT, partnerOrderReference=TEXT, rawProviderResponse={"type": "object"},
    needsReview=TEXT,
)  # fmt: skip


def operation(reference: str, provider_id: str) -> dict[str, Any]:
    return shape({
        "orderReference": TEXT, reference: TEXT, provider_id: TEXT, "amount": NUMBER, "currency": TEXT,
        "status": {"enum": ["SUCCESSFUL", "FAILED"]}, "failureReason": {"anyOf": [TEXT, NOTHING]},
        "initiator": {"enum": ["MERCHANT", "SYSTEM", "PROVIDER"]}, "sequence": {"type": "integer", "minimum": 1}, "occurredAt": TIME,
    })  # fmt: skip


SHAPES = {
    "ORDER_STATUS_UPDATE": ORDER, "ORDER_ASYNC_CALLBACK": ORDER, "ORDER_NEEDS_REVIEW": ORDER,
    "CAPTURE_STATUS_UPDATE": operation("captureReference", "captureId"),
    "VOID_STATUS_UPDATE": operation("voidReference", "voidedId"),
    "REFUND_CALLBACK": operation("refundReference", "bnplRefundId"),
}  # fmt: skip


def check(events: list[dict[str, Any]]) -> list[str]:
    """Hold every event against its documented shape; the names, in sequence without holes."""
    assert [event["data"]["sequence"] for event in events] == list(range(1, len(events) + 1))
    for event in events:
        assert set(event) == {"event", "data"}
        jsonschema.validate(event["data"], SHAPES[event["event"]])
    return [event["event"] for event in events]


async def told(installation: Installation, reference: str) -> list[dict[str, Any]]:
    await installation.quiet()
    return installation.inbox.events(reference)


async def test_a_sale_is_told_by_its_capture_its_status_and_its_end(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PLANPAY_AU")
    await shopper.pays(opened["redirectUrl"])
    events = await told(installation, opened["orderReference"])
    assert check(events) == [
        "ORDER_STATUS_UPDATE",
        "CAPTURE_STATUS_UPDATE",
        "ORDER_STATUS_UPDATE",
        "ORDER_ASYNC_CALLBACK",
    ]
    assert [event["data"]["status"] for event in events] == ["PENDING", "SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL"]
    assert events[1]["data"]["initiator"] == "SYSTEM"
    final = events[-1]["data"]
    assert (final["orderId"], final["transactionId"]) == (opened["orderId"], opened["transactionReference"])
    state = await merchant.status(opened["orderReference"])
    assert {name: final[name] for name in state if name != "updatedAt"} == {
        n: v for n, v in state.items() if n != "updatedAt"
    }


async def test_a_deferred_order_is_told_step_by_step(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PLANPAY_AU", autoCapture=False)
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"])
    await merchant.captures(reference, "30", "C-1")
    await merchant.voids(reference, "70", "V-1")
    await merchant.refunds(reference, "30", "R-1")
    events = await told(installation, reference)
    assert check(events) == [
        "ORDER_STATUS_UPDATE", "ORDER_STATUS_UPDATE", "ORDER_ASYNC_CALLBACK", "CAPTURE_STATUS_UPDATE", "ORDER_STATUS_UPDATE",
        "VOID_STATUS_UPDATE", "ORDER_STATUS_UPDATE", "REFUND_CALLBACK",
    ]  # fmt: skip
    assert [event["data"].get("captureStatus") for event in events if "captureStatus" in event["data"]] == [
        None, "AUTHORIZED", "AUTHORIZED", "PARTIALLY_CAPTURED", "CAPTURED",
    ]  # fmt: skip
    refund = events[-1]["data"]
    assert (refund["refundReference"], refund["amount"], refund["currency"], refund["initiator"]) == (
        "R-1",
        30,
        "AUD",
        "MERCHANT",
    )


@pytest.mark.parametrize(
    ("outcome", "status", "by"),
    [("decline", "DECLINED", None), ("cancel", "CANCELED", "USER"), ("error", "ERROR", None)],
)
async def test_every_end_is_announced_once(
    outcome: str, status: str, by: str | None, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PLANPAY_AU")
    back = await shopper.decides(opened["redirectUrl"], outcome)
    for _ in range(2):
        await shopper.returns(back)
    events = await told(installation, opened["orderReference"])
    assert check(events) == ["ORDER_STATUS_UPDATE", "ORDER_STATUS_UPDATE", "ORDER_ASYNC_CALLBACK"]
    assert (events[-1]["data"]["status"], events[-1]["data"]["cancelledBy"]) == (status, by)


async def test_a_refused_operation_is_told_as_failed_with_its_reason(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    who = merchant.order("PLANPAY_AU")["customer"] | {"email": "slow@shop.example"}
    opened = await merchant.creates("PLANPAY_AU", customer=who)
    await shopper.pays(opened["redirectUrl"])
    assert (await merchant.refunds(opened["orderReference"], "10", "R-1")).body["refundStatus"] == "PENDING"
    await installation.settle(opened["orderReference"], "decline")
    events = await told(installation, opened["orderReference"])
    check(events)
    last = events[-1]
    assert (last["event"], last["data"]["status"]) == ("REFUND_CALLBACK", "FAILED")
    assert last["data"]["failureReason"]


async def test_what_the_order_brought_for_others_comes_back_in_its_events(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    session = "123E4567-e89b-12d3-a456-426614174000"
    opened = await merchant.creates(
        "PLANPAY_AU", sessionId=session, partnerOrderReference="P 1 ä", partnerConfiguration={"a": 1.5}
    )
    await shopper.pays(opened["redirectUrl"])
    events = [
        event for event in await told(installation, opened["orderReference"]) if event["event"].startswith("ORDER_")
    ]
    check(await told(installation, opened["orderReference"]))
    for event in events:
        assert event["data"]["sessionId"] == session
        assert event["data"]["partnerOrderReference"] == "P 1 ä"
        assert event["data"]["partnerConfiguration"] == {"a": 1.5}
    plain = await merchant.creates("PLANPAY_AU")
    for event in await told(installation, plain["orderReference"]):
        assert not {"sessionId", "partnerOrderReference", "token", "tokenFailureReason", "rawProviderResponse"} & set(
            event["data"]
        )


async def at_the_provider(installation: Installation, reference: str, action: str, **body: Any) -> None:
    """Something that is done at the provider and not by us."""
    async with installation.database.connection() as held:
        session = await held.fetchval("SELECT session FROM orders WHERE reference = $1", reference)
    url = f"{installation.settings.sandbox_base_url}/generic/sandbox/{action}"
    assert (await installation.call("POST", url, json={"id": session, **body})).status < 300


async def test_a_refund_made_at_the_provider_is_told_as_the_providers(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PLANPAY_AU")
    await shopper.pays(opened["redirectUrl"])
    await at_the_provider(installation, opened["orderReference"], "provider-refund", amount="15")
    events = await told(installation, opened["orderReference"])
    check(events)
    last = events[-1]
    assert (last["event"], last["data"]["initiator"], last["data"]["amount"]) == ("REFUND_CALLBACK", "PROVIDER", 15)
    assert (await merchant.status(opened["orderReference"]))["status"] == "SUCCESSFUL"
    assert (await merchant.refunds(opened["orderReference"], "85.01", "R-1")).body["code"] == "over_refund"


async def test_a_payment_of_another_amount_is_told_for_review_and_never_as_paid(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("PLANPAY_AU")
    reference = opened["orderReference"]
    await at_the_provider(installation, reference, "tamper", amount="1")
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "PENDING"
    events = await told(installation, reference)
    names = check(events)
    assert "ORDER_NEEDS_REVIEW" in names
    assert "ORDER_ASYNC_CALLBACK" not in names
    review = next(event for event in events if event["event"] == "ORDER_NEEDS_REVIEW")
    assert (await merchant.details(reference))["needsReview"] == review["data"]["needsReview"]


async def test_the_providers_own_answer_is_told_to_whom_turned_it_on_only(
    installation: Installation, shopper: Shopper
) -> None:
    shop = await a_merchant(installation, "PLANPAY_AU")
    for turned_on in (False, True):
        async with installation.database.transaction() as tx:
            await service.set_merchant(tx, shop.id, raw_provider_response=turned_on)  # type: ignore[attr-defined]
        opened = await shop.creates("PLANPAY_AU")
        await shopper.pays(opened["redirectUrl"])
        events = await told(installation, opened["orderReference"])
        check(events)
        raw = events[-1]["data"].get("rawProviderResponse")
        assert (raw is not None) == turned_on
    assert raw["status"] == "paid"
    assert raw["payment"]["authorised"]["amount"] == "100.00"


async def test_the_orders_own_callback_gets_its_end_only_and_the_account_gets_all(
    installation: Installation, merchant: Merchant, shopper: Shopper, new_endpoint: NewEndpoint
) -> None:
    own = await new_endpoint()
    opened = await merchant.creates("PLANPAY_AU", dynamicCallbackUrl=own.url)
    await shopper.pays(opened["redirectUrl"])
    await merchant.refunds(opened["orderReference"], "10", "R-1")
    events = await told(installation, opened["orderReference"])
    assert "REFUND_CALLBACK" in check(events)
    assert [from_json(body)["event"] for _, body in own.received] == ["ORDER_ASYNC_CALLBACK"]
    headers, body = own.received[0]
    Webhook(demo.SECRETS["webhook"]).verify(body, dict(headers))
    elsewhere = next(h["webhook-id"] for h, b in installation.inbox.received if b == body)
    assert headers["webhook-id"] != elsewhere, "one id per event and endpoint, the same bytes"


async def test_after_a_rotation_both_secrets_sign_for_a_day(installation: Installation, shopper: Shopper) -> None:
    shop = await a_merchant(installation, "PLANPAY_AU")
    owner: str = shop.id  # type: ignore[attr-defined]
    async with installation.database.transaction() as tx:
        (old,) = await service.webhook_secrets(tx, installation.keyring, owner)
        new = await service.rotate(tx, installation.keyring, owner, "webhook")
    opened = await shop.creates("PLANPAY_AU")
    await told(installation, opened["orderReference"])
    mine = [(h, b) for h, b in installation.inbox.received if opened["orderReference"].encode() in b]
    assert mine
    for headers, body in mine:
        assert len(headers["webhook-signature"].split(" ")) == 2
        for secret in (old, new):
            Webhook(secret).verify(body, dict(headers))
        with pytest.raises(WebhookVerificationError):
            Webhook(demo.SECRETS["webhook"]).verify(body, dict(headers))


async def test_a_dead_endpoint_is_tried_by_the_clock_to_its_end_and_its_event_can_be_replayed(
    installation: Installation, shopper: Shopper, new_endpoint: NewEndpoint
) -> None:
    dead = await new_endpoint()
    dead.status = 500
    shop = await a_merchant(installation, "PLANPAY_AU")
    opened = await shop.creates("PLANPAY_AU", dynamicCallbackUrl=dead.url)
    assert (await shop.post(f"/orders/{opened['orderReference']}/cancel", {})).status == 201
    await installation.quiet()
    for n, wait in enumerate((5, 30, 120, 600, 1800, 7200, 21_600, 43_200, 86_400, 86_400), 1):
        assert len(dead.received) == n
        await installation.advance(wait - 2)
        await installation.quiet()
        assert len(dead.received) == n, "not before its time"
        await installation.advance(wait // 10 + 4)
        await installation.quiet()
    assert len(dead.received) == 11
    await installation.advance(10 * 86_400)
    await installation.quiet()
    assert len(dead.received) == 11
    assert len({body for _, body in dead.received}) == len({headers["webhook-id"] for headers, _ in dead.received}) == 1
    async with installation.database.transaction() as tx:
        from paymux.notifications import delivery

        (row,) = await delivery.list_deliveries(tx, shop.id, "exhausted", 10)  # type: ignore[attr-defined]
        dead.status = 204
        assert await delivery.replay(tx, shop.id, row["id"])  # type: ignore[attr-defined]
    await installation.quiet()
    assert len(dead.received) == 12
    assert dead.received[-1][1] == dead.received[0][1]
    assert dead.received[-1][0]["webhook-id"] == dead.received[0][0]["webhook-id"]
