"""Alipay's own Python client, global-alipay-sdk-python 1.0.1, at the simulator: it signs and checks signatures its own way.

The client knows no port but 443 and no connection but TLS, so the test gives it a plain one to loopback; what goes over it
is the client's own.
"""

from __future__ import annotations

import asyncio
import http.client
from base64 import b64encode
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from com.alipay.ams.api.default_alipay_client import DefaultAlipayClient
from com.alipay.ams.api.exception.exception import AlipayApiException
from com.alipay.ams.api.model.amount import Amount
from com.alipay.ams.api.model.buyer import Buyer
from com.alipay.ams.api.model.env import Env
from com.alipay.ams.api.model.goods import Goods
from com.alipay.ams.api.model.order import Order
from com.alipay.ams.api.model.payment_method import PaymentMethod
from com.alipay.ams.api.model.product_code_type import ProductCodeType
from com.alipay.ams.api.model.result_status_type import ResultStatusType
from com.alipay.ams.api.model.terminal_type import TerminalType
from com.alipay.ams.api.model.transaction_status_type import TransactionStatusType
from com.alipay.ams.api.model.transaction_type import TransactionType
from com.alipay.ams.api.net import default_http_rpc
from com.alipay.ams.api.request.pay.alipay_pay_cancel_request import AlipayPayCancelRequest
from com.alipay.ams.api.request.pay.alipay_pay_query_request import AlipayPayQueryRequest
from com.alipay.ams.api.request.pay.alipay_pay_request import AlipayPayRequest
from com.alipay.ams.api.request.pay.alipay_refund_query_request import AlipayRefundQueryRequest
from com.alipay.ams.api.request.pay.alipay_refund_request import AlipayRefundRequest
from com.alipay.ams.api.response.pay.alipay_pay_cancel_response import AlipayPayCancelResponse
from com.alipay.ams.api.response.pay.alipay_pay_query_response import AlipayPayQueryResponse
from com.alipay.ams.api.response.pay.alipay_pay_response import AlipayPayResponse
from com.alipay.ams.api.response.pay.alipay_refund_query_response import AlipayRefundQueryResponse
from com.alipay.ams.api.response.pay.alipay_refund_response import AlipayRefundResponse
from com.alipay.ams.api.tools.webhook_tool import check_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from paymux.connectors.alipay.rules import key_of
from paymux.connectors.alipay.sandbox_keys import PROVIDER_KEY
from paymux.connectors.alipay.simulator import AlipaySimulator

CLIENT, KEY, PUBLIC = (AlipaySimulator.credentials[name] for name in ("client_id", "private_key", "alipay_public_key"))
S, F, U = ResultStatusType.S, ResultStatusType.F, ResultStatusType.U
SUCCESS = TransactionStatusType.SUCCESS


