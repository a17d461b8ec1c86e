"""PartPay's merchant API, as Payflex in South Africa and QuadPay (Zip) in North America speak it.

An order is opened, the shopper agrees on the provider's page, and the order's status tells the end; there is nothing to
confirm. `orderId` is checkout and payment alike; the redirect back adds it as `orderId` or `token`, unsigned. The
status names our reference and the amount, but no currency (an account has one, that of its code) and no refunds. A
refund is named by our key, which the provider takes once. Access tokens are granted for client credentials and an
audience. Amounts are in major units: strings in an order, numbers in a refund.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, TypedDict
from urllib.parse import quote

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from paymux.connectors import amounts
from paymux.connectors.bearer import Bearer, Granted
from paymux.connectors.contract import (
    Account,
    Address,
    Ask,
    Cancelled,
    Checkout,
    Connector,
    Declined,
    Move,
    Moved,
    MoveResult,
    NotThere,
    OrderToPay,
    Paid,
    Pending,
    Redirect,
    Refused,
    Report,
)
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.reading import decided, raw, read, read_or_empty
from paymux.money import Money, exact
from paymux.platform.http import Answer, NotSent, Unclear

# The documented words of orderStatus that say how an unpaid order stands; Approved is paid, any other is asked about again.
_UNPAID: dict[str, tuple[type[Report], str]] = {
    "Created": (Pending, "the shopper has not finished"),
    "Initiated": (Pending, "the shopper has not finished"),
    "Declined": (Declined, "the shopper's payment was declined"),
    "Abandoned": (Cancelled, "the shopper left before paying"),
    "Cancelled": (Cancelled, "the order was cancelled"),
}
_PAID = "Approved"


def _moment(given: Any) -> datetime | None:
    """A moment in ISO 8601, UTC where it names no zone; None for anything else, as not every answer has one."""
    try:
        moment = datetime.fromisoformat(given)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return None


class _Said(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class AccessToken(BaseModel):
    """The bearer token of the token endpoint, valid for so many seconds."""

    access_token: str = Field(min_length=1, max_length=8192, pattern=r"^[!-~]+$")
    expires_in: float = Field(0, ge=0, allow_inf_nan=False)


class Opened(_Said):
    """The answer to a new order; one that was not opened has only a message, also with status 200."""

    order_id: str = ""
    token: str = ""
    redirect_url: str = ""
    message: str | None = None
    expiry_date_time: Annotated[datetime | None, BeforeValidator(_moment)] = None


class OrderStatus(_Said):
    """How an order stands."""

    order_status: str = Field(min_length=1)
    order_id: str = Field(min_length=1)
    merchant_reference: str | None = None
    amount: Decimal | None = Field(None, ge=0)


class RefundMade(_Said):
    """A refund that was made; its id has two names in the sources."""

    refund_id: str = Field("", validation_alias=AliasChoices("refundId", "id"), coerce_numbers_to_str=True)


class Limits(_Said):
    """The merchant account's configuration. Whether a capture has to take the money is told by either of two names."""

    minimum_amount: Decimal | None = None
    maximum_amount: Decimal | None = None
    defer_funds_capture: bool | None = None
    capture_funds_on_order_creation: bool = True

    @property
    def deferred(self) -> bool:
        """Whether an approved order is only authorised, and a capture takes the money."""
        if self.defer_funds_capture is None:
            return not self.capture_funds_on_order_creation
        return self.defer_funds_capture


class _Error(_Said):
    error_code: str = ""
    message: str = ""


