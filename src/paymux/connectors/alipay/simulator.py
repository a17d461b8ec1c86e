"""Alipay's global gateway as its merchants see it, from its documentation and its official library."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from paymux.connectors.alipay.rules import No, amount, check_pay, check_signature, identifier, key_of
from paymux.connectors.alipay.sandbox_keys import MERCHANT_KEY, PROVIDER_KEY
from paymux.money import minor_units
from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body

_CLIENT = "SANDBOX_5YPAYMUX000000001"
_MERCHANT, _PROVIDER = key_of(MERCHANT_KEY), key_of(PROVIDER_KEY)
_PUBLIC = _PROVIDER.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
_OPEN_FOR = timedelta(minutes=14)
_API = "/ams/sandbox/api/v1/payments/"
_DECISIONS: dict[Outcome, tuple[str, str, str]] = {
    "approve": ("SUCCESS", "SUCCESS", "success."),
    "decline": ("FAIL", "USER_BALANCE_NOT_ENOUGH", "The balance of the user is not enough."),
    "error": ("FAIL", "PROCESS_FAIL", "A general business failure occurred."),
    "pending": ("PENDING", "PAYMENT_IN_PROCESS", "The payment is being processed."),
}

Call = Callable[[web.Request, dict[str, Any]], Awaitable[dict[str, Any]]]


class AlipaySimulator(Simulator):
    """Wallet payments that are made when the shopper agrees, refunds, cancelling, signed notifications."""

    credentials: ClassVar[Mapping[str, str]] = {
        "client_id": _CLIENT,
        "private_key": MERCHANT_KEY,
        "alipay_public_key": base64.b64encode(_PUBLIC).decode(),
    }
    acknowledgement = '{"result": {"resultCode": "SUCCESS", "resultStatus": "S", "resultMessage": "Success"}}'

    def routes(self) -> list[Route]:
        """The gateway's calls, alike in every region, and the sandbox's own."""
        calls: tuple[tuple[str, Call, str | None], ...] = (
            ("pay", self._pay, "create"), ("inquiryPayment", self._inquiry, "status"),
            ("cancel", self._cancel, "cancel"), ("refund", self._refund, "refund"),
            ("inquiryRefund", self._inquiry_refund, "status"),
        )  # fmt: skip
        return [
            Route("POST", _API + name, self._signed(_API + name, call), operation, host)
            for host in ("api", "na", "eu")
            for name, call, operation in calls
        ] + [Route("POST", "/sandbox/provider-refund", self._provider_refund)]

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """Decide in the wallet. Whoever turns back leaves the payment open until it closes itself."""
        self._age(case)
        self._decide(case, outcome)
        return str(case.data["redirect"])

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide without a browser."""
        self._age(case)
        self._decide(case, outcome)

    def _decide(self, case: Case, outcome: Outcome) -> None:
        if not case.waiting or outcome not in _DECISIONS:
            return
        case.status, case.data["code"], case.data["message"] = _DECISIONS[outcome]
        case.waiting = case.status == "PENDING"
        if case.status == "SUCCESS":
            self.save(case, ("authorize", case.amount, case.id), ("capture", case.amount, case.id))
        else:
            self.save(case)
        self._notify(case)

    def _age(self, case: Case) -> None:
        """A payment that nobody made in time is closed, and that is told, too."""
        if case.status == "PROCESSING" and self.now >= datetime.fromisoformat(case.data["closes"]):
            case.status, case.waiting = "FAIL", False
            case.data |= {"code": "ORDER_IS_CLOSED", "message": "The order is closed."}
            self.save(case)
            self._notify(case)

    def _notify(self, case: Case) -> None:
        pending = case.status == "PENDING"
        status = "S" if pending or case.status == "SUCCESS" else "F"
        body: dict[str, Any] = {
            "notifyType": "PAYMENT_PENDING" if pending else "PAYMENT_RESULT",
            "result": _result(status, case.data["code"], case.data["message"]),
            "paymentRequestId": case.data["request_id"], "paymentId": case.id, "paymentAmount": _amount(case),
            "paymentCreateTime": case.data["created"],
        }  # fmt: skip
        if case.status == "SUCCESS":
            body["paymentTime"] = self._time()
        content, parts = to_json(body).encode(), urlsplit(case.data["notify"])
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        time = self._time()
        headers = {"Content-Type": "application/json; charset=UTF-8", "Client-Id": _CLIENT, "Request-Time": time}
        self.send_event(case, case.data["notify"], content, headers | {"Signature": _sign(path, time, content)})

    # -- the calls ----------------------------------------------------------------------------

    async def _pay(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        value, currency = check_pay(body)
        request_id = identifier(body, "paymentRequestId")
        case = self.case(request_id)
        if case is None:
            case = self.new_case(
                request, id=f"{self.now:%Y%m%d}{self.token(12)}", amount=value.scaleb(-minor_units(currency)),
                currency=currency, reference=body["order"]["referenceOrderId"], account=_CLIENT, names=(request_id,),
                status="PROCESSING", title=f"Alipay ({body['paymentMethod']['paymentMethodType']})",
                data={
                    "request_id": request_id, "created": self._time(), "closes": (self.now + _OPEN_FOR).isoformat(),
                    "redirect": body["paymentRedirectUrl"], "notify": body["paymentNotifyUrl"], "refunds": {},
                    "wallet": body["paymentMethod"]["paymentMethodType"], "code": "PAYMENT_IN_PROCESS",
                    "message": "The payment is being processed.",
                },
            )  # fmt: skip
            self.save(case)
        elif _amount(case) != body["paymentAmount"]:
            raise No("REPEAT_REQ_INCONSISTENT", "Repeated requests are inconsistent.")
        return {
            "result": _result("U", "PAYMENT_IN_PROCESS", "payment in process"), "normalUrl": self.checkout_url(case),
            "paymentRequestId": request_id, "paymentId": case.id, "paymentAmount": _amount(case),
            "paymentCreateTime": case.data["created"],
        }  # fmt: skip

    async def _inquiry(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        case = self._payment(body)
        answer: dict[str, Any] = {
            "result": _result("S", "SUCCESS", "success."), "paymentStatus": case.status,
            "paymentResultCode": case.data["code"], "paymentResultMessage": case.data["message"],
            "paymentRequestId": case.data["request_id"], "paymentId": case.id, "paymentAmount": _amount(case),
            "paymentCreateTime": case.data["created"],
        }  # fmt: skip
        if case.data["refunds"]:
            answer["transactions"] = [
                {
                    "transactionType": "REFUND", "transactionStatus": "SUCCESS", "transactionId": refund["refundId"],
                    "transactionRequestId": request_id, "transactionAmount": refund["refundAmount"],
                    "transactionTime": refund["refundTime"], "transactionResult": refund["result"],
                }
                for request_id, refund in case.data["refunds"].items()
            ]  # fmt: skip
        return answer

    async def _cancel(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        """Close an unpaid payment, or give a paid one back whole. Indonesian wallets can't."""
        case = self._payment(body)
        if case.data["wallet"] == "DANA":
            raise No("PAYMENT_METHOD_NOT_SUPPORTED", "The payment method does not support cancelling.")
        if case.status == "FAIL" or case.data["refunds"]:
            raise No("ORDER_STATUS_INVALID", "The order status is invalid.")
        if case.status != "CANCELLED":
            paid = case.status == "SUCCESS"
            case.status, case.waiting = "CANCELLED", False
            case.data |= {"code": "ORDER_IS_CANCELLED", "message": "The order is cancelled."}
            self.save(case, *([("refund", case.amount, case.id)] if paid else []))
        return {
            "result": _result("S", "SUCCESS", "success."), "paymentId": case.id, "cancelTime": self._time(),
            "paymentRequestId": case.data["request_id"],
        }  # fmt: skip

    async def _refund(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        case, request_id = self._payment(body), identifier(body, "refundRequestId")
        value, currency = amount(body, "refundAmount")
        kept: dict[str, Any] | None = case.data["refunds"].get(request_id)
        if kept is not None:
            if kept["refundAmount"] != body["refundAmount"]:
                raise No("REPEAT_REQ_INCONSISTENT", "Repeated requests are inconsistent.")
            return kept
        if currency != case.currency:
            raise No("CURRENCY_NOT_SUPPORT", "The currency is not supported.")
        return self._refunded(case, value.scaleb(-minor_units(currency)), request_id)

    def _refunded(self, case: Case, amount: Decimal, request_id: str) -> dict[str, Any]:
        if case.status != "SUCCESS":
            raise No("ORDER_STATUS_INVALID", "The order status is invalid.")
        before = sum((Decimal(refund["refundAmount"]["value"]) for refund in case.data["refunds"].values()), Decimal(0))
        if before.scaleb(-minor_units(case.currency)) + amount > case.amount:
            raise No("REFUND_AMOUNT_EXCEED", "The refund amount is more than what is left of the payment.")
        made = {
            "result": _result("S", "SUCCESS", "success."), "refundRequestId": request_id, "paymentId": case.id,
            "refundId": self.token(16), "refundTime": self._time(), "refundAmount": _amount(case, amount),
        }  # fmt: skip
        case.data["refunds"][request_id] = made
        case.names = (*case.names, request_id, str(made["refundId"]))
        self.save(case, ("refund", amount, str(made["refundId"])))
        return made

    async def _inquiry_refund(self, request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
        named = identifier(body, "refundId" if "refundId" in body else "refundRequestId")
        case = self.case(named)
        for request_id, refund in case.data["refunds"].items() if case else ():
            if named in (request_id, refund["refundId"]):
                return {**refund, "refundStatus": "SUCCESS"}
        raise No("ORDER_NOT_EXIST", "The order does not exist.")

    def _payment(self, body: dict[str, Any]) -> Case:
        named = body.get("paymentId") or body.get("paymentRequestId")
        case = self.case(named) if isinstance(named, str) else None
        if case is None:
            raise No("ORDER_NOT_EXIST", "The order does not exist.")
        self._age(case)
        return case

    # -- signatures ---------------------------------------------------------------------------

    def _signed(self, path: str, call: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A call that is signed by the merchant, and whose answer is signed by Alipay, whatever it says."""

        async def handler(request: web.Request) -> web.Response:
            try:
                answer = await call(request, await self._checked(path, request))
            except No as no:
                answer = {"result": _result(no.status, no.code, no.message)}
            content, time = to_json(answer).encode(), self._time()
            # Alipay's own client finds these headers by their exact letters.
            headers = {"client-id": _CLIENT, "response-time": time, "signature": _sign(path, time, content)}
            return web.Response(body=content, content_type="application/json", headers=headers)

        return handler

    async def _checked(self, path: str, request: web.Request) -> dict[str, Any]:
        client, time = request.headers.get("Client-Id", ""), request.headers.get("Request-Time", "")
        if client != _CLIENT:
            raise No("KEY_NOT_FOUND", "The key is not found.")
        message = f"POST {path}\n{client}.{time}.".encode() + await request.read()
        check_signature(_MERCHANT, request.headers.get("Signature", ""), time, message)
        if request.content_type != "application/json":
            raise No("MEDIA_TYPE_NOT_ACCEPTABLE", "The server does not implement the media type.")
        body = await json_body(request)
        if not isinstance(body, dict):
            raise No("PARAM_ILLEGAL", "Illegal parameters exist.")
        return body

    def _time(self) -> str:
        return self.now.astimezone(UTC).isoformat(timespec="seconds")

    # -- the sandbox's own --------------------------------------------------------------------

    async def _provider_refund(self, request: web.Request) -> web.Response:
        """Refund as in Alipay's dashboard, under a request id that is Alipay's own."""
        body = await json_body(request)
        case = self.case(str(body.get("id"))) if isinstance(body, dict) else None
        if case is None:
            return json_answer({"error": "no such payment"}, 404)
        try:
            return json_answer(self._refunded(case, Decimal(str(body.get("amount"))), f"D{self.token(12)}"), 201)
        except (No, InvalidOperation) as no:
            return json_answer({"error": str(no)}, 422)


def _sign(path: str, time: str, content: bytes) -> str:
    message = f"POST {path}\n{_CLIENT}.{time}.".encode() + content
    signature = base64.b64encode(_PROVIDER.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode()
    return f"algorithm=RSA256,keyVersion=1,signature={quote(signature, safe='')}"


def _result(status: str, code: str, message: str) -> dict[str, str]:
    return {"resultStatus": status, "resultCode": code, "resultMessage": message}


def _amount(case: Case, amount: Decimal | None = None) -> dict[str, str]:
    value = (case.amount if amount is None else amount).scaleb(minor_units(case.currency))
    return {"currency": case.currency, "value": str(int(value))}
