"""What Paymob's simulator refuses, asked by plain HTTP and not through the connector."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.paymob.conftest import INQUIRY, REFUND, SECRET, Till, sample
from tests.connectors.scripted import changed

INTENTION: dict[str, Any] = {
    "amount": 1000, "currency": "EGP", "payment_methods": [5083949],
    "items": [{"name": "Item name", "amount": 500, "quantity": 1}, {"name": "Item name", "amount": 500, "quantity": 1}],
    "billing_data": {"first_name": "A", "last_name": "B", "email": "a@b.example", "phone_number": "+201234567890"},
    "special_reference": "A-1", "expiration": 3600,
    "notification_url": "https://shop.example/told", "redirection_url": "https://shop.example/back",
}  # fmt: skip


async def _create(till: Till, body: Any, who: str = SECRET) -> tuple[int, Any]:
    return await till.request("POST", "/v1/intention/", body, Authorization=who)


@pytest.mark.parametrize(
    ("path", "value", "status"),
    [
        ("amount", None, 400), ("amount", "10.00", 400), ("amount", -1, 400), ("currency", "USD", 400),
        ("payment_methods", [], 400), ("payment_methods", ["5083949"], 400), ("payment_methods", [1], 404),
        ("billing_data", None, 400), ("billing_data.phone_number", "", 400), ("billing_data.email", "a", 400),
        ("billing_data.first_name", "A" * 51, 400), ("items.0.name", "", 400), ("items.0.amount", None, 400),
        ("items.0.amount", "5.00", 400), ("items.0.amount", 500.5, 400), ("items.0.amount", -500, 406),
        ("items.0.name", "A" * 51, 400), ("items.0.amount", 499, 406), ("special_reference", "A" * 65, 400),
        ("expiration", 3_110_401, 400), ("expiration", 0, 400), ("redirection_url", "/back", 400),
    ],
)  # fmt: skip
async def test_an_intention_that_breaks_a_rule_is_refused(till: Till, path: str, value: Any, status: int) -> None:
    body = changed(INTENTION, path, value)
    assert (await _create(till, body))[0] == status


async def test_a_discount_is_a_line_below_zero(till: Till) -> None:
    discount = {"name": "Discount", "amount": -250, "quantity": "1"}
    assert (await _create(till, {**INTENTION, "amount": 750, "items": [*INTENTION["items"], discount]}))[0] == 201


async def test_a_whole_intention_has_the_documented_fields(till: Till) -> None:
    status, answer = await _create(till, INTENTION)
    documented = sample("intention_created")
    assert status == documented["status"]
    assert answer.keys() >= {"client_secret", "intention_order_id", "id", "intention_detail", "special_reference"}
    assert answer.keys() <= documented["answer"].keys() | {"redirection_url"}
    assert (await _create(till, INTENTION))[0] == 400


@pytest.mark.parametrize("who", ["", SECRET.replace("Token", "Bearer"), "Token x"])
async def test_without_the_secret_key_nothing_is_answered(till: Till, who: str) -> None:
    assert (await _create(till, INTENTION, who))[0] == 401
    assert (await till.request("POST", REFUND, {"transaction_id": 1, "amount_cents": 1}, Authorization=who))[0] == 401
    assert (await till.request("POST", INQUIRY, {"order_id": "1"}, Authorization=who))[0] == 401


async def test_a_token_is_granted_for_the_api_key_and_lasts_an_hour(till: Till) -> None:
    assert (await till.request("POST", "/api/auth/tokens", {"api_key": "x"}))[0] == 403
    bearer = f"Bearer {await till.token()}"
    checkout = await till.pays()
    assert (await till.request("POST", INQUIRY, {"order_id": checkout.session}, Authorization=bearer))[0] == 200
    till.passes(minutes=61)
    assert (await till.request("POST", INQUIRY, {"order_id": checkout.session}, Authorization=bearer))[0] == 401


async def test_an_order_is_found_by_either_name_and_tells_its_latest_transaction(till: Till) -> None:
    bearer = f"Bearer {await till.token()}"
    checkout = await till.pays()
    _, paid = await till.request("POST", INQUIRY, {"order_id": checkout.session}, Authorization=bearer)
    ours = paid["order"]["merchant_order_id"]
    assert (await till.request("POST", INQUIRY, {"merchant_order_id": ours}, Authorization=bearer))[1] == paid
    assert paid.keys() <= sample("transaction")["answer"].keys()
    _, refund = await till.request(
        "POST", REFUND, {"transaction_id": paid["id"], "amount_cents": 1}, Authorization=SECRET
    )
    _, latest = await till.request("POST", INQUIRY, {"order_id": checkout.session}, Authorization=bearer)
    assert latest == refund
    assert (latest["parent_transaction"], latest["is_refund"]) == (paid["id"], True)


async def test_the_page_opens_for_the_public_key_and_the_intentions_secret_only(till: Till) -> None:
    opened, _ = await till.opens()
    for wrong in (opened.url.replace("egy_pk", "ksa_pk"), opened.url + "0"):
        path = wrong.partition("/paymob")[2]
        assert (await till.request("GET", path))[0] == 404


async def test_an_intention_that_has_expired_can_not_be_paid(till: Till) -> None:
    opened, _ = await till.opens()
    till.passes(hours=25)
    assert await till.counter.shopper(await till.page(opened), "approve") == {}
    assert till.rows() == []


VOID = "/api/acceptance/void_refund/void"


async def test_a_payment_is_voided_once(till: Till) -> None:
    checkout = await till.pays()
    await till.voided(checkout)
    body = {"transaction_id": int(checkout.payment)}
    assert (await till.request("POST", VOID, body, Authorization=SECRET))[0] == 400


async def test_a_payment_of_another_day_is_not_voided(till: Till) -> None:
    checkout = await till.pays()
    till.passes(days=1)
    body = {"transaction_id": int(checkout.payment)}
    assert (await till.request("POST", VOID, body, Authorization=SECRET))[0] == 400
