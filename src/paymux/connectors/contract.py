"""What a connector is: what it is given, what it proposes, and the errors it may raise.

A connector builds requests and reads answers. It never sees the database, never retries, locks, logs or
stores. It **proposes** a report; the core decides under the order's row lock whether it counts (T1).
What a provider can't do is not declared in its `provider.toml` and therefore never called: connectors
have no "not supported" branches.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

from paymux.connectors.facts import CodeFacts, ProviderFacts
from paymux.connectors.provider_http import ProviderHttp
from paymux.money import Money

# The words of RFC 6749, section 5.2, for credentials that get no access token; most come with status 400.
_NO_TOKEN = frozenset({"invalid_client", "invalid_grant", "unauthorized_client"})
# A credential's title goes on with what only helps to find it: "API key (sk_live_... or sk_test_...)".
_TITLE_ENDS = re.compile(r" \(|[:,;] ")

# ---------------------------------------------------------------------------------------------
# What a connector is given
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A merchant's account at a provider: the code it serves, its credentials and its base URLs.

    `credentials` has the fields that `provider.toml` names. `hosts` maps a host's name (`api`) to its base
    URL without trailing slash: the provider's own, test or live, or its simulator's.
    """

    code: CodeFacts
    facts: ProviderFacts
    credentials: Mapping[str, str]
    hosts: Mapping[str, str]
    live: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address(Person):
    street: str = ""
    street2: str = ""
    city: str = ""
    state: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One order line; amounts in major units of the order's currency, `total` = quantity x unit price."""

    name: str
    quantity: int
    unit_price: Decimal
    total: Decimal
    sku: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderToPay:
    """An order about to be opened at a provider.

    `reference` is what the provider is given and what it must report back: the merchant's order reference
    where the provider's documented length and characters allow, else our `ord_…` id. Amounts are in major
    units; `total.amount` = items + shipping + tax - discount. `expires_at` is our own deadline.
    """

    id: str
    reference: str
    total: Money
    items: tuple[Item, ...]
    shipping: Decimal
    tax: Decimal
    discount: Decimal
    customer: Person
    billing: Address
    delivery: Address | None
    country: str
    locale: str
    auto_capture: bool
    get_token: bool
    customer_present: bool | None
    shipping_method: str
    shipping_type: str
    additional_data: Mapping[str, Any]
    return_url: str
    events_url: str
    created_at: datetime
    expires_at: datetime

    def return_to(self, via: str) -> str:
        """The return URL with a hint on which way the shopper came: `success`, `cancel`, `failure`.

        It comes back as query field `via` of `read_return`: a hint from a browser, never a proof (T2).
        """
        return f"{self.return_url}?via={via}"

    @property
    def registered_return(self) -> tuple[str, str]:
        """The return URL without the order, for providers that take only one that was registered with them, and the
        `state` that has to come back in its query or form to name the order."""
        url, _, state = self.return_url.rpartition("/")
        return url, state

    @property
    def language(self) -> str:
        """The two-letter language of the locale: `en_AU` and `de_DE_formal` give `en` and `de`."""
        return self.locale.replace("-", "_").split("_")[0].lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A checkout that this order opened, as stored at create; later also the payment it became.

    `session` is the provider's id for the checkout, the one that counts (T1). `state` holds what the
    connector asked to keep (strings only). `payment_id` is the provider's id of the payment once known;
    for providers with one id only it equals `session`.
    """

    session: str
    reference: str
    total: Money
    auto_capture: bool
    get_token: bool
    country: str
    locale: str
    expires_at: datetime
    order_id: str
    state: Mapping[str, str] = field(default_factory=dict)
    payment_id: str | None = None

    @property
    def payment(self) -> str:
        """The provider's id to name in captures, voids and refunds."""
        return self.payment_id or self.session


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A capture, void or refund that the core has claimed and now asks the provider for.

    `key` is the operation's own idempotency key (a UUID), the same in every try. `amount` is what to
    move; `open` what was open for this kind before it, so `amount == open` means all that is left.
    `captured` is what was captured before. `first` says that no capture, void or refund of this kind succeeded yet.
    """

    key: str
    reference: str
    amount: Money
    open: Decimal
    captured: Decimal
    first: bool
    description: str = ""

    @property
    def whole(self) -> bool:
        """Whether this takes all that is left."""
        return self.amount.amount == self.open


# ---------------------------------------------------------------------------------------------
# What a connector proposes
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """A checkout was opened: send the shopper to `url`.

    With `form`, the shopper's browser has to POST these fields to `url`; our checkout page does that.
    `expires_at` is the provider's own deadline where it tells one.
    """

    url: str
    session: str
    expires_at: datetime | None = None
    state: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None


class MoveKind(StrEnum):
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"
    CHARGEBACK = "chargeback"


class MoveStatus(StrEnum):
    DONE = "done"
    UNDERWAY = "underway"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderMove:
    """A capture, void, refund or chargeback as the provider lists it. `amount` in major units.

    `key` is our operation's key (or `reference` our operation's reference) where the provider echoes it.
    """

    kind: MoveKind
    amount: Decimal
    provider_id: str
    status: MoveStatus = MoveStatus.DONE
    key: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderToken:
    """A provider's reusable token of the shopper's agreement, for later merchant-initiated payments."""

    value: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a provider says of a checkout. `raw` is its own answer, for `rawProviderResponse`.

    `session` and `reference` are those that the provider names, None where it names none; the core
    compares them with its own (T1) and never learns them from here.
    """

    session: str | None = None
    reference: str | None = None
    raw: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending(Report):
    """Not decided yet, or a word that we don't know: ask again later. `completed`: the shopper has done his part.

    `elsewhere`: somebody else of ours was given, a moment ago, what the provider gives once; his decision will tell.
    """

    reason: str = ""
    completed: bool = False
    elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved(Report):
    """The shopper agreed, and it is paid only once we `confirm` (providers with `confirm = true`).

    `state` is merged into the checkout's before the confirm: what it needs, and nothing secret unless sealed.
    """

    state: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid(Report):
    """The provider holds a payment. All amounts in major units, all of them totals so far.

    `total` is what was authorised, None where the provider names no amount (then the checkout's own
    amount vouches for it). `captured`, `voided`, `refunded`: totals, None where the provider does not tell them.
    A sale is `captured` = total at once. `moves` lists single operations where the provider lists them;
    None where it does not. `authorised_until`: when what is still open expires. `expired`: the amount that
    did expire. `state` is merged into the checkout's. `underway` says that it is not final yet at
    the provider (fraud check, debit): the order stays PENDING (S5). `review` is a sentence on what a person has to see
    to although the payment counts, such as a second payment of the same checkout: listed once.
    """

    payment_id: str
    total: Money | None
    captured: Decimal | None
    voided: Decimal | None = None
    refunded: Decimal | None = None
    expired: Decimal = Decimal(0)
    moves: tuple[ProviderMove, ...] | None = None
    authorised_until: datetime | None = None
    surcharge: Decimal = Decimal(0)
    token: ProviderToken | None = None
    token_failure: str | None = None
    state: Mapping[str, str] = field(default_factory=dict)
    underway: bool = False
    review: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined(Report):
    """The provider refused the shopper or the order for good. `code` is the provider's own word."""

    reason: str
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled(Report):
    """The checkout was cancelled at the provider, be it by the shopper or after our own cancel; nothing was paid."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired(Report):
    """The checkout is dead at the provider; nothing was and nothing can be paid."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken(Report):
    """A technical failure at the provider that ended the checkout: the order ends ERROR, not DECLINED (S1)."""

    reason: str
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A hint that proves nothing: ask the provider (T2). `session` is the one that the hint named, if any.

    `approved`: it hints that our confirm is due; `left`: it hints that the shopper gave up; `completed`: that he did his part.
    """

    session: str | None = None
    approved: bool = False
    left: bool = False
    completed: bool = False

    @classmethod
    def by_address(cls, query: Mapping[str, str], session: str | None = None) -> Ask:
        """What a return hints at by nothing but which of our addresses it came to, `success` or `cancel` (see `return_to`)."""
        via = query.get("via")
        return cls(session=session, completed=via == "success", left=via == "cancel")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReading:
    """What an authenticated or unsigned provider event is about.

    At least one of `session`, `payment_id`, `reference` finds the order within the account. `report` is
    given only when the event's authentication proves it; None means: ask the provider (T2).
    """

    session: str | None = None
    payment_id: str | None = None
    reference: str | None = None
    report: Report | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """An HTTP request that a provider (or a browser) sent to us. Header names are lower-case.

    `path` is the public URL's path and query as the sender was told them: some sign that, too.
    """

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The provider did it, of the amount that was asked for: another one is Unclear."""

    provider_id: str
    raw: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Underway:
    """The provider took it on and will decide later (a refund still pending)."""

    provider_id: str | None
    raw: Mapping[str, Any] | None = None


