"""Memory of processes: RSS, and PSS, in which what several share counts once over all of them (Linux)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psutil

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one process, or of several in all; bytes. `pss` is what they cost together."""

    processes: int
    rss: int
    pss: int


def of_all(processes: list[psutil.Process]) -> Memory:
    """Memory of these processes; those that have just ended count nothing."""
    number, rss, pss = 0, 0, 0
    for process in processes:
        try:
            found = process.memory_full_info()
        except psutil.Error:
            continue
        number, rss, pss = number + 1, rss + found.rss, pss + found.pss
    return Memory(number, rss, pss)


def with_children(pid: int) -> list[psutil.Process]:
    """A process and everything that it started."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def table(measured: Mapping[str, Memory]) -> str:
    """Every row, and the sum of their PSS."""
    lines = [f"  {'memory':<22}{'processes':>10}{'RSS MB':>10}{'PSS MB':>10}"]
    for name, memory in measured.items():
        lines.append(f"  {name:<22}{memory.processes:>10}{memory.rss / MB:>10.0f}{memory.pss / MB:>10.0f}")
    everything = sum(memory.pss for memory in measured.values())
    return "\n".join([*lines, f"  {'in all':<22}{'':>10}{'':>10}{everything / MB:>10.0f}"])
