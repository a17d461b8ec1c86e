"""`POST /orders` row by row of the founding specification: every row's rule, its words, and what is taken (E2 to E9, M1, M2)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from paymux.platform.database import from_json, to_json
from tests.api.conftest import Holds
from tests.installation import Installation, Merchant

LONG = "x" * 129
ITEM = {"name": "Shirt", "quantity": 1, "sku": "S-1", "unitPrice": 100, "totalAmount": 100}


def item(**changes: Any) -> dict[str, Any]:
    return {"orderItems": [{name: value for name, value in (ITEM | changes).items() if value is not None}]}


def without(merchant: Merchant, path: str) -> dict[str, Any]:
    """An order's body without the field of this path."""
    body: Any = from_json(to_json(merchant.order("PLANPAY_AU")))
    *holders, last = path.split(".")
    part = body
    for holder in holders:
        part = part[int(holder)] if holder.isdigit() else part[holder]
    del part[last]
    found: dict[str, Any] = body
    return found


REQUIRED = [
    "orderReference", "bnplProvider", "purchaseCountry", "purchaseCurrency", "locale", "orderAmount", "orderItems",
    "customer", "customer.firstName", "customer.lastName", "customer.email", "customer.phoneNumber", "billingAddress",
    "orderItems.0.name", "orderItems.0.quantity", "orderItems.0.unitPrice", "orderItems.0.totalAmount",
]  # fmt: skip


@pytest.mark.parametrize("path", REQUIRED)
async def test_a_required_field_that_is_not_there_is_named_by_its_path(path: str, merchant: Merchant) -> None:
    answer = await merchant.post("/orders", without(merchant, path))
    assert (answer.status, answer.body["code"]) == (400, "validation_failed")
    assert answer.body["message"] == [f"{path} is required"]


OPTIONAL = [
    "orderItems.0.sku", "shippingAddress", "dynamicRedirectUrl", "billingAddress.streetAddress2", "billingAddress.state",
    "billingAddress.region",
]  # fmt: skip


@pytest.mark.parametrize("path", OPTIONAL)
async def test_an_optional_field_may_be_left_out(path: str, merchant: Merchant) -> None:
    assert (await merchant.post("/orders", without(merchant, path))).status == 201


