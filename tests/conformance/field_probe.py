"""The field-probe: every code in every country and currency, and what was found kept in docs/capabilities.json.

`make docs` runs it, and makes the tables of docs/providers.md from what is kept; test_field.py runs it again.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from paymux.connectors.registry import all_providers
from tests.conformance.field import Place, places
from tests.conformance.findings import Findings, Result, differences, groups, text_of
from tests.conformance.probe import Probe
from tests.connectors.conftest import counters

KEPT = Path(__file__).parents[2] / "docs" / "capabilities.json"
AT_ONCE = 6
"""Places that are tried at the same time, for much of it is waiting for events."""


async def field_of(name: str) -> Result:
    """What a connector does, by code and place."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def found_in(code: str, place: Place) -> Findings:
        async with gate:
            with tempfile.TemporaryDirectory() as folder:
                # A sandbox of its own: its clock may go on, and nothing is known of another place.
                async with counters(Path(folder) / "witness.db") as make:
                    return await Probe(await make(name), code, place).run()

    tried = [(code, place) for code, facts in all_providers()[name].facts.codes.items() for place in places(facts)]
    found = await asyncio.gather(*(found_in(code, place) for code, place in tried))
    result: dict[str, dict[Place, Findings]] = {}
    for (code, place), findings in zip(tried, found, strict=True):
        result.setdefault(code, {})[place] = findings
    return result


def _tried(name: str) -> tuple[list[dict[str, Any]], list[str]]:
    result = asyncio.run(field_of(name))
    facts = all_providers()[name].facts
    return groups(facts, result), differences(facts, result)


def main() -> None:
    """Probe every connector, two at a time, and keep the result; fail when one does otherwise than it claims."""
    by_size = sorted(all_providers(), key=lambda name: -len(all_providers()[name].facts.codes))
    with ProcessPoolExecutor(2) as pool:
        found = dict(zip(by_size, pool.map(_tried, by_size), strict=True))
    KEPT.write_text(text_of({name: kept for name, (kept, _) in found.items()}), encoding="utf-8")
    wrong = [f"{name}: {sentence}" for name, (_, sentences) in sorted(found.items()) for sentence in sentences]
    sys.exit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()
