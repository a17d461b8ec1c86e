"""What the simulator demands of a request, and the form of its answers: signature, version, fields, amounts."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, ValidationError, model_validator

from paymux.money import fits, is_currency, minor_units
from paymux.sandbox.simulator import ErrorAnswer, json_answer

CONTRACT = "2026-11-01"
SECRET = "whsec_cGF5bXV4IHNhbmRib3ggZ2VuZXJpYyBwcm92aWRlcg=="  # noqa: S105 - the sandbox's public one
TOLERANCE = 300


class Fail(ErrorAnswer):
    """An answer that is an error of the contract."""


def answer(body: Any, status: int = 200) -> web.Response:
    """An answer of the contract."""
    return json_answer(body, status, {"Paymux-Contract-Version": CONTRACT})


def failure(fault: Fail) -> web.Response:
    """An error answer of the contract."""
    return answer({"error": {"code": fault.code, "message": fault.message}}, fault.status)


def authenticate(request: web.Request, body: bytes, target: str) -> None:
    """Signature, freshness, what it is about, version, and the key of a write. Raises Fail."""
    headers = request.headers
    id, at, given = (headers.get(f"webhook-{part}", "") for part in ("id", "timestamp", "signature"))
    signed = f"v1,{_signature(id, at, body)}".encode()
    if not any(hmac.compare_digest(signed, one.encode("utf-8", "replace")) for one in given.split(" ")):
        raise Fail(401, "unauthorised", "The signature is missing or wrong.")
    if not at.isascii() or not at.isdigit() or abs(time.time() - int(at)) > TOLERANCE:
        raise Fail(401, "unauthorised", "webhook-timestamp is not within five minutes of now.")
    key = headers.get("Idempotency-Key", "")
    meant = hashlib.sha256(f"{request.method}\n{target}\n{key}".encode()).hexdigest()
    if not id.startswith("req_") or not hmac.compare_digest(id.rpartition("_")[2].encode(), meant.encode()):
        raise Fail(401, "unauthorised", "The signature is about another request.")
    if headers.get("Paymux-Contract-Version") != CONTRACT:
        raise Fail(400, "unsupported_version", f"We speak {CONTRACT} only.")
    if request.method == "POST" and not 0 < len(key) <= 100:
        raise Fail(400, "invalid_request", "Idempotency-Key is missing.")


def sign_event(body: bytes, at: datetime, nonce: str) -> Mapping[str, str]:
    """The headers of an event."""
    id, moment = f"evt_{nonce}", str(int(at.timestamp()))
    return {
        "Content-Type": "application/json",
        "Paymux-Contract-Version": CONTRACT,
        "webhook-id": id,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{_signature(id, moment, body)}",
    }


def _signature(id: str, at: str, body: bytes) -> str:
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{id}.{at}.".encode("utf-8", "replace") + body
    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def fingerprint(request: web.Request, body: bytes) -> str:
    """What makes a request the same again: its method, path and body."""
    return hashlib.sha256(f"{request.method} {request.raw_path} ".encode() + body).hexdigest()


def _decimal(decimals: int) -> Callable[[object], Decimal]:
    form = re.compile(rf"(0|[1-9][0-9]{{0,11}})(\.[0-9]{{1,{decimals}}})?", re.ASCII)

    def read(value: object) -> Decimal:
        if not isinstance(value, str) or not form.fullmatch(value):
            raise ValueError("must be a decimal string")
        return Decimal(value)

    return read


Amount = Annotated[Decimal, BeforeValidator(_decimal(4))]
UnitPrice = Annotated[Decimal, BeforeValidator(_decimal(6))]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$", strict=True)]
Word = Annotated[str, Field(strict=True)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$", strict=True)]


class Sum(BaseModel):
    amount: Amount
    currency: Word

    @model_validator(mode="after")
    def _exact(self) -> Sum:
        if not is_currency(self.currency) or not fits(self.amount, minor_units(self.currency)):
            raise ValueError("must be an amount that the currency can hold")
        return self


class Line(BaseModel):
    name: Word
    sku: Word
    quantity: Annotated[int, Field(ge=1, strict=True)]
    unit_price: UnitPrice
    total: Amount


class Human(BaseModel):
    first_name: Word
    last_name: Word
    email: Word
    phone: Word


class Place(Human):
    street: Word
    street2: Word
    city: Word
    state: Word
    region: Word
    postal_code: Word
    country: Word


class Order(BaseModel):
    order_id: Id
    reference: Annotated[str, Field(min_length=1, max_length=128, strict=True)]
    provider: Word
    total: Sum
    capture: Literal["automatic", "manual"]
    items: Annotated[list[Line], Field(min_length=1)]
    shipping: Amount
    tax: Amount
    discount: Amount
    shipping_method: Word
    shipping_type: Word
    customer: Human
    billing_address: Place
    delivery_address: Place | None
    country: Word
    locale: Word
    customer_present: bool | None
    created_at: AwareDatetime
    provider_data: dict[str, Any]

    @model_validator(mode="after")
    def _adds_up(self) -> Order:
        lines: Decimal = sum((line.total for line in self.items), Decimal(0))
        if lines + self.shipping + self.tax - self.discount != self.total.amount:
            raise ValueError("items + shipping + tax - discount must be total")
        return self


class CheckoutUrls(BaseModel):
    success: Url
    cancel: Url
    failure: Url
    events: Url | None = None


class CheckoutOrder(Order):
    save_token: Annotated[bool, Field(strict=True)]
    urls: CheckoutUrls
    expires_at: AwareDatetime


class ChargeUrls(BaseModel):
    events: Url | None = None


class Charge(Order):
    token: Annotated[str, Field(min_length=1, strict=True)]
    urls: ChargeUrls


class MoveOrder(BaseModel):
    amount: Sum
    reference: Word
    description: Word


Form = TypeVar("Form", bound=BaseModel)


def parse(form: type[Form], body: object) -> Form:
    """A request's body in its form. Raises Fail 400."""
    try:
        return form.model_validate(body)
    except ValidationError as fault:
        first = fault.errors()[0]
        raise Fail(400, "invalid_request", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
