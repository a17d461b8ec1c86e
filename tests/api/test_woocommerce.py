"""The real WooCommerce client, call by call: what it sends, and every check that it makes of the answer."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import string
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from paymux.accounts import service
from tests.api.conftest import a_merchant
from tests.installation import Answer, Installation, Shopper

_ALNUM = string.ascii_letters + string.digits


def php_json(value: Any) -> str:
    """`json_encode` of PHP 7.1 and later: a float without fraction is written as an integer, slashes are escaped."""

    def floats(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: floats(inner) for key, inner in part.items()}
        if isinstance(part, list):
            return [floats(inner) for inner in part]
        return int(part) if isinstance(part, float) and part.is_integer() else part

    return json.dumps(floats(value), separators=(",", ":")).replace("/", "\\/")


class WooCommerce:
    """The plugin: its configuration is a token URL, an API URL without slash, a client, and the hash secret."""

    def __init__(self, installation: Installation, client_id: str, client_secret: str, hash_secret: str) -> None:
        self.installation = installation
        self.auth_url, self.api_url = f"{installation.settings.base_url}/token", installation.settings.base_url
        self.client_id, self.client_secret, self.hash_secret = client_id, client_secret, hash_secret
        self.token = ""

    async def _call(self, method: str, url: str, **request: Any) -> Answer:
        answer = await self.installation.call(method, url, **request)
        # Guzzle with http_errors raises from 400 on and follows redirects, and JSON_THROW_ON_ERROR refuses an empty body.
        assert 200 <= answer.status < 300, (answer.status, answer.body)
        assert isinstance(answer.body, dict | list)
        return answer

    async def authenticates(self) -> None:
        form = {
            "client_id": self.client_id, "client_secret": self.client_secret, "grant_type": "client_credentials",
            "response_type": "token", "scope": "api-user",
        }  # fmt: skip
        read = (await self._call("POST", self.auth_url, data=form)).body
        assert "message" not in read
        assert all(name in read for name in ("access_token", "expires_in", "token_type", "scope"))
        assert read["expires_in"] - 600 > 0, "else WordPress would cache it for ever, or not at all"
        self.token = read["access_token"]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}

    async def opens_a_session(self) -> str:
        body = php_json({"customerIdentifier": self.hash_secret})
        url = f"{self.api_url}/merchants/customer/sessions/"
        token: str = (await self._call("POST", url, data=body, headers=self.headers)).body["token"]
        return token

    async def creates(self, order: dict[str, Any]) -> str:
        answer = await self._call("POST", f"{self.api_url}/orders/", data=php_json(order), headers=self.headers)
        assert answer.status == 201, "the client counts nothing else as success"
        url: str = answer.body["redirectUrl"]
        return url

    def valid(self, query: dict[str, str]) -> bool:
        payload = f"{query['status']}|{query['reference']}"
        expected = hmac.new(self.hash_secret.encode(), payload.encode(), hashlib.sha512).hexdigest()
        return expected.replace("-", "") == query["hash"]

    async def handles(self, query: dict[str, str], total: float) -> str:
        """What the callback handler does with a return."""
        if not all(query.get(name) for name in ("status", "hash", "reference")):
            return "Invalid callback -> cart"
        if not self.valid(query):
            return "nothing"
        read = (await self._call("GET", f"{self.api_url}/orders/{query['reference']}", headers=self.headers)).body
        status = read["status"].lower()
        if status in ("declined", "failed", "canceled"):
            return "error notice -> checkout"
        if status == "pending":
            return "on-hold -> order received"
        if status == "successful" and total > float(read["amount"]):
            return "on-hold (underpaid)"
        if status == "successful" and total == float(read["amount"]):
            return "payment complete"
        return "no redirect"

    async def refunds(self, transaction_id: str, amount: float) -> Answer:
        body = {
            "refundAmount": {"amount": amount, "currency": "AUD"}, "refundDescription": "Customer changed his mind",
            "refundReference": "".join(secrets.choice(_ALNUM) for _ in range(22)),
        }  # fmt: skip
        url = f"{self.api_url}/orders/{transaction_id}/refund"
        answer = await self._call("POST", url, data=php_json(body), headers=self.headers)
        assert answer.status == 201
        assert answer.body["refundReference"] == body["refundReference"]
        return answer


@pytest.fixture
async def shop(installation: Installation) -> WooCommerce:
    merchant = await a_merchant(installation, "PLANPAY_AU", "AFTERPAY_AU", "LATITUDEPAY_AU")
    async with installation.database.transaction() as tx:
        owner: str = merchant.id  # type: ignore[attr-defined]
        await service.set_merchant(tx, owner, redirect_url="https://shop.example/?wc-api=optty_gateway")
        secret = await service.payment_secret(tx, installation.keyring, owner)
    return WooCommerce(installation, merchant.client_id, merchant.client_secret, secret)


def cart(number: int, customer_token: str, code: str, locale: str = "en_AU") -> dict[str, Any]:
    who = {"firstName": "Ada", "lastName": "Byron", "email": "ada@shop.example", "phoneNumber": ""}
    if code == "LATITUDEPAY_AU":
        who["phoneNumber"] = "0400000000"
    address = who | {
        "streetAddress": "1 High Street", "streetAddress2": "", "city": "Sydney", "state": "NSW", "country": "AU", "region": "NSW",
        "postalCode": "2000",
    }  # fmt: skip
    return {
        "bnplProvider": code, "locale": locale, "customerToken": customer_token,
        "orderReference": f"{number}-1700000000aB3x", "orderAmount": 129.99, "taxAmount": 10.0, "shippingAmount": 9.99,
        "discountAmount": 10.0,
        "orderItems": [
            {"name": "Shirt", "quantity": 2, "sku": "", "unitPrice": 50.0, "totalAmount": 100.0},
            {"name": "Socks \u00e4 / b", "quantity": 1, "sku": "S/1", "unitPrice": 20.0, "totalAmount": 20.0},
        ],
        "purchaseCountry": "AU", "purchaseCurrency": "AUD", "customer": who, "billingAddress": address, "shippingAddress": address,
    }  # fmt: skip


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


async def comes_back(installation: Installation, url: str, outcome: str) -> str:
    """Pay (or not), and the shop's URL that the browser is sent to."""
    from yarl import URL

    back = await Shopper(installation).decides(url, outcome)
    answer = await installation.call("GET", URL(back, encoded=True))
    assert answer.status == 303
    location: str = answer.headers["Location"]
    return location


