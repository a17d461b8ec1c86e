"""A repeat that the provider refuses because it knows the key: it says nothing of the first call, which has moved the money.

Tried for every operation that is declared idempotent, can't be read, and of which no source says that a repeat is given the
first answer: its provider may give that, as the rest of this suite has it, or refuse.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from paymux.connectors.facts import ProviderFacts
from paymux.connectors.registry import all_providers
from tests.conformance.trial import PATIENT, STEPS, Trial
from tests.installation import Answer

LIMITS = PATIENT
Story = Callable[[Trial, str], Awaitable[str]]
"""A story in which the operation is struck after its effect; the order's reference."""


async def _while_paying(trial: Trial, operation: str) -> str:
    opened = await trial.opens(autoCapture=trial.can("sale"))
    reference: str = opened["orderReference"]
    await trial.mute(reference)
    await trial.fault(operation, "error_after", reference)
    await trial.pays(opened)
    return reference


async def _while_charging(trial: Trial, operation: str) -> str:
    body = trial.body(token=await trial.token(), customerPresent=True)
    reference: str = body["orderReference"]
    await trial.mute(reference)
    await trial.fault(operation, "error_after", reference)
    assert (await trial.merchant.post("/orders", body)).status == 201
    return reference


async def _while_capturing(trial: Trial, operation: str) -> str:
    return await _while_moving(trial, operation, await trial.paid(autoCapture=False))


async def _while_refunding(trial: Trial, operation: str) -> str:
    return await _while_moving(trial, operation, await trial.paid())


async def _while_moving(trial: Trial, operation: str, reference: str) -> str:
    await trial.mute(reference)
    await trial.fault(operation, "error_after", reference)
    assert (await _moves(trial, operation)(reference, trial.total)).status == 201
    return reference


def _moves(trial: Trial, operation: str) -> Callable[..., Awaitable[Answer]]:
    moves: dict[str, Callable[..., Awaitable[Answer]]] = {
        "capture": trial.captures, "void": trial.voids, "refund": trial.refunds,
    }  # fmt: skip
    return moves[operation]


STORIES: dict[str, Story] = {
    "confirm": _while_paying, "charge_token": _while_charging, "capture": _while_capturing, "void": _while_capturing,
    "refund": _while_refunding,
}  # fmt: skip
PAYS = ("confirm", "charge_token")


def _unknowable(facts: ProviderFacts, operation: str) -> bool:
    """Whether a repeat is all that can tell of an operation, and may be refused because of the first call."""
    recovered = operation == "confirm" and facts.capabilities.recover_confirm
    repeated = facts.idempotent.has(operation) and operation not in facts.idempotent.replays
    return repeated and not getattr(facts.readable, operation) and not recovered


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    pairs = [
        (name, operation)
        for name, provider in sorted(all_providers().items())
        for operation in STORIES
        if _unknowable(provider.facts, operation)
    ]
    assert pairs
    metafunc.parametrize(("trial", "operation"), pairs, indirect=["trial"])


async def test_a_repeat_that_is_refused_because_its_key_is_known_fails_nothing_that_has_moved(
    trial: Trial, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator = trial.installation.sandbox.simulators[trial.provider.name]
    monkeypatch.setattr(simulator, "refuses_known_keys", True)
    reference = await STORIES[operation](trial, operation)
    assert trial.struck(operation, reference)
    for step in (*STEPS, trial.facts.times.decides_within + 1):
        await trial.installation.advance(step)
        await trial.installation.quiet()

    books = await trial.books(reference)
    assert books.moved("authorize") == trial.total
    assert books.moved(operation if operation not in PAYS else "authorize") == trial.total
    assert books.details["needsReview"]
    assert await trial.wrongs(reference, unknowable=operation) == []
    if operation in PAYS:
        assert books.status == "PENDING"
        return
    assert books.status == "SUCCESSFUL"
    assert [row["status"] for row in books.operations if row["needsReview"]] == ["PENDING"]
    again = await _moves(trial, operation)(reference, trial.total, "again")
    assert again.status == 400, "the amount is not blocked"
