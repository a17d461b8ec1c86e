"""Our orders beside their providers' own view: what differs is found, listed, counted, and repaired through `decide`."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from paymux.connectors.provider_http import basic
from paymux.orders import daily_reconciliation, reconciliation
from paymux.orders.reconciliation import Asked, Pace
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import Till
from tests.processes import environment_of, run

FAST = Pace(rate=1000)


async def compared(
    installation: Installation, code: str, *references: str, repair: bool = False
) -> dict[str, reconciliation.Seen]:
    """What a reconciliation of a code says of these orders."""
    now = installation.clock.now()
    asked = Asked(code, now - timedelta(days=1), now + timedelta(minutes=1))
    seen = [one async for one in reconciliation.reconcile(installation.core, asked, repair=repair, pace=FAST)]
    return {one.order.reference: one for one in seen if one.order.reference in references}


def shown(seen: reconciliation.Seen) -> list[tuple[str, str, str]]:
    return [(one.what, one.ours, one.theirs) for one in seen.differences]


async def paid(merchant: Merchant, shopper: Shopper, code: str, **changes: Any) -> str:
    opened = await merchant.creates(code, **changes)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"
    return str(opened["orderReference"])


def case_of(installation: Installation, reference: str) -> Any:
    [(_, case)] = installation.store.cases(reference)
    return case


async def ready(installation: Installation) -> int:
    answer = await installation.call("GET", f"{installation.settings.base_url}/readyz?verbose")
    counted: int = answer.body["ordersThatDiffer"]
    return counted


async def counted(installation: Installation, eventually: Eventually) -> int:
    """How many orders differ, once `/readyz` counts as many as are listed: it may say what it counted a moment ago."""
    listed = len(await reconciliation.listed(installation.core))

    async def told() -> bool:
        return await ready(installation) == listed

    await eventually(told)
    return listed


async def test_a_refund_made_in_the_providers_portal_is_found_listed_and_repaired(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    reference = await paid(merchant, shopper, "SALESTILL")
    await installation.fault("SALESTILL", "events", "no_event", reference)
    tills["SALESTILL"].move(case_of(installation, reference), "refund", Decimal("40"))

    found = (await compared(installation, "SALESTILL", reference))[reference]

    assert shown(found) == [("refunded", "0", "40")]
    [row] = [row for row in await reconciliation.listed(installation.core) if row["orderReference"] == reference]
    assert row["differences"] == [{"what": "refunded", "ours": "0", "theirs": "40"}]
    before = await counted(installation, eventually)
    assert before >= 1
    assert (await merchant.details(reference))["refunds"] == []

    repaired = (await compared(installation, "SALESTILL", reference, repair=True))[reference]

    assert (shown(repaired), [one.what for one in repaired.repaired]) == ([], ["refunded"])
    [refund] = (await merchant.details(reference))["refunds"]
    assert (Decimal(refund["amount"]), refund["initiator"], refund["status"]) == (40, "PROVIDER", "SUCCESSFUL")
    assert await counted(installation, eventually) == before - 1

    async def told() -> Any:
        return installation.inbox.events(reference, "REFUND_CALLBACK")

    [event] = await eventually(told)
    assert event["data"]["amount"] == 40


async def test_a_payment_that_was_missed_is_found_and_completes_its_order(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till
) -> None:
    opened = await merchant.creates("SALESTILL")
    reference = opened["orderReference"]
    await installation.fault("SALESTILL", "events", "no_event", reference, times=5)
    await shopper.decides(opened["redirectUrl"], "approve")  # and never comes back

    found = (await compared(installation, "SALESTILL", reference))[reference]
    assert shown(found) == [("authorised", "PENDING", "100")]

    repaired = (await compared(installation, "SALESTILL", reference, repair=True))[reference]
    assert (shown(repaired), str(repaired.order.status)) == ([], "SUCCESSFUL")
    assert installation.balance(reference) == 100


async def test_a_payment_on_an_order_that_was_cancelled_long_ago_is_given_back(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till
) -> None:
    opened = await merchant.creates("KEEPTILL")
    reference = opened["orderReference"]
    assert (await merchant.post(f"/orders/{reference}/cancel", {})).status == 201
    # Its watch is over, and then the provider takes the money after all.
    async with installation.database.transaction() as tx:
        await tx.execute("DELETE FROM timers WHERE order_id = $1", opened["orderId"])
    await installation.fault("KEEPTILL", "events", "no_event", reference, times=5)
    tills["KEEPTILL"].pay(case_of(installation, reference))

    found = (await compared(installation, "KEEPTILL", reference, repair=True))[reference]

    assert [one.what for one in found.repaired] == ["authorised"]
    assert str(found.order.status) == "CANCELED"
    # This provider has no refund: a person is told.
    assert "no refund" in (await merchant.details(reference))["needsReview"]


async def test_money_that_the_provider_knows_nothing_of_is_listed_and_repairs_nothing(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till
) -> None:
    reference = await paid(merchant, shopper, "READTILL")
    case = case_of(installation, reference)
    case.data["captured"], case.data["moves"] = "60", [{**case.data["moves"][0], "amount": "60"}]
    tills["READTILL"].save(case)

    found = (await compared(installation, "READTILL", reference, repair=True))[reference]

    assert (shown(found), list(found.repaired)) == ([("captured", "100", "60")], [])
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"
    case.status = "declined"
    tills["READTILL"].save(case)
    assert shown((await compared(installation, "READTILL", reference))[reference]) == [("payment", "100", "declined")]


@pytest.mark.parametrize("word", ["open", "cancelled"])
@pytest.mark.parametrize(
    ("refunded", "held"), [("100", []), ("40", ["60"])], ids=["all was given back", "a part was given back"]
)
async def test_whom_everything_was_given_back_may_call_it_otherwise_than_paid(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, word: str, refunded: str,
    held: list[str],
) -> None:  # fmt: skip
    """Aplazo and PayJustNow have a word of their own for what was refunded whole, and it is none of a payment."""
    reference = await paid(merchant, shopper, "READTILL")
    assert (await merchant.refunds(reference, refunded, "R-1")).body["refundStatus"] == "SUCCESSFUL"
    case = case_of(installation, reference)
    case.status = word
    tills["READTILL"].save(case)

    found = (await compared(installation, "READTILL", reference))[reference]

    said = {"open": "pending"}.get(word, word)
    assert (found.answered, shown(found)) == (True, [("payment", amount, said) for amount in held])


async def test_a_refund_in_flight_explains_a_payment_that_is_called_otherwise(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till
) -> None:
    reference = await paid(merchant, shopper, "READTILL")
    await installation.fault("READTILL", "refund", "timeout_after", reference)
    await installation.fault("READTILL", "events", "no_event", reference)
    assert (await merchant.refunds(reference, "100", "R-1")).body["refundStatus"] == "PENDING"
    case = case_of(installation, reference)
    case.status = "cancelled"
    tills["READTILL"].save(case)

    assert shown((await compared(installation, "READTILL", reference))[reference]) == []


async def test_a_provider_that_does_not_answer_is_no_difference(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await paid(merchant, shopper, "SALESTILL")
    await installation.fault("SALESTILL", "status", "error_before", reference)

    found = (await compared(installation, "SALESTILL", reference))[reference]

    assert (found.answered, shown(found)) == (False, [])


async def test_an_operation_in_flight_is_no_difference(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await paid(merchant, shopper, "READTILL")
    await installation.fault("READTILL", "refund", "timeout_after", reference)
    await installation.fault("READTILL", "events", "no_event", reference)
    answer = await merchant.refunds(reference, "25", "R-1")
    assert answer.body["refundStatus"] == "PENDING"

    assert shown((await compared(installation, "READTILL", reference))[reference]) == []


@pytest.mark.parametrize("code", ["AFTERPAY_AU", "KLARNA", "PAYPAL", "TABBY_AE", "SALESTILL", "AFTERTILL", "SHORTTILL"])
async def test_a_clean_installation_has_nothing_listed(
    installation: Installation, merchant: Merchant, shopper: Shopper, code: str
) -> None:
    refunded = await paid(merchant, shopper, code)
    answer = await merchant.refunds(refunded, "30", "R-1")
    assert answer.status == 201, answer.body
    opened = await merchant.creates(code)
    declined = await merchant.creates(code)
    await shopper.pays(declined["redirectUrl"], "decline")
    await installation.quiet()
    names = (refunded, opened["orderReference"], declined["orderReference"])

    found = await compared(installation, code, *names)

    assert set(found) == set(names)
    assert {name: shown(seen) for name, seen in found.items() if seen.differences} == {}


async def test_movements_that_a_report_does_not_tell_are_asked_for_one_by_one(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    """PayTabs keeps each capture under a cart of its own: the payment's own report says that nothing was captured."""
    reference = await paid(merchant, shopper, "PAYTAB", autoCapture=False)
    answer = await merchant.captures(reference, "40", "C-1")
    assert answer.status == 201, answer.body

    found = (await compared(installation, "PAYTAB", reference))[reference]

    assert (found.answered, shown(found), found.order.captured) == (True, [], 40)


