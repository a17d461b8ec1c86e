"""`/openapi.json` and `/docs`: complete, true of the running installation, and readable without the internet."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.routing import APIRoute

from paymux.api.app import make_app
from paymux.connectors.registry import all_codes
from tests.api.conftest import Holds, a_merchant
from tests.installation import Installation, Merchant, Shopper

HIDDEN = {
    "/docs",
    "/return/{order_token}",
    "/checkout/{order_token}",
    "/images/providers/{code}.svg",
    "/images/logos/{logo_id}",
}
OPEN = {"/token", "/.well-known/jwks.json", "/healthz", "/readyz", "/provider-events/{event_key}"}


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, said) for path, methods in document["paths"].items() for method, said in methods.items()]


def test_every_endpoint_is_described(installation: Installation, document: dict[str, Any]) -> None:
    served = {
        (route.path, method.lower())
        for route in _routes(make_app(installation.core))
        for method in route.methods or ()
        if route.path not in HIDDEN
    }
    assert served == {(path, method) for path, method, _ in operations(document)}
    ids = [said["operationId"] for _, _, said in operations(document)]
    assert len(set(ids)) == len(ids)


def _routes(app: Any) -> list[APIRoute]:
    from paymux.api import installation, options, orders, token

    routers = (token.router, options.router, orders.router, installation.router, installation.sandbox_router)
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]


def test_every_error_is_declared_with_the_error_shape(document: dict[str, Any]) -> None:
    for path, method, said in operations(document):
        errors = {status: answer for status, answer in said["responses"].items() if not status.startswith("2")}
        expected = {"500", "503"} | (set() if path in OPEN else {"401"})
        if "requestBody" in said and path not in OPEN:
            expected |= {"400", "413", "415"}
        if "{reference}" in path:
            expected |= {"403", "404"}
        assert expected <= set(errors), (path, method, set(errors))
        for status, answer in errors.items():
            shape = answer["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
            others = {("/token", "400"): "TokenError", ("/token", "401"): "TokenError", ("/readyz", "503"): "Ready"}
            assert shape == others.get((path, status), "Error")
    for path, statuses in (("/orders", {"409", "422", "502"}), ("/orders/{reference}/capture", {"409", "422", "502"})):
        assert statuses <= set(document["paths"][path]["post"]["responses"])
    assert "Retry-After" in document["paths"]["/token"]["post"]["responses"]["429"]["headers"]


def test_every_endpoint_says_what_it_needs_takes_and_gives(document: dict[str, Any]) -> None:
    for path, method, said in operations(document):
        assert said["security"] == ([] if path in OPEN else [{"bearer": []}]), (path, method)
        good = next(answer for status, answer in said["responses"].items() if status.startswith("2"))
        assert _model(good["content"]["application/json"]["schema"]) in document["components"]["schemas"]
        if "requestBody" in said:
            (media,) = said["requestBody"]["content"].values()
            assert media["example"] is not None
            assert _model(media["schema"]) in document["components"]["schemas"]
        assert said["description"]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    statuses = {said["operationId"]: next(iter(said["responses"])) for _, _, said in operations(document)}
    assert {name for name, status in statuses.items() if status == "201"} == {
        "create_customer_session", "create_order", "capture_order", "void_order", "refund_order", "cancel_order",
    }  # fmt: skip
    names = [(p["name"], p["required"]) for p in document["paths"]["/options"]["get"]["parameters"]]
    assert names == [("amount", True), ("currency", True), ("channel", False), ("isCapable", False)]


def _model(schema: dict[str, Any]) -> str:
    reference: str = schema.get("items", schema)["$ref"]
    return reference.rsplit("/", 1)[1]


def test_no_reference_of_the_document_leads_nowhere(document: dict[str, Any]) -> None:
    for name in set(re.findall(r"#/components/schemas/([A-Za-z_]+)", str(document))):
        assert name in document["components"]["schemas"]


def test_the_order_body_has_every_field_of_the_founding_specification(document: dict[str, Any]) -> None:
    body = document["components"]["schemas"]["CreateOrder"]
    assert set(body["properties"]) == {
        "orderReference", "bnplProvider", "purchaseCountry", "purchaseCurrency", "locale", "shippingAmount", "discountAmount",
        "taxAmount", "orderAmount", "orderItems", "customer", "billingAddress", "shippingAddress", "shippingType", "shippingMethod",
        "autoCapture", "additionalData", "dynamicRedirectUrl", "dynamicCallbackUrl", "cancellationTimeout", "checkoutSessionTimeout",
        "partnerConfiguration", "getToken", "token", "customerPresent", "channel", "sessionId", "partnerOrderReference",
        "customerToken",
    }  # fmt: skip
    assert set(body["required"]) == {
        "orderReference", "bnplProvider", "purchaseCountry", "purchaseCurrency", "locale", "orderAmount", "orderItems", "customer",
        "billingAddress",
    }  # fmt: skip
    assert body["properties"]["bnplProvider"]["enum"] == sorted(all_codes())
    assert "KLARNA" in body["properties"]["bnplProvider"]["enum"]


def test_every_example_of_an_answer_fits_its_model(document: dict[str, Any], holds: Holds) -> None:
    shown = 0
    for _, _, said in operations(document):
        for status, answer in said["responses"].items():
            media = answer["content"]["application/json"]
            if status.startswith("2") and "example" in media:
                for example in media["example"] if "items" in media["schema"] else [media["example"]]:
                    holds(_model(media["schema"]), example)
                    shown += 1
    assert shown >= 10


@pytest.fixture
def example(document: dict[str, Any]) -> Any:
    def of(path: str) -> Any:
        (media,) = document["paths"][path]["post"]["requestBody"]["content"].values()
        return media["example"]

    return of


async def test_every_example_of_a_body_is_taken_by_this_installation(
    example: Any, installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    assert (await installation.call("POST", f"{merchant.base}/token", data=example("/token"))).status == 200
    session = await merchant.post("/merchants/customer/sessions", example("/merchants/customer/sessions"))
    assert session.status == 201
    assert (await merchant.post("/orders", example("/orders"))).status == 201
    assert (await merchant.post("/sandbox/clock", example("/sandbox/clock"))).status == 200
    opened = await merchant.creates("PLANPAY_AU", "144.89", autoCapture=False)
    at = f"/orders/{opened['orderReference']}"
    await shopper.pays(opened["redirectUrl"])
    for name in ("capture", "void", "refund"):
        answer = await merchant.post(f"{at}/{name}", example(f"/orders/{{reference}}/{name}"))
        assert answer.status == 201, (name, answer.body)
    unpaid = await merchant.creates("PLANPAY_AU")
    cancel = example("/orders/{reference}/cancel")
    assert (await merchant.post(f"/orders/{unpaid['orderReference']}/cancel", cancel)).status == 201


async def test_the_page_is_whole_by_itself(installation: Installation, document: dict[str, Any]) -> None:
    for path in ("/docs", "/docs/"):
        page = await installation.call("GET", installation.settings.base_url + path)
        assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert "<script" not in page.body
        assert re.findall(r"""(?:src|href|action)=["']([^"'#]+)""", page.body) == ["/openapi.json"]
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
        for url, method, said in operations(document):
            assert f'id="{said["operationId"]}"' in page.body, (url, method)
        for word in (
            "billingAddress.postalCode",
            "orderItems[].unitPrice",
            "Idempotency-Key",
            "LATITUDEPAY_AU",
            "[].requiredFields",
        ):
            assert word in page.body
        assert "`" not in page.body, "what the document says in code is shown as code"
        assert "<code>client_credentials</code>" in page.body
    assert (await installation.call("GET", f"{installation.settings.base_url}/redoc")).status == 404


async def test_the_liveness_and_readiness_answers_fit_their_models(
    installation: Installation, holds: Holds, eventually: Any
) -> None:
    base = installation.settings.base_url
    holds("Alive", (await installation.call("GET", f"{base}/healthz")).body)

    async def ready() -> bool:
        return (await installation.call("GET", f"{base}/readyz")).status == 200

    await eventually(ready)
    verbose = await installation.call("GET", f"{base}/readyz?verbose")
    holds("Ready", verbose.body)
    assert verbose.body["ordersToReview"] == 0


async def test_the_published_keys_fit_their_model(installation: Installation, holds: Holds) -> None:
    await a_merchant(installation)
    answer = await installation.call("GET", f"{installation.settings.base_url}/.well-known/jwks.json")
    holds("Keys", answer.body)
