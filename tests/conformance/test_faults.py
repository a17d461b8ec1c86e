"""Each fault on each operation: afterwards the books agree, nothing moved twice, and nothing is forgotten (U1, U2).

What a connector itself makes of a fault (an error before and after the effect, an answer that is nonsense) is in
the fast run; what only its HTTP client sees (time-outs, a lost connection, slowness), and faults that strike twice,
are in the slow one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.facts import Capabilities
from paymux.connectors.registry import all_providers
from tests.conformance.trial import Trial

LIMITS = {"provider_timeout": 3.0, "sandbox_hold": 3.6, "sandbox_slow": 0.2, "lease": 10.0, "delivery_timeout": 10.0}
FAST = ("error_before", "error_after", "malformed")
SLOW = ("timeout_before", "timeout_after", "reset_after", "slow")
Story = Callable[[Trial, str, str, int], Awaitable[dict[str, Any]]]
"""A story in which an operation is struck: what the order must come to, its reference included."""


async def _while_creating(trial: Trial, operation: str, fault: str, times: int) -> dict[str, Any]:
    body = trial.body()
    await trial.fault(operation, fault, body["orderReference"], times)
    opened = await trial.opens(body)
    await trial.pays(opened)
    return {"reference": body["orderReference"], "status": "SUCCESSFUL", "captured": trial.total}


async def _while_paying(trial: Trial, operation: str, fault: str, times: int) -> dict[str, Any]:
    opened = await trial.opens(getToken=trial.can("token"))
    reference = opened["orderReference"]
    await trial.fault(operation, fault, reference, times)
    await trial.pays(opened)
    return {"reference": reference, "status": "SUCCESSFUL", "captured": trial.total}


async def _while_asking(trial: Trial, operation: str, fault: str, times: int) -> dict[str, Any]:
    opened = await trial.opens()
    reference = opened["orderReference"]
    await trial.mute(reference)
    await trial.fault(operation, fault, reference, times)
    await trial.leaves(opened)
    return {"reference": reference, "status": "SUCCESSFUL", "captured": trial.total}


async def _while_capturing(trial: Trial, operation: str, fault: str, times: int) -> dict[str, Any]:
    opened = await trial.opens(autoCapture=not trial.can("deferred_capture"))
    reference = opened["orderReference"]
    if not trial.can("deferred_capture"):
        await trial.fault(operation, fault, reference, times)
    await trial.pays(opened)
    if trial.can("deferred_capture"):
        await trial.becomes(reference, "SUCCESSFUL")
        await trial.fault(operation, fault, reference, times)
        assert (await trial.captures(reference, trial.total)).status == 201
    return {"reference": reference, "status": "SUCCESSFUL", "captured": trial.total}


async def _while_voiding(trial: Trial, operation: str, fault: str, times: int) -> dict[str, Any]:
    opened = await trial.opens(autoCapture=False)
    reference = opened["orderReference"]
    await trial.pays(opened)
    await trial.becomes(reference, "SUCCESSFUL")
    await trial.fault(operation, fault, reference, times)
    assert (await trial.voids(reference, trial.total)).status == 201
    return {"reference": reference, "status": "SUCCESSFUL", "captured": Decimal(0), "voided": trial.total}


async def _while_refunding(trial: Trial, operation: str, fault: str, times: int) -> dict[str, Any]:
    opened = await trial.opens()
    reference = opened["orderReference"]
    await trial.pays(opened)
    await trial.becomes(reference, "SUCCESSFUL")
    amount = trial.part(40) if trial.can("partial_refund") else trial.total
    await trial.fault(operation, fault, reference, times)
    assert (await trial.refunds(reference, amount)).status == 201
    return {"reference": reference, "status": "SUCCESSFUL", "captured": trial.total, "refunded": amount}


async def _while_cancelling(trial: Trial, operation: str, fault: str, times: int) -> dict[str, Any]:
    opened = await trial.opens()
    reference = opened["orderReference"]
    await trial.fault(operation, fault, reference, times)
    assert (await trial.cancels(reference)).status == 201
    return {"reference": reference, "status": "CANCELED", "captured": Decimal(0)}


async def _while_charging(trial: Trial, operation: str, fault: str, times: int) -> dict[str, Any]:
    token = await trial.token()
    body = trial.body(token=token, customerPresent=True)
    await trial.fault(operation, fault, body["orderReference"], times)
    answer = await trial.merchant.post("/orders", body)
    assert answer.status == 201, answer.body
    return {"reference": body["orderReference"], "status": "SUCCESSFUL", "captured": trial.total}


STORIES: dict[str, tuple[Callable[[Capabilities], bool], Story]] = {
    "create": (lambda able: able.sale, _while_creating),
    "confirm": (lambda able: able.sale and able.confirm, _while_paying),
    "status": (lambda able: able.sale and able.status, _while_asking),
    "capture": (lambda able: able.deferred_capture or able.capture_after_authorisation, _while_capturing),
    "void": (lambda able: able.deferred_capture and able.void, _while_voiding),
    "refund": (lambda able: able.sale and able.refund, _while_refunding),
    "cancel": (lambda able: able.sale and able.cancel, _while_cancelling),
    "charge_token": (lambda able: able.charge_token, _while_charging),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    pairs = [
        (name, operation)
        for name, provider in sorted(all_providers().items())
        for operation, (declared, _) in STORIES.items()
        if declared(provider.facts.capabilities)
    ]
    metafunc.parametrize(("trial", "operation"), pairs, indirect=["trial"])


async def survives(trial: Trial, operation: str, faults: tuple[str, ...], times: int) -> None:
    """Tell the operation's story once for each fault, all at once, let all come to rest, and look at the books."""
    story = STORIES[operation][1]
    ends = await asyncio.gather(*(story(trial, operation, fault, times) for fault in faults))
    await trial.comes_to_rest(*(end["reference"] for end in ends))
    await trial.installation.advance(1_201)
    await trial.installation.quiet()
    found = {
        fault: wrong
        for fault, end in zip(faults, ends, strict=True)
        if (wrong := await _wrong(trial, operation, fault, times, end))
    }
    assert found == {}


