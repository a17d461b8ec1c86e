"""What goes wrong for an operator, each as one sentence that says what to do, instead of a traceback."""

from __future__ import annotations

import asyncpg
from pydantic import ValidationError

from paymux.accounts import live_checks
from paymux.connectors.registry import UnknownCode
from paymux.platform.database import DatabaseUnavailable
from paymux.platform.encryption import Unreadable
from paymux.platform.key_file import KeyFileMissing
from paymux.platform.migrations import NewerDatabase
from paymux.platform.ports import PortTaken
from paymux.platform.running import NotRunning

FAULTS = (
    UnknownCode, ValueError, NotRunning, KeyFileMissing, Unreadable, DatabaseUnavailable, NewerDatabase,
    live_checks.UnsafeStart, PortTaken, asyncpg.UndefinedTableError, asyncpg.PostgresConnectionError, OSError,
)  # fmt: skip


def sentence(fault: Exception) -> str:
    """One of FAULTS in words."""
    if isinstance(fault, UnknownCode):
        return f"{fault.args[0]} is no known payment method code. `paymux providers` lists them all."
    if isinstance(fault, DatabaseUnavailable | asyncpg.PostgresConnectionError):
        return f"The database can't be reached: {fault}"
    if isinstance(fault, asyncpg.UndefinedTableError):
        return "The database has no schema yet: run `paymux db upgrade` first."
    if isinstance(fault, ValidationError):
        wrong = "; ".join(_wrong(error["loc"], error["msg"]) for error in fault.errors())
        return f"The settings can't be used: {wrong.rstrip('?.')}."
    return str(fault)


def _wrong(place: tuple[int | str, ...], said: str) -> str:
    """What is wrong with one setting, or, without a place, with several together."""
    said = said.removeprefix("Value error, ")
    return f"PAYMUX_{'_'.join(map(str, place)).upper()}: {said}" if place else said
