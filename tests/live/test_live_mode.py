"""Live mode from an empty database to a refund, by commands and API alone, and nothing of the sandbox in it."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import stat
from typing import Any

import pytest

from tests.live.conftest import Live
from tests.processes import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
_NUMBERS = itertools.count(1)


def order(code: str = "AFTERPAY_AU", **changes: Any) -> dict[str, Any]:
    who = {"firstName": "Ada", "lastName": "Byron", "email": "ada@shop.example", "phoneNumber": "+61400000000"}
    return {
        "orderReference": f"LIVE-{next(_NUMBERS)}", "bnplProvider": code, "purchaseCountry": "AU",
        "purchaseCurrency": "AUD", "locale": "en_AU", "orderAmount": 100,
        "orderItems": [{"name": "Shirt", "quantity": 1, "sku": "S-1", "unitPrice": 100, "totalAmount": 100}],
        "customer": who,
        "billingAddress": {**who, "streetAddress": "1 High Street", "city": "Sydney", "state": "NSW", "region": "NSW",
                           "postalCode": "2000", "country": "AU"},
        "dynamicRedirectUrl": "https://shop.example/return",
    } | changes  # fmt: skip


async def test_an_operator_starts_it_and_opens_an_account_by_commands(live: Live) -> None:
    await until(f"http://127.0.0.1:{live.port}/readyz", 200, live.processes["serve"])
    assert stat.S_IMODE((live.folder / "keys.json").stat().st_mode) == 0o600

    made = live.command("merchants", "create", "A shop", "--json")
    assert made.code == 0, made.said
    live.merchant = json.loads(made.out)
    client = live.merchant["clientId"]
    opened = live.command(
        "provider-accounts", "set", client, "AFTERPAY_AU", "--environment", "live", "--credentials",
        await live.afterpays(), "--json",
    )  # fmt: skip
    assert opened.code == 0, opened.said
    assert json.loads(opened.out)["eventUrl"].startswith("https://pay.shop.example/provider-events/")

    checked = live.command("providers", "check", "AFTERPAY_AU", "--merchant", client, "--json")
    assert checked.code == 0, checked.said
    assert json.loads(checked.out)["result"] == "passed"
    await live.sign_in()


async def test_a_shopper_pays_and_comes_back_signed_and_is_refunded(live: Live) -> None:
    body = order()
    reference = body["orderReference"]
    created = await live.call("POST", "/orders", body)
    assert created.status == 201, created.body

    back = await live.shopper(created.body["redirectUrl"], "approve")
    assert (back["status"], back["reference"]) == ("SUCCESSFUL", reference)
    message = f"SUCCESSFUL|{reference}".encode()
    assert back["hash"] == hmac.new(live.merchant["paymentSecret"].encode(), message, hashlib.sha512).hexdigest()
    status = (await live.call("GET", f"/orders/{reference}")).body
    assert (status["status"], status["captureStatus"]) == ("SUCCESSFUL", "CAPTURED")

    refund = {"refundReference": "R-1", "refundAmount": {"amount": 40}}
    for _ in range(2):
        answer = await live.call("POST", f"/orders/{reference}/refund", refund)
        assert (answer.status, answer.body["refundStatus"]) == (201, "SUCCESSFUL")
    assert await live.moved(reference) == [("authorize", "100.00"), ("capture", "100.00"), ("refund", "40.00")]


async def test_an_authorised_order_is_captured_and_voided_in_parts(live: Live) -> None:
    body = order(autoCapture=False)
    reference = body["orderReference"]
    created = await live.call("POST", "/orders", body)
    assert (await live.shopper(created.body["redirectUrl"], "approve"))["status"] == "SUCCESSFUL"

    captured = await live.call("POST", f"/orders/{reference}/capture", {"captureReference": "C-1", "amount": 70})
    voided = await live.call("POST", f"/orders/{reference}/void", {"voidReference": "V-1", "amount": 30})
    assert (captured.body["status"], voided.body["status"]) == ("SUCCESSFUL", "SUCCESSFUL")
    assert (await live.call("GET", f"/orders/{reference}")).body["captureStatus"] == "CAPTURED"
    assert await live.moved(reference) == [("authorize", "100.00"), ("capture", "70.00"), ("void", "30.00")]


async def test_what_is_closed_or_nobody_verified_is_not_offered(live: Live) -> None:
    client = live.merchant["clientId"]
    secret = "whsec_" + "A" * 32
    latitude = live.credentials(client_key="k", client_secret="s")
    refused = live.command(
        "provider-accounts", "set", client, "LATITUDEPAY_AU", "--environment", "live", "--credentials", latitude
    )
    assert (refused.code, "LATITUDEPAY_AU is not offered in live mode: closed" in refused.said) == (1, True), (
        refused.said
    )
    for code, credentials in (("LATITUDEPAY_AU", latitude), ("PLANPAY_AU", None)):
        path = credentials or live.credentials(secret=secret)
        set_ = live.command("provider-accounts", "set", client, code, "--environment", "test", "--credentials", path)
        assert set_.code == 0, set_.said
    offered = (await live.call("GET", "/options?amount=100&currency=AUD")).body
    assert [option["name"] for option in offered] == ["AFTERPAY_AU"]
    for code in ("LATITUDEPAY_AU", "PLANPAY_AU"):
        answer = await live.call("POST", "/orders", order(code))
        assert (answer.status, answer.body["code"]) == (400, "provider_not_available")

    plain = live.credentials(secret=secret, endpoint="http://provider.example")
    refused = live.command(
        "provider-accounts", "set", client, "PLANPAY_AU", "--environment", "live", "--credentials", plain
    )
    assert (refused.code, "endpoint must be a valid HTTPS URL" in refused.said) == (1, True)
    named = live.credentials(secret=secret, endpoint="https://provider.example")
    live.command("provider-accounts", "set", client, "PLANPAY_AU", "--environment", "live", "--credentials", named)
    offered = (await live.call("GET", "/options?amount=100&currency=AUD")).body
    assert {option["name"] for option in offered} == {"AFTERPAY_AU", "PLANPAY_AU"}


async def test_no_simulator_no_demo_and_no_clock(live: Live) -> None:
    client = live.merchant["clientId"]
    simulated = live.command(
        "provider-accounts", "set", client, "AFTERPAY_AU", "--environment", "sandbox", "--credentials",
        await live.afterpays(),
    )  # fmt: skip
    assert (simulated.code, "sandbox mode only" in simulated.said) == (1, True)
    demo = live.command("merchants", "create", "Demo", "--client-id", "demo-merchant")
    assert (demo.code, "demo merchant's" in demo.said) == (1, True)
    sandbox = live.command("sandbox")
    assert (sandbox.code, sandbox.said.strip()) == (1, "The sandbox does not run in live mode.")
    assert (await live.call("POST", "/sandbox/clock", {"advance": 60})).status == 404


async def test_nothing_of_the_sandbox_is_loaded(live: Live) -> None:
    """Runs last: it ends the processes, which have served everything above."""
    for name in ("worker", "serve"):
        process = live.processes[name]
        assert process.stop() == 0, process.said
        loaded = process.modules
        assert "paymux.orders.decide" in loaded
        assert name == "worker" or "paymux.connectors.afterpay.connector" in loaded
        assert not {module for module in loaded if "sandbox" in module or "simulator" in module}
