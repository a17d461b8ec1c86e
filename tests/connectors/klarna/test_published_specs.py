"""Every request of the connector and every answer of the simulator is what Klarna's published specifications allow."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from yarl import URL

from paymux.connectors.contract import Item, Refused
from paymux.money import Money
from tests.connectors.klarna.conftest import Till, sample
from tests.connectors.klarna.published import SPECS, faults_of, operation
from tests.connectors.scripted import CONNECTORS
from tests.connectors.till import ONE, THREE, TWO

pytestmark = pytest.mark.skipif(not SPECS.is_dir(), reason=f"Klarna's published specifications are not at {SPECS}")

KEYS = [f"3f7f1f0c-7c53-4b0e-9d51-5a1f6c0d9e2{n}" for n in range(4)]
# What the connector calls of the four APIs: specification and operation.
CALLED = {
    ("payments", "createCreditSession"), ("payments", "readCreditSession"), ("payments", "createOrder"),
    ("payments", "purchaseToken"), ("payments", "cancelAuthorization"), ("hosted-payment-page", "createHppSession"),
    ("hosted-payment-page", "getSessionById"), ("hosted-payment-page", "disableHppSession"),
    ("order-management", "getOrder"), ("order-management", "captureOrder"), ("order-management", "refundOrder"),
    ("order-management", "cancelOrder"), ("order-management", "releaseRemainingAuthorization"),
    ("customer-token", "createOrder"),
}  # fmt: skip


def judged(till: Till) -> set[tuple[str, str]]:
    """All exchanges so far, none of which may have a fault; which operations they were."""
    faults, called = [], set()
    for exchange in till.exchanges:
        done = operation(exchange.method, URL(exchange.url).path.removeprefix("/klarna"))
        answer = exchange.answer
        body = json.loads(answer.body) if answer.body else None
        faults += done.faults(exchange.sent, answer.status, answer.headers, body)
        called.add((done.spec, done.name))
    assert faults == []
    return called


async def moved(till: Till, verb: str, checkout: Any, amount: str, key: str, open: str, captured: str = "0") -> None:
    money = Money(Decimal(amount), checkout.total.currency)
    move = till.counter.move(money, key, open, captured, description="as asked")
    await getattr(till.connector, verb)(checkout, move)


async def test_a_whole_life_uses_every_operation_as_it_is_published(till: Till) -> None:
    till.code = "KLARNA_US"
    item = Item(name="Shirt", quantity=3, unit_price=Decimal("33.333333"), total=Decimal("100.00"), sku="S-1")
    parts: dict[str, Any] = {"shipping": Decimal("7.50"), "tax": Decimal("8.25"), "discount": Decimal("5.75")}
    more = {"merchantData": "{}", "pageTitle": "Shop", "logoUrl": "https://shop.example/l.png"}
    checkout = await till.pays("110.00", items=(item,), additional_data=more, **parts)
    await moved(till, "capture", checkout, "60.00", ONE, "110.00")
    await moved(till, "capture", checkout, "10.00", TWO, "50.00", "60.00")
    await moved(till, "void", checkout, "40.00", THREE, "40.00", "70.00")
    await moved(till, "refund", checkout, "70.00", KEYS[0], "70.00")
    await till.connector.fetch(checkout)
    await moved(till, "void", await till.pays(), "100.00", KEYS[1], "100.00")

    tokenised, paid = await till.confirmed(
        get_token=True, **parts, items=(item,), total=Money(Decimal("110.00"), "USD")
    )
    assert paid.token is not None
    await till.connector.charge_token(till.counter.order(till.code), paid.token.value, KEYS[2])
    await till.connector.fetch(tokenised)

    _, unpaid = await till.opens()
    await till.connector.cancel_checkout(unpaid)
    await till.connector.cancel_checkout(await till.decided(get_token=True))
    assert judged(till) == CALLED


@pytest.mark.parametrize("code", ["KLARNA", "KLARNA_3_INSTALMENTS", "KLARNA_US", "KLARNA_AU", "KLARNA_NZ"])
async def test_each_code_opens_and_pays_as_published(till: Till, code: str) -> None:
    till.code = code
    checkout = await till.pays("64.10")
    await moved(till, "capture", checkout, "64.10", ONE, "64.10")
    judged(till)


@pytest.mark.parametrize("outcome", ["approve", "decline", "cancel", "pending", "error"])
@pytest.mark.parametrize("get_token", [False, True])
async def test_each_outcome_is_told_as_published(till: Till, outcome: str, get_token: bool) -> None:
    checkout = await till.decided(outcome, get_token=get_token)
    await till.connector.fetch(checkout)
    if get_token:
        await till.connector.confirm(checkout, ONE)
    judged(till)


async def test_refusals_and_unknown_ids_are_told_as_published(till: Till) -> None:
    checkout = await till.pays()
    await moved(till, "capture", checkout, "50.00", ONE, "100.00")
    refused = [
        moved(till, "capture", checkout, "50.01", TWO, "50.01"),
        moved(till, "refund", checkout, "50.01", TWO, "50.01"),
        moved(till, "void", checkout, "50.00", TWO, "50.00"),
        moved(till, "capture", replace(checkout, payment_id=checkout.session), "1.00", TWO, "1.00"),
        till.connector.fetch(replace(checkout, payment_id=None, session="unknown")),
        till.connector.cancel_checkout(checkout),
        till.connector.charge_token(till.counter.order("KLARNA"), "unknown", TWO),
        till.counter.connector("KLARNA", password="wrong").check(),
        till.connector.create_checkout(till.counter.order("KLARNA", country="SE"), ONE),
    ]
    for call in refused:
        with pytest.raises(Refused):
            await call
    judged(till)


async def test_the_callback_of_a_page_carries_its_session_as_published(till: Till) -> None:
    await till.decided()
    body = json.loads((await till.events(1))[0].body)
    assert body.keys() == {"event_id", "session"}
    assert faults_of("hosted-payment-page", "SessionResponseV1", body["session"]) == []


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONNECTORS / "klarna" / "samples").glob("*.json")))
def test_each_sample_is_as_published(name: str) -> None:
    documented = sample(name)
    if "method" not in documented:
        assert {"query", "body", "answer"} & documented.keys()
        if "session" in documented.get("body", {}):
            assert faults_of("hosted-payment-page", "SessionResponseV1", documented["body"]["session"]) == []
        if "answer" in documented:
            assert faults_of("payments", "ErrorV2", documented["answer"]) == []
        return
    headers = {header.lower(): value for header, value in documented.get("headers", {}).items()}
    judge = operation(documented["method"], documented["path"])
    assert judge.faults(documented.get("request"), documented["status"], headers, documented.get("answer")) == []


def test_a_request_or_answer_that_is_not_as_published_is_found() -> None:
    documented = sample("order_authorized")
    judge = operation("GET", documented["path"])
    assert judge.faults(None, 200, {}, {**documented["answer"], "invented": 1})
    assert judge.faults(None, 200, {}, {**documented["answer"], "status": "PAID"})
    assert judge.faults({"a": 1}, 200, {}, documented["answer"])
    capture = operation("POST", documented["path"] + "/captures")
    assert capture.faults({"captured_amount": 1}, 201, {"location": "https://a.example"}, None)
    assert capture.faults({"captured_amount": "1"}, 201, {"location": "l", "capture-id": "i"}, None)
    assert capture.faults({"captured_amount": 1}, 418, {}, None)
    session = sample("payments_session_created")
    opened = operation("POST", session["path"])
    assert opened.faults({**session["request"], "status": "complete"}, 200, {}, session["answer"])
