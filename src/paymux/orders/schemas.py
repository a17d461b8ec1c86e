"""The bodies of the Merchant API: `create-order.md` field by field, and the operations (E2, E6, M1, M2)."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import pycountry
from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from paymux.money import is_currency
from paymux.orders.errors import BodyFaults

MAX_ITEMS = 1000
MAX_AMOUNT = Decimal("1000000000")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[_-][A-Za-z0-9]{2,8}){0,3}")
_WORD = re.compile(r"[A-Za-z][A-Za-z _-]{0,39}")


def _fault(message: str) -> PydanticCustomError:
    return PydanticCustomError("rule", "{message}", {"message": message})


def _absent(value: Any) -> Any:
    return None if value == "" else value


def _text(value: str) -> str:
    if _CONTROL.search(value):
        raise _fault("must not contain control characters")
    return value


def _reference(value: str) -> str:
    if not 1 <= len(value) <= 128:
        raise _fault("must be 1 to 128 characters long")
    if (
        _CONTROL.search(value)
        or any(ord(c) < 32 for c in value)
        or "/" in value
        or "\\" in value
        or value in (".", "..")
    ):
        raise _fault("must not contain control characters, / or \\, and not be . or ..")
    return value


def _amount(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _fault("must be a number")
    number = Decimal(value)
    if not number.is_finite():
        raise _fault("must be a finite number")
    if number < 0 or (number == 0 and number.is_signed()):
        raise _fault("must be at least 0")
    if number > MAX_AMOUNT:
        raise _fault(f"must be at most {MAX_AMOUNT}")
    return number


def _decimals(places: int) -> Any:
    def check(value: Decimal) -> Decimal:
        exponent = value.normalize().as_tuple().exponent
        if isinstance(exponent, int) and -exponent > places:
            raise _fault(f"must have at most {places} decimals")
        return value

    return check


def _positive(value: Decimal) -> Decimal:
    if value <= 0:
        raise _fault("must be greater than 0")
    return value


def _whole(value: Any) -> Any:
    if isinstance(value, Decimal) and value == value.to_integral_value() and abs(value) < 10**15:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _fault("must be a whole number")
    return value


def _country(value: str) -> str:
    if len(value) != 2 or pycountry.countries.get(alpha_2=value) is None or not value.isupper():
        raise _fault("must be a valid ISO31661 Alpha2 code")
    return value


def _currency(value: str) -> str:
    if not is_currency(value):
        raise _fault("must be a valid ISO4217 currency code")
    return value


def _locale(value: str) -> str:
    if not _LOCALE.fullmatch(value):
        raise _fault("must be a locale such as en_US or en-US")
    return value


def _session(value: str) -> str:
    try:
        return str(uuid.UUID(value if len(value) == 36 else "no"))
    except ValueError:
        raise _fault("must be a UUID") from None


def _word(value: str) -> str:
    if not _WORD.fullmatch(value):
        raise _fault("must be a word of letters, spaces, _ or -, at most 40 characters")
    return value


Text = Annotated[str, Field(max_length=1000), AfterValidator(_text)]
Optional = BeforeValidator(_absent)
OptionalText = Annotated[Text | None, Optional]
Reference = Annotated[str, AfterValidator(_reference)]
Amount = Annotated[Decimal, BeforeValidator(_amount), AfterValidator(_decimals(2))]
UnitPrice = Annotated[Decimal, BeforeValidator(_amount), AfterValidator(_decimals(6))]
PositiveAmount = Annotated[Decimal, BeforeValidator(_amount), AfterValidator(_decimals(2)), AfterValidator(_positive)]
Whole = Annotated[int, BeforeValidator(_whole)]
Country = Annotated[str, AfterValidator(_country)]
Seconds = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=31_536_000)]


class Body(BaseModel):
    """A request body: camelCase, unknown fields ignored, wrong types refused."""

    model_config = ConfigDict(strict=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, frozen=True)


class OrderItem(Body):
    """One line: quantity x unitPrice = totalAmount, exact (M2)."""

    name: Annotated[Text, Field(min_length=1)]
    quantity: Annotated[Whole, Field(ge=1, le=1_000_000)]
    sku: OptionalText = None
    unit_price: UnitPrice
    total_amount: Amount


class Customer(Body):
    """All four keys must be there; which must be filled is the provider's `requiredFields` (E2)."""

    first_name: Text
    last_name: Text
    email: Text
    phone_number: Text


