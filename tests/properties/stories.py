"""Stories of orders as plain data: what is ordered, and what merchant, shopper, provider, network and clock then do.

A story is data so that Hypothesis can shrink it and print it, and so that a printed one can be told again.
Every order is of 100 in its code's currency. A step that makes no sense where it stands is tried all the same:
the refusal must be harmless.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hypothesis import strategies as st

Outcome = Literal["approve", "decline", "cancel", "pending", "error"]
MoveKind = Literal["capture", "void", "refund"]
CODES = ("AFTERPAY_AU", "KLARNA_AU", "TABBY_AE", "LATITUDEPAY_AU", "PLANPAY_AU")
WITH_TOKENS = ("KLARNA_AU", "PLANPAY_AU")
DEFERRED = ("AFTERPAY_AU", "KLARNA_AU", "TABBY_AE", "PLANPAY_AU")
TELLING = ("TABBY_AE", "PLANPAY_AU")  # whose provider sends an event for a refund made in its portal
TOTAL = "100"
AMOUNTS = (TOTAL, "60", "40", "1", "101")
OPERATIONS = {
    "AFTERPAY_AU": ("confirm", "status", "capture", "void", "refund"),
    "KLARNA_AU": ("confirm", "status", "capture", "void", "refund", "cancel", "charge_token", "events"),
    "TABBY_AE": ("status", "capture", "void", "refund", "events"),
    "LATITUDEPAY_AU": ("status", "refund", "cancel", "events"),
    "PLANPAY_AU": ("status", "capture", "void", "refund", "cancel", "charge_token", "events"),
}
QUICK_FAULTS = ("error_before", "error_after", "reset_after", "malformed")
SLOW_FAULTS = ("timeout_before", "timeout_after", "slow")
EVENT_FAULTS = ("duplicate_event", "late_event", "no_event", "reordered_events")
PERIODS = (6, 31, 61, 700, 3_700, 11_000, 90_000, 700_000, 2_500_000)


@dataclass(frozen=True)
class Ordered:
    """An order: at whose hands, how, and what strikes its create call. `verdict` is what the provider says in the end."""

    code: str = "AFTERPAY_AU"
    auto_capture: bool = True
    get_token: bool = False
    shopper: str = "ada"
    cancellation_timeout: int | None = None
    session_timeout: int | None = None
    create_fault: str | None = None
    verdict: Outcome = "approve"


@dataclass(frozen=True)
class Pays:
    """The shopper decides at the provider and comes straight back."""

    order: int
    outcome: Outcome = "approve"


@dataclass(frozen=True)
class Decides:
    """The shopper decides at the provider and does not come back (yet)."""

    order: int
    outcome: Outcome = "approve"


@dataclass(frozen=True)
class Returns:
    """The shopper comes (again) by the address that the provider last sent him to, or with nothing at all."""

    order: int
    bare: bool = False


@dataclass(frozen=True)
class ReturnsAs:
    """A browser comes to one order's return address with what the provider said of another order."""

    order: int
    other: int


@dataclass(frozen=True)
class Moves:
    """The merchant captures, voids or refunds. The same `name` again is a repeated reference."""

    order: int
    kind: MoveKind
    amount: str = TOTAL
    name: str = "A"


@dataclass(frozen=True)
class Cancels:
    """The merchant cancels."""

    order: int


@dataclass(frozen=True)
class Repeats:
    """The merchant sends the order again: with its Idempotency-Key, or without."""

    order: int
    with_key: bool = True


@dataclass(frozen=True)
class Charges:
    """The merchant pays a further order with the token of this one, if it has brought one."""

    order: int
    fault: str | None = None


@dataclass(frozen=True)
class Reads:
    """The merchant reads the order."""

    order: int


@dataclass(frozen=True)
class Settles:
    """The provider decides what it had left open."""

    order: int
    outcome: Outcome = "approve"


