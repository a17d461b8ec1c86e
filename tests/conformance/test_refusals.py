"""What a merchant can put right in an order is named in the answer: limits, currencies, and what a provider finds wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.conformance.trial import PATIENT, Trial
from tests.installation import Answer

LIMITS = PATIENT
CENT = Decimal("0.01")
# A change to an order that some provider may refuse, and the word that then has to be in the answer.
ODDITIES: dict[str, tuple[Callable[[Any], object], str]] = {
    "a phone number too short": (lambda body: body["customer"].update(phoneNumber="1"), "phone"),
    "a phone number that is none": (lambda body: body["customer"].update(phoneNumber="call me"), "phone"),
    "an email address that is none": (lambda body: body["customer"].update(email="nobody"), "e-?mail"),
    "a postal code too short": (lambda body: body["billingAddress"].update(postalCode="1"), "zip|post"),
    "a postal code too long": (lambda body: body["billingAddress"].update(postalCode="1" * 60), "zip|post"),
    "a state that is none": (lambda body: body["billingAddress"].update(state="Nowhere"), "state|region"),
    "a country far away": (lambda body: body["billingAddress"].update(country="BR"), "country"),
    "a name too long": (lambda body: body["customer"].update(firstName="X" * 250), "name"),
}


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


async def test_what_a_provider_finds_wrong_with_a_customer_is_named(trial: Trial) -> None:
    for oddity, (change, word) in ODDITIES.items():
        body = trial.body()
        change(body)
        answer = await trial.merchant.post("/orders", body)
        assert answer.status in (201, 400, 422), (oddity, answer.body)
        if answer.status != 201:
            assert re.search(word, said(answer), re.I), (oddity, said(answer))
