"""Every request of the connector and every answer of the simulator is what PayPal's published specifications allow."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from yarl import URL

from paymux.connectors.contract import Item, Refused
from tests.connectors.paypal.conftest import Till, sample
from tests.connectors.paypal.published import SPECS, faults_of, operation
from tests.connectors.scripted import CONNECTORS
from tests.connectors.till import KEY, ONE, THREE, TWO

pytestmark = pytest.mark.skipif(not SPECS.is_dir(), reason=f"PayPal's published specifications are not at {SPECS}")

CALLED = {
    "orders.create", "orders.get", "orders.capture", "orders.authorize", "authorizations.capture", "authorizations.void",
    "captures.refund", "webhooks.list", "webhooks.post", "webhooks.update",
}  # fmt: skip


def judged(till: Till) -> set[str]:
    """All exchanges so far, none of which may have a fault; which operations they were."""
    faults, called = [], set()
    for exchange in till.exchanges:
        done = operation(exchange.method, URL(exchange.url).path.removeprefix("/paypal"))
        body = json.loads(exchange.answer.body) if exchange.answer.body else None
        faults += done.faults(exchange.sent, exchange.answer.status, body)
        called.add(done.name)
    assert faults == []
    return called


async def test_a_whole_life_uses_every_operation_as_it_is_published(till: Till) -> None:
    body = {"url": till.counter.inbox.url, "event_types": [{"name": "PAYMENT.CAPTURE.COMPLETED"}]}
    label = {"X_Paymux_Sandbox_Label": "merchant=demo&reference=R-1001&code=PAYPAL"}
    await till.call("POST", "/v1/notifications/webhooks", body, **label)
    await till.connector.set_up_events(till.counter.inbox.url)
    await till.connector.set_up_events(f"{till.counter.inbox.url}/other")

    item = Item(name="Shirt", quantity=3, unit_price=Decimal("33.333333"), total=Decimal("100.00"), sku="S-1")
    parts = {"shipping": Decimal("7.50"), "tax": Decimal("8.25"), "discount": Decimal("5.75")}
    more = {"brandName": "Shop", "description": "Shirts"}
    own = await till.holds("110.00", items=(item,), additional_data=more, **parts)
    await till.tries("capture", own, "60.00", ONE, "110.00", description="first parcel")
    await till.tries("capture", own, "10.00", TWO, "50.00")
    await till.tries("void", own, "40.00", THREE, "40.00")
    await till.tries("refund", own, "65.00", KEY, "70.00", description="returned")
    await till.paid_now(own)
    _, paid = await till.confirmed(get_token=True, key=ONE)
    assert paid.token is not None
    await till.connector.charge_token(till.counter.order("PAYPAL"), paid.token.value, TWO)
    assert judged(till) == CALLED


@pytest.mark.parametrize("auto_capture", [True, False])
@pytest.mark.parametrize("outcome", ["approve", "decline", "cancel", "pending", "error"])
async def test_each_outcome_is_told_as_published(till: Till, outcome: str, auto_capture: bool) -> None:
    own = await till.decided(outcome, auto_capture=auto_capture)
    await till.connector.fetch(own)
    await till.connector.confirm(own, KEY)
    await till.connector.fetch(own)
    judged(till)


async def test_refusals_and_unknown_ids_are_told_as_published(till: Till) -> None:
    own = await till.holds()
    await till.tries("capture", own, "50.00", ONE)
    unknown = type(own)(**{name: getattr(own, name) for name in own.__slots__} | {"session": "X", "payment_id": "X"})
    refused = [
        till.tries("capture", own, "100.01", TWO), till.tries("refund", own, "50.01", TWO), till.connector.fetch(unknown),
        till.tries("capture", unknown, "1.00", TWO), till.tries("void", unknown, "1.00", TWO),
    ]  # fmt: skip
    for call in refused:
        with pytest.raises(Refused):
            await call
    await till.tries("void", own, "50.00", TWO)
    with pytest.raises(Refused):
        await till.tries("void", own, "50.00", THREE)
    judged(till)


async def test_what_the_links_of_a_payment_name_is_told_as_published(till: Till) -> None:
    own = await till.holds()
    await till.tries("capture", own, "50.00", ONE)
    _, order = await till.call("GET", f"/v2/checkout/orders/{own.session}")
    (capture,) = order["purchase_units"][0]["payments"]["captures"]
    _, refund = await till.call("POST", f"/v2/payments/captures/{capture['id']}/refund", {})
    found = {"authorizations": own.payment_id, "captures": capture["id"], "refunds": refund["id"]}
    for kind, id in [*found.items(), ("refunds", "0")]:
        path = f"/v2/payments/{kind}/{id}"
        status, body = await till.call("GET", path)
        assert (status, body.get("id")) == ((200, id) if id == found[kind] else (404, None))
        assert operation("GET", path).faults(None, status, body) == []


async def test_the_body_of_an_event_is_as_published(till: Till) -> None:
    await till.connector.set_up_events(till.counter.inbox.url)
    await till.confirmed()
    for received in await till.events(2):
        assert faults_of("notifications_webhooks_v1", "event", json.loads(received.body)) == []


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONNECTORS / "paypal" / "samples").glob("*.json")))
def test_each_sample_is_as_published(name: str) -> None:
    documented = sample(name)
    if "body" in documented:
        assert faults_of("notifications_webhooks_v1", "event", documented["body"]) == []
    elif "method" in documented:
        judge = operation(documented["method"], documented["path"])
        assert judge.faults(documented.get("request"), documented["status"], documented["answer"]) == []
    else:
        assert documented["query"]


def test_a_request_or_answer_that_is_not_as_published_is_found() -> None:
    documented = sample("order_created")
    judge = operation("POST", documented["path"])
    asked, answer = documented["request"], documented["answer"]
    assert judge.faults({**asked, "invented": 1}, 201, answer)
    assert judge.faults({**asked, "intent": "SALE"}, 201, answer)
    assert judge.faults({"intent": "CAPTURE"}, 201, answer)
    assert judge.faults(asked, 201, {**answer, "status": "PAID"})
    assert judge.faults(asked, 418, {"name": 1})
    capture = operation("POST", "/v2/payments/authorizations/A/capture")
    assert capture.faults({"amount": {"value": 1, "currency_code": "USD"}}, 201, {"id": "C", "status": "COMPLETED"})
    assert capture.faults({"custom_id": "R"}, 201, {"id": "C", "status": "COMPLETED"})