@dataclass(frozen=True)
class ProviderRefunds:
    """Somebody refunds in the provider's own portal."""

    order: int
    amount: str = "1"


@dataclass(frozen=True)
class Strikes:
    """A fault is ordered for the next calls of an operation of this order's."""

    order: int
    operation: str
    fault: str
    times: int = 1


@dataclass(frozen=True)
class Passes:
    """Time passes, in seconds."""

    seconds: int


@dataclass(frozen=True)
class ShopFalls:
    """The merchant's webhook endpoint answers 500 until it rises again."""


@dataclass(frozen=True)
class ShopRises:
    """The merchant's webhook endpoint answers 200."""


Single = (
    Pays | Decides | Returns | ReturnsAs | Moves | Cancels | Repeats | Charges | Reads | Settles | ProviderRefunds
    | Strikes | Passes | ShopFalls | ShopRises
)  # fmt: skip


@dataclass(frozen=True)
class Together:
    """Two things at once."""

    one: Single
    other: Single


Step = Single | Together


@dataclass(frozen=True)
class Story:
    """Orders, and what then happens. `calm`: before each step everything that is due has been done."""

    orders: tuple[Ordered, ...]
    steps: tuple[Step, ...] = field(default=())
    calm: bool = True

    def __str__(self) -> str:
        lines = [f"    orders=({', '.join(map(repr, self.orders))},),", "    steps=("]
        lines += [f"        {step!r}," for step in self.steps]
        return "\n".join(["Story(", *lines, "    ),", f"    calm={self.calm},", ")"])


# -- how Hypothesis makes them -------------------------------------------------------------------


@st.composite
def orders(draw: st.DrawFn, *, slow: bool) -> Ordered:
    """An order that its provider accepts."""
    code = draw(st.sampled_from(CODES))
    shoppers = ("ada", "slow", "notoken", "declined") if code == "PLANPAY_AU" else ("ada",)
    faults = (None, None, None, *QUICK_FAULTS, *(SLOW_FAULTS if slow else ()))
    return Ordered(
        code=code,
        auto_capture=draw(st.booleans()) if code in DEFERRED else True,
        get_token=draw(st.booleans()) if code in WITH_TOKENS else False,
        shopper=draw(st.sampled_from(shoppers)),
        cancellation_timeout=draw(st.sampled_from((None, None, 60, 3_600))),
        session_timeout=draw(st.sampled_from((None, None, 600))),
        create_fault=draw(st.sampled_from(faults)),
        verdict=draw(st.sampled_from(("approve", "decline", "cancel", "error"))),
    )


_paying = st.sampled_from(("approve", "approve", "approve", "pending", "decline", "cancel", "error"))
_settling = st.sampled_from(("approve", "decline", "cancel", "error"))


def _strikes(number: int, code: str, *, slow: bool) -> st.SearchStrategy[Strikes]:
    def with_fault(operation: str) -> st.SearchStrategy[Strikes]:
        faults = EVENT_FAULTS if operation == "events" else QUICK_FAULTS + (SLOW_FAULTS if slow else ())
        times = st.sampled_from((1, 2, 6) if slow else (1, 2))
        return st.builds(Strikes, st.just(number), st.just(operation), st.sampled_from(faults), times)

    return st.sampled_from(OPERATIONS[code]).flatmap(with_fault)


def _moves(number: int, ordered: Ordered, *, slow: bool) -> st.SearchStrategy[list[Single]]:
    """A capture, void or refund that makes sense for the order, perhaps struck by a fault, perhaps asked for twice."""

    @st.composite
    def made(draw: st.DrawFn) -> list[Single]:
        kinds: tuple[MoveKind, ...] = ("refund",) if ordered.auto_capture else ("capture", "capture", "void", "refund")
        move = Moves(number, draw(st.sampled_from(kinds)), draw(st.sampled_from(AMOUNTS)), draw(st.sampled_from("ABC")))
        steps: list[Single] = [move]
        if move.kind in OPERATIONS[ordered.code] and draw(st.booleans()):
            fault = draw(st.sampled_from(QUICK_FAULTS + (SLOW_FAULTS if slow else ())))
            steps.insert(0, Strikes(number, move.kind, fault, draw(st.sampled_from((1, 1, 2, 4)))))
        return steps + ([move] if draw(st.integers(0, 3)) == 3 else [])

    return made()


