"""Opening a payment, the shopper's return, what the inquiry and the notifications say, cancelling."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import (
    Ask,
    Cancelled,
    Declined,
    Expired,
    Incoming,
    NotThere,
    Paid,
    Pending,
    Redirect,
    Refused,
)  # fmt: skip
from paymux.connectors.registry import all_providers
from paymux.money import Money
from paymux.platform.http import Unclear
from tests.connectors.alipay.conftest import Gateway, Till, sample
from tests.connectors.till import KEY, ONE

CODES = [
    ("ALIPAY_US", "USD", "ALIPAY_CN"), ("ALIPAY_CN", "CNY", "ALIPAY_CN"), ("ALIPAY_HK", "HKD", "ALIPAY_HK"),
    ("ALIPAY_PH", "PHP", "GCASH"), ("ALIPAY_MY", "MYR", "TNG"), ("ALIPAY_TH", "THB", "TRUEMONEY"),
    ("ALIPAY_ID", "IDR", "DANA"), ("ALIPAY_BD", "BDT", "BKASH"),
]  # fmt: skip


def test_the_facts_name_all_codes_with_their_currency_and_wallet() -> None:
    codes = all_providers()["alipay"].facts.codes
    assert [(code, facts.currencies[0], facts.settings["wallet"]) for code, facts in codes.items()] == CODES


@pytest.mark.parametrize(("code", "currency", "wallet"), CODES)
async def test_every_code_is_paid_in_its_currency(till: Till, code: str, currency: str, wallet: str) -> None:
    till.code = code
    checkout = await till.pays("640.10")
    paid = await till.paid_now(checkout)
    assert paid.total == Money(Decimal("640.10"), currency)
    assert (paid.session, paid.captured) == (checkout.session, Decimal("640.10"))
    rows = [("authorize", Decimal("640.10"), currency), ("capture", Decimal("640.10"), currency)]
    assert till.counter.ledger() == rows


async def test_opening_moves_nothing_and_tells_when_the_payment_closes(till: Till) -> None:
    order = till.order()
    opened = await till.connector.create_checkout(order, KEY)
    assert isinstance(opened, Redirect)
    assert opened.expires_at is not None
    assert opened.expires_at - order.created_at == timedelta(minutes=14)
    assert till.counter.ledger() == []


async def test_the_request_is_the_documented_one(gateway: Gateway, till: Till) -> None:
    gateway.says(200, sample("payment_opened")["answer"])
    order = till.counter.order("ALIPAY_CN")
    opened = await gateway.altered(settlement_currency="USD", merchant_region="SG").create_checkout(order, KEY)
    assert isinstance(opened, Redirect)
    assert opened.session == "20190608114010800100188820200355883"
    amount = {"currency": "CNY", "value": "10000"}
    goods = {"referenceGoodsId": "S-1", "goodsName": "Shirt", "goodsQuantity": "1", "goodsUnitAmount": amount}
    buyer = {
        "buyerEmail": "ada@shop.example", "buyerPhoneNo": "+61400000000",
        "buyerName": {"firstName": "Ada", "lastName": "Byron"},
    }  # fmt: skip
    assert gateway.asked == [
        (
            "POST",
            "/ams/api/v1/payments/pay",
            {
                "productCode": "CASHIER_PAYMENT", "paymentRequestId": KEY.replace("-", ""), "paymentAmount": amount,
                "paymentMethod": {"paymentMethodType": "ALIPAY_CN"},
                "order": {
                    "referenceOrderId": "R-1001", "orderDescription": "Order R-1001", "orderAmount": amount,
                    "buyer": buyer, "goods": [goods],
                },
                "env": {"terminalType": "WEB"}, "paymentRedirectUrl": order.return_url,
                "paymentNotifyUrl": order.events_url, "merchantRegion": "SG",
                "settlementStrategy": {"settlementCurrency": "USD"},
            },
        )
    ]  # fmt: skip
    assert gateway.headers[0]["Content-Type"] == "application/json; charset=UTF-8"
    assert gateway.headers[0]["Client-Id"] == "5Y0001"


async def test_a_client_of_the_sandbox_has_its_own_paths_and_takes_no_real_payment(
    gateway: Gateway, till: Till
) -> None:
    order = till.counter.order("ALIPAY_CN")
    gateway.says(200, sample("payment_opened")["answer"])
    await gateway.altered(client_id="SANDBOX_5Y01").create_checkout(order, KEY)
    assert gateway.asked[0][1] == "/ams/sandbox/api/v1/payments/pay"
    with pytest.raises(Refused) as no:
        await gateway.altered(client_id="SANDBOX_5Y01", live=True).create_checkout(order, KEY)
    assert (no.value.code, len(gateway.asked)) == ("sandbox_client_id", 1)


async def test_the_gateway_is_the_codes_or_the_accounts(gateway: Gateway, till: Till) -> None:
    order = till.counter.order("ALIPAY_US")
    for _ in range(2):
        gateway.says(200, sample("payment_opened")["answer"])
    await gateway.altered("ALIPAY_US").create_checkout(order, KEY)
    await gateway.altered("ALIPAY_US", region="eu").create_checkout(order, KEY)
    assert [path for _, path, _ in gateway.asked] == ["/na/ams/api/v1/payments/pay", "/eu/ams/api/v1/payments/pay"]
    assert gateway.asked[0][2]["merchantRegion"] == "US"
    with pytest.raises(Refused):
        await gateway.altered("ALIPAY_US", region="moon").create_checkout(order, KEY)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [("F", "RISK_REJECT", Declined), ("F", "PARAM_ILLEGAL", Refused), ("U", "UNKNOWN_EXCEPTION", Unclear)],
)
async def test_what_is_not_opened_keeps_alipays_code(
    gateway: Gateway, till: Till, status: str, code: str, kind: type
) -> None:
    gateway.says(200, {"result": {"resultStatus": status, "resultCode": code, "resultMessage": "no"}})
    order = till.counter.order("ALIPAY_CN")
    if kind is Declined:
        declined = await gateway.connector.create_checkout(order, KEY)
        assert isinstance(declined, Declined)
        assert (declined.code, declined.reason) == (code, "no")
        return
    with pytest.raises(kind) as no:
        await gateway.connector.create_checkout(order, KEY)
    assert code in str(getattr(no.value, "code", no.value))


async def test_an_http_error_is_unclear_whatever_it_says(gateway: Gateway, till: Till) -> None:
    gateway.says(403, {"result": {"resultStatus": "F", "resultCode": "ACCESS_DENIED"}})
    with pytest.raises(Unclear):
        await gateway.connector.create_checkout(till.counter.order("ALIPAY_CN"), KEY)


async def test_the_return_says_nothing(till: Till) -> None:
    _, checkout = await till.opens()
    assert till.connector.read_return({"paymentStatus": "SUCCESS", "paymentId": "1"}, checkout) == Ask()


@pytest.mark.parametrize(
    ("outcome", "kind", "code"),
    [("decline", Declined, "USER_BALANCE_NOT_ENOUGH"), ("error", Declined, "PROCESS_FAIL"), ("cancel", Pending, "")],
)
async def test_a_shopper_who_does_not_pay_moves_nothing(till: Till, outcome: str, kind: type, code: str) -> None:
    report = await till.connector.fetch(await till.decided(outcome))
    assert type(report) is kind
    assert getattr(report, "code", "") == code
    assert till.counter.ledger() == []


async def test_a_payment_that_nobody_made_closes_itself(till: Till) -> None:
    checkout = await till.decided("cancel")
    till.passes(minutes=13)
    assert isinstance(await till.connector.fetch(checkout), Pending)
    till.passes(minutes=2)
    assert isinstance(await till.connector.fetch(checkout), Expired)
    (told,) = await till.events()
    assert till.connector.read_event(told).report is None


async def test_a_pending_payment_is_past_the_shoppers_part(till: Till) -> None:
    checkout = await till.decided("pending")
    report = await till.connector.fetch(checkout)
    assert isinstance(report, Pending)
    assert report.completed
    (told,) = await till.events()
    event = till.connector.read_event(told)
    assert isinstance(event.report, Pending)
    assert event.report.completed


async def test_the_documented_answers_are_read(gateway: Gateway, till: Till) -> None:
    _, checkout = await till.opens()
    gateway.says(200, sample("payment_found")["answer"])
    paid = await gateway.connector.fetch(checkout)
    assert isinstance(paid, Paid)
    assert (paid.session, paid.reference) == ("20190608114010800100188820200355883", None)
    assert (paid.total, paid.captured, paid.moves) == (Money(Decimal(100), "CNY"), Decimal(100), None)


@pytest.mark.parametrize("change", [{"paymentAmount": None}, {"paymentId": ""}, {"paymentAmount": {"value": "1"}}])
async def test_a_payment_that_makes_no_sense_is_unclear(gateway: Gateway, till: Till, change: dict[str, Any]) -> None:
    _, checkout = await till.opens()
    gateway.says(200, sample("payment_found")["answer"] | change)
    with pytest.raises(Unclear):
        await gateway.connector.fetch(checkout)


async def test_an_unknown_word_is_asked_about_again(gateway: Gateway, till: Till) -> None:
    _, checkout = await till.opens()
    gateway.says(200, sample("payment_found")["answer"] | {"paymentStatus": "ODD"})
    assert isinstance(await gateway.connector.fetch(checkout), Pending)


async def test_a_payment_that_is_not_there_is_told_from_a_fault(till: Till) -> None:
    _, checkout = await till.opens()
    with pytest.raises(NotThere):
        await till.connector.fetch(replace(checkout, session="0"))
    assert "right" in await till.connector.check()


def test_the_documented_notification_is_read_and_others_are_not(gateway: Gateway) -> None:
    body = sample("notification")["body"]
    connector = gateway.connector

    def told(**changes: Any) -> Incoming:
        return Incoming(method="POST", headers={}, query={}, body=json.dumps(body | changes).encode())

    paid = connector.read_event(told()).report
    assert isinstance(paid, Paid)
    assert paid.total == Money(Decimal(100), "CNY")
    failed = {"resultCode": "RISK_REJECT", "resultStatus": "F", "resultMessage": "no"}
    declined = connector.read_event(told(result=failed)).report
    assert isinstance(declined, Declined)
    assert declined.code == "RISK_REJECT"
    assert connector.read_event(told(notifyType="OFFLINE_PAYMENT_CODE")).report is None
    for changes in ({"paymentId": ""}, {"paymentAmount": None}, {"paymentAmount": {"currency": "??", "value": "1"}}):
        with pytest.raises(ValueError, match=r"."):
            connector.read_event(told(**changes))


async def test_a_cancelled_payment_can_no_longer_be_made(till: Till) -> None:
    opened, checkout = await till.opens()
    for _ in range(2):
        await till.connector.cancel_checkout(checkout)
    await till.counter.shopper(opened.url, "approve")
    assert isinstance(await till.connector.fetch(checkout), Cancelled)
    assert till.counter.ledger() == []


async def test_a_paid_payment_is_not_cancelled(till: Till) -> None:
    checkout = await till.pays()
    with pytest.raises(Refused):
        await till.connector.cancel_checkout(checkout)
    assert (await till.paid_now(checkout)).refunded is None


async def test_an_indonesian_payment_is_not_cancelled_and_closes_itself(till: Till) -> None:
    till.code = "ALIPAY_ID"
    _, checkout = await till.opens("500.00")
    with pytest.raises(Refused):
        await till.connector.cancel_checkout(checkout)
    till.passes(minutes=15)
    await till.connector.cancel_checkout(checkout)


async def test_a_payment_that_was_cancelled_after_it_was_paid_has_been_given_back(gateway: Gateway, till: Till) -> None:
    _, checkout = await till.opens()
    gateway.says(200, sample("payment_found")["answer"] | {"paymentStatus": "CANCELLED"})
    paid = await gateway.connector.fetch(replace(checkout, payment_id=checkout.session))
    assert isinstance(paid, Paid)
    assert (paid.captured, paid.refunded) == (Decimal(100), Decimal(100))


async def test_paying_twice_with_one_request_id_is_one_payment(till: Till) -> None:
    first, _ = await till.opens()
    again, _ = await till.opens()
    assert (again.session, again.url) == (first.session, first.url)
    with pytest.raises(Refused) as no:
        await till.opens("99.00")
    assert no.value.code == "REPEAT_REQ_INCONSISTENT"
    other = await till.connector.create_checkout(till.counter.order("ALIPAY_CN"), ONE)
    assert isinstance(other, Redirect)
    assert other.session != first.session


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"total": Money(Decimal(100), "EUR")}, "CURRENCY_NOT_SUPPORT"), ({"reference": "R" * 65}, "PARAM_ILLEGAL")],
)
async def test_the_simulator_demands_what_alipay_demands(till: Till, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as no:
        await till.opens(**changes)
    assert no.value.code == code
