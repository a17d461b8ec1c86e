"""The judgement: whether an order, seen from all sides once everything has settled, keeps every promise.

Pure functions of what was gathered: the provider's ledger, what paymux reports, and what merchant and shopper were told.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from bench.torture.installation import Answer
from bench.torture.seen import FOR_A_PERSON, IDENTITY, LATE, MOVES, PAYMENT, ZERO, Seen
from bench.torture.story import FINAL, Asked

NOTICE = timedelta(hours=24)
"""So long before its end an authorisation's expiry is announced."""
TOTALS = {"capture": "capturedAmount", "void": "voidedAmount", "refund": "refundedAmount"}
TOLD = {"capture": ("CAPTURE_STATUS_UPDATE", "captureReference"), "void": ("VOID_STATUS_UPDATE", "voidReference"),
        "refund": ("REFUND_CALLBACK", "refundReference")}  # fmt: skip
REFUSED = (422, 502)
"""Answers by which a claimed move, or an order, has certainly failed; its reference repeats them for ever (E4)."""

EQUAL = "ledger = paymux = told"
PAID = "what counts as paid is paid whole"
PAID_ONCE = "no order is paid twice"
LIMITS = "nothing exceeds what there is"
REPEATS = "a repeated call moves nothing"
UNASKED = "nothing moves unasked"
STAYS = "an answered call's effect stays"
ENDS = "every order comes to its end"
PERSON = "nothing needs a person but what nobody can know"
ARRIVES = "every event arrives, without holes"
SIGNED = "every webhook is signed"
PROMISES = (EQUAL, PAID, PAID_ONCE, LIMITS, REPEATS, UNASKED, STAYS, ENDS, PERSON, ARRIVES, SIGNED)


