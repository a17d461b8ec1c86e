"""The bodies of the Merchant API: an order to create, field by field, and the operations (E2, E6, M1, M2)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import pycountry
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from paymux.money import exact, fits, is_currency
from paymux.orders.errors import BodyFaults

MAX_ITEMS = 1000
MAX_AMOUNT = Decimal("1000000000")
MAX_MAGNITUDE = 100
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_NOT_IN_A_REFERENCE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff/\\]")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
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


def reference_fault(value: str) -> str | None:
    """What is wrong with a reference, as the rest of a sentence; None when it is right (E6)."""
    if not 1 <= len(value) <= 128:
        return "must be 1 to 128 characters long"
    if _NOT_IN_A_REFERENCE.search(value) or value in (".", ".."):
        return "must not contain control characters, / or \\, and not be . or .."
    return None


def _reference(value: str) -> str:
    if fault := reference_fault(value):
        raise _fault(fault)
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
    return number if number else Decimal(0)


def _decimals(places: int) -> Any:
    def check(value: Decimal) -> Decimal:
        if not fits(value, places):
            raise _fault(f"must have at most {places} decimals")
        return exact(value)

    return check


def _positive(value: Decimal) -> Decimal:
    if value <= 0:
        raise _fault("must be greater than 0")
    return value


def _whole(value: Any) -> Any:
    if isinstance(value, Decimal) and value.is_finite() and abs(value) < 10**15 and value == value.to_integral_value():
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
    if not _UUID.fullmatch(value):
        raise _fault("must be a UUID")
    return value


def _free(value: dict[str, Any]) -> dict[str, Any]:
    """A free object: whatever JSON can say, as long as it can be kept and told again."""
    todo: list[Any] = [value]
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            todo += [*part, *part.values()]
        elif isinstance(part, list):
            todo += part
        elif isinstance(part, str) and _CONTROL.search(part):
            raise _fault("must not contain control characters, in any name or text")
        elif isinstance(part, Decimal | int) and not isinstance(part, bool):
            number = Decimal(part)
            if number and (not number.is_finite() or abs(number.adjusted()) > MAX_MAGNITUDE):
                raise _fault(f"must not contain a number beyond 1e{MAX_MAGNITUDE} or below 1e-{MAX_MAGNITUDE}")
    return value


def _word(value: str) -> str:
    if not _WORD.fullmatch(value):
        raise _fault("must be a word of letters, spaces, _ or -, at most 40 characters")
    return value


_AMOUNT = WithJsonSchema({"type": "number", "minimum": 0, "maximum": int(MAX_AMOUNT)})
_POSITIVE = WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": int(MAX_AMOUNT)})

Text = Annotated[str, Field(max_length=1000), AfterValidator(_text)]
Optional = BeforeValidator(_absent)
OptionalText = Annotated[Text | None, Optional]
Reference = Annotated[
    str, AfterValidator(_reference), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 128})
]
Amount = Annotated[Decimal, BeforeValidator(_amount), AfterValidator(_decimals(2)), _AMOUNT]
UnitPrice = Annotated[Decimal, BeforeValidator(_amount), AfterValidator(_decimals(6)), _AMOUNT]
PositiveAmount = Annotated[
    Decimal, BeforeValidator(_amount), AfterValidator(_decimals(2)), AfterValidator(_positive), _POSITIVE
]
Whole = Annotated[int, BeforeValidator(_whole)]
Country = Annotated[str, AfterValidator(_country)]
Currency = Annotated[str, AfterValidator(_currency)]
Word = Annotated[str, AfterValidator(_word)]
Free = Annotated[dict[str, Any], AfterValidator(_free)]
Seconds = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=31_536_000)]


class Body(BaseModel):
    """A request body: camelCase, unknown fields ignored, wrong types refused."""

    model_config = ConfigDict(strict=True, extra="ignore", alias_generator=to_camel, frozen=True)


class OrderItem(Body):
    """One line: quantity x unitPrice = totalAmount, exact, rounded half up to the minor unit (M2)."""

    name: Annotated[Text, Field(min_length=1)]
    quantity: Annotated[Whole, Field(ge=1, le=1_000_000)]
    sku: OptionalText = None
    unit_price: UnitPrice = Field(description="At most 6 decimals.")
    total_amount: Amount = Field(description="quantity x unitPrice, rounded half up to the currency's minor unit.")


class Customer(Body):
    """All four keys must be there; which must be filled is the provider's `requiredFields` (E2)."""

    first_name: Text
    last_name: Text
    email: Text
    phone_number: Text


class OrderAddress(Body):
    """Which fields must be filled is the provider's `requiredFields`, as GET /options says."""

    first_name: OptionalText = None
    last_name: OptionalText = None
    email: OptionalText = None
    phone_number: OptionalText = None
    street_address: OptionalText = None
    street_address2: OptionalText = Field(None, alias="streetAddress2")
    city: OptionalText = None
    country: Annotated[Country | None, Optional] = Field(None, description="ISO 3166 alpha-2.")
    state: OptionalText = None
    region: OptionalText = None
    postal_code: OptionalText = None