async def _wrong(trial: Trial, operation: str, fault: str, times: int, end: dict[str, Any]) -> list[str]:
    reference = end["reference"]
    if not trial.struck(operation, reference, times):
        return [f"{fault} never struck {operation}"]
    if trial.only_reads(operation) and not (await trial.books(reference)).moved(operation):
        return await _awaited(trial, operation, reference)
    if trial.knows(operation) or fault == "slow" or operation in ("status", "cancel"):
        books = await trial.books(reference)
        wrong = await trial.wrongs(reference)
        if books.status != end["status"]:
            wrong.append(f"the order is {books.status}, not {end['status']}")
        for name in ("captured", "voided", "refunded"):
            if name in end and books.said(name) != end[name]:
                wrong.append(f"{books.said(name)} {name}, not {end[name]}")
        return wrong
    return await _blocked(trial, operation, reference)


async def _awaited(trial: Trial, operation: str, reference: str) -> list[str]:
    """It never came to the provider, which shows only what happened: it is asked about, then listed for a person (U3)."""
    await trial.installation.advance(trial.facts.times.decides_within + 1)
    await trial.installation.quiet()
    return await _blocked(trial, operation, reference)


async def _blocked(trial: Trial, operation: str, reference: str) -> list[str]:
    """Nobody can know: it is listed for a person, and its amount can't be moved again."""
    wrong = await trial.wrongs(reference, unknowable=operation)
    again = {"capture": trial.captures, "void": trial.voids, "refund": trial.refunds}.get(operation)
    if again is not None and (await again(reference, trial.total, "again")).status != 400:
        wrong.append(f"the amount of the unknown {operation} is not blocked")
    return wrong


async def test_a_fault_at_the_provider_moves_nothing_twice_and_is_not_forgotten(trial: Trial, operation: str) -> None:
    await survives(trial, operation, FAST, 1)


@pytest.mark.slow
async def test_a_fault_on_the_way_moves_nothing_twice_and_is_not_forgotten(trial: Trial, operation: str) -> None:
    await survives(trial, operation, SLOW, 1)


@pytest.mark.slow
async def test_a_fault_that_strikes_twice_is_outlasted(trial: Trial, operation: str) -> None:
    await survives(trial, operation, (*FAST, *SLOW), 2)
