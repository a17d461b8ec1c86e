"""PayPal's own Python client, paypal-server-sdk 2.4.0, at the simulator: it has its own models of every order, payment and error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from paypalserversdk.api_helper import APIHelper
from paypalserversdk.configuration import Configuration, Environment, Server
from paypalserversdk.exceptions.error_exception import ErrorException
from paypalserversdk.exceptions.o_auth_provider_exception import OAuthProviderException
from paypalserversdk.http.auth.o_auth_2 import ClientCredentialsAuthCredentials
from paypalserversdk.models.amount_with_breakdown import AmountWithBreakdown
from paypalserversdk.models.authorization_status import AuthorizationStatus
from paypalserversdk.models.capture_request import CaptureRequest
from paypalserversdk.models.capture_status import CaptureStatus
from paypalserversdk.models.checkout_payment_intent import CheckoutPaymentIntent
from paypalserversdk.models.money import Money
from paypalserversdk.models.o_auth_token import OAuthToken
from paypalserversdk.models.order_request import OrderRequest
from paypalserversdk.models.order_status import OrderStatus
from paypalserversdk.models.payment_initiator import PaymentInitiator
from paypalserversdk.models.payment_source import PaymentSource
from paypalserversdk.models.paypal_wallet import PaypalWallet
from paypalserversdk.models.paypal_wallet_attributes import PaypalWalletAttributes
from paypalserversdk.models.paypal_wallet_experience_context import PaypalWalletExperienceContext
from paypalserversdk.models.paypal_wallet_stored_credential import PaypalWalletStoredCredential
from paypalserversdk.models.paypal_wallet_vault_instruction import PaypalWalletVaultInstruction
from paypalserversdk.models.purchase_unit_request import PurchaseUnitRequest
from paypalserversdk.models.refund_request import RefundRequest
from paypalserversdk.models.refund_status import RefundStatus
from paypalserversdk.models.store_in_vault_instruction import StoreInVaultInstruction
from paypalserversdk.paypal_serversdk_client import PaypalServersdkClient

APP, SECRET = "sandbox-paypal-app", "sandbox-paypal-secret"
WHOLE = "return=representation"
AUTHORIZE, CAPTURE = CheckoutPaymentIntent.AUTHORIZE, CheckoutPaymentIntent.CAPTURE


def dollars(value: str) -> Money:
    return Money(currency_code="USD", value=value)


def paged(**more: Any) -> PaypalWallet:
    """A wallet whose owner agrees on PayPal's page."""
    pages = PaypalWalletExperienceContext(return_url="https://shop.example/ok", cancel_url="https://shop.example/no")
    return PaypalWallet(experience_context=pages, **more)


def lost(answer: Any) -> set[str]:
    """What was answered and did not get through the client's models: names that it does not know, values it reads otherwise."""
    raw, kept = json.loads(answer.text), json.loads(APIHelper.json_serialize(answer.body))

    def differ(said: Any, read: Any, path: str) -> set[str]:
        if isinstance(said, dict) and isinstance(read, dict):
            return {part for name in said for part in differ(said[name], read.get(name), f"{path}.{name}")}
        if isinstance(said, list) and isinstance(read, list) and len(said) == len(read):
            return {part for one, other in zip(said, read, strict=True) for part in differ(one, other, path)}
        return set() if said == read else {path}

    return differ(raw, kept, "")


