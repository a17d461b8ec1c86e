"""Signatures: of requests, of answers, of notifications."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from paymux.connectors.alipay import signature
from paymux.connectors.alipay.rules import key_of
from paymux.connectors.alipay.sandbox_keys import MERCHANT_KEY, PROVIDER_KEY
from paymux.connectors.alipay.simulator import AlipaySimulator
from paymux.connectors.contract import Forged, Paid, Refused, WrongCredentials
from paymux.platform.http import Unclear
from tests.connectors.alipay.conftest import Gateway, Till, sample
from tests.connectors.till import KEY

CONTENT = b'POST /ams/api/v1/payments/pay\nSANDBOX_5Y0566SG25J004124.2019-05-28T12:12:12+08:00.{"paymentId":"1"}'
# Made by openssl dgst -sha256 -sign with the sandbox's merchant key.
SIGNED = (
    "YxGJQtkQ+/5sYGNBiW0BXBtEiFAZlFVfJk4vHvbOGa+6iZ8U1QRZDOOua+eksGoqkke3ylXXwhUU6b7ONR2ccjRoAJAMjSo9iqz3"
    "1HQF4wT1gEhBsxDmENWPWC9KD44KcWRjlYvalBbnIfDbZZ//Udq1qkYhrW5wDu6WOekkTiid4oE7HWxd0RWl7bUKgZTzUCSH5hnX"
    "jPbgIg6DCIJ+OJsPFRuoVLZyMDzMpxu3cekB+/dwGdWdsjuKUGGaiaSP20n9VZMuY4sHL6M0P/+QpjlM7TZBZWg+U/9ajtDAQ8O0"
    "hEgvEDxo7gI3gerW767uO9YYnZqlBF4ZDHp9Os26yg=="
)


def test_the_content_is_method_path_client_time_and_body() -> None:
    body, time = b'{"paymentId":"1"}', "2019-05-28T12:12:12+08:00"
    assert signature.content("/ams/api/v1/payments/pay", "SANDBOX_5Y0566SG25J004124", time, body) == CONTENT


def test_a_signature_is_that_of_an_independent_implementation() -> None:
    escaped = SIGNED.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    assert signature.sign(MERCHANT_KEY, CONTENT) == f"algorithm=RSA256,keyVersion=1,signature={escaped}"


def test_a_key_may_be_given_as_pem() -> None:
    pem = f"-----BEGIN PRIVATE KEY-----\n{MERCHANT_KEY}\n-----END PRIVATE KEY-----\n"
    assert signature.sign(pem, CONTENT) == signature.sign(MERCHANT_KEY, CONTENT)


def test_a_key_may_be_given_in_the_older_form_that_alipays_own_clients_take() -> None:
    older = key_of(MERCHANT_KEY).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    assert older.startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert signature.sign(older, CONTENT) == signature.sign(MERCHANT_KEY, CONTENT)


@pytest.mark.parametrize("header", ["", "signature=", "algorithm=RSA256,keyVersion=1,signature=AAAA", "signature=%%%"])
def test_what_is_no_signature_is_not_genuine(header: str) -> None:
    assert not signature.genuine(header, AlipaySimulator.credentials["alipay_public_key"], CONTENT)


async def test_a_key_that_is_none_is_refused_before_anything_is_sent(gateway: Gateway, till: Till) -> None:
    with pytest.raises(Refused) as no:
        await gateway.altered(private_key="abcd").create_checkout(till.counter.order("ALIPAY_CN"), KEY)
    assert (no.value.code, gateway.asked) == ("unusable_key", [])


@pytest.mark.parametrize("key", [None, MERCHANT_KEY])
async def test_an_answer_that_alipay_did_not_sign_counts_as_none(gateway: Gateway, till: Till, key: str | None) -> None:
    _, checkout = await till.opens()
    gateway.key = key
    gateway.says(200, sample("payment_found")["answer"])
    with pytest.raises(Unclear):
        await gateway.connector.fetch(checkout)


async def test_an_answer_that_was_signed_for_another_client_counts_as_none(gateway: Gateway, till: Till) -> None:
    _, checkout = await till.opens()
    gateway.client_id = "5Y0002"
    gateway.says(200, sample("payment_found")["answer"])
    with pytest.raises(Unclear):
        await gateway.connector.fetch(checkout)


async def test_a_notification_is_verified_over_the_path_that_was_called(till: Till) -> None:
    checkout = await till.decided("approve")
    (event,) = await till.events()
    assert till.connector.verify_event(event) is None
    reading = till.connector.read_event(event)
    assert reading.session == checkout.session
    assert isinstance(reading.report, Paid)
    for forged in (
        replace(event, path="/provider-events/another"),
        replace(event, path=""),
        replace(event, body=event.body.replace(b"10000", b"10001")),
        replace(event, headers={**event.headers, "request-time": "2026-01-01T00:00:00Z"}),
        replace(event, headers={**event.headers, "client-id": "5Y0002"}),
        replace(event, headers={name: said for name, said in event.headers.items() if name != "signature"}),
    ):
        with pytest.raises(Forged):
            till.connector.verify_event(forged)


async def test_the_simulator_refuses_a_request_that_the_merchant_did_not_sign(till: Till) -> None:
    connector = till.counter.connector("ALIPAY_CN", private_key=PROVIDER_KEY)
    with pytest.raises(Refused) as no:
        await connector.create_checkout(till.counter.order("ALIPAY_CN"), KEY)
    assert no.value.code == "INVALID_SIGNATURE"


async def test_the_simulator_knows_no_other_client_and_can_not_sign_for_one(till: Till) -> None:
    connector = till.counter.connector("ALIPAY_CN", client_id="SANDBOX_5YANOTHER")
    with pytest.raises(WrongCredentials) as no:
        await connector.create_checkout(till.counter.order("ALIPAY_CN"), KEY)
    assert no.value.code == "KEY_NOT_FOUND"


@pytest.mark.parametrize("code", ["KEY_NOT_FOUND", "INVALID_SIGNATURE"])
async def test_an_unsigned_no_is_believed_only_where_no_money_moves(gateway: Gateway, till: Till, code: str) -> None:
    paid = await till.pays()
    refused = {"result": {"resultStatus": "F", "resultCode": code, "resultMessage": "no"}}
    move = till.counter.move(paid.total, KEY, "100.00", "100.00")
    gateway.key = None
    for _ in range(2):
        gateway.says(200, refused)
    with pytest.raises(WrongCredentials):
        await gateway.connector.check()
    with pytest.raises(Unclear):
        await gateway.connector.refund(paid, move)
