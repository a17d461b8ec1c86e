"""Whatever merchants, shoppers, providers, networks and clocks do: the money agrees and every order ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
import structlog
from hypothesis import HealthCheck, Phase, given, settings

from paymux.platform import jobs
from tests.installation import Installation
from tests.properties.judgement import judge
from tests.properties.player import Player
from tests.properties.stories import (
    Cancels,
    Charges,
    Moves,
    Ordered,
    Passes,
    Pays,
    Reads,
    ReturnsAs,
    Story,
    Strikes,
    stories,
)

# Defects that nobody sees from outside, for a job is tried again.
SILENT_DEFECTS = {"job.failed", "connector.failed", "worker.interrupted"}
OFTEN = settings(
    deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.fixture(scope="module")
async def lively(
    new_database: Callable[[], Awaitable[str]], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation that looks at its queue all the time: a story moves the clock often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "NOTICE", timedelta(milliseconds=25))
        running = Installation(tmp_path_factory.mktemp("home"), await new_database())
        await running.start()
        yield running
        await running.stop()


async def tell(installation: Installation, story: Story) -> None:
    """Play a story and judge it; print it when something is wrong."""
    with structlog.testing.capture_logs([structlog.processors.format_exc_info]) as logs:
        player = Player(installation, story)
        try:
            await player.play()
            await judge(player)
        except Exception as fault:
            fault.add_note(str(story))
            for life in player.lives:
                fault.add_note(f"{life.reference}: {await installation.merchant.details(life.reference)}")
                fault.add_note(f"{life.reference} at the provider: {installation.ledger(life.reference)}")
            raise
    silent = [entry for entry in logs if entry["event"] in SILENT_DEFECTS]
    assert not silent, silent


TOLD_BEFORE = {
    "a deadline, a lost create and a poll due at once left a timer behind that came back for ever": Story(
        orders=(Ordered("AFTERPAY_AU", cancellation_timeout=60, create_fault="error_after", verdict="decline"),),
        steps=(Passes(2_500_000), Reads(0), Pays(0, "cancel")),
    ),
    "a lost create whose order was paid by its retry": Story(
        orders=(Ordered("PLANPAY_AU", get_token=True, create_fault="malformed"),),
        steps=(Pays(0), Charges(0, "error_after"), Cancels(0), Moves(0, "refund", "60"), Moves(0, "refund", "60")),
    ),
    "a refund that is lost, and repeated by its reference": Story(
        orders=(Ordered("LATITUDEPAY_AU"), Ordered("KLARNA_AU")),
        steps=(
            Pays(0), Pays(1), Strikes(0, "refund", "error_after"), Strikes(1, "refund", "reset_after", 2),
            Moves(0, "refund", "40"), Moves(1, "refund", "40"), Moves(0, "refund", "40"), Moves(1, "refund", "60"),
            ReturnsAs(0, 1),
        ),
    ),
    "a refund that is lost, an hour before the provider forgets its key": Story(
        orders=(Ordered("LATITUDEPAY_AU"),),
        steps=(Pays(0), Strikes(0, "refund", "error_after"), Moves(0, "refund", "100"), Passes(3_700)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD_BEFORE)
async def test_a_story_told_before(lively: Installation, name: str) -> None:
    await tell(lively, TOLD_BEFORE[name])


@given(story=stories(moves=2, asides=3))
@settings(OFTEN, max_examples=25, derandomize=True, database=None)
async def test_the_money_agrees_and_every_order_ends(lively: Installation, story: Story) -> None:
    await tell(lively, story)


@pytest.mark.slow
@pytest.mark.timeout(7_200)
@given(story=stories(moves=5, asides=10, slow=True))
@settings(OFTEN, max_examples=120)
async def test_the_money_agrees_and_every_order_ends_in_long_stories(lively: Installation, story: Story) -> None:
    await tell(lively, story)


@pytest.mark.slow
@pytest.mark.timeout(7_200)
@given(story=stories(moves=4, asides=8, races=True))
@settings(OFTEN, max_examples=120, phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.target])
async def test_the_money_agrees_and_every_order_ends_in_stories_with_races(lively: Installation, story: Story) -> None:
    await tell(lively, story)