STRING = "must be a string"
NUMBER = "must be a number"
WRONG_KIND: list[tuple[str, Any, str]] = [
    ("orderReference", 5, STRING), ("orderReference", None, STRING), ("bnplProvider", ["KLARNA"], STRING),
    ("purchaseCountry", {}, STRING), ("purchaseCurrency", 36, STRING), ("locale", True, STRING),
    ("shippingAmount", "1", NUMBER), ("discountAmount", "0", NUMBER), ("taxAmount", [1], NUMBER),
    ("orderAmount", "100", NUMBER), ("orderAmount", True, NUMBER), ("orderAmount", None, NUMBER),
    ("orderItems", {}, "must be an array"), ("orderItems", "x", "must be an array"), ("orderItems", [1], "must be an object"),
    ("customer", [], "must be an object"), ("customer", "Ada", "must be an object"), ("billingAddress", "", "must be an object"),
    ("billingAddress", 1, "must be an object"), ("shippingAddress", [], "must be an object"),
    ("shippingType", 1, STRING), ("shippingMethod", [], STRING), ("autoCapture", "true", "must be true or false"),
    ("autoCapture", 1, "must be true or false"), ("additionalData", [], "must be an object"),
    ("additionalData", "x", "must be an object"), ("dynamicRedirectUrl", 1, STRING), ("dynamicCallbackUrl", {}, STRING),
    ("cancellationTimeout", "60", "must be a whole number"), ("cancellationTimeout", 1.5, "must be a whole number"),
    ("checkoutSessionTimeout", True, "must be a whole number"), ("partnerConfiguration", [], "must be an object"),
    ("getToken", "yes", "must be true or false"), ("token", 5, STRING), ("customerPresent", 1, "must be true or false"),
    ("channel", 1, STRING), ("sessionId", 1, STRING), ("partnerOrderReference", 1, STRING), ("customerToken", 1, STRING),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value", "fault"), WRONG_KIND, ids=lambda value: str(value)[:20])
async def test_a_value_of_the_wrong_kind_is_refused_by_name(
    field: str, value: Any, fault: str, merchant: Merchant
) -> None:
    answer = await merchant.post("/orders", merchant.order("PLANPAY_AU") | {field: value})
    assert answer.status == 400
    assert any(said.startswith(field) and fault in said for said in answer.body["message"]), answer.body["message"]


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"orderReference": LONG}, "orderReference must be 1 to 128 characters long"),
    ({"orderReference": ""}, "orderReference must be 1 to 128 characters long"),
    ({"orderReference": ".."}, "orderReference must not contain control characters, / or \\, and not be . or .."),
    ({"orderReference": "a\\b"}, "orderReference must not contain control characters"),
    ({"orderReference": "a\nb"}, "orderReference must not contain control characters"),
    ({"orderReference": "a\u0085b"}, "orderReference must not contain control characters"),
    ({"partnerOrderReference": "a/b"}, "partnerOrderReference must not contain control characters"),
    ({"purchaseCountry": "au"}, "purchaseCountry must be a valid ISO31661 Alpha2 code"),
    ({"purchaseCountry": "AUS"}, "purchaseCountry must be a valid ISO31661 Alpha2 code"),
    ({"purchaseCountry": "NZ"}, "purchaseCountry must be AU for PLANPAY_AU"),
    ({"purchaseCurrency": "NZD"}, "purchaseCurrency must be AUD for PLANPAY_AU"),
    ({"purchaseCurrency": "XAU"}, "purchaseCurrency must be a valid ISO4217 currency code"),
    ({"locale": "e"}, "locale must be a locale such as en_US or en-US"),
    ({"locale": "en_US\n"}, "locale must be a locale such as en_US or en-US"),
    ({"shippingAmount": Decimal("0.001")}, "shippingAmount must have at most 2 decimals"),
    ({"discountAmount": Decimal("-0.01")}, "discountAmount must be at least 0"),
    ({"orderAmount": Decimal("100.001")}, "orderAmount must have at most 2 decimals"),
    ({"orderAmount": 10**10}, "orderAmount must be at most 1000000000"),
    ({"orderAmount": Decimal("99.99")}, "orderAmount must equal sum(orderItems.totalAmount)"),
    ({"discountAmount": 1}, "orderAmount must equal sum(orderItems.totalAmount)"),
    (item(quantity=2), "orderItems.0.totalAmount must equal quantity x unitPrice (200.00)"),
    (item(quantity=0), "orderItems.0.quantity must be greater than or equal to 1"),
    (item(quantity=-1), "orderItems.0.quantity must be greater than or equal to 1"),
    (item(quantity=Decimal("1.5")), "orderItems.0.quantity must be a whole number"),
    (item(quantity="1"), "orderItems.0.quantity must be a whole number"),
    (item(name=""), "orderItems.0.name must have at least 1 character"),
    (item(unitPrice=Decimal("100.0000001")), "orderItems.0.unitPrice must have at most 6 decimals"),
    (item(totalAmount=Decimal("100.001")), "orderItems.0.totalAmount must have at most 2 decimals"),
    ({"orderItems": []}, "orderItems must have at least 1 item"),
    ({"orderItems": [{}] * 1001}, "orderItems must have at most 1000 items"),
    ({"shippingType": "a1"}, "shippingType must be a word of letters, spaces, _ or -, at most 40 characters"),
    ({"shippingMethod": "x" * 41}, "shippingMethod must be a word of letters, spaces, _ or -, at most 40 characters"),
    ({"additionalData": {"shoeSize": 44}}, "additionalData.shoeSize is not known to PLANPAY_AU"),
    ({"additionalData": {"providerData": "x"}}, "additionalData.providerData must be a object"),
    ({"dynamicRedirectUrl": "YOUR_URL"}, "dynamicRedirectUrl must be a valid HTTPS URL"),
    ({"dynamicRedirectUrl": "http://shop.example/"}, "dynamicRedirectUrl must be a valid HTTPS URL"),
    ({"dynamicRedirectUrl": "javascript:alert(1)"}, "dynamicRedirectUrl must be a valid HTTPS URL"),
    ({"dynamicCallbackUrl": "https://u:p@shop.example/"}, "dynamicCallbackUrl must not carry a user name or password"),
    ({"dynamicCallbackUrl": "https://shop.example/ x"}, "dynamicCallbackUrl must be a valid HTTPS URL"),
    ({"cancellationTimeout": 0}, "cancellationTimeout must be greater than or equal to 1"),
    ({"cancellationTimeout": 31_536_001}, "cancellationTimeout must be less than or equal to 31536000"),
    ({"checkoutSessionTimeout": -1}, "checkoutSessionTimeout must be greater than or equal to 1"),
    ({"sessionId": "abc"}, "sessionId must be a UUID"),
    ({"sessionId": "1-2345678123456781234567812345678---"}, "sessionId must be a UUID"),
    ({"bnplProvider": "NOBODY"}, "bnplProvider must be one of the names that GET /options returns"),
    ({"customerToken": "x" * 8193}, "customerToken must have at most 8192 characters"),
    ({"token": "tok_x"}, "customerPresent is required when token is given"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "fault"), BROKEN, ids=lambda value: str(value)[:40])
