"""The suite runs on every connector that the registry finds; nobody lists them.

A test takes `trial`. `@pytest.mark.able("void", ...)` gives it to the connectors that declare all of these
capabilities, `@pytest.mark.unable("void")` to those that do not declare it, and
`@pytest.mark.where(holds=predicate)` to those whose Provider satisfies a predicate.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from paymux.connectors.registry import Provider, all_providers
from tests.conformance.trial import Trial
from tests.installation import Installation

HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "able(*capabilities): the connectors that declare all of these")
    config.addinivalue_line("markers", "unable(capability): the connectors that do not declare it")
    config.addinivalue_line("markers", "where(holds): the connectors whose Provider satisfies it")


def _fits(provider: Provider, metafunc: pytest.Metafunc) -> bool:
    able = provider.facts.capabilities
    markers = metafunc.definition
    return (
        all(getattr(able, name) for mark in markers.iter_markers("able") for name in mark.args)
        and not any(getattr(able, name) for mark in markers.iter_markers("unable") for name in mark.args)
        and all(mark.kwargs["holds"](provider) for mark in markers.iter_markers("where"))
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "trial" in metafunc.fixturenames and "operation" not in metafunc.fixturenames:
        fitting = [name for name, provider in sorted(all_providers().items()) if _fits(provider, metafunc)]
        metafunc.parametrize("trial", fitting, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test that no connector is fit for is not there: nothing is skipped."""
    idle = [item for item in items if item.name.endswith("[NOTSET]") and item.path.is_relative_to(HERE)]
    items[:] = [item for item in items if item not in idle]
    config.hook.pytest_deselected(items=idle)


@pytest.fixture
async def trial(request: pytest.FixtureRequest, installation: Installation) -> AsyncIterator[Trial]:
    """A connector on trial, in an installation that has no other story going on."""
    await installation.quiet()
    yield Trial(installation, all_providers()[request.param])
    installation.sandbox.faults.clear()
    # A told story is laid to rest: its polls and watches must not come into the next one's clock.
    async with installation.database.transaction() as tx:
        await tx.execute("DELETE FROM timers")
        await tx.execute("DELETE FROM pgqueuer WHERE status = 'queued' AND entrypoint = 'order_timer'")
