"""Real examples for the API document: bodies that an installation started from the README accepts, and its answers."""

from __future__ import annotations

from typing import Any

_ADDRESS = {
    "firstName": "Ada", "lastName": "Byron", "email": "ada@shop.example", "phoneNumber": "+61400000000",
    "streetAddress": "1 High Street", "streetAddress2": "", "city": "Sydney", "country": "AU", "region": "NSW",
    "postalCode": "2000", "state": "NSW",
}  # fmt: skip

_STATE = {
    "merchantReference": "ORD-2026-001234", "orderReference": "ORD-2026-001234", "status": "SUCCESSFUL", "amount": 144.89,
    "surcharge": 0, "currency": "AUD", "provider": "LATITUDEPAY_AU", "updatedAt": "2026-11-24T14:32:01.004Z",
    "failureReason": None, "bnplOrderId": "5d47c4a0", "transactionReference": "40ca337c3b", "rejectReason": None,
    "partnerConfiguration": {}, "cancelledBy": None, "captureStatus": "CAPTURED",
}  # fmt: skip
_DETAILS = _STATE | {
    "amount": "144.89", "surcharge": "0", "orderId": "ord_01m85f90b2e729x8dvzm9svsfr", "capturedAmount": "144.89",
    "voidedAmount": "0", "expiredAmount": "0", "refundedAmount": "10", "authorizedUntil": None,
    "transactionHistory": [
        {"transactionId": "4763fb55-92f2-4a5c-8f2e-5b4d1d1f2f10", "status": "INITIATED", "createdAt": "2026-11-24T14:30:36.166Z"},
        {"transactionId": "3df88423-7c0e-4f0e-9f63-0a1c7d5b1d22", "status": "PENDING", "createdAt": "2026-11-24T14:30:37.020Z"},
        {"transactionId": "e9f42b19-1a1b-4c53-8a52-6f0c8d6f7a31", "status": "SUCCESSFUL", "createdAt": "2026-11-24T14:32:01.004Z"},
    ],
    "refunds": [
        {"refundId": "REF-1", "amount": "10", "currency": "AUD", "status": "SUCCESSFUL", "createdAt": "2026-11-24T14:40:20.311Z",
         "initiator": "MERCHANT", "providerId": "rf-1", "failureReason": None, "needsReview": False, "refundReason": "Returned",
         "refundFailureReason": ""},
    ],
    "orderCaptures": [
        {"captureId": "sale", "amount": "144.89", "currency": "AUD", "status": "SUCCESSFUL", "initiator": "SYSTEM",
         "createdAt": "2026-11-24T14:32:01.004Z", "providerId": "5d47c4a0", "failureReason": None, "needsReview": False},
    ],
    "orderVoids": [], "needsReview": None, "nextStep": None,
}  # fmt: skip

BODIES: dict[str, Any] = {
    "create_token": {
        "client_id": "demo-merchant", "client_secret": "demo-secret", "grant_type": "client_credentials", "scope": "api-user",
        "response_type": "token",
    },
    "create_customer_session": {"customerIdentifier": "anonymous"},
    "move_clock": {"advance": 60},
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
    "get_order": _STATE, "get_order_details": _DETAILS, "order_details": _DETAILS,
    "cancel_order": _STATE | {"status": "CANCELED", "cancelledBy": "MERCHANT", "captureStatus": None},
    "create_token": {"access_token": "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJkZW1vIn0.c2ln", "expires_in": 86400, "token_type": "Bearer",
                     "scope": "api-user"},
    "create_customer_session": {"token": "eyJhbGciOiJIUzI1NiJ9.eyJtZXJjaGFudElkIjoibWVyIn0.c2ln", "ttl": 604800},
    "move_clock": {"now": "2026-11-24T14:31:36.166Z", "offset": 60},
    "get_options": [
        {
            "terms": "10 interest-free payments of AUD 14.48, one every week, with LatitudePay.", "name": "LATITUDEPAY_AU",
            "title": "LatitudePay", "imageUrl": "http://127.0.0.1:8080/images/providers/LATITUDEPAY_AU.svg",
            "instalment": {"rate": {"amount": 14.48, "currency": "AUD"}, "termDuration": 10, "termUnit": "weeks"},
            "monthlyCost": {"amount": 62.96, "currency": "AUD"}, "weeklyCost": {"amount": 14.48, "currency": "AUD"},
            "termDurationInMonths": 2.3, "termDurationInWeeks": 10, "recommended": False,
            "checkoutConfig": {
                "content": "", "iframeUrl": "",
                "button": {"type": "global", "text": "Checkout", "color": "#FFFFFF", "background": "#0E77C6",
                           "position": "left", "size": "small"},
                "termsCondition": {"type": "none", "content": "", "linkText": "Terms & Condition"},
            },
            "currency": "AUD", "minAmount": "20", "maxAmount": "1500", "priority": "24", "interestRate": "0",
            "lateFeesAllowed": False, "customerFeesAllowed": False, "interestRateAllowed": False, "ratings": 0,
            "ratingsAvailabilityStatus": False, "requiredFields": ["customer.email"], "verified": True,
        },
    ],
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
