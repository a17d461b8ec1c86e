"""The order's life as data: from which status, by which outcome, to which status, and what follows.

Same state again: nothing. Final: stays; money that shows up on an order that failed is given back (T3).
What is not in the table changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from paymux.orders.model import Status

_TABLE = """
    from        outcome      to           then
    INITIATED   redirect     PENDING      poll deadline
    INITIATED   unknown      PENDING      retry-create deadline
    INITIATED   declined     DECLINED
    INITIATED   broken       ERROR
    INITIATED   cancelled    CANCELED
    INITIATED   pending      PENDING      poll deadline
    INITIATED   authorised   PENDING      poll deadline
    INITIATED   expired      CANCELED
    INITIATED   paid         SUCCESSFUL
    PENDING     authorised   PENDING      poll
    PENDING     paid         SUCCESSFUL
    PENDING     declined     DECLINED     watch
    PENDING     cancelled    CANCELED     watch
    PENDING     expired      CANCELED     watch
    PENDING     broken       ERROR        watch
    DECLINED    authorised   DECLINED     give-back
    DECLINED    paid         DECLINED     give-back
    CANCELED    authorised   CANCELED     give-back
    CANCELED    paid         CANCELED     give-back
    ERROR       authorised   ERROR        give-back
    ERROR       paid         ERROR        give-back
"""


@dataclass(frozen=True, slots=True)
class Transition:
    """Where an outcome leads, and the names of what follows."""

    to: Status
    then: frozenset[str]


def _read(table: str) -> dict[tuple[Status, str], Transition]:
    rows = [line.split() for line in table.strip().splitlines()[1:]]
    return {(Status(row[0]), row[1]): Transition(Status(row[2]), frozenset(row[3:])) for row in rows}


TRANSITIONS = _read(_TABLE)


def transition(status: Status, outcome: str) -> Transition | None:
    """What an outcome does to an order in this status; None: nothing."""
    return TRANSITIONS.get((status, outcome))
