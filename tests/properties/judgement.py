"""What must be true of every order once its story has settled."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

from paymux.orders.transitions import TRANSITIONS
from tests.properties import stories as s
from tests.properties.player import Life, Player, same_answer

FINAL = {"SUCCESSFUL", "DECLINED", "CANCELED", "ERROR"}
STEPS = {(str(start), str(step.to)) for (start, _), step in TRANSITIONS.items() if step.to is not start}
TOTAL = Decimal(s.TOTAL)


async def judge(player: Player) -> None:
    """Assert all of it for all orders of the story."""
    for life in player.lives:
        details = await player.merchant.details(life.reference)
        _money(player, life, details)
        _history(details)
        _ended(details, by_itself=not player.untold_refunds(life))
        _webhooks(player, life, details)
        await _repeats(player, life)


def _sums(player: Player, life: Life) -> dict[str, Decimal]:
    sums = dict.fromkeys(("authorize", "capture", "void", "refund"), Decimal(0))
    for kind, amount in player.installation.ledger(life.reference):
        sums[kind] += amount
    return sums


def _money(player: Player, life: Life, details: dict[str, Any]) -> None:
    """Money that moved at the provider is money that paymux says moved; and never more than there was."""
    witness = _sums(player, life)
    said = {kind: Decimal(details[f"{kind}Amount"]) for kind in ("captured", "voided", "expired", "refunded")}
    seen, untold = (witness["capture"], witness["void"]), witness["refund"] - said["refunded"]
    assert (said["captured"], said["voided"]) == seen, f"paymux {said}, provider {witness}"
    assert 0 <= untold <= player.untold_refunds(life), f"paymux {said}, provider {witness}"
    assert witness["authorize"] in (0, TOTAL), f"paid {witness['authorize']} of {TOTAL}"
    assert said["captured"] + said["voided"] + said["expired"] <= witness["authorize"], said
    assert said["refunded"] <= said["captured"], said
    if details["status"] == "SUCCESSFUL":
        assert witness["authorize"] == TOTAL
        assert not life.ordered.auto_capture or said["captured"] == TOTAL
    elif details["status"] in FINAL:
        assert said["captured"] == witness["refund"], "an order that failed keeps money"
        assert witness["authorize"] == said["captured"] + said["voided"] + said["expired"], "a failed order holds money"
    done = {"refunds": "refunded", "orderCaptures": "captured", "orderVoids": "voided"}
    for listed, total in done.items():
        rows = [Decimal(row["amount"]) for row in details[listed] if row["status"] == "SUCCESSFUL"]
        assert sum(rows, Decimal(0)) == said[total], (listed, details[listed])


def _history(details: dict[str, Any]) -> None:
    """Statuses follow the transition table, and the last one is the order's."""
    statuses = [row["status"] for row in details["transactionHistory"]]
    assert statuses[0] == "INITIATED"
    assert statuses[-1] == details["status"]
    assert all(pair in STEPS for pair in pairwise(statuses)), statuses


def _ended(details: dict[str, Any], *, by_itself: bool) -> None:
    """Nothing is left open once no fault strikes and everybody has decided; nobody has to look at it."""
    rows = [*details["refunds"], *details["orderCaptures"], *details["orderVoids"]]
    waiting = [row for row in rows if row["status"] == "PENDING"]
    assert details["needsReview"] is None or not by_itself, details["needsReview"]
    assert details["status"] in FINAL, (details["status"], details["nextStep"])
    assert not waiting, waiting
    assert details["nextStep"] is None, details["nextStep"]


def _webhooks(player: Player, life: Life, details: dict[str, Any]) -> None:
    """Every event came, numbered without holes; the end was told once, and so was the end of each operation."""
    events = player.installation.inbox.events(life.reference)
    assert [event["data"]["sequence"] for event in events] == list(range(1, len(events) + 1))
    ends = [event["data"]["status"] for event in events if event["event"] == "ORDER_ASYNC_CALLBACK"]
    assert ends == [details["status"]]
    updates = [event["data"] for event in events if event["event"] == "ORDER_STATUS_UPDATE"]
    assert (updates[-1]["status"], updates[-1]["captureStatus"]) == (details["status"], details["captureStatus"])
    for name, listed in (
        ("CAPTURE_STATUS_UPDATE", "orderCaptures"), ("VOID_STATUS_UPDATE", "orderVoids"), ("REFUND_CALLBACK", "refunds"),
    ):  # fmt: skip
        told = sorted(str(event["data"]["status"]) for event in events if event["event"] == name)
        assert told == sorted(row["status"] for row in details[listed]), (name, told, details[listed])


async def _repeats(player: Player, life: Life) -> None:
    """Each reference again: the same answer, and nothing moves."""
    before = player.installation.ledger(life.reference)
    calls = {"capture": player.merchant.captures, "void": player.merchant.voids, "refund": player.merchant.refunds}
    for (kind, name), (amount, first) in life.first.items():
        again = await calls[kind](life.reference, amount, name)
        same_answer(first, again)
        assert again.status != 201 or "PENDING" not in again.body.values(), again
    assert player.installation.ledger(life.reference) == before
