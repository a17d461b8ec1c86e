"""The shopper's return: where he is sent, with which words, and that the hash proves them (R1, R2)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from yarl import URL

from paymux.accounts import service
from paymux.checkout.returns import return_hash
from tests.api.conftest import a_merchant
from tests.installation import Answer, Installation, Merchant, Shopper

VECTOR = (
    "f242c50980560703bad5c6afcd8e9845afa642895bf550ae14390b1d738a0d3e"
    "3035ad2ef8074f60f00e8c0f194fe1c22cc8dcdfb5c8ca9b1fa9e630f0180971"
)


def test_the_hash_is_the_published_test_vector() -> None:
    assert return_hash("secret", "SUCCESSFUL", "1234") == VECTOR


async def returns(installation: Installation, url: str, method: str = "GET", **request: Any) -> Answer:
    return await installation.call(method, URL(url, encoded=True), **request)


WORDS = [
    ("approve", "SUCCESSFUL"),
    ("decline", "DECLINED"),
    ("cancel", "CANCELLED"),
    ("error", "ERROR"),
    ("pending", "PENDING"),
]


@pytest.mark.parametrize(("outcome", "word"), WORDS)
async def test_the_shopper_is_sent_on_with_the_published_word_and_its_hash(
    outcome: str, word: str, merchant: Merchant, shopper: Shopper, installation: Installation
) -> None:
    opened = await merchant.creates("PLANPAY_AU")
    back = await shopper.decides(opened["redirectUrl"], outcome)
    answer = await returns(installation, back)
    assert answer.status == 303
    where = urlsplit(answer.headers["Location"])
    assert where._replace(query="").geturl() == "https://shop.example/return"
    query = parse_qsl(where.query, strict_parsing=True)
    assert [name for name, _ in query] == ["hash", "reference", "status", "providerReference"]
    said = dict(query)
    assert (said["status"], said["reference"]) == (word, opened["orderReference"])
    expected = hmac.new(
        b"demo-payment-secret", f"{word}|{opened['orderReference']}".encode(), hashlib.sha512
    ).hexdigest()
    assert said["hash"] == expected
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("outcome", ["approve", "decline", "cancel"])
async def test_every_repeat_leads_to_the_same_place_by_get_and_by_post(
    outcome: str, merchant: Merchant, shopper: Shopper, installation: Installation
) -> None:
    opened = await merchant.creates("PLANPAY_AU")
    back = await shopper.decides(opened["redirectUrl"], outcome)
    places = {(await returns(installation, back)).headers["Location"] for _ in range(2)}
    for request in (
        {"data": {"outcome": "other"}},
        {"data": b"\xff\0", "headers": {"Content-Type": "multipart/form-data"}},
        {},
    ):
        places.add((await returns(installation, back, "POST", **request)).headers["Location"])
    base = back.split("?")[0]
    for strange in (f"{base}?checkout_id=%00&via=%ff", f"{base}/", base, f"{base}?status=SUCCESSFUL&paid=1"):
        places.add((await returns(installation, strange)).headers["Location"])
    assert len(places) == 1


async def test_a_return_that_names_nothing_or_nonsense_pays_nothing(
    merchant: Merchant, installation: Installation
) -> None:
    opened = await merchant.creates("PLANPAY_AU")
    base = f"{merchant.base}/return/{opened['orderToken']}"
    for query in ("", "?checkout_id=%00", "?checkout_id=co_x&via=success", "?" + "x" * 5000, "?via=success&via=cancel"):
        answer = await returns(installation, base + query)
        assert answer.status == 303
        assert dict(URL(answer.headers["Location"]).query)["status"] == "PENDING"
    assert (await merchant.status(opened["orderReference"]))["status"] == "PENDING"
    assert installation.balance(opened["orderReference"]) == 0


URLS = [
    ("https://shop.example/return", "https://shop.example/return?hash="),
    ("https://shop.example/?wc-api=optty_gateway", "https://shop.example/?wc-api=optty_gateway&hash="),
    ("https://shop.example", "https://shop.example?hash="),
    ("https://shop.example/r?", "https://shop.example/r?hash="),
    ("https://shop.example/r?a=1&", "https://shop.example/r?a=1&hash="),
    ("https://shop.example/r?to=%2Fcart%2F%3Fx%3D1&b=a+b", "https://shop.example/r?to=%2Fcart%2F%3Fx%3D1&b=a+b&hash="),
    ("https://shop.example/r?hash=mine", "https://shop.example/r?hash=mine&hash="),
]


@pytest.mark.parametrize(("url", "begins"), URLS)
async def test_the_shops_own_url_is_kept_to_the_byte(
    url: str, begins: str, merchant: Merchant, shopper: Shopper, installation: Installation
) -> None:
    opened = await merchant.creates("PLANPAY_AU", dynamicRedirectUrl=url)
    answer = await returns(installation, await shopper.decides(opened["redirectUrl"], "approve"))
    assert answer.headers["Location"].startswith(begins)


async def test_a_fragment_stays_at_the_end(merchant: Merchant, shopper: Shopper, installation: Installation) -> None:
    opened = await merchant.creates("PLANPAY_AU", dynamicRedirectUrl="https://shop.example/r?a=1#/done")
    where = (await returns(installation, await shopper.decides(opened["redirectUrl"], "approve"))).headers["Location"]
    assert where.startswith("https://shop.example/r?a=1&hash=")
    assert where.endswith("#/done")


async def test_a_reference_that_needs_encoding_comes_back_as_it_was(
    merchant: Merchant, shopper: Shopper, installation: Installation
) -> None:
    reference = "Ä b&c=d+e%20#1"
    opened = await merchant.creates("PLANPAY_AU", orderReference=reference)
    where = (await returns(installation, await shopper.decides(opened["redirectUrl"], "approve"))).headers["Location"]
    said = dict(parse_qsl(urlsplit(where).query, strict_parsing=True))
    assert said["reference"] == reference
    assert said["hash"] == return_hash("demo-payment-secret", "SUCCESSFUL", reference)


async def test_without_a_url_of_the_order_the_merchants_default_is_used_and_without_either_our_page(
    installation: Installation, shopper: Shopper
) -> None:
    shop = await a_merchant(installation, "PLANPAY_AU")
    opened = await shop.creates("PLANPAY_AU", dynamicRedirectUrl=None)
    back = await shopper.decides(opened["redirectUrl"], "approve")
    for _ in range(2):
        page = await returns(installation, back)
        assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert "Thank you, your payment was successful." in page.body
        assert opened["orderReference"] in page.body
        assert "http" not in page.body.replace("http-equiv", ""), "it asks nobody for anything"
    async with installation.database.transaction() as tx:
        await service.set_merchant(tx, shop.id, redirect_url="https://default.example/back?x=1")  # type: ignore[attr-defined]
    assert (await returns(installation, back)).headers["Location"].startswith("https://default.example/back?x=1&hash=")


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        ("decline", "was declined"),
        ("cancel", "was cancelled"),
        ("pending", "is not decided yet"),
        ("error", "went wrong"),
    ],
)
async def test_our_own_page_says_every_result(
    outcome: str, says: str, installation: Installation, shopper: Shopper
) -> None:
    shop = await a_merchant(installation, "PLANPAY_AU")
    opened = await shop.creates("PLANPAY_AU", dynamicRedirectUrl=None, orderReference="<b>Ä&\"'</b>".replace("/", "|"))
    page = await returns(installation, await shopper.decides(opened["redirectUrl"], outcome))
    assert page.status == 200
    assert says in page.body
    assert "<b>Ä" not in page.body
    assert page.headers["X-Frame-Options"] == "DENY"


async def test_an_unknown_return_is_a_page_and_a_404(installation: Installation) -> None:
    for token in ("otk_nobody", "nonsense", "otk_" + "x" * 500):
        for place in ("return", "checkout"):
            page = await returns(installation, f"{installation.settings.base_url}/{place}/{token}")
            assert page.status == 404
            assert "There is no such payment" in page.body


async def test_a_form_that_is_too_large_is_refused(merchant: Merchant, installation: Installation) -> None:
    opened = await merchant.creates("PLANPAY_AU")
    url = f"{merchant.base}/return/{opened['orderToken']}"
    answer = await returns(installation, url, "POST", data={"x": "y" * 300_000})
    assert answer.status == 413
