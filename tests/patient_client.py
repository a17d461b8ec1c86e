"""The real client, which takes its time unless a time-out is what a story is about: a busy machine is no fault."""

from __future__ import annotations

from typing import Any

import aiohttp

from paymux.platform.http import HttpClient
from paymux.sandbox.faults import Faults


class PatientClient(HttpClient):
    """Waits `total` seconds for an answer, and only `short` while the sandbox is ordered to hold one back."""

    def __init__(self, *, short: float = 1.0, **made: Any) -> None:
        super().__init__(**made)
        self.short, self.faults = short, Faults()

    @property
    def times(self) -> aiohttp.ClientTimeout:
        if any(ordered.fault.startswith("timeout") for ordered in self.faults.listed()):
            return aiohttp.ClientTimeout(total=self.short, sock_read=self.short)
        return super().times
