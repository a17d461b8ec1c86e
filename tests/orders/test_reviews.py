"""U3: what software can't settle is announced, counted, listed, and settled by a person through `decide`."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

from paymux.orders import review
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import Till
from tests.orders.test_statuses import paid


async def undecided(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually, **changes: Any
) -> str:
    """An order that its shopper completed, and that its provider has not decided for longer than it says it takes."""
    opened = await merchant.creates("CONFIRMTILL", **changes)
    reference = str(opened["orderReference"])
    query = await shopper.pays(opened["redirectUrl"], "pending")
    assert query["status"] == "PENDING"
    await installation.advance(7_201)

    async def listed() -> bool:
        return (await merchant.details(reference))["needsReview"] is not None

    await eventually(listed)
    return reference


async def test_an_order_undecided_for_too_long_is_announced_counted_listed_and_asked_about_hourly(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually, tills: Till
) -> None:
    """field.md threads 6 and 15: stuck in processing, or failed after the last poll."""
    reference = await undecided(installation, merchant, shopper, eventually)
    details = await merchant.details(reference)
    assert (details["status"], details["needsReview"]) == ("PENDING", "the provider has not decided for too long")
    assert details["nextStep"]["what"] in ("poll", "deadline")

    async def told() -> Any:
        return installation.inbox.events(reference, "ORDER_NEEDS_REVIEW")

    [event] = await eventually(told)
    assert event["data"]["needsReview"] == details["needsReview"]

    async def counted() -> bool:
        ready = await installation.call("GET", f"{merchant.base}/readyz?verbose")
        return bool(ready.body["ordersToReview"] >= 1)

    await eventually(counted)
    [row] = [row for row in await review.listed(installation.core) if row["orderReference"] == reference]
    assert (row["status"], row["reason"]) == ("PENDING", details["needsReview"])
    assert row["settle"].startswith("paymux review resolve --merchant ")
    assert row["settle"].endswith(f" {reference}")

    before = tills["CONFIRMTILL"].count("status", reference)
    await installation.advance(3_601)

    async def asked() -> bool:
        return bool(tills["CONFIRMTILL"].count("status", reference) > before)

    await eventually(asked)
    assert len(installation.inbox.events(reference, "ORDER_NEEDS_REVIEW")) == 1


async def test_a_confirm_whose_outcome_nobody_knows_waits_without_an_amount_a_refund_with_its_own(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("CONFIRMTILL")
    await installation.fault("confirmtill", "confirm", "timeout_before", opened["orderReference"])
    await shopper.pays(opened["redirectUrl"])
    refunded = await paid(merchant, shopper, "BLINDTILL")
    await installation.fault("blindtill", "refund", "timeout_before", refunded)
    await merchant.refunds(refunded, "30.50", "R-1")
    waiting = [(opened["orderReference"], "confirm", None), (refunded, "refund", "30.5")]
    async with installation.database.transaction() as tx:
        for reference, *_ in waiting:
            await tx.execute("UPDATE orders SET needs_review = 'look at it' WHERE reference = $1", reference)

    rows = {row["orderReference"]: row["waiting"] for row in await review.listed(installation.core)}
    assert [(reference, op["kind"], op["amount"]) for reference, *_ in waiting for op in rows[reference]] == waiting


async def test_an_undecided_order_of_a_provider_that_can_not_be_asked_is_listed_too(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    opened = await merchant.creates("ONCETILL", cancellationTimeout=31_536_000)
    reference = opened["orderReference"]
    await shopper.pays(opened["redirectUrl"], "pending")
    await installation.advance(86_500)

    async def listed() -> bool:
        return bool((await merchant.details(reference))["needsReview"] == "the provider has not decided for too long")

    await eventually(listed)
    assert (await merchant.details(reference))["nextStep"]["what"] == "deadline"
    await installation.settle(reference, "approve")

    async def decided() -> bool:
        return bool((await merchant.status(reference))["status"] == "SUCCESSFUL")

    await eventually(decided)
    assert (await merchant.details(reference))["needsReview"] is None


async def test_a_late_decision_takes_the_order_off_the_list(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    reference = await undecided(installation, merchant, shopper, eventually)
    await installation.settle(reference, "decline")

    async def decided() -> bool:
        return bool((await merchant.status(reference))["status"] == "DECLINED")

    await eventually(decided)
    assert (await merchant.details(reference))["needsReview"] is None
    assert reference not in [row["orderReference"] for row in await review.listed(installation.core)]


@pytest.mark.parametrize(
    ("outcome", "status", "capture"), [("succeeded", "SUCCESSFUL", "CAPTURED"), ("failed", "DECLINED", None)]
)
async def test_a_person_settles_an_undecided_order_as_the_provider_would(
    outcome: str, status: str, capture: str | None, installation: Installation, merchant: Merchant, shopper: Shopper,
    eventually: Eventually,
) -> None:  # fmt: skip
    reference = await undecided(installation, merchant, shopper, eventually)
    row = await review.resolve(installation.core, reference, outcome, "Ada asked their support, case 17", "")
    assert (row["status"], row["reason"]) == (status, None)
    shown = await merchant.status(reference)
    assert (shown["status"], shown["captureStatus"]) == (status, capture)

    async def told() -> Any:
        return installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")

    [event] = await eventually(told)
    assert event["data"]["status"] == status
    async with installation.database.connection() as held:
        noted = await held.fetchval(
            "SELECT e.detail FROM order_events e JOIN orders o ON o.id = order_id"
            " WHERE o.reference = $1 AND e.kind = 'resolved'",
            reference,
        )
    assert noted == {"as": outcome, "note": "Ada asked their support, case 17"}


async def test_a_token_payment_whose_answer_never_came_is_settled_by_the_providers_own_id_of_it(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    first = await merchant.creates("KLARNA_AU", getToken=True)
    await shopper.pays(first["redirectUrl"])

    async def told() -> Any:
        return installation.inbox.events(first["orderReference"], "ORDER_ASYNC_CALLBACK")

    token = (await eventually(told))[-1]["data"]["token"]
    before = installation.ledger(first["orderReference"])
    body = merchant.order("KLARNA_AU", token=token, customerPresent=True)
    reference = body["orderReference"]
    await installation.fault("klarna", "charge_token", "error_after", reference, times=1000)
    assert (await merchant.post("/orders", body)).status == 201

    async def listed() -> bool:
        await installation.advance(1800)
        return (await merchant.details(reference))["needsReview"] is not None

    await eventually(listed)
    found = (installation.core, reference, "succeeded", "seen in Klarna's portal", "")
    with pytest.raises(ValueError, match="--payment"):
        await review.resolve(*found)
    with pytest.raises(ValueError, match="knows no payment mistyped"):
        await review.resolve(*found, payment="mistyped")
    [authorised] = installation.store.ledger(reference)
    payment = authorised["providerReference"]
    others = (await merchant.status(first["orderReference"]))["bnplOrderId"]
    with pytest.raises(ValueError, match=f"{others} is the payment of order {first['orderReference']}"):
        await review.resolve(*found, payment=others)
    async with installation.database.transaction() as tx:
        # As if the order that it pays for were another installation's at the same account.
        await tx.execute("UPDATE orders SET payment_id = NULL, session = NULL WHERE payment_id = $1", others)
    with pytest.raises(ValueError, match="another reference"):
        await review.resolve(*found, payment=others)
    assert installation.ledger(first["orderReference"]) == before
    row = await review.resolve(*found, payment=payment)
    assert (row["status"], row["providerOrder"]) == ("SUCCESSFUL", payment)
    await installation.quiet()
    assert (await merchant.refunds(reference, "100", "R-1")).body["refundStatus"] == "SUCCESSFUL"
    assert installation.balance(reference) == 0


async def test_two_unknown_refunds_are_settled_one_by_one(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    reference = await paid(merchant, shopper, "BLINDTILL")
    await installation.fault("blindtill", "refund", "timeout_before", reference, times=2)
    for name, amount in (("R-1", "30"), ("R-1 again", "40")):
        assert (await merchant.refunds(reference, amount, name)).body["refundStatus"] == "PENDING"
    found = (installation.core, reference, "succeeded", "seen in their portal", "demo-merchant")
    with pytest.raises(ValueError, match="--operation refund/R-1 or 'refund/R-1 again'\\."):
        await review.resolve(*found)
    row = await review.resolve(*found, "refund/R-1")
    with pytest.raises(ValueError, match="refund/R-1 is not, or not any more"):
        await review.resolve(*found, "refund/R-1")
    assert [waiting["reference"] for waiting in row["waiting"]] == ["R-1 again"]
    assert row["reason"] == "nobody knows whether the refund R-1 again happened: ask the provider"
    row = await review.resolve(installation.core, reference, "failed", "not in their portal", "demo-merchant")
    assert (row["waiting"], row["reason"]) == ([], None)
    details = await merchant.details(reference)
    assert [refund["status"] for refund in details["refunds"]] == ["SUCCESSFUL", "FAILED"]
    assert details["refundedAmount"] == "30"
    assert (await merchant.refunds(reference, "70", "R-3")).status == 201


async def test_what_can_not_be_resolved_is_refused_with_a_sentence(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await paid(merchant, shopper, "SALESTILL")
    for asked, said in (
        ((reference, "succeeded", "x", ""), "needs review"),
        ((reference, "maybe", "x", ""), "--as must be"),
        ((reference, "failed", "x", "nobody"), "There is no merchant nobody"),
    ):
        with pytest.raises(ValueError, match=said):
            await review.resolve(installation.core, *asked)


async def test_a_payment_that_was_not_this_orders_can_not_be_resolved_as_paid(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    from tests.orders.test_trust import tampered

    opened = await merchant.creates("PLANPAY_AU")
    reference = opened["orderReference"]
    await tampered(installation, opened["redirectUrl"], amount="1")
    await shopper.pays(opened["redirectUrl"])
    with pytest.raises(ValueError, match="given back"):
        await review.resolve(installation.core, reference, "succeeded", "x", "")
    row = await review.resolve(installation.core, reference, "failed", "x", "")
    assert (row["status"], row["reason"]) == ("DECLINED", None)


@pytest.mark.parametrize("reference", ["x; echo stolen #", "--as $(echo stolen)"])
async def test_the_command_that_settles_an_order_is_safe_to_paste_whatever_its_merchant_calls_it(
    reference: str, installation: Installation, merchant: Merchant
) -> None:
    opened = await merchant.creates("PLANPAY_AU", orderReference=reference)
    async with installation.database.transaction() as tx:
        await tx.execute("UPDATE orders SET needs_review = 'look at it' WHERE id = $1", opened["orderId"])
    [row] = [row for row in await review.listed(installation.core) if row["orderId"] == opened["orderId"]]

    script = 'paymux() { for word; do echo "[$word]"; done; }; ' + row["settle"]
    process = await asyncio.create_subprocess_exec("sh", "-c", script, stdout=asyncio.subprocess.PIPE)
    words = (await process.communicate())[0].decode().splitlines()
    assert (process.returncode, words[-1]) == (0, f"[{reference}]")
    assert not any(word.startswith("stolen") for word in words)
    given = {"succeeded|failed": "failed", "…": "seen in their portal"}
    typed = [given.get(word[1:-1], word[1:-1]) for word in words]
    assert await _command(installation, *typed[1:]) == f"{reference} is DECLINED.\n"


async def test_the_commands_list_and_resolve(installation: Installation, merchant: Merchant, shopper: Shopper) -> None:
    from tests.orders.test_trust import tampered

    opened = await merchant.creates("PLANPAY_AU")
    reference = opened["orderReference"]
    await tampered(installation, opened["redirectUrl"], amount="1")
    await shopper.pays(opened["redirectUrl"])

    listed = json.loads(await _command(installation, "list", "--json"))
    [row] = [row for row in listed if row["orderReference"] == reference]
    assert row["reason"] == "the provider reports a payment with another amount"
    words = ("resolve", reference, "--as", "failed", "--note", "seen in their portal", "--merchant", "demo-merchant")
    assert await _command(installation, *words) == f"{reference} is DECLINED.\n"
    assert (await merchant.status(reference))["status"] == "DECLINED"


async def _command(installation: Installation, *words: str) -> str:
    """What `paymux review …` prints when it is run beside the installation."""
    settings = installation.settings
    environment = {
        "PATH": "", "PAYMUX_DATABASE_URL": settings.database_url, "PAYMUX_HOME": str(settings.home),
        "PAYMUX_LOG_LEVEL": "ERROR", "PAYMUX_SANDBOX_PORT": str(settings.sandbox_port),
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "paymux", "review", *words, env=environment, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode()