async def test_a_rule_that_is_broken_is_told_by_field_and_rule(
    change: dict[str, Any], fault: str, merchant: Merchant
) -> None:
    body = merchant.order("PLANPAY_AU") | change
    answer = await merchant.post("/orders", body)
    assert (answer.status, answer.body["error"]) == (400, "Bad Request")
    assert any(said.startswith(fault) for said in answer.body["message"]), answer.body["message"]


ONE_FAULT: list[tuple[str, dict[str, Any], str]] = [
    ("PAYPAL", {"token": "tok_x", "customerPresent": "x"}, "customerPresent must be true or false"),
    ("PLANPAY_AU", {"orderAmount": 110, "shippingAmount": "10"}, "shippingAmount must be a number"),
    ("PLANPAY_AU", {"orderAmount": 110, "taxAmount": "10"}, "taxAmount must be a number"),
    ("PLANPAY_AU", {"orderAmount": 90, "discountAmount": "10"}, "discountAmount must be a number"),
    ("PLANPAY_AU", {"orderItems": [{"name": "x"}, 1]}, "orderItems.0."),
    ("AFTERPAY_AU", {"customer": "Ada"}, "customer must be an object"),
    ("AFTERPAY_AU", {"billingAddress": "here"}, "billingAddress must be an object"),
    ("BNPP", {"purchaseCurrency": "yen", "orderAmount": 6, **item(unitPrice=Decimal("0.5"), quantity=11, totalAmount=6)},
     "purchaseCurrency must be"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "change", "fault"), ONE_FAULT)
async def test_nothing_is_concluded_from_a_field_that_is_wrong_by_itself(
    code: str, change: dict[str, Any], fault: str, merchant: Merchant
) -> None:
    answer = await merchant.post("/orders", merchant.order(code) | change)
    assert answer.status == 400
    field = fault.split(" ")[0].split(".")[0]
    assert answer.body["message"][0].startswith(fault), answer.body["message"]
    assert all(said.startswith(field) for said in answer.body["message"]), answer.body["message"]


async def test_a_fault_names_no_currency_where_none_is_known(merchant: Merchant) -> None:
    body = merchant.order("PLANPAY_AU", purchaseCurrency=None, shippingAmount=Decimal("0.001"))
    said = (await merchant.post("/orders", body)).body["message"]
    assert "shippingAmount must have at most 2 decimals" in said


CODES: list[tuple[str, dict[str, Any], str]] = [
    ("PLANPAY_AU", {"orderAmount": 1}, "amount_mismatch"),
    ("PLANPAY_AU", {"channel": "nowhere"}, "unknown_channel"),
    ("PLANPAY_AU", {"bnplProvider": "NOBODY"}, "provider_not_available"),
    ("AFTERPAY_AU", {"getToken": True}, "not_supported"),
    ("AFTERPAY_AU", {"token": "tok_x", "customerPresent": False}, "not_supported"),
    ("LATITUDEPAY_AU", {"autoCapture": False}, "not_supported"),
    ("PLANPAY_AU", {"locale": "?"}, "validation_failed"),
]


