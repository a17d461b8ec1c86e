"""What is known beforehand to be refused is refused before anything is claimed, so that the reference stays free (E5)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors.facts import AdditionalDatum, CodeFacts
from paymux.connectors.registry import Provider
from paymux.money import accepted_decimals, quantum
from tests.conformance.field import Place, places
from tests.conformance.trial import PATIENT, Trial

LIMITS = PATIENT


def _just_above(rule: CodeFacts, step: Decimal) -> Decimal:
    """An amount with as many decimals as the step, within the code's limits."""
    return min(max(Decimal(100), rule.min), rule.max - 1).to_integral_value() + step


async def _told(trial: Trial, code: str, place: Place, decimals: int) -> None:
    amount, most = (
        _just_above(trial.facts.codes[code], quantum(decimals)),
        trial.facts.accepted_decimals(place.currency),
    )
    body = trial.merchant.order(
        code, str(amount), purchaseCountry=place.country, purchaseCurrency=place.currency
    )  # fmt: skip

    answer = await trial.merchant.post("/orders", body)

    if decimals <= most:
        assert answer.status == 201, (code, place, answer.body)
        return
    assert (answer.status, answer.body["code"]) == (400, "not_supported"), (code, place, answer.body)
    assert answer.body["message"] == [f"orderAmount must have at most {most} decimals in {place.currency} for {code}"]
    assert (await trial.merchant.get(f"/orders/{body['orderReference']}")).status == 404


async def test_the_finest_amount_in_each_currency_is_opened_or_leaves_its_reference_free(trial: Trial) -> None:
    for code, rule in trial.facts.codes.items():
        for place in {place.currency: place for place in reversed(places(rule))}.values():
            for decimals in range(accepted_decimals(place.currency) + 1):
                await _told(trial, code, place, decimals)


@pytest.mark.where(holds=lambda provider: bool(provider.facts.decimals))
async def test_an_amount_finer_than_the_provider_takes_is_neither_offered_nor_moved(trial: Trial) -> None:
    currency = next(iter(trial.facts.decimals))
    shown = {
        amount: {option["name"] for option in (await trial.merchant.get(f"/options?{amount}&currency={currency}")).body}
        for amount in ("amount=100.00", "amount=100.5")
    }
    assert trial.code in shown["amount=100.00"]
    assert trial.code not in shown["amount=100.5"]

    reference = await trial.paid(purchaseCurrency=currency)
    answer = await trial.refunds(reference, Decimal("10.5"))
    assert (answer.status, answer.body["code"]) == (400, "not_supported")
    assert answer.body["message"] == [
        f"refundAmount.amount must have at most 0 decimals in {currency} for {trial.code}"
    ]  # fmt: skip
    assert (await trial.books(reference)).details["refunds"] == []
    if trial.can("partial_capture"):
        reference = await trial.paid(purchaseCurrency=currency, autoCapture=False)
        answer = await trial.captures(reference, Decimal("10.5"))
        assert (answer.status, answer.body["code"]) == (400, "not_supported")
        assert (await trial.books(reference)).details["orderCaptures"] == []


def _whole_numbers(provider: Provider) -> dict[str, AdditionalDatum]:
    return {name: datum for name, datum in provider.facts.additional_data.items() if datum.type == "integer"}


@pytest.mark.where(holds=_whole_numbers)
async def test_what_the_provider_counts_is_counted_in_whole_numbers(trial: Trial) -> None:
    for name, datum in _whole_numbers(trial.provider).items():
        least, most = datum.min, datum.max
        wrong: list[tuple[Any, str]] = [(Decimal("2.5"), "must be a whole number"), ("3", "must be a whole number")]
        wrong += [(True, "must be a whole number")]
        wrong += [(least - 1, f"must be at least {least}")] if least is not None else []
        wrong += [(most + 1, f"must be at most {most}")] if most is not None else []
        for value, fault in wrong:
            body = trial.body(additionalData={name: value})
            answer = await trial.merchant.post("/orders", body)
            assert (answer.status, answer.body["message"]) == (400, [f"additionalData.{name} {fault}"]), value
            assert (await trial.merchant.get(f"/orders/{body['orderReference']}")).status == 404
        assert (await trial.opens(additionalData={name: Decimal("3.0")}))["redirectUrl"]


@pytest.mark.able("partial_capture", "partial_refund")
async def test_a_refund_while_a_part_is_open_is_done_or_leaves_its_reference_free(trial: Trial) -> None:
    reference = await trial.paid(autoCapture=False)
    await trial.captures(reference, trial.part(40))

    answer = await trial.refunds(reference, trial.part(10))

    if trial.facts.refunds_when_closed:
        assert (answer.status, answer.body["code"]) == (409, "still_open"), answer.body
        assert (await trial.books(reference)).details["refunds"] == []
        await trial.voids(reference, trial.part(60))
        answer = await trial.refunds(reference, trial.part(10))
    assert answer.status == 201, answer.body
    await trial.comes_to_rest(reference)
    assert (await trial.books(reference)).balance == trial.part(30)