class PartPay(Connector):
    """Orders, their status and refunds. A provider of the family adds its paths, its form of an order, its captures."""

    grant_path: ClassVar[str]
    create_path: ClassVar[str]

    def __init__(self, account: Account, http: ProviderHttp) -> None:
        super().__init__(account, http)
        identity = (
            self.url(self.grant_path, "auth"), self._audience(), self.credentials["client_id"],
            self.credentials["client_secret"],
        )  # fmt: skip
        self._bearer = Bearer(http, identity, self._grant)

    # -- opening and reading ------------------------------------------------------------------

    async def _open(self, body: OrderBasics, **state: str) -> Redirect:
        """Open an order. There is no key for it: one whose answer was lost is never paid, as nobody has its address."""
        answer = await self._made("POST", self.create_path, body)
        opened = read(Opened, answer)
        if not (opened.order_id or opened.redirect_url) and opened.message:
            raise Refused(opened.message)
        if not (opened.order_id and opened.redirect_url.startswith(("https://", "http://"))):
            raise Unclear("the order has no id, or no address to send the shopper to")
        kept = {"token": opened.token} if opened.token else {}
        return Redirect(
            url=opened.redirect_url,
            session=opened.order_id,
            expires_at=opened.expiry_date_time,
            state={**kept, **state},
        )

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """Which of our two addresses the shopper came to; `orderId` and `token` are unsigned."""
        named, token = query.get("orderId"), query.get("token")
        if not named and token:
            named = checkout.session if token == checkout.state.get("token") else token
        return Ask.by_address(query, named or None)

    async def fetch(self, checkout: Checkout) -> Report:
        """How the order stands. Refunds are not told."""
        answer = await self._made("GET", _path(checkout.session))
        told = read(OrderStatus, answer)
        said: dict[str, Any] = {"session": told.order_id, "reference": told.merchant_reference, "raw": raw(answer)}
        if told.order_status == _PAID:
            if told.amount is None:
                raise Unclear("an approved order without an amount")
            total = Money(told.amount, self.code.currencies[0])
            return Paid(payment_id=told.order_id, total=total, captured=self._captured(checkout, total), **said)
        kind, reason = _UNPAID.get(told.order_status, (Pending, f"unknown status {told.order_status[:64]}"))
        if kind is Declined:
            return Declined(reason=reason, code=told.order_status, **said)
        return Cancelled(reason=reason, **said) if kind is Cancelled else Pending(reason=reason, **said)

    def _captured(self, checkout: Checkout, total: Money) -> Decimal | None:
        """What of an approved order was taken: all of it, where there is no capture."""
        return total.amount

    async def check(self) -> str:
        """Read the account's configuration."""
        limits = await self._limits()
        bounds = [str(limit) if limit is not None else "?" for limit in (limits.minimum_amount, limits.maximum_amount)]
        return f"read the account's configuration: payments from {bounds[0]} to {bounds[1]} {self.code.currencies[0]}"

    async def _limits(self) -> Limits:
        return read(Limits, await self._made("GET", "/configuration"))

    # -- moving money -------------------------------------------------------------------------

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Refund a part or all, under our key."""
        body: Refund = {"requestId": move.key, "amount": number(move.amount), "merchantRefundReference": move.key}
        answer = await self._made("POST", _path(checkout.payment, "refund"), body)
        return Moved(provider_id=read(RefundMade, answer).refund_id or move.key, raw=raw(answer))

    async def _moved(self, checkout: Checkout, verb: str, move: Move) -> Moved:
        """Capture or void, whose answers no source describes but for their status."""
        body: Movement = {"amount": number(move.amount), "merchantReference": move.key}
        answer = await self._made("POST", _path(checkout.payment, verb), body)
        return Moved(provider_id=f"{checkout.payment}/{verb}/{move.key}", raw=raw(answer) if answer.body else None)

    # -- HTTP ---------------------------------------------------------------------------------

    async def _made(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """Send; return 2xx. Raises Unclear for 409 too: a first try of the same may still run."""
        answer = decided(await self._bearer.send(method, self.url(path), json=body))
        if answer.status == 409:
            raise Unclear("answer 409")
        if answer.status >= 400:
            raise _refusal(answer)
        return answer

    async def _grant(self) -> Granted:
        asked: AccessGrant = {
            "client_id": self.credentials["client_id"], "client_secret": self.credentials["client_secret"],
            "audience": self._audience(), "grant_type": "client_credentials",
        }  # fmt: skip
        answer = await self.http.prepare("POST", self.url(self.grant_path, "auth"), json=asked)
        if 400 <= answer.status < 500:
            raise Refused("the client id or the client secret was refused", str(answer.status))
        try:
            granted = read(AccessToken, answer)
        except Unclear as fault:
            raise NotSent(f"while preparing: {fault}") from fault
        return Granted(granted.access_token, granted.expires_in)

    def _audience(self) -> str:
        return self.code.settings["audience" if self.account.live else "test_audience"]


def _path(order: str, verb: str = "") -> str:
    return f"/order/{quote(order, safe='')}" + (f"/{verb}" if verb else "")


def _refusal(answer: Answer) -> Refused:
    """What a 4xx says."""
    said = read_or_empty(_Error, answer)
    kind = NotThere if answer.status == 404 else Refused
    return kind(said.message or f"refused with {answer.status}", said.error_code or str(answer.status))


# -- what is sent -----------------------------------------------------------------------------


class Consumer(TypedDict):
    """The shopper."""

    phoneNumber: str
    givenNames: str
    surname: str
    email: str


class Merchant(TypedDict):
    """Where the shopper comes back to."""

    redirectConfirmUrl: str
    redirectCancelUrl: str


class OrderBasics(TypedDict):
    """What every new order has: `amount` is a decimal string in major units, tax and shipping are numbers."""

    amount: str
    consumer: Consumer
    merchant: Merchant
    merchantReference: str
    taxAmount: Decimal
    shippingAmount: Decimal


class Street(TypedDict):
    """What every address has; how town and state are named differs."""

    addressLine1: str
    addressLine2: str
    postcode: str


class Refund(TypedDict):
    """What gives a part or all back, in major units, under our key."""

    requestId: str
    amount: Decimal
    merchantRefundReference: str


class Movement(TypedDict):
    """What captures or voids, in major units."""

    amount: Decimal
    merchantReference: str


class AccessGrant(TypedDict):
    """What an access token is asked for with."""

    client_id: str
    client_secret: str
    audience: str
    grant_type: Literal["client_credentials"]


def order_basics(order: OrderToPay) -> OrderBasics:
    """What every order says: amounts, shopper, our reference, where he comes back to. Addresses and items differ."""
    currency = order.total.currency
    return {
        "amount": amounts.text(order.total),
        "consumer": {
            "phoneNumber": order.customer.phone or order.billing.phone,
            "givenNames": order.customer.first_name,
            "surname": order.customer.last_name,
            "email": order.customer.email,
        },
        "merchant": {
            "redirectConfirmUrl": order.return_to("success"),
            "redirectCancelUrl": order.return_to("cancel"),
        },
        "merchantReference": order.reference,
        "taxAmount": number(Money(order.tax, currency)),
        "shippingAmount": number(Money(order.shipping, currency)),
    }


def street(address: Address) -> Street:
    """The lines that every provider's addresses have."""
    return {"addressLine1": address.street, "addressLine2": address.street2, "postcode": address.postal_code}


def number(money: Money) -> Decimal:
    """An amount as a JSON number. Raises Refused when its currency can't hold it."""
    return exact(Decimal(amounts.text(money)))