class OrderAddress(Body):
    first_name: OptionalText = None
    last_name: OptionalText = None
    email: OptionalText = None
    phone_number: OptionalText = None
    street_address: OptionalText = None
    street_address2: OptionalText = Field(None, alias="streetAddress2")
    city: OptionalText = None
    country: Annotated[Country | None, Optional] = None
    state: OptionalText = None
    region: OptionalText = None
    postal_code: OptionalText = None


class CreateOrder(Body):
    """The body of `POST /orders`: `create-order.md`."""

    order_reference: Reference
    bnpl_provider: Annotated[Text, Field(min_length=1, max_length=64)]
    purchase_country: Country
    purchase_currency: Annotated[str, AfterValidator(_currency)]
    locale: Annotated[str, AfterValidator(_locale)]
    shipping_amount: Annotated[Amount | None, Optional] = None
    discount_amount: Annotated[Amount | None, Optional] = None
    tax_amount: Annotated[Amount | None, Optional] = None
    order_amount: Amount
    order_items: Annotated[list[OrderItem], Field(min_length=1, max_length=MAX_ITEMS)]
    customer: Customer
    billing_address: OrderAddress
    shipping_address: Annotated[OrderAddress | None, Optional] = None
    shipping_type: Annotated[Annotated[str, AfterValidator(_word)] | None, Optional] = None
    shipping_method: Annotated[Annotated[str, AfterValidator(_word)] | None, Optional] = None
    auto_capture: Annotated[bool | None, Optional] = None
    additional_data: Annotated[dict[str, Any] | None, Optional] = None
    dynamic_redirect_url: OptionalText = Field(
        None, validation_alias=AliasChoices("dynamicRedirectUrl", "dynamicRedirectURL")
    )
    dynamic_callback_url: OptionalText = Field(
        None, validation_alias=AliasChoices("dynamicCallbackUrl", "dynamicCallbackURL")
    )
    cancellation_timeout: Annotated[Seconds | None, Optional] = None
    checkout_session_timeout: Annotated[Seconds | None, Optional] = Field(
        None, validation_alias=AliasChoices("checkoutSessionTimeout", "checkoutTimeout")
    )
    partner_configuration: Annotated[dict[str, Any] | None, Optional] = None
    get_token: Annotated[bool | None, Optional] = None
    token: OptionalText = None
    customer_present: Annotated[bool | None, Optional] = None
    channel: OptionalText = None
    session_id: Annotated[Annotated[str, AfterValidator(_session)] | None, Optional] = None
    partner_order_reference: Annotated[Reference | None, Optional] = None
    customer_token: Annotated[Annotated[str, Field(max_length=8192), AfterValidator(_text)] | None, Optional] = None


class CaptureOrder(Body):
    capture_reference: Reference
    amount: PositiveAmount
    description: OptionalText = None


class VoidOrder(Body):
    void_reference: Reference
    amount: PositiveAmount
    description: OptionalText = None


class RefundAmount(Body):
    amount: PositiveAmount
    currency: Annotated[Annotated[str, AfterValidator(_currency)] | None, Optional] = None


class RefundOrder(Body):
    refund_reference: Reference
    refund_amount: RefundAmount
    refund_description: OptionalText = None


class CancelOrder(Body):
    description: OptionalText = None


B = TypeVar("B", bound=Body)
_KINDS = {
    "missing": "is required",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "list_type": "must be an array",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}


def faults_of(fault: ValidationError) -> list[str]:
    """Every fault as `field.path sentence`, in the order of the model."""
    found = []
    for error in fault.errors(include_url=False, include_input=False):
        path = ".".join(str(part) for part in error["loc"] if not str(part).startswith(("function-", "nullable")))
        found.append(f"{path or 'body'} {_KINDS.get(error['type']) or _lower(error['msg'])}")
    return found


def _lower(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return "must " + message.split("should ", 1)[1] if "should " in message else message


def read_body(model: type[B], raw: object) -> B:
    """The validated body. Raises BodyFaults with every fault at once (E2)."""
    if not isinstance(raw, dict):
        raise BodyFaults(["body must be a JSON object"])
    try:
        return model.model_validate(raw)
    except ValidationError as fault:
        raise BodyFaults(faults_of(fault)) from None
