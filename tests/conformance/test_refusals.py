"""What a merchant can put right in an order is named in the answer: limits, currencies, and what a provider finds wrong."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from tests.conformance.trial import PATIENT, Trial
from tests.installation import Answer

LIMITS = PATIENT
CENT = Decimal("0.01")
TAKEN = [
    ("billingAddress.postalCode", "1" * 60), ("billingAddress.state", "Nowhere"), ("customer.firstName", "X" * 250),
]  # fmt: skip
"""What is odd about a customer, and is nowhere refused: the connector cuts it or leaves it out, or the provider does not mind."""


def said(answer: Answer) -> str:
    """The sentences of an answer."""
    message = answer.body["message"]
    return message if isinstance(message, str) else " / ".join(message)


async def test_an_amount_outside_its_limits_is_answered_with_them_for_every_code(trial: Trial) -> None:
    for code, rule in trial.facts.codes.items():
        limits = rf"orderAmount must be from {rule.min.normalize():f} to {rule.max.normalize():f} for {code}"
        for amount in (rule.min - CENT, rule.max + 1):
            answer = await trial.merchant.post("/orders", trial.merchant.order(code, str(amount)))
            assert answer.status == 400, code
            assert limits in said(answer)


async def test_a_currency_that_it_does_not_take_is_answered_with_those_that_it_takes_for_every_code(
    trial: Trial,
) -> None:
    for code, rule in trial.facts.codes.items():
        if rule.currencies:
            body = {**trial.merchant.order(code, str(rule.max)), "purchaseCurrency": "XAF"}
            answer = await trial.merchant.post("/orders", body)
            assert (answer.status, answer.body["code"]) == (400, "provider_not_available"), code
            taken = re.search(rf"purchaseCurrency must be (.+) for {code}", said(answer))
            assert taken is not None
            assert set(taken[1].split(" or ")) == set(rule.currencies)


async def test_what_a_provider_finds_wrong_with_a_customer_is_named_and_whatever_it_does_not_is_taken(
    trial: Trial,
) -> None:
    simulators = trial.installation.sandbox.simulators
    refused = simulators[trial.provider.name].refused_customers
    demanded = trial.facts.codes[trial.code].required
    somewhere = {oddity for simulator in simulators.values() for oddity in simulator.refused_customers}
    assert somewhere, "nobody refuses anything"

    for path, value in [*TAKEN, *sorted(somewhere, key=str)]:
        answer = await trial.merchant.post("/orders", _with(trial.body(), path, value))

        if (path, value) in refused:
            assert (answer.status, answer.body["code"]) == (422, "provider_refused"), (path, value, answer.body)
            assert refused[path, value] in said(answer)
        elif value is None and path in demanded:
            assert answer.status == 400, (path, answer.body)
            assert f"{path} is required by {trial.code}" in said(answer)
        else:
            assert answer.status == 201, (path, value, answer.body)


def _with(body: dict[str, Any], path: str, value: str | None) -> dict[str, Any]:
    """An order with another value in one of its fields, or without it."""
    part, _, field = path.partition(".")
    body[part][field] = value
    if value is None:
        del body[part][field]
    return body