class Shop:
    """A merchant with PayPal's client, which is a synchronous one, and his shopper at PayPal's page."""

    def __init__(self, counter: Any, secret: str = SECRET, token: OAuthToken | None = None) -> None:
        self.counter = counter
        credentials = ClientCredentialsAuthCredentials(
            o_auth_client_id=APP, o_auth_client_secret=secret, o_auth_token=token
        )
        config = Configuration(environment=Environment.SANDBOX, client_credentials_auth_credentials=credentials)
        config.environments = {Environment.SANDBOX: {Server.DEFAULT: f"{counter.base_url}/paypal"}}
        self.client = PaypalServersdkClient(config=config)

    async def does(self, room: str, verb: str, **options: Any) -> Any:
        """One call of the client; every answer gets through its models whole."""
        answer = await asyncio.to_thread(getattr(getattr(self.client, room), verb), options)
        if answer.text:
            assert lost(answer) == set()
        return answer

    async def orders(self, intent: str, key: str, wallet: PaypalWallet | None = None, value: str = "100.00") -> Any:
        """A created order."""
        amount = AmountWithBreakdown(currency_code="USD", value=value)
        body = OrderRequest(
            intent=intent, purchase_units=[PurchaseUnitRequest(amount=amount, custom_id="R-1001")],
            payment_source=PaymentSource(paypal=wallet or paged()),
        )  # fmt: skip
        return await self.does("orders", "create_order", body=body, paypal_request_id=key, prefer=WHOLE)

    async def agreed(self, intent: str, key: str = "order-1", wallet: PaypalWallet | None = None) -> str:
        """The id of an order to which the shopper agreed, at the page that the order names."""
        order = (await self.orders(intent, key, wallet)).body
        page = next(link.href for link in order.links if link.rel == "payer-action")
        await self.counter.shopper(page, "approve")
        found = (await self.does("orders", "get_order", id=order.id)).body
        assert (order.status, found.status) == (OrderStatus.PAYER_ACTION_REQUIRED, OrderStatus.APPROVED)
        return str(order.id)

    async def held(self) -> Any:
        """An authorised payment of 100 dollars."""
        answer = await self.does(
            "orders", "authorize_order", id=await self.agreed(AUTHORIZE), paypal_request_id="pay-1", prefer=WHOLE
        )
        return answer.body.purchase_units[0].payments.authorizations[0]


@pytest.fixture
async def shop(counter_of: Callable[[str], Any]) -> Shop:
    return Shop(await counter_of("paypal"))


async def test_a_sale_is_captured_read_and_given_back(shop: Shop) -> None:
    id = await shop.agreed(CAPTURE)
    done = (await shop.does("orders", "capture_order", id=id, paypal_request_id="pay-1", prefer=WHOLE)).body
    capture = done.purchase_units[0].payments.captures[0]
    assert (done.status, capture.status, capture.amount.value) == (
        OrderStatus.COMPLETED,
        CaptureStatus.COMPLETED,
        "100.00",
    )
    assert capture.custom_id == "R-1001"
    for value, left in (("40.00", CaptureStatus.PARTIALLY_REFUNDED), ("60.00", CaptureStatus.REFUNDED)):
        asked = RefundRequest(amount=dollars(value), custom_id="M-1", note_to_payer="Returned")
        refund = await shop.does(
            "payments",
            "refund_captured_payment",
            capture_id=capture.id,
            body=asked,
            paypal_request_id=value,
            prefer=WHOLE,
        )
        read = (await shop.does("payments", "get_refund", refund_id=refund.body.id)).body
        assert (read.status, read.amount.value, read.custom_id) == (RefundStatus.COMPLETED, value, "M-1")
        assert (await shop.does("payments", "get_captured_payment", capture_id=capture.id)).body.status == left
    assert shop.counter.moved() == [
        ("authorize", "100.00"),
        ("capture", "100.00"),
        ("refund", "40.00"),
        ("refund", "60.00"),
    ]


async def test_an_authorisation_is_captured_in_parts_and_the_rest_voided(shop: Shop) -> None:
    held = await shop.held()
    assert (held.status, held.expiration_time > held.create_time) == (AuthorizationStatus.CREATED, True)
    for value in ("30.00", "20.00"):
        asked = CaptureRequest(amount=dollars(value), final_capture=False)
        part = await shop.does(
            "payments", "capture_authorized_payment", authorization_id=held.id, body=asked, paypal_request_id=value,
            prefer=WHOLE,
        )  # fmt: skip
        assert (part.body.status, part.body.amount.value, part.body.final_capture) == (
            CaptureStatus.COMPLETED,
            value,
            False,
        )
    now = (await shop.does("payments", "get_authorized_payment", authorization_id=held.id)).body
    assert now.status == AuthorizationStatus.PARTIALLY_CAPTURED
    voided = await shop.does(
        "payments", "void_payment", authorization_id=held.id, paypal_request_id="void", prefer=WHOLE
    )
    assert voided.body.status == AuthorizationStatus.VOIDED
    assert shop.counter.moved() == [
        ("authorize", "100.00"),
        ("capture", "30.00"),
        ("capture", "20.00"),
        ("void", "50.00"),
    ]


async def test_a_void_that_asks_for_no_answer_has_none(shop: Shop) -> None:
    held = await shop.held()
    voided = await shop.does("payments", "void_payment", authorization_id=held.id, paypal_request_id="void")
    assert (voided.status_code, voided.body) == (204, None)