class Shop:
    """A merchant with Alipay's client, which is a synchronous one, and his shopper in the wallet."""

    def __init__(self, counter: Any, client: str = CLIENT, key: str = KEY, public: str = PUBLIC) -> None:
        self.counter = counter
        # The client takes a private key in PKCS #1, the dashboard hands it out in PKCS #8.
        der = key_of(key).private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        self.client = DefaultAlipayClient(f"{counter.base_url}/alipay", client, b64encode(der).decode(), public)

    async def does(self, request: Any, answer: Callable[[str], Any]) -> Any:
        """One call of the client, read by its class for the answer."""
        return answer(await asyncio.to_thread(self.client.execute, request))

    async def opens(self, request_id: str = "pay_python_test-1", value: str = "10000", **more: Any) -> Any:
        """A cashier payment, with what the client's own example sends."""
        asked, method, order, buyer, env, good = (
            AlipayPayRequest(), PaymentMethod(), Order(), Buyer(), Env(), Goods(),
        )  # fmt: skip
        method.payment_method_type, env.terminal_type = "ALIPAY_CN", TerminalType.WEB
        buyer.reference_buyer_id, good.goods_name, good.goods_brand = "1", "Shirt", "Shop"
        order.reference_order_id, order.order_description, order.order_amount = "R-1001", "Shirt", Amount("CNY", value)
        order.buyer, order.goods = buyer, [good]
        asked.product_code, asked.payment_request_id = ProductCodeType.CASHIER_PAYMENT, request_id
        asked.payment_method, asked.order, asked.env = method, order, env
        asked.payment_amount = order.order_amount
        asked.payment_redirect_url = "https://shop.example/back"
        asked.payment_notify_url = self.counter.inbox.url
        for name, said in more.items():
            setattr(asked, name, said)
        return await self.does(asked, AlipayPayResponse)

    async def finds(self, **named: str) -> Any:
        asked = AlipayPayQueryRequest()
        for name, said in named.items():
            setattr(asked, name, said)
        return await self.does(asked, AlipayPayQueryResponse)

    async def sold(self, outcome: str = "approve") -> Any:
        """A payment on which the shopper has decided, as the client finds it."""
        opened = await self.opens()
        await self.counter.shopper(opened.normal_url, outcome)
        return await self.finds(payment_id=opened.payment_id)

    async def refunds(self, payment_id: str, value: str, request_id: str) -> Any:
        asked = AlipayRefundRequest()
        asked.payment_id, asked.refund_request_id, asked.refund_amount = payment_id, request_id, Amount("CNY", value)
        return await self.does(asked, AlipayRefundResponse)

    async def cancels(self, payment_id: str) -> Any:
        asked = AlipayPayCancelRequest()
        asked.payment_id = payment_id
        return await self.does(asked, AlipayPayCancelResponse)


@pytest.fixture
async def shop(counter_of: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Shop:
    counter = await counter_of("alipay")

    def plain(*, host: str, port: int, timeout: float, context: Any) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(host, urlsplit(counter.base_url).port, timeout=timeout)

    monkeypatch.setattr(default_http_rpc, "http_client", SimpleNamespace(HTTPSConnection=plain))
    return Shop(counter)


def said(answer: Any) -> tuple[ResultStatusType, str]:
    assert answer.result.result_message
    return answer.result.result_status, answer.result.result_code


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        ("approve", SUCCESS, "SUCCESS"),
        ("decline", TransactionStatusType.FAIL, "USER_BALANCE_NOT_ENOUGH"),
        ("pending", TransactionStatusType.PENDING, "PAYMENT_IN_PROCESS"),
        ("cancel", TransactionStatusType.PROCESSING, "PAYMENT_IN_PROCESS"),
    ],
)
async def test_it_opens_a_payment_and_finds_what_the_shopper_decided(
    shop: Shop, outcome: str, status: TransactionStatusType, code: str
) -> None:
    opened = await shop.opens()
    assert (said(opened), opened.payment_amount.value) == ((U, "PAYMENT_IN_PROCESS"), "10000")
    await shop.counter.shopper(opened.normal_url, outcome)
    for named in ({"payment_id": opened.payment_id}, {"payment_request_id": opened.payment_request_id}):
        found = await shop.finds(**named)
        assert (said(found), found.payment_status, found.payment_result_code) == ((S, "SUCCESS"), status, code)
        assert (found.payment_amount.currency, found.payment_amount.value) == ("CNY", "10000")
    assert shop.counter.moved() == ([("authorize", "100.00"), ("capture", "100.00")] if outcome == "approve" else [])


async def test_it_refunds_in_parts_finds_each_and_sees_them_in_the_payment(shop: Shop) -> None:
    sold = await shop.sold()
    for value, request_id in (("4000", "python_test_refund_1"), ("6000", "python_test_refund_2")):
        made = await shop.refunds(sold.payment_id, value, request_id)
        assert (said(made), made.refund_amount.value, made.payment_id) == ((S, "SUCCESS"), value, sold.payment_id)
        for named in ({"refund_request_id": request_id}, {"refund_id": made.refund_id}):
            asked = AlipayRefundQueryRequest()
            for name, id in named.items():
                setattr(asked, name, id)
            found = await shop.does(asked, AlipayRefundQueryResponse)
            assert (said(found), found.refund_status, found.refund_id) == ((S, "SUCCESS"), "SUCCESS", made.refund_id)
    refunds = (await shop.finds(payment_id=sold.payment_id)).transactions
    assert [(one.transaction_type, one.transaction_status, one.transaction_amount.value) for one in refunds] == [
        (TransactionType.REFUND, SUCCESS, "4000"), (TransactionType.REFUND, SUCCESS, "6000"),
    ]  # fmt: skip
    assert shop.counter.moved()[2:] == [("refund", "40.00"), ("refund", "60.00")]