@dataclass
class Findings:
    """Breaches by promise, and what was looked at."""

    breaches: dict[str, list[str]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    operations: int = 0
    events: int = 0
    expired: int = 0
    """Orders of which an authorisation, or the rest of one, ran out."""
    for_a_person: int = 0
    """Calls that are listed because nobody can know whether they happened (U1)."""

    def breach(self, promise: str, what: str) -> None:
        """Note a breach."""
        self.breaches.setdefault(promise, []).append(what)


def judge(found: Findings, seen: Seen) -> None:
    """Look at one order from all sides."""
    found.events += len(seen.events)
    if seen.shown is None:
        found.statuses["not there"] += 1
        _unknown(found, seen)
        return
    shown = seen.shown
    found.statuses[shown["status"]] += 1
    found.expired += Decimal(shown["expiredAmount"]) > ZERO
    found.operations += sum(len(shown[name]) for name in MOVES.values())
    found.for_a_person += len(seen.unknown_moves) + seen.unknown_payment
    _totals(found, seen, shown)
    _paid(found, seen, shown)
    _limits(found, seen, shown)
    _rows(found, seen, shown)
    _unasked(found, seen, shown)
    _answers(found, seen, shown)
    _ended(found, seen, shown)
    _persons(found, seen, shown)
    _webhooks(found, seen, shown)


def waits(seen: Seen) -> bool:
    """Whether something of this order is still to come: a decision, or a webhook. The ledger is not asked for it."""
    found = Findings()
    if seen.shown is not None:
        _ended(found, seen, seen.shown)
        _webhooks(found, seen, seen.shown)
    return bool(found.breaches)


def _unknown(found: Findings, seen: Seen) -> None:
    order, name = seen.order, seen.name
    if seen.rows:
        found.breach(EQUAL, f"{name}: money moved for an order that is not there")
    if seen.events:
        found.breach(EQUAL, f"{name}: webhooks tell of an order that is not there")
    if any(answer.status == 201 for answer in order.creates):
        found.breach(STAYS, f"{name}: 201, and the order is not there")


# -- money ------------------------------------------------------------------------------------------


def _totals(found: Findings, seen: Seen, shown: dict[str, Any]) -> None:
    """The ledger's sums are paymux's, its list's and the webhooks'. What nobody can know may be in the ledger or not."""
    for kind, total in TOTALS.items():
        moved, reported = seen.moved(kind), Decimal(shown[total])
        listed = sum((Decimal(m["amount"]) for m in shown[MOVES[kind]] if m["status"] == "SUCCESSFUL"), ZERO)
        event, _ = TOLD[kind]
        told = sum(
            (Decimal(e["data"]["amount"]) for e in seen.events
             if e["event"] == event and e["data"]["status"] == "SUCCESSFUL"), ZERO,
        )  # fmt: skip
        if not ZERO <= moved - reported <= sum(seen.perhaps(kind), ZERO) or not reported == listed == told:
            found.breach(EQUAL, f"{seen.name}: {kind} {moved} / {reported}, listed {listed} / {told}")


def _paid(found: Findings, seen: Seen, shown: dict[str, Any]) -> None:
    """SUCCESSFUL is authorised whole, and captured whole unless the merchant captures himself; what failed holds nothing."""
    authorised, captured, amount = seen.moved("authorize"), seen.moved("capture"), seen.order.amount
    if authorised > amount or sum(1 for row in seen.rows if row.kind == "authorize") > 1:
        found.breach(PAID_ONCE, f"{seen.name}: authorised {authorised} of {amount}")
    if shown["status"] != "SUCCESSFUL":
        unknown = sum(seen.perhaps("refund"), ZERO) + (amount if seen.unknown_payment else ZERO)
        if seen.held > Decimal(shown["expiredAmount"]) + unknown:
            found.breach(EQUAL, f"{seen.name}: money is held")
        return
    if authorised != amount or Decimal(shown["amount"]) != amount:
        found.breach(PAID, f"{seen.name}: authorised {authorised} of {amount}")
    if seen.order.body.get("autoCapture") is not False and captured != amount:
        found.breach(PAID, f"{seen.name}: captured {captured} of {amount}")
    if shown["captureStatus"] != (wanted := _capture_status(seen, Decimal(shown["expiredAmount"]))):
        found.breach(EQUAL, f"{seen.name}: captureStatus {shown['captureStatus']}, and by the ledger {wanted}")


def _capture_status(seen: Seen, expired: Decimal) -> str:
    """What `captureStatus` has to be (S3). That an authorisation ran out is in no ledger."""
    captured = seen.moved("capture")
    if seen.moved("authorize") - captured - seen.moved("void") - expired > ZERO:
        return "PARTIALLY_CAPTURED" if captured else "AUTHORIZED"
    return "CAPTURED" if captured else "EXPIRED" if expired else "VOIDED"


def _limits(found: Findings, seen: Seen, shown: dict[str, Any]) -> None:
    moved = {kind: seen.moved(kind) for kind in ("authorize", *TOTALS)}
    if moved["capture"] + moved["void"] > moved["authorize"] or moved["refund"] > moved["capture"]:
        found.breach(LIMITS, f"{seen.name}: {moved}")
    gone = sum((Decimal(shown[name]) for name in ("capturedAmount", "voidedAmount", "expiredAmount")), ZERO)
    if gone > moved["authorize"]:
        found.breach(LIMITS, f"{seen.name}: {gone} captured, voided and expired of {moved['authorize']}")


def _rows(found: Findings, seen: Seen, shown: dict[str, Any]) -> None:
    """Each move that is done has one line in the ledger, one whose outcome nobody knows at most one, no other has any."""
    for kind, name in MOVES.items():
        there = Counter(row.amount for row in seen.rows if row.kind == kind)
        done = Counter(Decimal(move["amount"]) for move in shown[name] if move["status"] == "SUCCESSFUL")
        perhaps = Counter(seen.perhaps(kind))
        if there - (done + perhaps) or done - there:
            found.breach(REPEATS, f"{seen.name}: {kind}s {_list(there)} for {_list(done)} and perhaps {_list(perhaps)}")
        references = Counter(move[IDENTITY[kind]] for move in shown[name])
        if twice := [reference for reference, times in references.items() if times > 1]:
            found.breach(REPEATS, f"{seen.name}: {kind} {twice} listed more than once")


def _list(amounts: Counter[Decimal]) -> list[str]:
    return sorted(str(amount) for amount in amounts.elements())


def _unasked(found: Findings, seen: Seen, shown: dict[str, Any]) -> None:
    """The merchant's moves are those that he asked for; nobody in this traffic uses a provider's portal (T4); and what
    was paid by an order that succeeded is given back by nobody but its merchant."""
    for kind, move in seen.moves:
        reference, who = move[IDENTITY[kind]], move["initiator"]
        asked = seen.order.moves.get((kind, reference))
        if who == "PROVIDER" or (who == "MERCHANT" and asked is None):
            found.breach(UNASKED, f"{seen.name}: {kind} {reference} {move['status']} by {who}")
        elif who == "SYSTEM" and kind != "capture" and shown["status"] == "SUCCESSFUL":
            found.breach(UNASKED, f"{seen.name}: {kind} {reference} {move['status']} by {who} of a paid order")


# -- answers ----------------------------------------------------------------------------------------


def _answers(found: Findings, seen: Seen, shown: dict[str, Any]) -> None:
    """What was answered to merchant and shopper is so still; what was refused has not happened."""
    order = seen.order
    if made := {answer.body["orderId"] for answer in order.creates if answer.status == 201} - {shown["orderId"]}:
        found.breach(REPEATS, f"{seen.name}: {shown['orderId']} was created as {made}, too")
    if shown["status"] == "SUCCESSFUL" and any(answer.status in REFUSED for answer in order.creates):
        found.breach(STAYS, f"{seen.name}: its create was refused")
    if order.creates and all(_wrote_nothing(answer) for answer in order.creates):
        found.breach(STAYS, f"{seen.name}: its create was answered {order.creates[-1].status}, and it is there")
    if other := order.ends - {shown["status"]}:
        found.breach(STAYS, f"{seen.name}: it was answered to be {sorted(other)}")
    history = [row["status"] for row in shown["transactionHistory"]]
    if history[-1:] != [shown["status"]] or any(status in FINAL for status in history[:-1]):
        found.breach(STAYS, f"{seen.name}: its history is {history}")
    for (kind, reference), asked in order.moves.items():
        listed = [move for move in shown[MOVES[kind]] if move[IDENTITY[kind]] == reference]
        if broken := _broken(asked, listed):
            found.breach(STAYS, f"{seen.name}: {kind} {reference}: {broken}")
        if contradiction := _contradiction(asked):
            found.breach(REPEATS, f"{seen.name}: {kind} {reference}: {contradiction}")


def _broken(asked: Asked, listed: list[dict[str, Any]]) -> str:
    """How what is listed breaks what the calls of one reference were answered; empty: it does not."""
    status = listed[0]["status"] if listed else "not listed"
    said = {_said(answer) for answer in asked.answers}
    if listed and Decimal(listed[0]["amount"]) != asked.amount:
        return f"{listed[0]['amount']} moved instead of {asked.amount}"
    if said & {"SUCCESSFUL", "PENDING"} and not listed:
        return "201, and it is not listed"
    if "SUCCESSFUL" in said and status != "SUCCESSFUL":
        return f"answered as done, and {status}"
    if "FAILED" in said and status != "FAILED":
        # Refused by the provider, or never sent: a later success of it would be somebody else's doing, which is no excuse.
        return f"answered as refused, and {status}"
    if listed and asked.answers and all(_wrote_nothing(answer) for answer in asked.answers):
        return f"every call was answered as not allowed ({asked.answers[-1].status}), and it is {status}"
    return ""


def _contradiction(asked: Asked) -> str:
    """A reference whose outcome was answered repeats it; until then it is free to be refused again and again (E4)."""
    outcomes, claimed = set(), False
    for answer in asked.answers:
        outcomes |= {_said(answer)} & {"SUCCESSFUL", "FAILED"}
        if claimed and _wrote_nothing(answer):
            return f"first answered as taken on, then {answer.status}"
        claimed = claimed or _said(answer) != ""
    return "answered as done and as refused" if len(outcomes) > 1 else ""


def _said(answer: Answer) -> str:
    """What an answer says of a claimed move; empty: nothing. PENDING promises no outcome."""
    if answer.status == 201:
        return str(answer.body.get("refundStatus") or answer.body.get("status"))
    return "FAILED" if answer.status in REFUSED else ""


def _wrote_nothing(answer: Answer) -> bool:
    """Whether an answer promises that its call has left nothing behind: any refusal but the provider's own (E4).

    `in_progress` promises nothing, nor does a call without an answer; a refusal by the provider leaves what has failed.
    """
    return not answer.open and 400 <= answer.status < 500 and answer.status not in REFUSED


# -- ends -------------------------------------------------------------------------------------------


def _ended(found: Findings, seen: Seen, shown: dict[str, Any]) -> None:
    """No fault strikes any more, and every provider has decided: nothing is left undecided but what nobody can know."""
    unknown = [move for _, move in seen.unknown_moves]
    if shown["status"] not in FINAL and not seen.unknown_payment:
        found.breach(ENDS, f"{seen.name}: next step {shown['nextStep']}")
    for kind, move in seen.moves:
        if move["status"] == "PENDING" and move not in unknown:
            found.breach(
                ENDS, f"{seen.name}: {kind} {move[IDENTITY[kind]]} is undecided, next step {shown['nextStep']}"
            )
    if seen.overdue:
        found.breach(ENDS, f"{seen.name}: {shown['nextStep']} is overdue at {seen.now.isoformat()}")


def _persons(found: Findings, seen: Seen, shown: dict[str, Any]) -> None:
    """What nobody can know is listed for a person, its amount blocked; nothing else is listed (U1)."""
    reasons, unknown = seen.reasons, seen.unknown_moves
    waiting = [(kind, move[IDENTITY[kind]], move["createdAt"]) for kind, move in unknown]
    if seen.unknown_payment:
        waiting.append((*PAYMENT, shown["transactionHistory"][0]["createdAt"]))
    for kind, reference, since in waiting:
        named = [reason for reason in reasons if f"{kind} {reference} " in reason]
        reasons = [reason for reason in reasons if reason not in named]
        if not named:
            found.breach(PERSON, f"{seen.name}: {kind} {reference} waits for a person, and is not listed")
        elif _called_early(seen, named, datetime.fromisoformat(since) + FOR_A_PERSON[seen.order.code, kind]):
            found.breach(PERSON, f"{seen.name}: {kind} {reference} could still have been repeated")
    if reasons:
        found.breach(PERSON, f"{seen.name}: {reasons}")
    if unknown and (seen.beyond is None or (seen.beyond.status, seen.beyond.body.get("code")) != (400, "over_refund")):
        found.breach(PERSON, f"{seen.name}: what waits for a person is not blocked: {seen.beyond}")


def _called_early(seen: Seen, reasons: list[str], since: datetime) -> bool:
    told = [
        e["data"] for e in seen.events if e["event"] == "ORDER_NEEDS_REVIEW" and e["data"]["needsReview"] in reasons
    ]
    return any(datetime.fromisoformat(data["occurredAt"]) < since for data in told)


# -- webhooks ---------------------------------------------------------------------------------------


def _webhooks(found: Findings, seen: Seen, shown: dict[str, Any]) -> None:
    """Every event came. Of a lost one in between the numbers tell; of the last ones, that not all has been told."""

    def of(event: str) -> list[dict[str, Any]]:
        return [e["data"] for e in seen.events if e["event"] == event]

    numbers = [event["data"]["sequence"] for event in seen.events]
    if numbers != list(range(1, len(numbers) + 1)):
        found.breach(ARRIVES, f"{seen.name}: {numbers}")
    ends = [data["status"] for data in of("ORDER_ASYNC_CALLBACK")]
    if ends != [shown["status"]] * (shown["status"] in FINAL):
        found.breach(ARRIVES, f"{seen.name}: its end was told as {ends}")
    last = [(data["status"], data["captureStatus"]) for data in of("ORDER_STATUS_UPDATE")][-1:]
    if last != [(shown["status"], shown["captureStatus"])]:
        found.breach(ARRIVES, f"{seen.name} {shown['captureStatus']}: told last as {last}")
    for kind, (event, name) in TOLD.items():
        told = Counter((data[name], data["status"], Decimal(data["amount"]), data["initiator"]) for data in of(event))
        listed = Counter(
            (move[IDENTITY[kind]], move["status"], Decimal(move["amount"]), move["initiator"])
            for move in shown[MOVES[kind]]
            if move["status"] != "PENDING"
        )
        if told != listed:
            found.breach(
                ARRIVES, f"{seen.name}: {kind}s told {sorted(told.elements())}, and {sorted(listed.elements())}"
            )
    if untold := set(seen.reasons) - {data["needsReview"] for data in of("ORDER_NEEDS_REVIEW")}:
        found.breach(ARRIVES, f"{seen.name}: not told of {sorted(untold)}")
    if _notice_is_due(seen, shown) and not any("authorizationExpiresAt" in data for data in of("ORDER_STATUS_UPDATE")):
        found.breach(ARRIVES, f"{seen.name}: not told that its authorisation ends at {shown['authorizedUntil']}")


def _notice_is_due(seen: Seen, shown: dict[str, Any]) -> bool:
    """Whether money is still open whose authorisation ends soon: that is announced, and nothing need follow it."""
    if shown["captureStatus"] not in ("AUTHORIZED", "PARTIALLY_CAPTURED") or not shown["authorizedUntil"]:
        return False
    return bool(datetime.fromisoformat(shown["authorizedUntil"]) - NOTICE < seen.now - LATE)
