"""Faults on demand: what goes wrong between paymux and a simulator, and when (issue: `POST /control/faults`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Operation = Literal["create", "confirm", "status", "capture", "void", "refund", "cancel", "charge_token", "events"]
CallFault = Literal[
    "timeout_before", "timeout_after", "error_before", "error_after", "reset_after", "malformed", "slow"
]
EventFault = Literal["duplicate_event", "late_event", "no_event", "reordered_events"]

OPERATIONS: frozenset[str] = frozenset(get_args(Operation))
CALL_FAULTS: frozenset[str] = frozenset(get_args(CallFault))
EVENT_FAULTS: frozenset[str] = frozenset(get_args(EventFault))


@dataclass(slots=True)
class Fault:
    """One ordered fault: it strikes `times` calls of an operation, of one order reference if given."""

    simulator: str
    operation: str
    fault: str
    times: int
    reference: str | None = None


class Faults:
    """The faults still to strike, first ordered first."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []

    def order(self, fault: Fault) -> None:
        """Add a fault."""
        self._ordered.append(fault)

    def clear(self) -> None:
        """Take all faults back."""
        self._ordered.clear()

    def listed(self) -> list[Fault]:
        """The faults still to strike."""
        return list(self._ordered)

    def strike(self, simulator: str, operation: str, reference: str | None) -> str | None:
        """The fault that strikes this call, used up by one; None when all is well."""
        for fault in self._ordered:
            if (
                fault.simulator == simulator
                and fault.operation == operation
                and (fault.reference is None or fault.reference == reference)
            ):
                fault.times -= 1
                if fault.times <= 0:
                    self._ordered.remove(fault)
                return fault.fault
        return None
