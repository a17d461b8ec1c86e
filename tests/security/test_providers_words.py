"""What a provider says in words: nothing that it says keeps an order from being decided, and nothing draws on a screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from paymux.orders import story
from paymux.platform.http import Answer, HttpClient
from tests.installation import Installation, Merchant, Shopper

CODE = "LAYBUY_NZ"
SAID = r"no\u0000 credit \ud83d \u001b[2J\u009b2J\r\n2026-01-01T00:00:00Z  operation  refund R1 is SUCCESSFUL"
Says = Callable[[str, int, str], None]


@pytest.fixture
def says(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Says:
    """Lets the provider answer calls whose URL holds a word: `says("/refund", 400, body)`."""

    def answer_with(word: str, status: int, body: str) -> None:
        send = HttpClient.send

        async def answered(
            self: HttpClient, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None
        ) -> Answer:
            answer = await send(self, method, url, headers=headers, body=body)
            return replace(answer, status=status, body=said.encode()) if word in url else answer

        said = body
        monkeypatch.setattr(HttpClient, "send", answered)

    return answer_with


async def test_an_order_that_is_refused_in_words_that_nobody_can_keep_is_declined(
    installation: Installation, merchant: Merchant, says: Says
) -> None:
    says("/order/create", 200, f'{{"result": "ERROR", "error": "{SAID}"}}')
    body = merchant.order(CODE)
    answer = await merchant.post("/orders", body)
    assert (answer.status, answer.body["code"]) == (422, "provider_refused")
    assert answer.body["message"].isprintable()
    assert (await merchant.status(body["orderReference"]))["status"] == "DECLINED"


async def test_a_refund_that_is_refused_in_words_that_nobody_can_keep_has_failed(
    installation: Installation, merchant: Merchant, shopper: Shopper, says: Says
) -> None:
    made = await merchant.creates(CODE)
    await shopper.pays(made["redirectUrl"])
    says("/order/refund", 200, f'{{"result": "ERROR", "error": "{SAID}"}}')
    asked = {"refundReference": "R1", "refundAmount": {"amount": 10}}
    answer = await merchant.post(f"/orders/{made['orderReference']}/refund", asked)
    assert answer.status == 422
    assert (await merchant.details(made["orderReference"]))["refunds"][0]["status"] == "FAILED"
    told = await story.told(installation.core, made["orderReference"])
    assert any("no\ufffd credit" in moment.text for moment in told.moments)
    assert all(moment.text.isprintable() for moment in told.moments), "each is one line of `paymux audit`"
