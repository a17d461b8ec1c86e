"""MyFatoorah's v2 API as its merchants see it, from its documents and its official library."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, ClassVar

from aiohttp import web

from paymux.platform.database import to_json
from paymux.sandbox.simulator import Case, Outcome, Route, Simulator, json_answer, json_body, read_label, with_query

_LOCAL = timezone(timedelta(hours=3))
_LIFE = timedelta(days=3)
_REVIEW = timedelta(seconds=60)
_SHOWN = {"KWD": ("KD", 3)}
# What the shopper decides: the status of the try to pay, the word in the webhook, an error and its code.
_TRIES: dict[Outcome, tuple[str, str, str | None, str]] = {
    "approve": ("Succss", "SUCCESS", None, ""),
    "decline": ("Failed", "FAILED", "Insufficient funds", "MF003"),
    "cancel": ("Canceled", "CANCELED", "Transaction was cancelled", "MF001"),
    "pending": ("InProgress", "INPROGRESS", None, ""),
    "error": ("Failed", "FAILED", "Gateway error", "MF020"),
}
_REFUND_WORDS = {"approve": "Refunded", "decline": "Canceled"}

Call = Callable[[Any, web.Request], Awaitable[dict[str, Any]]]


class Invalid(Exception):
    """A refusal: a message, and the field that is wrong."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.message, self.field = message, field