async def test_a_repeated_request_id_gets_the_first_result_and_moves_nothing_twice(shop: Shop) -> None:
    sold = await shop.sold()
    assert (await shop.opens(sold.payment_request_id)).payment_id == sold.payment_id
    first, again = [await shop.refunds(sold.payment_id, "4000", "refund_1") for _ in range(2)]
    assert (first.refund_id, len(shop.counter.moved())) == (again.refund_id, 3)
    for changed in (
        await shop.opens(sold.payment_request_id, "9999"),
        await shop.refunds(sold.payment_id, "3999", "refund_1"),
    ):
        assert said(changed) == (F, "REPEAT_REQ_INCONSISTENT")


async def test_it_cancels_an_open_payment_and_a_paid_one(shop: Shop) -> None:
    opened = await shop.opens()
    done = await shop.cancels(opened.payment_id)
    assert (said(done), done.payment_id, bool(done.cancel_time)) == ((S, "SUCCESS"), opened.payment_id, True)
    assert (await shop.finds(payment_id=opened.payment_id)).payment_status is TransactionStatusType.CANCELLED
    paid = await shop.opens("pay-2")
    await shop.counter.shopper(paid.normal_url, "approve")
    assert said(await shop.cancels(paid.payment_id)) == (S, "SUCCESS")
    assert shop.counter.moved() == [("authorize", "100.00"), ("capture", "100.00"), ("refund", "100.00")]


async def test_a_refusal_is_signed_too_and_says_what_is_wrong(shop: Shop) -> None:
    sold = await shop.sold()
    wallet = PaymentMethod()
    wallet.payment_method_type = "GCASH"
    for answer, code in (
        (await shop.finds(payment_id="1"), "ORDER_NOT_EXIST"),
        (await shop.refunds(sold.payment_id, "10001", "refund_1"), "REFUND_AMOUNT_EXCEED"),
        (await shop.opens("pay#3"), "PARAM_ILLEGAL"),
        (await shop.opens("p" * 65), "PARAM_ILLEGAL"),
        (await shop.opens("pay-3", payment_method=wallet), "CURRENCY_NOT_SUPPORT"),
        (await Shop(shop.counter, key=PROVIDER_KEY).finds(payment_id=sold.payment_id), "INVALID_SIGNATURE"),
    ):
        assert said(answer) == (F, code)
    assert len(shop.counter.moved()) == 2


async def test_it_takes_no_answer_that_another_key_signed(shop: Shop) -> None:
    sold = await shop.sold()
    other = key_of(KEY).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(AlipayApiException, match="verify failed"):
        await Shop(shop.counter, public=b64encode(other).decode()).finds(payment_id=sold.payment_id)


async def test_its_own_check_lets_a_notification_in_and_no_changed_one(shop: Shop) -> None:
    await shop.sold()
    async with asyncio.timeout(5):
        while not shop.counter.inbox.received:
            await asyncio.sleep(0.02)
    _, headers, _, body = shop.counter.inbox.received[0]
    path, text = urlsplit(shop.counter.inbox.url).path, body.decode()

    def checked(text: str, path: str) -> bool:
        return bool(
            check_signature(
                "POST", path, headers["client-id"], headers["request-time"], text, headers["signature"], PUBLIC
            )
        )

    assert checked(text, path)
    for changed, where in ((text.replace("10000", "10001"), path), (text, f"{path}/other")):
        with pytest.raises(Exception, match="Verification failed"):
            checked(changed, where)