@pytest.mark.parametrize(("code", "change", "word"), CODES)
async def test_a_fault_has_its_stable_word(code: str, change: dict[str, Any], word: str, merchant: Merchant) -> None:
    answer = await merchant.post("/orders", merchant.order(code) | change)
    assert (answer.status, answer.body["code"]) == (400, word), answer.body
    assert len(answer.body["message"]) == 1


async def test_faults_of_every_kind_are_told_at_once(merchant: Merchant, holds: Holds) -> None:
    body = merchant.order("AFTERPAY_AU") | {
        "locale": "?", "orderAmount": 7, "taxAmount": "x", "autoCapture": "no", "getToken": True, "sessionId": "x",
        "dynamicCallbackUrl": "http://x.y/", "dynamicRedirectURL": 5, "channel": "nowhere", "purchaseCurrency": "USD",
        "additionalData": {"x": 1}, "cancellationTimeout": 0, "orderItems": [{"quantity": 0}, ITEM | {"unitPrice": 99}],
    }  # fmt: skip
    del body["customer"]["email"]
    answer = await merchant.post("/orders", body)
    assert (answer.status, answer.body["code"]) == (400, "validation_failed")
    holds("Error", answer.body)
    for path in (
        "locale", "taxAmount", "autoCapture", "sessionId", "dynamicCallbackUrl", "channel", "cancellationTimeout",
        "orderItems.0.name", "orderItems.0.quantity", "orderItems.0.unitPrice", "orderItems.0.totalAmount", "customer.email",
    ):  # fmt: skip
        assert any(said.startswith(f"{path} ") for said in answer.body["message"]), (path, answer.body["message"])


async def test_a_field_that_is_wrong_under_both_its_spellings_is_a_400(merchant: Merchant) -> None:
    for names in (("dynamicRedirectUrl", "dynamicRedirectURL"), ("checkoutSessionTimeout", "checkoutTimeout")):
        answer = await merchant.post("/orders", merchant.order("PLANPAY_AU") | {name: ["x"] for name in names})
        assert answer.status == 400
        assert [said.split(" ")[0] for said in answer.body["message"]] == list(names)


TAKEN: list[dict[str, Any]] = [
    {"locale": "en-US"}, {"locale": "ja"}, {"locale": "de_DE_formal"}, {"locale": "pt_PT_ao90"},
    {"orderReference": "a b+c?d#e&f=g%h"}, {"orderReference": "Bestellung-ä-注文"}, {"orderReference": "x" * 128},
    {"shippingMethod": "store pick-up", "shippingType": "normal"}, {"shippingMethod": "by carrier pigeon"},
    {"customerToken": ""}, {"shippingAddress": ""}, {"shippingAddress": None}, {"taxAmount": None}, {"taxAmount": ""},
    {"token": "", "channel": "", "sessionId": "", "dynamicCallbackUrl": "", "additionalData": ""},
    {"cancellationTimeout": 2880}, {"cancellationTimeout": 31_536_000, "checkoutSessionTimeout": 1},
    {"checkoutTimeout": 60}, {"additionalData": {"providerData": {"a": [1, None, "ä"]}}}, {"additionalData": {}},
    {"partnerConfiguration": {"depth": {"of": [1.5, True]}}}, {"getToken": True}, {"autoCapture": False},
    {"customerPresent": True}, {"sessionId": "123E4567-E89B-12D3-A456-426614174000"}, {"partnerOrderReference": "P 1"},
    {"dynamicRedirectURL": "https://shop.example/r"}, {"dynamicRedirectUrl": "http://127.0.0.1:9/back"},
    {"dynamicRedirectUrl": "https://shop.example/?wc-api=optty_gateway"}, {"something": {"else": "\0"}, "more": 1e300},
    item(sku=""), item(sku=None), item(unitPrice=Decimal("100.0000"), quantity=Decimal("1.0")), item(title="x", type="Flights"),
    item(quantity=3, unitPrice=Decimal("33.333333"), totalAmount=100),
    {"discountAmount": Decimal("10.00"), "shippingAmount": Decimal("7.5"), "taxAmount": Decimal("2.5")},
]  # fmt: skip