class MyFatoorahSimulator(Simulator):
    """One account in Kuwait: invoices, tries to pay them, refunds that the finance team executes, webhooks V2."""

    credentials: ClassVar[Mapping[str, str]] = {
        "api_token": "sandbox-myfatoorah-token",
        "webhook_secret": "sandbox-myfatoorah-webhook-secret",
    }

    def routes(self) -> list[Route]:
        """The calls, and the sandbox's own for what is done in the portal."""
        return [
            Route("POST", "/v2/InitiatePayment", self._called(self._methods)),
            Route("POST", "/v2/SendPayment", self._called(self._send_payment), "create"),
            Route("POST", "/v2/GetPaymentStatus", self._called(self._status), "status"),
            Route("POST", "/v2/MakeRefund", self._called(self._make_refund), "refund"),
            Route("POST", "/v2/GetRefundStatus", self._called(self._refund_status)),
            Route("POST", "/sandbox/portal-refund", self._portal_refund),
            Route("POST", "/sandbox/finance", self._finance),
            Route("POST", "/sandbox/pay-again", self._pay_again),
        ]

    def _called(self, call: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            if request.headers.get("Authorization") != f"Bearer {self.credentials['api_token']}":
                return json_answer({"Message": "Authorization has been denied for this request."}, 401)
            body = await json_body(request)
            try:
                data = await call(body if isinstance(body, dict) else {}, request)
            except Invalid as no:
                faults = [{"Name": no.field, "Error": no.message}] if no.field else None
                message = "Invalid data" if no.field else no.message
                refusal = {"IsSuccess": False, "Message": message, "ValidationErrors": faults, "Data": None}
                return json_answer(refusal, 400)
            return json_answer({"IsSuccess": True, "Message": "", "ValidationErrors": None, "Data": data})

        return handler

    # -- the calls ----------------------------------------------------------------------------

    async def _methods(self, body: dict[str, Any], request: web.Request) -> dict[str, Any]:
        named = (("KNET", "kn", 1), ("VISA/MASTER", "vm", 2))
        return {
            "PaymentMethods": [
                {"PaymentMethodId": id, "PaymentMethodEn": name, "PaymentMethodCode": code, "IsDirectPayment": False,
                 "ServiceCharge": Decimal("0.100"), "TotalAmount": body.get("InvoiceAmount"), "CurrencyIso": "KWD"}
                for name, code, id in named
            ]
        }  # fmt: skip

    async def _send_payment(self, body: dict[str, Any], request: web.Request) -> dict[str, Any]:
        amount = _positive(body, "InvoiceValue")
        if str(body.get("NotificationOption", "")).upper() != "LNK":
            raise Invalid("Only links are sent here", "NotificationOption")
        for field in ("CustomerName", "CallBackUrl", "ErrorUrl"):
            if not isinstance(body.get(field), str) or not body[field].strip():
                raise Invalid(f"{field} is required", field)
        items = body.get("InvoiceItems") or []
        if items and sum(Decimal(item["UnitPrice"]) * item["Quantity"] for item in items) != amount:
            raise Invalid("The items do not sum up to InvoiceValue", "InvoiceItems")
        if len(str(body.get("CustomerMobile", ""))) > 11:
            raise Invalid("CustomerMobile is too long", "CustomerMobile")
        case = self.new_case(
            request, id=str(int(self.token(4), 16) + 10_000_000), amount=amount,
            currency=body.get("DisplayCurrencyIso") or "KWD", reference=str(body.get("CustomerReference") or ""),
            account=self.credentials["api_token"], status="Pending",
            data={
                "asked": body, "until": self._until(body).isoformat(), "tries": [], "refunds": [],
                "events": read_label(request).get("events", ""), "created": self.now.isoformat(),
            },
        )  # fmt: skip
        self.save(case)
        return {
            "InvoiceId": int(case.id), "InvoiceURL": self.checkout_url(case), "UserDefinedField": None,
            "CustomerReference": body.get("CustomerReference"),
        }  # fmt: skip

    def _until(self, body: Mapping[str, Any]) -> datetime:
        said = body.get("ExpiryDate")
        if not said:
            return self.now + _LIFE
        try:
            return datetime.strptime(said, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=_LOCAL)
        except (TypeError, ValueError) as fault:
            raise Invalid("ExpiryDate is no date", "ExpiryDate") from fault

    async def _status(self, body: dict[str, Any], request: web.Request) -> dict[str, Any]:
        case = self._invoice(body, ("InvoiceId", "PaymentId"))
        asked, until = case.data["asked"], datetime.fromisoformat(case.data["until"]).astimezone(_LOCAL)
        return {
            "InvoiceId": int(case.id), "InvoiceStatus": case.status, "InvoiceReference": f"2026{case.id[-6:]}",
            "CustomerReference": asked.get("CustomerReference"), "CreatedDate": case.data["created"][:23],
            "ExpiryDate": f"{until:%B} {until.day}, {until.year}", "ExpiryTime": f"{until:%H:%M:%S}.000",
            "InvoiceValue": case.amount, "Comments": None, "CustomerName": asked["CustomerName"],
            "CustomerMobile": "+965", "CustomerEmail": asked.get("CustomerEmail"), "UserDefinedField": None,
            "InvoiceDisplayValue": _shown(case.amount, case.currency), "DueDeposit": 0,
            "DepositStatus": "Not Deposited", "InvoiceItems": [], "InvoiceTransactions": case.data["tries"],
            "Suppliers": [],
        }  # fmt: skip

    async def _make_refund(self, body: dict[str, Any], request: web.Request) -> dict[str, Any]:
        case = self._invoice(body, ("InvoiceId", "PaymentId"))
        if body.get("CurrencyIso") not in (None, case.currency):
            raise Invalid("CurrencyIso is not the account's", "CurrencyIso")
        refund = self._asked_to_refund(case, _positive(body, "Amount"), body.get("ExternalIdentifier"))
        return {
            "Key": body["Key"], "RefundId": refund["RefundId"], "RefundReference": refund["RefundReference"],
            "RefundInvoiceId": 0, "Amount": refund["Amount"], "Comment": body.get("Comment"),
        }  # fmt: skip

    async def _refund_status(self, body: dict[str, Any], request: web.Request) -> dict[str, Any]:
        case = self._invoice(body, ("InvoiceId",))
        for refund in case.data["refunds"]:
            if refund["RefundStatus"] == "Pending" and self.now >= datetime.fromisoformat(refund["due"]):
                self._execute(case, refund, "Refunded")
        names = ("RefundId", "RefundStatus", "Amount", "RefundReference", "ExternalIdentifier")
        rows = [
            {name: refund[name] for name in names} | {"InvoiceId": int(case.id), "RefundAmount": refund["Amount"]}
            for refund in case.data["refunds"]
        ]
        for row in rows:
            row["Amount"] = row["RefundAmount"] = Decimal(row["Amount"])
        return {"RefundStatusResult": rows}

    def _invoice(self, body: Mapping[str, Any], types: tuple[str, ...]) -> Case:
        if body.get("KeyType") not in types:
            raise Invalid("KeyType is not supported", "KeyType")
        key = str(body.get("Key"))
        case = self.case(key if body["KeyType"] == "InvoiceId" else f"payment:{key}")
        if case is None or not isinstance(body.get("Key"), str):
            raise Invalid("No data match the provided value!")
        return case

    # -- refunds ------------------------------------------------------------------------------

    def _asked_to_refund(self, case: Case, amount: Decimal, key: str | None) -> dict[str, Any]:
        taken = sum(
            (Decimal(one["Amount"]) for one in case.data["refunds"] if one["RefundStatus"] != "Canceled"), Decimal(0)
        )
        if case.status not in ("Paid", "DuplicatePayment") or amount > case.amount - taken:
            raise Invalid("The amount is more than what can be refunded", "Amount")
        number = int(self.token(3), 16) + 100_000
        refund = {
            "RefundId": number, "RefundStatus": "Pending", "Amount": f"{amount:f}",
            "RefundReference": f"2026{number}", "ExternalIdentifier": key, "due": (self.now + _REVIEW).isoformat(),
        }  # fmt: skip
        case.data["refunds"].append(refund)
        self.save(case)
        return refund

    def _execute(self, case: Case, refund: dict[str, Any], word: str) -> None:
        refund["RefundStatus"] = word
        amount, id = Decimal(refund["Amount"]), str(refund["RefundId"])
        self.save(case, *([("refund", amount, id)] if word == "Refunded" else []))
        data = {
            "Refund": {"Id": id, "Status": word.upper(), "Reference": refund["RefundReference"],
                       "ExternalIdentifier": refund["ExternalIdentifier"]},
            "Amount": {"ValueInBaseCurrency": f"{amount:.3f}", "BaseCurrency": "KWD"},
            "ReferencedInvoice": {"Id": case.id},
        }  # fmt: skip
        signed = [
            ("Refund.Id", id), ("Refund.Status", word.upper()), ("Amount.ValueInBaseCurrency", f"{amount:.3f}"),
            ("ReferencedInvoice.Id", case.id),
        ]  # fmt: skip
        self._tell(case, 2, "REFUND_STATUS_CHANGED", data, signed)

    # -- the shopper --------------------------------------------------------------------------

    async def shopper(self, case: Case, outcome: Outcome) -> str:
        """One more try to pay; an invoice that is paid or expired is only left."""
        asked = case.data["asked"]
        if self._open(case):
            self._try(case, outcome)
        good = bool(case.data["tries"]) and case.data["tries"][-1]["TransactionStatus"] in ("Succss", "InProgress")
        payment = case.data["tries"][-1]["PaymentId"] if case.data["tries"] else ""
        return with_query(asked["CallBackUrl" if good else "ErrorUrl"], paymentId=payment, Id=payment)

    async def settle(self, case: Case, outcome: Outcome) -> None:
        """Decide the try that is still running, or make one without a browser."""
        if not case.waiting or outcome == "pending":
            return
        if case.data["tries"] and case.data["tries"][-1]["TransactionStatus"] == "InProgress":
            case.data["tries"].pop()
            self._try(case, outcome)
        elif self._open(case):
            self._try(case, outcome)

    def _open(self, case: Case) -> bool:
        return case.waiting and self.now < datetime.fromisoformat(case.data["until"])

    def _try(self, case: Case, outcome: Outcome) -> None:
        status, word, error, code = _TRIES[outcome]
        payment = f"0707{case.id}{int(self.token(4), 16):010d}"
        value = _shown(case.amount, case.currency).split(" ")[0]
        short = _SHOWN.get(case.currency, (case.currency, 2))[0]
        case.data["tries"].append(
            {
                "TransactionDate": self.now.strftime("%Y-%m-%dT%H:%M:%S.0000000"), "PaymentGateway": "KNET",
                "ReferenceId": payment, "TrackId": f"{self.now:%d-%m-%Y}_{case.id[-7:]}", "TransactionId": payment,
                "PaymentId": payment, "AuthorizationId": payment, "TransactionStatus": status,
                "TransationValue": value, "CustomerServiceCharge": "0.000", "TotalServiceCharge": "0.100",
                "DueValue": value, "PaidCurrency": short, "PaidCurrencyValue": value, "VatAmount": "0.000",
                "IpAddress": "192.0.2.1", "Country": "Kuwait", "Currency": short, "Error": error, "CardNumber": None,
                "ErrorCode": code,
            }
        )  # fmt: skip
        case.names = (*case.names, f"payment:{payment}")
        if outcome == "approve":
            case.status, case.waiting = "DuplicatePayment" if case.status == "Paid" else "Paid", False
            self.save(case, ("authorize", case.amount, payment), ("capture", case.amount, payment))
        else:
            self.save(case)
        if outcome != "pending":
            self._tell_of_payment(case, payment, word)

    def _tell_of_payment(self, case: Case, payment: str, word: str) -> None:
        status = case.status.upper()
        data = {
            "Invoice": {"Id": case.id, "Status": status, "Reference": f"2026{case.id[-6:]}", "UserDefinedField": None,
                        "ExternalIdentifier": None},
            "Transaction": {"Id": payment, "Status": word, "PaymentMethod": "KNET", "PaymentId": payment},
            "Customer": {"Reference": case.data["asked"].get("CustomerReference")},
            "Amount": {"BaseCurrency": "KWD", "ValueInBaseCurrency": f"{case.amount:.3f}"},
        }  # fmt: skip
        signed = [
            ("Invoice.Id", case.id), ("Invoice.Status", status), ("Transaction.Status", word),
            ("Transaction.PaymentId", payment), ("Invoice.ExternalIdentifier", ""),
        ]  # fmt: skip
        self._tell(case, 1, "PAYMENT_STATUS_CHANGED", data, signed)

    def _tell(self, case: Case, code: int, name: str, data: dict[str, Any], signed: list[tuple[str, str]]) -> None:
        """A webhook of version V2, to the address that the merchant entered in the portal."""
        if not case.data["events"]:
            return
        event = {
            "Code": code, "Name": name, "CountryIsoCode": "KWT", "CreationDate": self.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "Reference": f"WH-{self.token(6)}",
        }  # fmt: skip
        text = ",".join(f"{key}={value}" for key, value in signed)
        mac = hmac.new(self.credentials["webhook_secret"].encode(), text.encode(), hashlib.sha256)
        headers = {
            "Content-Type": "application/json", "MyFatoorah-Webhook-Version": "V2",
            "MyFatoorah-Signature": base64.b64encode(mac.digest()).decode(),
        }  # fmt: skip
        self.send_event(case, case.data["events"], to_json({"Event": event, "Data": data}).encode(), headers)

    # -- the sandbox's own --------------------------------------------------------------------

    async def _portal_refund(self, request: web.Request) -> web.Response:
        """A refund that the merchant asks for in the portal, without any key of ours; executed at once."""
        body = await json_body(request)
        case = self.case(str(body["id"]))
        if case is None:
            return json_answer({"error": "no such invoice"}, 404)
        try:
            refund = self._asked_to_refund(case, Decimal(body["amount"]), None)
        except Invalid as no:
            return json_answer({"error": no.message}, 422)
        self._execute(case, refund, "Refunded")
        return json_answer({"refund": refund["RefundId"]}, 201)

    async def _pay_again(self, request: web.Request) -> web.Response:
        """A second payment of an invoice that is paid, as from another window of the shopper's browser."""
        body = await json_body(request)
        case = self.case(str(body["id"]))
        if case is None or case.status != "Paid":
            return json_answer({"error": "no such invoice"}, 404)
        self._try(case, "approve")
        return json_answer({"id": case.id}, 201)

    async def _finance(self, request: web.Request) -> web.Response:
        """The finance team decides on every refund of an invoice that still waits."""
        body = await json_body(request)
        case = self.case(str(body["id"]))
        if case is None:
            return json_answer({"error": "no such invoice"}, 404)
        for refund in case.data["refunds"]:
            if refund["RefundStatus"] == "Pending":
                self._execute(case, refund, _REFUND_WORDS[body["outcome"]])
        return json_answer({"refunds": len(case.data["refunds"])})


def _positive(body: Mapping[str, Any], field: str) -> Decimal:
    amount = body.get(field)
    if type(amount) not in (int, Decimal) or Decimal(str(amount)) <= 0:
        raise Invalid(f"{field} must be above zero", field)
    return Decimal(str(amount))


def _shown(amount: Decimal, currency: str) -> str:
    short, decimals = _SHOWN.get(currency, (currency, 2))
    return f"{amount:,.{decimals}f} {short}"