class CreateOrder(Body):
    """The body of `POST /orders`."""

    order_reference: Reference = Field(
        description="Your own order id, unique per merchant; the key of all later calls."
    )
    bnpl_provider: Annotated[Text, Field(min_length=1, max_length=64)] = Field(
        description="The `name` of the payment method, as GET /options returned it."
    )
    purchase_country: Country = Field(description="Where the purchase originates, ISO 3166 alpha-2.")
    purchase_currency: Currency = Field(description="ISO 4217; the same as in GET /options.")
    locale: Annotated[str, AfterValidator(_locale)] = Field(description="Language of the checkout: en_US, en-US, ja.")
    shipping_amount: Annotated[Amount | None, Optional] = Field(None, description="At most 2 decimals; default 0.")
    discount_amount: Annotated[Amount | None, Optional] = Field(None, description="Subtracted; at most 2 decimals.")
    tax_amount: Annotated[Amount | None, Optional] = Field(None, description="Part of orderAmount; at most 2 decimals.")
    order_amount: Amount = Field(
        description="sum(orderItems.totalAmount) + shippingAmount + taxAmount - discountAmount, to the cent."
    )
    order_items: Annotated[list[OrderItem], Field(min_length=1, max_length=MAX_ITEMS)]
    customer: Customer
    billing_address: OrderAddress
    shipping_address: Annotated[OrderAddress | None, Optional] = None
    shipping_type: Annotated[Word | None, Optional] = Field(None, description="normal, express, same_day, scheduled, …")
    shipping_method: Annotated[Word | None, Optional] = Field(
        None, description="digital, delivery, pick-up, store, store pick-up, …"
    )
    auto_capture: Annotated[bool | None, Optional] = Field(
        None, description="Default true: capture at once. false: capture later by the capture call."
    )
    additional_data: Annotated[Free | None, Optional] = Field(
        None, description="Fields of the chosen provider only; others are refused."
    )
    dynamic_redirect_url: OptionalText = Field(
        None,
        validation_alias=AliasChoices("dynamicRedirectUrl", "dynamicRedirectURL"),
        description="HTTPS URL to which the shopper returns, whatever the result.",
    )
    dynamic_callback_url: OptionalText = Field(
        None,
        validation_alias=AliasChoices("dynamicCallbackUrl", "dynamicCallbackURL"),
        description="HTTPS URL that gets this order's ORDER_ASYNC_CALLBACK.",
    )
    cancellation_timeout: Annotated[Seconds | None, Optional] = Field(
        None, description="Seconds from creation after which an unpaid order is cancelled."
    )
    checkout_session_timeout: Annotated[Seconds | None, Optional] = Field(
        None,
        validation_alias=AliasChoices("checkoutSessionTimeout", "checkoutTimeout"),
        description="Seconds from the shopper's completion after which a pending order is cancelled.",
    )
    partner_configuration: Annotated[Free | None, Optional] = Field(None, description="Kept and told again as sent.")
    get_token: Annotated[bool | None, Optional] = Field(
        None, description="Make a payment token; it comes with the ORDER_ASYNC_CALLBACK of success."
    )
    token: OptionalText = Field(None, description="Pay with the token of an earlier getToken order.")
    customer_present: Annotated[bool | None, Optional] = Field(None, description="Required with `token`.")
    channel: OptionalText = Field(None, description="Channel alias, the same as in GET /options.")
    session_id: Annotated[Annotated[str, AfterValidator(_session)] | None, Optional] = Field(
        None, description="UUID that links the requests of one payment session."
    )
    partner_order_reference: Annotated[Reference | None, Optional] = None
    customer_token: Annotated[Annotated[str, Field(max_length=8192), AfterValidator(_text)] | None, Optional] = None


class CaptureOrder(Body):
    """`captureReference` is the idempotency key: the same reference and body give the first answer again."""

    capture_reference: Reference
    amount: PositiveAmount
    description: OptionalText = None


class VoidOrder(Body):
    """`voidReference` is the idempotency key: the same reference and body give the first answer again."""

    void_reference: Reference
    amount: PositiveAmount
    description: OptionalText = None


class RefundAmount(Body):
    amount: PositiveAmount
    currency: Annotated[Currency | None, Optional] = Field(None, description="The order's currency.")


class RefundOrder(Body):
    """`refundReference` is the idempotency key: the same reference and body give the first answer again."""

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
    for error in fault.errors(include_url=False):
        path = ".".join(str(part) for part in error["loc"] if not str(part).startswith(("function-", "nullable")))
        found.append(f"{path or 'body'} {_KINDS.get(error['type']) or _length(error) or _lower(error['msg'])}")
    return found


def _length(error: Any) -> str | None:
    limits = error.get("ctx", {})
    thing = "character" if isinstance(error.get("input"), str) else "item"
    for name, word in (("min_length", "at least"), ("max_length", "at most")):
        if name in limits:
            return f"must have {word} {limits[name]} {thing}{'' if limits[name] == 1 else 's'}"
    return None


def _lower(message: str) -> str:
    return "must " + message.split("should ", 1)[1] if "should " in message else message


def read_body(model: type[B], raw: object) -> B:
    """The validated body. Raises BodyFaults with every fault at once (E2)."""
    if not isinstance(raw, dict):
        raise BodyFaults(["body must be a JSON object"])
    try:
        return model.model_validate(raw)
    except ValidationError as fault:
        raise BodyFaults(faults_of(fault)) from None
