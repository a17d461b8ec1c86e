"""The simulator demands what the gateway demands."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.mpgs.conftest import ROOT, Till, sample
from tests.connectors.scripted import changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("apiOperation", "CREATE"), ("checkoutMode", "WEBSITE"), ("interaction.operation", "VERIFY"),
        ("interaction.merchant.name", ""), ("interaction.merchant.url", None), ("order.amount", 100),
        ("order.amount", "0"), ("order.amount", "1,00"), ("order.id", "x" * 41), ("order.description", ""),
        ("paymentLink.expiryDateTime", "soon"),
    ],
)  # fmt: skip
async def test_a_faulty_link_is_refused_naming_the_field(till: Till, path: str, value: Any) -> None:
    body = changed(sample("link")["request"], path, value)
    status, said = await till.call("POST", f"{ROOT}/session", body)
    assert (status, said["result"], said["error"]["field"]) == (400, "ERROR", path)


async def test_another_password_or_merchant_is_told_nothing(till: Till) -> None:
    assert (await till.call("GET", f"{ROOT}/order/x", password="wrong"))[0] == 401
    status, said = await till.call("GET", "/api/rest/version/100/merchant/OTHER/order/x")
    assert (status, said["error"]["field"]) == (400, "merchantId")


async def test_an_expired_link_can_not_be_paid(till: Till) -> None:
    opened, _ = await till.opens()
    till.passes(hours=25)
    await till.counter.shopper(opened.url, "approve")
    assert till.counter.ledger() == []


async def test_a_link_may_be_made_again_until_somebody_tries_to_pay(till: Till) -> None:
    opened, _ = await till.opens()
    await till.opens()
    await till.counter.shopper(opened.url, "decline")
    body = sample("link")["request"] | {"order": {**sample("link")["request"]["order"], "id": opened.session}}
    assert (await till.call("POST", f"{ROOT}/session", body))[0] == 400


async def test_an_order_tells_its_status_and_totals(till: Till) -> None:
    held = await till.pays(auto_capture=False)
    _, said = await till.call("GET", f"{ROOT}/order/{held.session}")
    assert (said["status"], said["totalAuthorizedAmount"], said["totalCapturedAmount"]) == ("AUTHORIZED", 100, 0)
    await till.connector.capture(held, till.move("100"))
    _, said = await till.call("GET", f"{ROOT}/order/{held.session}")
    assert (said["status"], said["totalCapturedAmount"], len(said["transaction"])) == ("CAPTURED", 100, 2)
