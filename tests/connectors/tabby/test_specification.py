"""Tabby's published OpenAPI file judges the samples, every request that is sent and every answer of the simulator.

The other tests of this folder are judged as well, by the fixture `till`; here nothing may be left out.
"""

from __future__ import annotations

import pytest

from paymux.connectors.contract import Refused
from paymux.platform.http import Answer
from tests.connectors.scripted import CONNECTORS
from tests.connectors.tabby import specification
from tests.connectors.tabby.conftest import Till, sample
from tests.connectors.till import KEY, ONE, THREE, TWO

pytestmark = pytest.mark.skipif(
    not specification.PUBLISHED.exists(), reason=f"Tabby's published file is not at {specification.PUBLISHED}"
)

DESCRIBED = sorted(path.stem for path in (CONNECTORS / "tabby" / "samples").iterdir() if "schema" in sample(path.stem))


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_sample_of_an_answer_is_what_the_file_says(name: str) -> None:
    documented = sample(name)
    faults = [fault.message for fault in specification.by_name(documented["schema"]).iter_errors(documented["answer"])]
    if name == "error_fields":
        # The documentation has a list of fields where the file knows a text only.
        assert len(faults) == 1
        assert "'errors' was unexpected" in faults[0]
    else:
        assert faults == []


@pytest.mark.parametrize(("code", "amount"), [("TABBY_AE", "100.00"), ("TABBY_SA", "99.9"), ("TABBY_KW", "10.125")])
async def test_a_payments_whole_life_is_what_the_file_says(till: Till, code: str, amount: str) -> None:
    till.code = code
    await till.connector.set_up_events(till.counter.inbox.url)
    await till.counter.connector(code, webhook_secret="new").set_up_events(till.counter.inbox.url)
    checkout = await till.decided("approve", amount)
    await till.moves("capture", checkout, "5.00", ONE, amount)
    rest = till.money(amount).amount - 5
    await till.moves("void", checkout, str(rest), TWO, str(rest))
    await till.moves("refund", checkout, "2.50", THREE, "5.00")
    await till.paid_now(checkout)
    assert {(exchange.method, exchange.template) for exchange in till.watched.seen} == {
        ("POST", "/api/v2/checkout"),
        ("GET", "/api/v2/payments/{id}"),
        ("POST", "/api/v2/payments/{id}/captures"),
        ("POST", "/api/v2/payments/{id}/close"),
        ("POST", "/api/v2/payments/{id}/refunds"),
        ("GET", "/api/v1/webhooks"),
        ("POST", "/api/v1/webhooks"),
        ("PUT", "/api/v1/webhooks/{id}"),
    }
    assert till.watched.faults == []


async def test_every_refusal_is_what_the_file_says(till: Till) -> None:
    checkout = await till.decided()
    wrong = till.counter.connector("TABBY_AE", secret_key="sk_test_other")
    move = till.counter.move(till.money("1.00"), ONE, "100.00")
    unknown = till.counter.checkout(till.counter.order("TABBY_AE"), (await till.opens())[0], session=TWO)
    for connector, payment in ((wrong, checkout), (till.connector, unknown)):
        for call in (
            connector.fetch(payment),
            connector.capture(payment, move),
            connector.void(payment, move),
            connector.refund(payment, move),
        ):
            with pytest.raises(Refused):
                await call
    for call in (wrong.create_checkout(till.counter.order("TABBY_AE"), KEY), wrong.check()):
        with pytest.raises(Refused):
            await call
    with pytest.raises(Refused):
        await till.connector.refund(checkout, move)
    await till.post("/sandbox/dispute", id=checkout.session)
    with pytest.raises(Refused):
        await till.connector.refund(checkout, move)
    answered = sorted(exchange.answer.status for exchange in till.watched.seen)
    assert answered == [200, 200, 400, *[401] * 6, *[404] * 4, 409]
    assert till.watched.faults == []


async def test_the_judge_sees_what_the_file_does_not_allow(till: Till) -> None:
    await till.decided()
    (exchange,) = till.watched.seen
    body = exchange.body or b""
    for wrong in (
        body.replace(b'"100.00"', b"100"),
        body.replace(b'"buyer"', b'"byer"'),
        body.replace(b'"AED"', b'"EUR"'),
        body.replace(b'"lang":"en"', b'"lang":"de"'),
    ):
        assert wrong != body
        changed = specification.Exchange(exchange.method, exchange.path, exchange.headers, wrong, exchange.answer)
        assert changed.faults
    content = exchange.answer.body.replace(b'"CREATED"', b'"NEW"')
    answer = Answer(200, exchange.answer.headers, content)
    assert specification.Exchange(exchange.method, exchange.path, exchange.headers, body, answer).faults
