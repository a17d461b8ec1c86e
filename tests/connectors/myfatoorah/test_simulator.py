"""The simulator demands what MyFatoorah demands."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.myfatoorah.conftest import Till

INVOICE = {
    "NotificationOption": "LNK", "InvoiceValue": 10.5, "CustomerName": "Ada", "CallBackUrl": "https://shop.example/a",
    "ErrorUrl": "https://shop.example/b", "DisplayCurrencyIso": "KWD", "CustomerReference": "R-1",
}  # fmt: skip


async def test_without_the_token_nothing_is_told(till: Till) -> None:
    assert (await till.call("/v2/SendPayment", INVOICE, "wrong"))[0] == 401


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"InvoiceValue": 0}, "InvoiceValue"),
        ({"InvoiceValue": "10.5"}, "InvoiceValue"),
        ({"NotificationOption": ""}, "NotificationOption"),
        ({"CustomerName": ""}, "CustomerName"),
        ({"CustomerMobile": "123456789012"}, "CustomerMobile"),
        ({"ExpiryDate": "tomorrow"}, "ExpiryDate"),
        ({"InvoiceItems": [{"ItemName": "A", "Quantity": 2, "UnitPrice": 5}]}, "InvoiceItems"),
    ],
)
async def test_a_faulty_invoice_is_refused_naming_the_field(till: Till, change: dict[str, Any], field: str) -> None:
    status, body = await till.call("/v2/SendPayment", INVOICE | change)
    assert (status, body["IsSuccess"], body["ValidationErrors"][0]["Name"]) == (400, False, field)


async def test_an_invoice_is_found_by_the_payment_too(till: Till) -> None:
    held, query = await till.decides("approve")
    status, body = await till.call("/v2/GetPaymentStatus", {"Key": query["paymentId"], "KeyType": "PaymentId"})
    assert (status, str(body["Data"]["InvoiceId"]), body["Data"]["InvoiceStatus"]) == (200, held.session, "Paid")
    assert body["Data"]["InvoiceDisplayValue"] == "100.000 KD"


async def test_an_expired_invoice_can_not_be_paid(till: Till) -> None:
    opened, held = await till.opens()
    till.passes(hours=25)
    await till.counter.shopper(opened.url, "approve")
    assert till.counter.ledger() == []
    _, body = await till.call("/v2/GetPaymentStatus", {"Key": held.session, "KeyType": "InvoiceId"})
    assert body["Data"]["InvoiceStatus"] == "Pending"


async def test_an_unpaid_invoice_is_not_refunded(till: Till) -> None:
    _, held = await till.opens()
    status, _ = await till.call("/v2/MakeRefund", {"Key": held.session, "KeyType": "InvoiceId", "Amount": 1})
    assert status == 400
