"""Opening a loan at Aplazo, the shopper's return, how a loan stands, and closing it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.contract import Ask, Cancelled, Item, NotThere, Paid, Pending, Redirect, Refused
from paymux.money import Money
from paymux.platform.http import NotSent, Unclear
from tests.connectors import scripted as base
from tests.connectors.aplazo.conftest import CART, KEY, LOST, NEVER_CAME, Scripted, Till, sample

RETURN = "https://paymux.example/return/otk_1"
SALE = [("authorize", Decimal(100)), ("capture", Decimal(100))]
STATUS = sample("status")["answer"]
ANOTHER = "7f3e2a90-1c44-4f7e-9a57-2f4a3f1f6f02"


async def test_what_is_sent_names_a_cart_of_its_own_and_pesos(scripted: Scripted, till: Till) -> None:
    scripted.replays("loan")
    goods = Item(name="Screws", quantity=300, unit_price=Decimal("0.335"), total=Decimal("100.50"), sku="S-9")
    order = till.counter.order(
        "APLAZO_MX", "118.55", items=(goods,), shipping=Decimal("20.05"), tax=Decimal("3.00"), discount=Decimal(5)
    )
    opened = await scripted.connector.create_checkout(order, KEY)
    assert isinstance(opened, Redirect)
    assert (opened.url, opened.session) == ("https://checkout.aplazo.net/main/1f0b7c52", CART)
    assert scripted.granted == [("POST", "/api/auth", sample("access_token")["request"])]
    ((method, path, sent),) = scripted.asked
    assert (method, path) == ("POST", "/api/loan")
    assert sent == {
        "totalPrice": 118.55,
        "shopId": "2639",
        "cartId": CART,
        "successUrl": f"{RETURN}?via=success",
        "errorUrl": f"{RETURN}?via=failure",
        "cartUrl": f"{RETURN}?via=cancel",
        "webHookUrl": order.events_url,
        "buyer": {
            "addressLine": "1 High Street", "email": "ada@shop.example", "firstName": "Ada", "lastName": "Byron",
            "phone": "+61400000000", "postalCode": "2000",
        },
        "products": [
            {"id": "S-9", "title": "Screws", "description": "Screws", "imageUrl": "", "count": 300, "price": 100.50}
        ],
        "shipping": {"price": 20.05, "title": "delivery"},
        "taxes": {"price": 3.00, "title": "Tax"},
        "discount": {"price": 5.00, "title": "Discount"},
    }  # fmt: skip
    documented = sample("loan")["request"]
    assert sent.keys() >= documented.keys()
    assert sent["buyer"].keys() == documented["buyer"].keys()
    assert sent["products"][0].keys() == documented["products"][0].keys()


async def test_each_loan_is_opened_with_an_access_token_of_its_own(scripted: Scripted, till: Till) -> None:
    for key in (KEY, ANOTHER):
        scripted.replays("loan")
        await scripted.connector.create_checkout(till.counter.order("APLAZO_MX"), key)
    assert len(scripted.granted) == len({sent["cartId"] for _, _, sent in scripted.asked}) == 2


@pytest.mark.parametrize("url", ["", "javascript:alert(1)"])
async def test_a_loan_without_a_page_is_unclear(scripted: Scripted, till: Till, url: str) -> None:
    scripted.replays("loan", url=url)
    with pytest.raises(Unclear, match="address"):
        await scripted.connector.create_checkout(till.counter.order("APLAZO_MX"), KEY)


async def test_a_loan_that_is_refused_is_told_in_aplazos_words(till: Till) -> None:
    order = replace(till.counter.order("APLAZO_MX"), return_url="http://shop.example/back")
    with pytest.raises(Refused, match=r"successUrl must be a URL \(400\)") as no:
        await till.connector.create_checkout(order, KEY)
    assert no.value.code == "400"


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_lost_answer_to_a_create_is_unclear_and_the_next_try_is_another_cart(till: Till, fault: str) -> None:
    await till.counter.order_fault("create", fault)
    order = till.counter.order("APLAZO_MX")
    with pytest.raises(Unclear):
        await till.connector.create_checkout(order, ANOTHER)
    opened, checkout = await till.opens()
    await till.counter.shopper(opened.url, "approve")
    assert isinstance(await till.connector.fetch(checkout), Paid)
    assert till.rows() == SALE


# -- credentials ------------------------------------------------------------------------------


async def test_credentials_are_checked_by_an_access_token(till: Till) -> None:
    assert "access token" in await till.connector.check()


@pytest.mark.parametrize("wrong", [{"merchant_id": "1"}, {"api_token": "wrong"}])
async def test_wrong_credentials_are_named(till: Till, wrong: dict[str, str]) -> None:
    connector = till.counter.connector("APLAZO_MX", **wrong)
    for call in (connector.check(), connector.create_checkout(till.counter.order("APLAZO_MX"), KEY)):
        with pytest.raises(Refused, match=r"no access to this merchant ID with this API token: Not Found \(404\)"):
            await call
    with pytest.raises(Refused, match="Unauthorized"):
        await connector.fetch(till.checkout())


async def test_the_documented_refusal_of_credentials_is_read(granting: base.Scripted) -> None:
    documented = sample("access_token")["unknown"]
    granting.says(documented["status"], documented["answer"])
    with pytest.raises(Refused, match="merchant ID"):
        await granting.connector.check()


@pytest.mark.parametrize("merchant", ["", "shop", "12a", "١٢"])
async def test_a_merchant_id_that_is_no_number_is_named_before_anything_is_sent(till: Till, merchant: str) -> None:
    with pytest.raises(Refused, match="credential merchant_id"):
        await till.counter.connector("APLAZO_MX", merchant_id=merchant).check()


@pytest.mark.parametrize(("status", "said"), [(500, {}), (200, {}), (200, "<html>"), (429, {})])
async def test_without_an_access_token_no_loan_was_opened(
    granting: base.Scripted, till: Till, status: int, said: Any
) -> None:
    granting.says(status, said)
    with pytest.raises(NotSent):
        await granting.connector.create_checkout(till.counter.order("APLAZO_MX"), KEY)
    assert [path for _, path, _ in granting.asked] == ["/api/auth"]


# -- the return -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "hint"),
    [
        ("approve", Ask(completed=True)), ("pending", Ask(completed=True)), ("cancel", Ask(left=True)),
        ("decline", Ask()), ("error", Ask()),
    ],
)  # fmt: skip
async def test_the_return_is_only_a_hint(till: Till, outcome: str, hint: Ask) -> None:
    checkout, query = await till.decides(outcome)
    assert till.connector.read_return(query, checkout) == hint


# -- how it stands ----------------------------------------------------------------------------


async def test_the_documented_status_is_a_payment(scripted: Scripted, till: Till) -> None:
    scripted.says(200, STATUS)
    paid = await scripted.connector.fetch(till.checkout())
    assert scripted.asked == [("GET", f"/api/pos/loan/{CART}", None)]
    assert isinstance(paid, Paid)
    assert (paid.session, paid.reference, paid.payment_id) == (None, None, "162536")
    assert (paid.total, paid.captured, paid.refunded) == (Money(Decimal(1300), "MXN"), Decimal(1300), None)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("OUTSTANDING", Paid), ("ACTIVO", Paid), ("Activo", Paid), ("ACTIVE", Pending), ("CANCELLED", Cancelled),
        ("CANCELADO", Cancelled), ("NO CONFIRMADO", Pending), ("New", Pending), ("DEVUELTO", Cancelled),
        ("INACTIVO", Pending),
    ],
)  # fmt: skip
async def test_every_documented_status_is_read_and_any_other_is_pending(
    scripted: Scripted, till: Till, word: str, kind: type
) -> None:
    scripted.says(200, [STATUS[0] | {"status": word}])
    assert type(await scripted.connector.fetch(till.checkout())) is kind


@pytest.mark.parametrize("total", [STATUS[0]["totalAmount"], None])
async def test_a_loan_that_was_paid_and_returned_was_given_back_whole(
    scripted: Scripted, till: Till, total: str | None
) -> None:
    """The cancellation flow calls an unpaid loan that was cancelled so, too: only the loan that paid tells of a refund."""
    scripted.says(200, [STATUS[0] | {"status": "DEVUELTO", "totalAmount": total}])
    paid = replace(till.checkout(), payment_id=str(STATUS[0]["loanId"]))
    report = await scripted.connector.fetch(paid)
    assert isinstance(report, Paid)
    assert report.refunded == Decimal(1300)
    scripted.says(200, [STATUS[0] | {"status": "DEVUELTO", "totalAmount": total}])
    assert isinstance(await scripted.connector.fetch(replace(paid, payment_id="1")), Cancelled)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["CANCELLED", "OUTSTANDING"], Paid), (["NO CONFIRMADO", "OUTSTANDING"], Paid), (["OUTSTANDING", "New"], Paid),
        (["CANCELLED", "NO CONFIRMADO"], Pending), (["CANCELLED", "CANCELADO"], Cancelled),
    ],
)  # fmt: skip
async def test_of_several_loans_of_a_cart_a_paid_one_counts_and_one_that_is_open_keeps_it_open(
    scripted: Scripted, till: Till, words: list[str], kind: type
) -> None:
    scripted.says(200, [STATUS[0] | {"loanId": number, "status": word} for number, word in enumerate(words, 1)])
    report = await scripted.connector.fetch(till.checkout())
    assert type(report) is kind
    if isinstance(report, Paid):
        assert report.payment_id == str(words.index("OUTSTANDING") + 1)


async def test_a_loan_without_an_amount_names_none(scripted: Scripted, till: Till) -> None:
    scripted.says(200, [{"loanId": 162536, "status": "OUTSTANDING"}])
    paid = await scripted.connector.fetch(till.checkout())
    assert isinstance(paid, Paid)
    assert (paid.total, paid.captured) == (None, None)


async def test_a_cart_without_loans_is_asked_about_again_and_an_unknown_one_is_not_there(
    scripted: Scripted, till: Till
) -> None:
    scripted.says(200, [])
    assert isinstance(await scripted.connector.fetch(till.checkout()), Pending)
    with pytest.raises(NotThere, match="Cart not found"):
        await till.connector.fetch(till.checkout())


@pytest.mark.parametrize(
    ("outcome", "kind"), [("approve", Paid), ("cancel", Pending), ("decline", Pending), ("pending", Pending)]
)
async def test_a_loan_stands_as_the_shopper_left_it(till: Till, outcome: str, kind: type) -> None:
    checkout, _ = await till.decides(outcome)
    assert type(await till.connector.fetch(checkout)) is kind
    assert till.rows() == (SALE if kind is Paid else [])


@pytest.mark.parametrize(
    "said", ["<html>", {}, [{"loanId": 1}], [{"status": "OUTSTANDING"}], [STATUS[0] | {"totalAmount": "NaN"}]]
)
async def test_an_answer_that_makes_no_sense_is_unclear(scripted: Scripted, till: Till, said: Any) -> None:
    scripted.says(200, said)
    with pytest.raises(Unclear):
        await scripted.connector.fetch(till.checkout())


# -- closing ----------------------------------------------------------------------------------


async def test_the_documented_cancel_closes_a_loan(scripted: Scripted, till: Till) -> None:
    documented = sample("cancelled")
    scripted.replays("cancelled")
    await scripted.connector.cancel_checkout(till.checkout(session=documented["request"]["cartId"]))
    ((method, path, sent),) = scripted.asked
    assert (method, path) == ("POST", "/api/pos/loan/cancel")
    assert sent.keys() == documented["request"].keys()
    assert (sent["cartId"], sent["totalAmount"]) == (documented["request"]["cartId"], 1300)


@pytest.mark.parametrize("outcome", ["decline", "cancel"])
async def test_an_unpaid_loan_is_closed_once_and_for_all(till: Till, outcome: str) -> None:
    checkout, _ = await till.decides(outcome)
    await till.connector.cancel_checkout(checkout)
    await till.connector.cancel_checkout(checkout)
    assert isinstance(await till.connector.fetch(checkout), Cancelled)
    assert till.rows() == []


@pytest.mark.parametrize("fault", [*LOST, *NEVER_CAME])
async def test_a_loan_whose_cancel_got_no_answer_is_closed_by_the_next_try(till: Till, fault: str) -> None:
    _, checkout = await till.opens()
    await till.counter.order_fault("cancel", fault)
    with pytest.raises(Unclear):
        await till.connector.cancel_checkout(checkout)
    await till.connector.cancel_checkout(checkout)


async def test_a_loan_that_is_paid_can_not_be_closed(till: Till) -> None:
    checkout, _ = await till.decides("approve")
    with pytest.raises(Refused, match="OUTSTANDING"):
        await till.connector.cancel_checkout(checkout)
    assert till.rows() == SALE


async def test_a_cancel_that_cancelled_nothing_is_unclear(scripted: Scripted, till: Till) -> None:
    scripted.replays("cancelled", status="OUTSTANDING")
    with pytest.raises(Unclear, match="OUTSTANDING"):
        await scripted.connector.cancel_checkout(till.checkout())
