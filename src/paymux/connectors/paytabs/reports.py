"""What a payment's transactions mean, and the signed texts that tell of them: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote_plus

from paymux.connectors.contract import (
    Broken,
    Cancelled,
    Declined,
    Expired,
    Incoming,
    MoveKind,
    MoveStatus,
    Paid,
    Pending,
    ProviderMove,
    Report,
)
from paymux.connectors.paytabs.answers import Result, Transaction
from paymux.platform.database import from_json

OWN = "~"
PAYMENT = ("sale", "auth", "payment request", "register")
MOVES = {
    "capture": MoveKind.CAPTURE, "void": MoveKind.VOID, "release": MoveKind.VOID, "refund": MoveKind.REFUND,
}  # fmt: skip
MOVED = {
    "A": MoveStatus.DONE, "D": MoveStatus.FAILED, "E": MoveStatus.FAILED, "C": MoveStatus.FAILED,
    "X": MoveStatus.FAILED,
}  # fmt: skip
_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def base(cart_id: str) -> str:
    """Our reference, out of a cart_id that we may have made from it."""
    return cart_id.partition(OWN)[0]


def told(event: Incoming) -> Transaction:
    """The transaction in an event. Raises ValueError."""
    return Transaction.model_validate(from_json(event.body))


def signed_forms(query: Mapping[str, str]) -> Iterable[str]:
    """The signed text of a return as PHP writes it: sorted, empty values left out; older ones leave out a 0, too."""
    for empty in (("",), ("", "0")):
        fields = sorted((name, value) for name, value in query.items() if name != "signature" and value not in empty)
        yield "&".join(f"{_php(name)}={_php(value)}" for name, value in fields)


def _php(text: str) -> str:
    return quote_plus(text, errors="replace").replace("~", "%7E")


def ended(result: Result, said: Mapping[str, Any]) -> Report | None:
    """The end of a payment that was not made; None for anything else."""
    if result.letter == "D":
        return Declined(reason=result.message or "PayTabs declined the payment", code=result.code or "D", **said)
    if result.letter == "C":
        return Cancelled(reason=result.message, **said)
    if result.letter == "X":
        return Expired(reason=result.message, **said)
    if result.letter == "E":
        return Broken(reason=result.message or "PayTabs reports an error", code=result.code or "E", **said)
    return None


def payment(said: Transaction, content: Mapping[str, Any] | None) -> Report:
    """What a payment's own transaction says. One that completes a payment request names that as its previous."""
    whose: dict[str, Any] = {
        "session": said.previous or said.tran_ref, "reference": base(said.cart_id) or None, "raw": content,
    }  # fmt: skip
    end = ended(said.result, whose) if said.result else None
    if end is not None:
        return end
    total, status = said.total, said.status
    if said.kind not in ("sale", "auth") or status not in ("A", "H", "V") or total is None:
        # An unknown word, a page that nobody has paid, a payment request that waits for its payment.
        return Pending(reason=f"the payment is {status or 'not made'}", completed=status == "P", **whose)
    # What is captured of an authorisation stands in transactions of its own.
    captured = total.amount if said.kind == "sale" and status != "V" else Decimal(0)
    voided = total.amount if status == "V" else None
    return Paid(
        payment_id=said.tran_ref, total=total, captured=captured, voided=voided, underway=status == "H", **whose
    )


def followed(rows: Iterable[Transaction], paid: str) -> tuple[ProviderMove, ...]:
    """The captures, voids and refunds among a cart's transactions that lead back to this payment."""
    rows = [row for row in rows if row.kind in MOVES]
    known = {paid} | {row.tran_ref for row in rows if row.previous == paid}
    return tuple(found for row in rows if row.previous in known and (found := movement(row)) is not None)


def movement(row: Transaction) -> ProviderMove | None:
    """A capture, void or refund; None where it names no amount."""
    if row.total is None or not row.total.amount:
        return None
    key = _KEY.search(row.cart_description)
    return ProviderMove(
        kind=MOVES[row.kind], amount=row.total.amount, provider_id=row.tran_ref,
        status=MOVED.get(row.status, MoveStatus.UNDERWAY), key=key[0] if key else None,
        reason=row.result.message if row.result else "",
    )  # fmt: skip
