"""A folder is all that a connector is: put there, it is offered, bought with, documented and held to this suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from docs import generate

from paymux.connectors import registry
from tests.conformance import test_faults, test_moves, test_outcomes, test_trust, test_ways, throw_away
from tests.conformance.trial import Trial
from tests.installation import Installation

CODE = "PAPERPAY_NZ"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The connectors are there for this file alone."""
    before = registry._extra
    for forgetful in (False, True):
        folder = throw_away.write(tmp_path_factory.mktemp("connectors"), forgetful=forgetful)
        registry.register_folder(folder)
    yield
    registry._extra = before


@pytest.fixture(scope="module")
async def installation(
    folder: None, new_database: Callable[[], Awaitable[str]], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation that started with the folder there."""
    running = Installation(tmp_path_factory.mktemp("home"), await new_database(), **test_faults.LIMITS)
    await running.start()
    await running.quiet()
    yield running
    await running.stop()


@pytest.fixture
def paperpay(installation: Installation) -> Trial:
    return Trial(installation, registry.all_providers()["paperpay"])


async def test_it_is_offered_where_its_facts_say_and_nowhere_else(paperpay: Trial) -> None:
    async def offered(amount: str, currency: str) -> dict[str, dict[str, object]]:
        answer = await paperpay.merchant.get(f"/options?amount={amount}&currency={currency}")
        return {option["name"]: option for option in answer.body}

    option = (await offered("90", "NZD"))[CODE]
    assert option["title"] == "Paper Pay"
    assert option["terms"] == "3 payments of NZD 30.00 with Paper Pay."
    assert option["requiredFields"] == ["customer.email"]
    assert CODE not in await offered("901", "NZD")
    assert CODE not in await offered("90", "EUR")
    mark = await paperpay.installation.call("GET", f"{paperpay.merchant.base}/images/providers/{CODE}.svg")
    assert mark.status == 200


async def test_it_stands_in_the_api_document_and_in_the_documents_for_people(paperpay: Trial) -> None:
    document = await paperpay.installation.call("GET", f"{paperpay.merchant.base}/openapi.json")
    assert CODE in document.body["components"]["schemas"]["CreateOrder"]["properties"]["bnplProvider"]["enum"]
    made = {path.name: text for path, text in generate.documents().items()}
    assert f"| `{CODE}` |" in made["providers.md"]
    assert "A provider that exists for one test." in made["paperpay.md"]


async def test_it_sells_captures_refunds_and_keeps_the_rules_of_money(paperpay: Trial) -> None:
    await test_outcomes.test_a_shopper_who_approves_has_paid_once(paperpay)
    await test_outcomes.test_a_shopper_who_does_not_pay_ends_the_order_and_moves_nothing(paperpay, "decline")
    await test_moves.test_several_captures_add_up_to_the_order(paperpay)
    await test_moves.test_several_refunds_add_up_and_never_exceed_the_sale(paperpay)
    await test_ways.test_the_poll_alone_completes_an_order_of_which_nothing_else_tells(paperpay)
    await test_trust.test_another_orders_return_pays_nothing(paperpay)


async def test_what_it_does_not_declare_is_refused(paperpay: Trial) -> None:
    answer = await paperpay.merchant.post("/orders", paperpay.body(getToken=True))
    assert (answer.status, answer.body["code"]) == (400, "not_supported")
    reference = await paperpay.paid(autoCapture=False)
    answer = await paperpay.voids(reference, paperpay.total)
    assert (answer.status, answer.body["code"]) == (400, "not_supported")


@pytest.mark.parametrize("operation", ["create", "status", "capture", "refund"])
async def test_it_survives_faults(paperpay: Trial, operation: str) -> None:
    await test_faults.survives(paperpay, operation, test_faults.FAST, 1)


async def test_a_lost_refund_that_nobody_can_ask_for_is_blocked_and_left_to_a_person(
    installation: Installation,
) -> None:
    inkpay = Trial(installation, registry.all_providers()["inkpay"])
    assert not inkpay.knows("refund")
    await test_faults.survives(inkpay, "refund", ("error_before", "error_after", "malformed"), 1)