def _anything(number: int, count: int, ordered: Ordered, *, slow: bool) -> st.SearchStrategy[Single]:
    n = st.just(number)
    several: list[st.SearchStrategy[Single]] = [
        st.builds(Pays, n, _paying), st.builds(Decides, n, _paying), st.builds(Returns, n, st.booleans()),
        _strikes(number, ordered.code, slow=slow), st.builds(Cancels, n), st.builds(Reads, n),
        st.builds(Repeats, n, st.booleans()), st.builds(Settles, n, _settling),
        st.builds(Moves, n, st.sampled_from(("capture", "void", "refund")), st.sampled_from(AMOUNTS)),
    ]  # fmt: skip
    if ordered.code != "LATITUDEPAY_AU":  # it can't be asked for refunds
        several.append(st.builds(ProviderRefunds, n, st.sampled_from(("1", "60"))))
    if ordered.get_token:
        several.append(st.builds(Charges, n, st.sampled_from((None, *QUICK_FAULTS))))
    if count > 1:
        several.append(st.builds(ReturnsAs, n, st.integers(0, count - 1)))
    return st.one_of(several)


def _beginnings(number: int, code: str, *, slow: bool) -> st.SearchStrategy[list[Single]]:
    """Most of what is worth telling happens to orders that somebody pays."""
    paid: list[Single] = [Pays(number)]
    undecided: list[Single] = [Pays(number, "pending")]
    ways: list[list[Single]] = [paid, paid, paid, [Decides(number), Returns(number)], [Decides(number)], undecided, []]
    plain = st.sampled_from(ways)
    return st.one_of(
        plain, plain, st.tuples(_strikes(number, code, slow=slow), plain).map(lambda two: [two[0], *two[1]])
    )


def _lives(number: int, ordered: Ordered, blocks: int, *, slow: bool) -> st.SearchStrategy[list[Single]]:
    moves = st.lists(_moves(number, ordered, slow=slow), min_size=1, max_size=blocks)
    return st.tuples(_beginnings(number, ordered.code, slow=slow), moves).map(
        lambda two: [*two[0], *(step for block in two[1] for step in block)]
    )


@st.composite
def stories(draw: st.DrawFn, *, moves: int, asides: int, slow: bool = False, races: bool = False) -> Story:
    """One or two orders, each with so many moves of money at most, and so many other things that come between.

    `slow` adds time-outs, `races` things at once and no calm.
    """
    ordered = draw(st.lists(orders(slow=slow), min_size=1, max_size=2))
    count = len(ordered)
    lives = [draw(_lives(n, order, moves, slow=slow)) for n, order in enumerate(ordered)]
    steps: list[Step] = []
    while any(lives):
        steps.append(lives[draw(st.sampled_from([n for n in range(count) if lives[n]]))].pop(0))
    world: st.SearchStrategy[Single] = st.one_of(
        st.builds(Passes, st.sampled_from(PERIODS)), st.just(ShopFalls()), st.just(ShopRises())
    )
    about = st.one_of([_anything(n, count, order, slow=slow) for n, order in enumerate(ordered)])
    for aside in draw(st.lists(st.one_of(about, about, about, world), max_size=asides)):
        at = draw(st.integers(0, len(steps)))
        before = steps[at] if at < len(steps) else None
        if races and before is not None and not isinstance(before, Together) and draw(st.booleans()):
            steps[at] = Together(before, aside)
        else:
            steps.insert(at, aside)
    return Story(tuple(ordered), tuple(steps), draw(st.booleans()) if races else True)