async def test_the_daily_run_is_planned_once_goes_page_by_page_and_lists_what_differs(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(daily_reconciliation, "Pace", lambda: FAST)
    monkeypatch.setattr(reconciliation.page_of, "__defaults__", (2,))
    references = [await paid(merchant, shopper, "SALESTILL") for _ in range(5)]
    await installation.fault("SALESTILL", "events", "no_event", references[3])
    tills["SALESTILL"].move(case_of(installation, references[3]), "refund", Decimal("40"))
    await installation.quiet()
    planned = await asyncio.gather(*(daily_reconciliation.schedule(installation.core) for _ in range(3)))
    assert sorted(planned) == [False, False, True]
    tills["SALESTILL"].calls.clear()

    await installation.advance(25 * 3600)

    async def over() -> Any:
        async with installation.database.connection() as held:
            rows = await held.fetch("SELECT * FROM reconciliations WHERE connector <> ''")
        return rows and all(row["state"] == "done" for row in rows) and rows

    runs = {row["connector"]: row for row in await eventually(over)}
    run = runs["salestill"]
    assert (run["differing"], run["unanswered"], run["asked"] >= 5, run["page"] >= 3) == (1, 0, True, True)
    assert runs["salestill:older"]["asked"] == 0
    asked = [reference for verb, reference in tills["SALESTILL"].calls if verb == "status"]
    assert [asked.count(reference) for reference in references] == [1] * 5
    rows = [row["orderReference"] for row in await reconciliation.listed(installation.core)]
    assert references[3] in rows
    assert not ({*references} - {references[3]}) & {*rows}
    # A page's job that comes again finds its page done, and the next day is planned already.
    await daily_reconciliation.run(installation.core, f"{run['day']}|salestill|0")
    await daily_reconciliation.run(installation.core, f"{run['day']}")
    assert await daily_reconciliation.schedule(installation.core) is False
    assert tills["SALESTILL"].calls.count(("status", references[0])) == 1


async def test_a_refund_in_the_portal_of_an_order_that_is_older_than_a_month_is_found_within_a_week(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(daily_reconciliation, "Pace", lambda: FAST)
    reference = await paid(merchant, shopper, "SALESTILL")
    await daily_reconciliation.schedule(installation.core)
    await installation.advance(31 * 86_400)
    await installation.fault("SALESTILL", "events", "no_event", reference)
    tills["SALESTILL"].move(case_of(installation, reference), "refund", Decimal("40"))

    for _ in range(7):
        before = await _rounds_gone_on(installation)
        await installation.advance(86_400)
        await eventually(partial(_more_gone_on, installation, before))
        if found := [
            row for row in await reconciliation.listed(installation.core) if row["orderReference"] == reference
        ]:
            break

    assert [row["differences"][0]["what"] for row in found] == ["refunded"]


async def _more_gone_on(installation: Installation, before: int) -> bool:
    return await _rounds_gone_on(installation) > before


async def _rounds_gone_on(installation: Installation) -> int:
    """How many days have asked for all the older orders that they were to."""
    async with installation.database.connection() as held:
        days: int = await held.fetchval(
            "SELECT count(*) FROM reconciliations WHERE connector = 'salestill:older' AND state = 'done'"
        )
    return days


async def test_the_command_lists_repairs_and_says_by_its_exit_code_what_is_left(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till
) -> None:
    reference = await paid(merchant, shopper, "AFTERPAY_AU")
    await tampered(installation, reference)
    words = ("reconcile", "--provider", "AFTERPAY_AU", "--merchant", merchant.client_id, "--rate", "100")

    code, said = await command(installation, *words)
    assert (code, f"{reference}  AFTERPAY_AU  SUCCESSFUL  refunded: 0 here, 12.5 there" in said) == (1, True), said
    code, said = await command(installation, "review", "differences")
    assert (code, reference in said) == (0, True), said
    code, said = await command(installation, *words, "--repair", "--json")
    assert code == 0, said
    [row] = [row for row in json.loads(said)["orders"] if row["orderReference"] == reference]
    assert row["repaired"] == [{"what": "refunded", "ours": "0", "theirs": "12.5"}]
    code, said = await command(installation, "reconcile", "--provider", "NOSUCH")
    assert (code, "neither a connector nor a payment method code" in said) == (1, True)
    code, said = await command(installation, "reconcile", "--provider", "AFTERPAY_AU", "--from", "yesterday")
    assert (code, "--from must be a date" in said) == (1, True)


async def test_what_the_command_prints_as_json_parses_while_something_differs_and_the_log_goes_elsewhere(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await paid(merchant, shopper, "AFTERPAY_AU")
    await tampered(installation, reference)
    ran = await asyncio.to_thread(run, beside(installation), *RECONCILE, "--json")
    assert ran.code == 1
    [row] = [row for row in json.loads(ran.out)["orders"] if row["orderReference"] == reference]
    assert row["differences"] == [{"what": "refunded", "ours": "0", "theirs": "12.5"}]
    assert "reconciliation.differs" in ran.said


# Runs `paymux` with a connector that makes a mistake, of all calls, in the one that reads an order.
_MISTAKEN = """
from paymux.cli import main
from paymux.connectors.afterpay.connector import Afterpay
async def fetch(self, checkout):
    read = {"session": checkout.session, "from": "marked-by-the-provider"}
    return read["status"]
Afterpay.fetch = fetch
main()
"""


async def test_a_connectors_unforeseen_mistake_is_told_without_anything_that_it_worked_on(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    await paid(merchant, shopper, "AFTERPAY_AU")
    environment = beside(installation)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _MISTAKEN, *RECONCILE, env=environment, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, said = (text.decode() for text in await process.communicate())
    assert "0 differ" in out
    assert len(out.splitlines()) == out.count("no answer") + 1
    [fault] = {json.loads(line)["exception"] for line in said.splitlines() if "connector.failed" in line}
    assert "in fetch" in fault
    assert fault.endswith("builtins.KeyError")
    for hidden in ("marked-by-the-provider", environment["PAYMUX_DATABASE_URL"], "session", "locals"):
        assert hidden not in out + said


RECONCILE = ("reconcile", "--provider", "AFTERPAY_AU", "--rate", "100")


def beside(installation: Installation) -> dict[str, str]:
    """The environment of a command that is typed beside the installation."""
    settings = installation.settings
    return environment_of(
        PAYMUX_HOME=str(settings.home), PAYMUX_DATABASE_URL=settings.database_url,
        PAYMUX_SANDBOX_PORT=str(settings.sandbox_port),
    )  # fmt: skip


async def tampered(installation: Installation, reference: str) -> None:
    """A refund that the merchant's bookkeeper made at the provider itself, by its own API."""
    case = case_of(installation, reference)
    simulator = installation.sandbox.simulators["afterpay"]
    credentials = simulator.credentials
    answer = await installation.call(
        "POST", f"{simulator.base()}/v2/payments/{case.data['payment']['id']}/refund",
        json={"amount": {"amount": "12.50", "currency": "AUD"}, "requestId": "portal-1"},
        headers={
            "User-Agent": "portal", "Accept": "application/json",
            "Authorization": basic(credentials["merchant_id"], credentials["secret_key"]),
        },
    )  # fmt: skip
    assert answer.status == 201, answer.body


async def command(installation: Installation, *words: str) -> tuple[int, str]:
    settings = installation.settings
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "paymux", *words,
        env={
            "PAYMUX_HOME": str(settings.home), "PAYMUX_DATABASE_URL": settings.database_url, "PATH": "/usr/bin",
            "PAYMUX_SANDBOX_PORT": str(settings.sandbox_port), "PAYMUX_LOG_LEVEL": "ERROR",
        },
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()
