"""Who acts, and for which request: said where a request, a job or a command begins, read where its change is written."""

from __future__ import annotations

import os
import pwd
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """`kind` is what sort of actor (`merchant`, `operator`, `system`, `shopper`, `provider`, …), `name` which one."""

    kind: str
    name: str
    request_id: str | None = None


NOBODY = Actor("system", "paymux")
_actor: ContextVar[Actor] = ContextVar("actor", default=NOBODY)


def acting_as(actor: Actor) -> None:
    """Everything that this request, job or command does from now on is this actor's."""
    _actor.set(actor)


def acting() -> Actor:
    """Whose doing what happens now is; the system's own where nobody said."""
    return _actor.get()


def operator() -> Actor:
    """The person at the command line: the account that he logged in with, also behind `sudo`."""
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = str(os.geteuid())
    behind = os.environ.get("SUDO_USER", "")
    return Actor("operator", f"{name} ({behind})" if behind.isprintable() and behind else name)
