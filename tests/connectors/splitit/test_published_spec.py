"""Every request of the connector and every answer of the simulator is what Splitit's published specification allows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from yarl import URL

from paymux.connectors.contract import Refused
from tests.connectors.scripted import CONNECTORS
from tests.connectors.splitit.conftest import Till, sample
from tests.connectors.splitit.published import SPEC, faults, operation
from tests.connectors.till import THREE, TWO

pytestmark = pytest.mark.skipif(not SPEC.is_file(), reason=f"Splitit's published specification is not at {SPEC}")

HEADERS = {"X-Splitit-IdempotencyKey": "1", "X-Splitit-TouchPoint": "t", "Authorization": "Bearer t"}
CALLED = {
    "InstallmentPlan_Post", "InstallmentPlan_Get", "InstallmentPlan_VerifyAuthorization", "InstallmentPlan_UpdateOrder",
    "InstallmentPlan_Refund",
}  # fmt: skip


def judged(till: Till) -> set[str]:
    """All exchanges so far, none of which may have a fault; which operations they were."""
    wrong, called = [], set()
    for exchange in till.exchanges:
        path = URL(exchange.url).path.removeprefix("/splitit")
        body = json.loads(exchange.answer.body)
        wrong += faults(exchange.method, path, exchange.headers, exchange.sent, exchange.answer.status, body)
        called.add(operation(exchange.method, path)["operationId"])
    assert wrong == []
    return called


async def test_a_whole_life_uses_every_call_as_it_is_published(till: Till) -> None:
    more = {"numberOfInstallments": 4, "displayedInstallmentOptions": [2, 4]}
    own = await till.pays(auto_capture=False, additional_data=more)
    await till.tries("capture", own, "100.00")
    await till.tries("refund", own, "10.00", TWO)
    await till.tries("refund", own, "90.00", THREE, "90.00")
    await till.paid_now(own)
    assert judged(till) == CALLED


@pytest.mark.parametrize("outcome", ["approve", "decline", "cancel", "pending", "error"])
async def test_each_outcome_is_told_as_published(till: Till, outcome: str) -> None:
    await till.connector.fetch(await till.decided(outcome))
    judged(till)


async def test_refusals_are_told_as_published(till: Till) -> None:
    own = await till.pays()
    unknown = replace(own, session="1")
    nobody = replace(till.counter.order("SPLITIT").customer, email="nobody")
    for call in (
        till.tries("refund", own, "100.01"), till.tries("capture", own, "100.00"), till.connector.fetch(unknown),
        till.tries("refund", unknown, "1.00"), till.opens(key=TWO, customer=nobody),
    ):  # fmt: skip
        with pytest.raises(Refused):
            await call
    judged(till)


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONNECTORS / "splitit" / "samples").glob("*.json")))
def test_each_sample_is_as_published(name: str) -> None:
    documented: dict[str, Any] = sample(name)
    if "method" not in documented:
        assert documented.get("query") or documented["form"]
        return
    said = documented["status"], documented["answer"]
    asked = documented.get("request", {"Amount": 1} if documented["method"] == "POST" else None)
    assert faults(documented["method"], documented["path"], HEADERS, asked, *said) == []


def test_a_request_or_answer_that_is_not_as_published_is_found() -> None:
    documented = sample("refund_created")
    path, asked, answer = documented["path"], documented["request"], documented["answer"]
    assert faults("POST", path, {}, asked, 200, answer)
    assert faults("POST", path, HEADERS, {**asked, "Invented": 1}, 200, answer)
    assert faults("POST", path, HEADERS, {**asked, "RefundStrategy": "Any"}, 200, answer)
    assert faults("POST", path, HEADERS, {"ReferenceId": "1"}, 200, answer)
    assert faults("POST", path, HEADERS, asked, 200, {**answer, "RefundId": 1})
    assert faults("POST", path, HEADERS, asked, 400, {"error": "no"})