MoveResult = Moved | Underway

# ---------------------------------------------------------------------------------------------
# What a connector raises
# ---------------------------------------------------------------------------------------------


class Refused(Exception):
    """The provider answered no: certainly nothing happened. `reason` is a sentence, `code` the provider's own word."""

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.reason, self.code = reason, code


class WrongCredentials(Refused):
    """The provider does not accept the account's credentials. A connector raises it where neither an answer 401 says so
    nor an error code of OAuth 2.0."""


class NotThere(Refused):
    """The provider knows no such checkout or payment."""


class Forged(Exception):
    """An event or signed return whose authentication is wrong."""


# `NotSent` and `Unclear` of paymux.platform.http are raised by the client itself.


# ---------------------------------------------------------------------------------------------
# The connector
# ---------------------------------------------------------------------------------------------


class Connector(ABC):
    """One provider's protocol. One instance serves one account for one call or a few.

    Only `create_checkout`, `read_return` and `fetch` are for everybody; the other verbs are called when
    `provider.toml` declares the capability of the same name. Every verb raises Refused for a clear no,
    and lets NotSent and Unclear of the HTTP client pass.
    """

    name: ClassVar[str] = ""

    def __init__(self, account: Account, http: ProviderHttp) -> None:
        self.account, self.http = account, http
        self.code, self.facts, self.credentials = account.code, account.facts, account.credentials

    def url(self, path: str, host: str = "api") -> str:
        """A URL at one of the provider's hosts."""
        return self.account.hosts[host] + path

    def turned_away(self, no: Refused) -> bool:
        """Whether a refusal is for the account's credentials: then it says nothing of what was asked."""
        return isinstance(no, WrongCredentials) or self.http.unauthorised or no.code in _NO_TOKEN

    def explained(self, no: Refused) -> Refused:
        """A refusal as a person can act on it: one for the credentials names the fields of the account to look at."""
        if not self.turned_away(no):
            return no
        given = {
            name: fact for name, fact in self.facts.credentials.items() if fact.signs_in and self.credentials.get(name)
        }
        fields = {name: _TITLE_ENDS.split(fact.title, maxsplit=1)[0] for name, fact in given.items()}
        said = no.reason.casefold()
        if all(name in said or field.casefold() in said for name, field in fields.items()):
            return no
        place = "live" if self.account.live else "test"
        named = f"({', '.join(fields.values())}) and that they are for the {place} environment"
        return WrongCredentials(f"{no.reason.rstrip('.')}. Check the account's credentials {named}", no.code)

    # -- opening ------------------------------------------------------------------------------

    @abstractmethod
    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Open a checkout at the provider. Moves no money. `key` is the create operation's key."""

    async def charge_token(self, order: OrderToPay, token: str, key: str) -> Report:
        """Pay with a token from an earlier order, at once. Capability `charge_token`."""
        raise NotImplementedError

    # -- reading ------------------------------------------------------------------------------

    @abstractmethod
    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """What the shopper's return says. Pure. Only a signed return gives a report; else a hint (T2).

        Raises Forged for a signature that is wrong.
        """

    async def fetch(self, checkout: Checkout) -> Report:
        """Ask the provider for the state of this checkout or payment. Capability `status`. Raises NotThere."""
        raise NotImplementedError

    def verify_event(self, event: Incoming) -> str | None:
        """Authenticate an event; return the provider's event id, if it has one. Pure. Raises Forged."""
        return None

    def split_event(self, event: Incoming) -> tuple[tuple[str, Incoming], ...]:
        """The single events of an authentic request that brings several, each with the provider's id. Pure.

        Each is then kept, read and decided by itself. Empty: the request is one event, named by `verify_event`.
        """
        return ()

    def read_event(self, event: Incoming) -> EventReading:
        """What an accepted event is about. Pure. Raises ValueError when it can't be read."""
        raise NotImplementedError

    # -- moving money: the core has claimed an operation before it calls any of these -----------

    async def confirm(self, checkout: Checkout, key: str) -> Report:
        """Turn the shopper's approval into a payment. Capability `confirm`.

        Approved, with a state that the checkout does not have yet: nothing was paid by this call, which only found out
        what the confirm needs. That is kept, and the confirm is called again at once, as for the first time.
        """
        raise NotImplementedError

    async def capture(self, checkout: Checkout, move: Move) -> MoveResult:
        raise NotImplementedError

    async def void(self, checkout: Checkout, move: Move) -> MoveResult:
        raise NotImplementedError

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        raise NotImplementedError

    async def find_move(
        self, checkout: Checkout, kind: MoveKind, key: str, provider_id: str | None
    ) -> ProviderMove | None:
        """Ask for one operation by its key, where `fetch` does not list them. Capability `find_move`.

        None: the provider answered that it does not know it.
        """
        raise NotImplementedError

    async def recover_confirm(self, checkout: Checkout, key: str) -> Report | None:
        """After a confirm with no answer: find or undo what it did. Capability `recover_confirm`.

        A report settles it; None says that it surely had no effect (it may be confirmed anew with a new key).
        """
        raise NotImplementedError

    # -- the rest -----------------------------------------------------------------------------

    async def cancel_checkout(self, checkout: Checkout) -> None:
        """Close an unpaid checkout so that nobody can pay it any more. Capability `cancel`. Repeating does no harm."""
        raise NotImplementedError

    async def set_up_events(self, url: str) -> None:
        """Register our event URL at the provider. Capability `set_up_events`. Repeating does no harm."""
        raise NotImplementedError

    async def check(self) -> str:
        """The cheapest harmless call that proves the credentials: a sentence on what was seen. Capability `check`."""
        raise NotImplementedError
