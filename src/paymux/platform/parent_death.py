"""Children that don't outlive their parent, even when it dies without a word (`kill -9`)."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def die_with_parent(ending: signal.Signals) -> Callable[[], None] | None:
    """What a child does before its program starts (`Popen(preexec_fn=...)`): ask for `ending` when this process dies.

    Spawn from the main thread: the kernel takes the end of the spawning thread for the parent's. None where the
    system has no such thing (it is Linux's own).
    """
    if not sys.platform.startswith("linux"):
        return None
    parent, system = os.getpid(), ctypes.CDLL(None, use_errno=True)

    def ask() -> None:
        system.prctl(_PR_SET_PDEATHSIG, ending)
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)

    return ask