@pytest.mark.parametrize("locale", ["en_AU", "de_DE_formal", "ja"])
@pytest.mark.parametrize("code", ["PLANPAY_AU", "AFTERPAY_AU", "LATITUDEPAY_AU"])
async def test_a_cart_is_paid_completed_and_partly_refunded(
    code: str, locale: str, shop: WooCommerce, installation: Installation
) -> None:
    await shop.authenticates()
    url = await shop.creates(cart(1042, await shop.opens_a_session(), code, locale))
    location = await comes_back(installation, url, "approve")
    assert location.startswith("https://shop.example/?wc-api=optty_gateway&hash=")
    query = query_of(location)
    assert query["reference"].split("-")[0] == "1042"
    assert await shop.handles(query, 129.99) == "payment complete"
    assert await shop.handles(query, 130.0) == "on-hold (underpaid)"
    if code != "LATITUDEPAY_AU":
        refund = await shop.refunds(query["reference"], 20.0)
        assert float(refund.body["refundedAmount"]) == 20
    assert await shop.handles(query | {"status": "DECLINED"}, 129.99) == "nothing", "a changed status is not believed"


async def test_a_shopper_who_cancels_is_sent_to_the_checkout_again(
    shop: WooCommerce, installation: Installation
) -> None:
    await shop.authenticates()
    url = await shop.creates(cart(1043, "", "PLANPAY_AU"))
    query = query_of(await comes_back(installation, url, "cancel"))
    assert query["status"] == "CANCELLED"
    assert await shop.handles(query, 129.99) == "error notice -> checkout"


async def test_a_declined_shopper_is_sent_to_the_checkout_again(shop: WooCommerce, installation: Installation) -> None:
    await shop.authenticates()
    url = await shop.creates(cart(1044, "", "PLANPAY_AU"))
    query = query_of(await comes_back(installation, url, "decline"))
    assert await shop.handles(query, 129.99) == "error notice -> checkout"


async def test_an_undecided_payment_is_put_on_hold(shop: WooCommerce, installation: Installation) -> None:
    await shop.authenticates()
    url = await shop.creates(cart(1045, "", "PLANPAY_AU"))
    query = query_of(await comes_back(installation, url, "pending"))
    assert query["status"] == "PENDING"
    assert await shop.handles(query, 129.99) == "on-hold -> order received"


async def test_its_first_request_with_an_empty_token_is_a_plain_401(shop: WooCommerce) -> None:
    answer = await shop.installation.call("POST", f"{shop.api_url}/orders/", data="{}", headers=shop.headers)
    assert (answer.status, answer.body["message"]) == (401, "Unauthorized")
