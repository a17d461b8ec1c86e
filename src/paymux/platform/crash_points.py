"""Named points at which a process can be made to die, for proving that nothing is lost there (sandbox mode only).

With `PAYMUX_CRASH_POINTS` naming a folder, a process that passes a point for which a file of that name lies there
takes the file away and ends itself as `kill -9` would. Without the setting a point costs one comparison.
"""

from __future__ import annotations

import os
import signal
from enum import StrEnum
from pathlib import Path


class CrashPoint(StrEnum):
    """Between which two steps of the order's life a process dies."""

    CLAIMED = "claimed"
    """The claim is committed, the provider's call has not left."""
    CALLED = "called"
    """The provider has answered, nothing is decided."""
    DECIDED = "decided"
    """The decision is committed, the merchant has no answer."""
    DELIVERED = "delivered"
    """The merchant's endpoint has answered a webhook, the attempt is not kept."""


_folder: Path | None = None


def arm(folder: Path | None) -> None:
    """Watch a folder from now on; None: never die."""
    global _folder
    _folder = folder


def passing(point: CrashPoint) -> None:
    """Die here if somebody asked for it."""
    if _folder is None:
        return
    try:
        (_folder / point).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
