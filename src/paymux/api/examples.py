"""Real examples for the API document: bodies that an installation started from the README accepts, and its answers."""

from __future__ import annotations

from typing import Any

_ADDRESS = {
    "firstName": "Ada", "lastName": "Byron", "email": "ada@shop.example", "phoneNumber": "+61400000000",
    "streetAddress": "1 High Street", "streetAddress2": "", "city": "Sydney", "country": "AU", "region": "NSW",
    "postalCode": "2000", "state": "NSW",
}  # fmt: skip

BODIES: dict[str, Any] = {
    "create_order": {
        "orderReference": "ORD-2026-001234", "bnplProvider": "LATITUDEPAY_AU", "purchaseCountry": "AU",
        "purchaseCurrency": "AUD", "locale": "en_AU", "shippingAmount": 7.99, "taxAmount": 6.9, "discountAmount": 0,
        "orderAmount": 144.89,
        "orderItems": [{"name": "Striped shirt", "quantity": 1, "sku": "69309284M-1", "unitPrice": 130, "totalAmount": 130}],
        "customer": {"firstName": "Ada", "lastName": "Byron", "email": "ada@shop.example", "phoneNumber": "+61400000000"},
        "billingAddress": _ADDRESS, "shippingAddress": _ADDRESS,
        "dynamicRedirectUrl": "https://shop.example/return", "cancellationTimeout": 2880,
    },
    "capture_order": {"captureReference": "CAP-1", "amount": 100, "description": "Shipped"},
    "void_order": {"voidReference": "VOID-1", "amount": 44.89},
    "refund_order": {"refundReference": "REF-1", "refundAmount": {"amount": 10, "currency": "AUD"}, "refundDescription": "Returned"},
    "cancel_order": {"description": "Out of stock"},
}  # fmt: skip

ANSWERS: dict[str, Any] = {
    "create_order": {
        "orderId": "ord_01m85f90b2e729x8dvzm9svsfr", "orderToken": "otk_3kN0…", "redirectUrl": "https://app.uat.latitudepay.com/r/NVXIFQBC",
        "bnplProvider": "LATITUDEPAY_AU", "orderReference": "ORD-2026-001234", "orderAmount": 144.89,
        "orderPaymentOption": "buy now pay later", "orderDate": "2026-11-24T14:30:36.166Z", "paymentStatus": "pending",
        "transactionReference": "40ca337c3b",
    },
    "get_order": {
        "merchantReference": "ORD-2026-001234", "orderReference": "ORD-2026-001234", "status": "SUCCESSFUL", "amount": 144.89,
        "surcharge": 0, "currency": "AUD", "provider": "LATITUDEPAY_AU", "updatedAt": "2026-11-24T14:32:01.004Z",
        "failureReason": None, "bnplOrderId": "5d47c4a0", "transactionReference": "40ca337c3b", "rejectReason": None,
        "partnerConfiguration": {}, "cancelledBy": None, "captureStatus": "CAPTURED",
    },
    "capture_order": {
        "captureReference": "CAP-1", "capturedAmount": 100, "captureId": "cap_01m85f", "status": "SUCCESSFUL",
        "description": "Shipped",
    },
    "void_order": {"voidReference": "VOID-1", "amount": 44.89, "voidedId": "void_01m85f", "status": "SUCCESSFUL", "description": ""},
    "refund_order": {
        "refundReference": "REF-1", "bnplProvider": "LATITUDEPAY_AU", "refundedAmount": 10, "refundStatus": "SUCCESSFUL",
        "description": "Returned", "refundDate": "Tue, 24 Nov 2026 14:40:20 GMT", "bnplRefundId": "rf-1",
    },
}  # fmt: skip