async def test_a_repeated_request_id_gets_the_first_answer_and_moves_nothing_twice(shop: Shop) -> None:
    first, again = await shop.orders(CAPTURE, "order-9"), await shop.orders(CAPTURE, "order-9")
    assert (first.status_code, again.status_code, first.body.id) == (201, 200, again.body.id)
    held = await shop.held()
    parts = [
        await shop.does(
            "payments", "capture_authorized_payment", authorization_id=held.id, paypal_request_id="part",
            body=CaptureRequest(amount=dollars("30.00")),
        )
        for _ in range(2)
    ]  # fmt: skip
    assert parts[0].body.id == parts[1].body.id
    assert shop.counter.moved() == [("authorize", "100.00"), ("capture", "30.00")]


async def test_an_account_is_saved_with_the_sale_and_charged_without_its_owner(shop: Shop) -> None:
    vault = PaypalWalletVaultInstruction(
        store_in_vault=StoreInVaultInstruction.ON_SUCCESS, usage_type="MERCHANT", permit_multiple_payment_tokens=False
    )
    id = await shop.agreed(CAPTURE, wallet=paged(attributes=PaypalWalletAttributes(vault=vault)))
    sold = await shop.does("orders", "capture_order", id=id, paypal_request_id="pay-1", prefer=WHOLE)
    saved = sold.body.payment_source.paypal.attributes.vault
    assert (saved.status, bool(saved.id), bool(saved.customer.id)) == ("VAULTED", True, True)
    by = PaypalWalletStoredCredential(payment_initiator=PaymentInitiator.MERCHANT)
    wallet = PaypalWallet(vault_id=saved.id, stored_credential=by)
    charged = (await shop.orders(CAPTURE, "charge-1", wallet, "25.00")).body
    assert charged.status == OrderStatus.COMPLETED
    assert charged.purchase_units[0].payments.captures[0].amount.value == "25.00"
    assert shop.counter.moved()[2:] == [("authorize", "25.00"), ("capture", "25.00")]


async def test_a_refusal_is_the_clients_own_error_with_paypals_issue(shop: Shop) -> None:
    waiting = (await shop.orders(CAPTURE, "order-2")).body
    held = await shop.held()
    much = CaptureRequest(amount=dollars("115.01"))
    for room, verb, options, status, issue in (
        ("orders", "capture_order", {"id": waiting.id, "paypal_request_id": "a"}, 422, "ORDER_NOT_APPROVED"),
        ("orders", "authorize_order", {"id": waiting.id, "paypal_request_id": "a"}, 422, "ACTION_DOES_NOT_MATCH_INTENT"),
        ("orders", "get_order", {"id": "NOBODYS"}, 404, "INVALID_RESOURCE_ID"),
        ("payments", "get_captured_payment", {"capture_id": held.id}, 404, "INVALID_RESOURCE_ID"),
        (
            "payments", "capture_authorized_payment", {"authorization_id": held.id, "body": much}, 422,
            "MAX_CAPTURE_AMOUNT_EXCEEDED",
        ),
    ):  # fmt: skip
        with pytest.raises(ErrorException) as no:
            await shop.does(room, verb, **options)
        assert (no.value.response_code, [detail.issue for detail in no.value.details]) == (status, [issue])
        assert all((no.value.name, no.value.message, no.value.debug_id, no.value.details[0].description))
    assert shop.counter.moved() == [("authorize", "100.00")]


async def test_a_wrong_secret_gets_no_token_and_a_wrong_token_no_answer(shop: Shop) -> None:
    with pytest.raises(OAuthProviderException) as no_token:
        await asyncio.to_thread(Shop(shop.counter, "other").client.oauth_2.fetch_token)
    assert (no_token.value.response_code, no_token.value.error) == (401, "invalid_client")
    token = await asyncio.to_thread(shop.client.oauth_2.fetch_token)
    assert (token.token_type, token.expires_in > 0) == ("Bearer", True)
    token.access_token = "A21AAwrong"
    with pytest.raises(ErrorException) as no_answer:
        await Shop(shop.counter, token=token).does("orders", "get_order", id="1")
    assert (no_answer.value.response_code, no_answer.value.name) == (401, "AUTHENTICATION_FAILURE")
