"""`Idempotency-Key` on `POST /orders`: one order, one answer, whatever races and however often it is asked (I1)."""

from __future__ import annotations

import asyncio
from typing import Any

from paymux.platform.database import to_json
from tests.installation import Installation, Merchant


async def test_the_first_answer_comes_again_byte_for_byte_whatever_the_form_of_the_body(merchant: Merchant) -> None:
    body = merchant.order("PLANPAY_AU")
    key = {"Idempotency-Key": "again-1"}
    first = await merchant.post("/orders", body, **key)
    assert first.status == 201
    backwards = dict(reversed(body.items()))
    decimals = to_json(body).replace('"orderAmount":100', '"orderAmount":100.00').replace(",", " ,\n").encode()
    for same in (body, backwards, decimals):
        again = await merchant.post("/orders", same, **key)
        assert (again.status, again.body) == (201, first.body)


async def test_another_body_under_the_same_key_is_a_422(merchant: Merchant) -> None:
    body, key = merchant.order("PLANPAY_AU"), {"Idempotency-Key": "reused-1"}
    assert (await merchant.post("/orders", body, **key)).status == 201
    other = await merchant.post("/orders", merchant.order("PLANPAY_AU"), **key)
    assert (other.status, other.body["code"], other.body["error"]) == (
        422,
        "idempotency_key_reused",
        "Unprocessable Entity",
    )


async def test_a_refused_body_uses_no_key_up(merchant: Merchant) -> None:
    body, key = merchant.order("PLANPAY_AU"), {"Idempotency-Key": "free-1"}
    assert (await merchant.post("/orders", body | {"orderAmount": 1}, **key)).status == 400
    assert (await merchant.post("/orders", body, **key)).status == 201


async def test_a_providers_no_is_repeated_as_it_was(merchant: Merchant) -> None:
    body, key = merchant.order("PLANPAY_AU"), {"Idempotency-Key": "no-1"}
    body["customer"] = body["customer"] | {"email": "declined@shop.example"}
    first, again = await merchant.post("/orders", body, **key), await merchant.post("/orders", body, **key)
    assert (first.status, again.status) == (422, 422)
    assert first.body["message"] == again.body["message"]


async def test_a_key_belongs_to_its_merchant(merchant: Merchant, rival: Merchant) -> None:
    key = {"Idempotency-Key": "shared-1"}
    assert (await merchant.post("/orders", merchant.order("PLANPAY_AU"), **key)).status == 201
    assert (await rival.post("/orders", rival.order("PLANPAY_AU"), **key)).status == 201


async def test_while_the_first_still_runs_the_same_key_is_told_so_and_another_one_that_the_reference_is_used(
    merchant: Merchant, installation: Installation, eventually: Any
) -> None:
    body = merchant.order("PLANPAY_AU")
    await installation.fault("PLANPAY_AU", "create", "timeout_after", body["orderReference"])
    first = asyncio.create_task(merchant.post("/orders", body, **{"Idempotency-Key": "race-1"}))

    async def claimed() -> bool:
        return (await merchant.get(f"/orders/{body['orderReference']}")).status == 200

    await eventually(claimed)
    same = await merchant.post("/orders", body, **{"Idempotency-Key": "race-1"})
    assert (same.status, same.body["code"]) == (409, "in_progress")
    other = await merchant.post("/orders", body, **{"Idempotency-Key": "race-2"})
    assert (other.status, other.body["code"]) == (409, "duplicate_reference")
    assert (await first).status == 201


async def test_ten_at_once_make_one_order_and_never_a_500(merchant: Merchant, installation: Installation) -> None:
    body = merchant.order("PLANPAY_AU")
    answers = await asyncio.gather(*(merchant.post("/orders", body, **{"Idempotency-Key": "ten-1"}) for _ in range(10)))
    assert {answer.status for answer in answers} <= {201, 409}
    assert {answer.body["code"] for answer in answers if answer.status == 409} <= {"in_progress"}
    made = {answer.body["orderId"] for answer in answers if answer.status == 201}
    assert len(made) == 1
    again = await merchant.post("/orders", body, **{"Idempotency-Key": "ten-1"})
    assert again.body["orderId"] in made


async def test_a_key_is_kept_for_thirty_days_and_free_afterwards(
    merchant: Merchant, installation: Installation
) -> None:
    key = {"Idempotency-Key": "month-1"}
    body = merchant.order("PLANPAY_AU")
    first = await merchant.post("/orders", body, **key)
    await installation.advance(29 * 86_400)
    assert (await merchant.post("/orders", body, **key)).body == first.body
    await installation.advance(2 * 86_400)
    assert (await merchant.post("/orders", body, **key)).body["code"] == "duplicate_reference"
    other = await merchant.post("/orders", merchant.order("PLANPAY_AU"), **key)
    assert other.status == 201
    assert other.body["orderId"] != first.body["orderId"]
