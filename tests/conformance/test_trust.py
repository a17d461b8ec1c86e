"""What counts as paid: this order's own checkout, its reference, currency and amount, and nothing else (T1)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from yarl import URL

from paymux.connectors.registry import Provider
from tests.conformance.trial import PATIENT, Trial

LIMITS = PATIENT

pytestmark = pytest.mark.able("sale")


async def _unpaid_for_good(trial: Trial, reference: str) -> None:
    for seconds in (31, 61, 121, 241, 601, 601):
        await trial.installation.quiet()
        assert (await trial.books(reference)).status != "SUCCESSFUL"
        await trial.installation.advance(seconds)
    await trial.installation.quiet()
    books = await trial.books(reference)
    assert books.status != "SUCCESSFUL"
    told = trial.installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")
    assert "SUCCESSFUL" not in [event["data"]["status"] for event in told]


async def test_another_orders_return_pays_nothing(trial: Trial) -> None:
    paid, unpaid = await trial.opens(), await trial.opens()
    back = URL(await trial.leaves(paid))
    own = f"{trial.merchant.base}/return/{unpaid['orderToken']}"
    forged = await trial.installation.call("GET", f"{own}?{back.raw_query_string}")
    assert forged.status == 303
    assert URL(forged.headers["Location"]).query["status"] == "PENDING"
    await _unpaid_for_good(trial, unpaid["orderReference"])
    assert (await trial.books(unpaid["orderReference"])).ledger == []
    await trial.comes_to_rest(paid["orderReference"])
    assert (await trial.books(paid["orderReference"])).status == "SUCCESSFUL"


async def test_a_return_that_only_claims_to_be_successful_pays_nothing(trial: Trial) -> None:
    opened = await trial.opens()
    own = f"{trial.merchant.base}/return/{opened['orderToken']}"
    words = "via=success&status=SUCCESS&result=COMPLETED&paymentStatus=approved"
    answer = await trial.installation.call("GET", f"{own}?{words}")
    assert URL(answer.headers["Location"]).query["status"] == "PENDING"
    await _unpaid_for_good(trial, opened["orderReference"])


def _names_amounts(provider: Provider) -> bool:
    return provider.facts.reports_amount


def _names_currencies(provider: Provider) -> bool:
    return provider.facts.reports_currency


async def _is_another_payment(trial: Trial, reference: str, **changes: str) -> None:
    """Change what the provider holds of an order's checkout before the shopper decides; it is open in his browser."""
    ((name, case),) = trial.installation.store.cases(reference)[:1]
    url = f"{trial.installation.settings.sandbox_base_url}/{name}/sandbox/tamper"
    answer = await trial.installation.call("POST", url, json={"id": case.id, **changes})
    if answer.status in (404, 405):
        case.amount, case.currency = Decimal(changes.get("amount", case.amount)), changes.get("currency", case.currency)
        trial.installation.store.save(name, case, (), trial.installation.clock.now())


async def _is_given_back(trial: Trial, reference: str) -> None:
    await _unpaid_for_good(trial, reference)
    books = await trial.books(reference)
    assert books.said("captured") == 0
    if trial.can("refund"):
        assert books.balance == 0
    if trial.can("void"):
        assert books.held == 0
    # Where no call gives money back, a person has to.
    assert books.details["needsReview"] or books.ledger == []


@pytest.mark.where(holds=_names_amounts)
async def test_a_cheaper_payment_does_not_pay_the_order_and_is_given_back(trial: Trial) -> None:
    opened = await trial.opens()
    await trial.shopper.reaches(opened["redirectUrl"])
    await _is_another_payment(trial, opened["orderReference"], amount=str(trial.part(50)))
    assert await trial.pays(opened) != "SUCCESSFUL"
    await _is_given_back(trial, opened["orderReference"])


@pytest.mark.where(holds=_names_currencies)
async def test_a_payment_in_another_currency_does_not_pay_the_order_and_is_given_back(trial: Trial) -> None:
    opened = await trial.opens()
    await trial.shopper.reaches(opened["redirectUrl"])
    ordered = trial.installation.store.cases(opened["orderReference"])[0][1].currency
    known = [currency for facts in trial.facts.codes.values() for currency in facts.currencies]
    other = next(currency for currency in (*known, "USD", "EUR") if currency != ordered)
    await _is_another_payment(trial, opened["orderReference"], currency=other)
    assert await trial.pays(opened) != "SUCCESSFUL"
    await _is_given_back(trial, opened["orderReference"])