@pytest.mark.parametrize("change", TAKEN, ids=lambda value: str(value)[:50])
async def test_what_the_rules_allow_is_taken(change: dict[str, Any], merchant: Merchant, holds: Holds) -> None:
    body = {**merchant.order("PLANPAY_AU"), **change}
    answer = await merchant.post("/orders", body)
    assert answer.status == 201, answer.body
    holds("CreatedOrder", answer.body)
    assert answer.body["orderReference"] == body["orderReference"]
    assert (answer.body["orderAmount"], answer.body["paymentStatus"]) == (100, "pending")
    assert answer.body["redirectUrl"].startswith("http")


MONEY: list[tuple[str, str, str, int]] = [
    ("JPY", "10", "10", 201), ("JPY", "10.5", "10.5", 400), ("KWD", "10.12", "10.12", 201), ("KWD", "10.125", "10.125", 400),
    ("AUD", "0.01", "0.01", 400), ("AUD", "10.10", "10.1", 201),
]  # fmt: skip


@pytest.mark.parametrize(("currency", "total", "unit", "status"), MONEY)
async def test_an_amount_has_no_more_decimals_than_two_and_its_currency(
    currency: str, total: str, unit: str, status: int, merchant: Merchant
) -> None:
    body = merchant.order("BNPP", total, purchaseCurrency=currency) | item(
        unitPrice=Decimal(unit), totalAmount=Decimal(total)
    )
    assert (await merchant.post("/orders", body)).status == status


async def test_a_line_is_rounded_half_up_to_the_minor_unit(merchant: Merchant) -> None:
    for currency, unit, quantity, total in (("AUD", "0.125", 101, "12.63"), ("JPY", "0.5", 11, "6")):
        body = merchant.order("BNPP", total, purchaseCurrency=currency) | item(
            unitPrice=Decimal(unit), quantity=quantity, totalAmount=Decimal(total)
        )
        answer = await merchant.post("/orders", body)
        assert answer.status == 201, answer.body


async def test_required_fields_of_a_provider_are_exactly_what_the_order_needs(merchant: Merchant) -> None:
    option = next(
        o for o in (await merchant.get("/options?amount=100&currency=AUD")).body if o["name"] == "AFTERPAY_AU"
    )
    for path in option["requiredFields"]:
        body = from_json(to_json(merchant.order("AFTERPAY_AU")))
        holder, name = path.split(".")
        body[holder][name] = ""
        answer = await merchant.post("/orders", body)
        assert (answer.status, answer.body["message"]) == (400, [f"{path} is required by AFTERPAY_AU"])


async def test_the_specifications_own_sample_is_taken(merchant: Merchant, installation: Installation) -> None:
    who = {
        "firstName": "Your FirstName",
        "lastName": "Your LastName",
        "email": "shopper@example.com",
        "phoneNumber": "(415) 200-0000",
    }
    address = who | {
        "streetAddress": "Your Address", "streetAddress2": "Your Address2", "city": "Sydney", "country": "AU",
        "region": "Oceanian", "postalCode": "2000", "state": "NSW",
    }  # fmt: skip
    body = {
        "bnplProvider": "LATITUDEPAY_AU", "locale": "en_AU", "customerToken": "", "orderReference": "LP000_OrderID",
        "orderAmount": Decimal("144.89"), "taxAmount": Decimal("6.9"), "shippingAmount": Decimal("7.99"), "discountAmount": 0,
        "purchaseCountry": "AU", "purchaseCurrency": "AUD",
        "orderItems": [ITEM | {"name": "Optty Striped Dress Shirt", "sku": "69309284M-1", "unitPrice": 130, "totalAmount": 130}],
        "customer": who, "billingAddress": address, "shippingAddress": address, "shippingType": "normal",
        "shippingMethod": "store pick-up", "dynamicRedirectUrl": "https://shop.example/return",
        "dynamicCallbackUrl": "https://shop.example/callback", "cancellationTimeout": 2880,
    }  # fmt: skip
    answer = await merchant.post("/orders/", body)
    assert (answer.status, answer.body["orderAmount"]) == (201, Decimal("144.89"))
    literal = body | {"orderReference": "LP001", "dynamicRedirectUrl": "YOUR_URL", "dynamicCallbackUrl": "YOUR_URL"}
    refused = await merchant.post("/orders/", literal)
    assert refused.body["message"] == [
        "dynamicRedirectUrl must be a valid HTTPS URL", "dynamicCallbackUrl must be a valid HTTPS URL",
    ]  # fmt: skip
