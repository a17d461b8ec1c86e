"""T1 to T4: what counts as paid, what is given back, and what providers do by themselves."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from yarl import URL

from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import Till
from tests.orders.test_statuses import heard, paid


async def tampered(installation: Installation, url: str, **changes: str) -> None:
    """Change what the generic provider holds for a checkout."""
    body = {"id": URL(url).name, **changes}
    answer = await installation.call(
        "POST", f"{installation.settings.sandbox_base_url}/generic/sandbox/tamper", json=body
    )
    assert answer.status == 200, answer.body


# -- T1 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "fault"),
    [({"amount": "1"}, "amount"), ({"currency": "NZD"}, "currency"), ({"reference": "another"}, "reference")],
)
async def test_a_payment_that_is_not_this_orders_is_never_paid_is_listed_and_goes_back(
    changes: dict[str, str], fault: str, installation: Installation, merchant: Merchant, shopper: Shopper,
    eventually: Eventually,
) -> None:  # fmt: skip
    opened = await merchant.creates("PLANPAY_AU")
    reference = opened["orderReference"]
    await tampered(installation, opened["redirectUrl"], **changes)
    query = await shopper.pays(opened["redirectUrl"])
    assert query["status"] == "PENDING"

    async def given_back() -> bool:
        return [row["status"] for row in (await merchant.details(reference))["refunds"]] == ["SUCCESSFUL"]

    await eventually(given_back)
    assert (installation.balance(reference), len(installation.ledger(reference))) == (0, 3)
    details = await merchant.details(reference)
    assert (details["status"], details["captureStatus"]) == ("PENDING", None)
    assert details["needsReview"] == f"the provider reports a payment with another {fault}"
    [refund] = details["refunds"]
    assert (refund["initiator"], refund["status"]) == ("SYSTEM", "SUCCESSFUL")
    assert refund["currency"] == changes.get("currency", "AUD")
    assert Decimal(refund["amount"]) == Decimal(changes.get("amount", "100"))

    async def told() -> Any:
        return installation.inbox.events(reference, "ORDER_NEEDS_REVIEW")

    assert len(await eventually(told)) == 1
    assert not installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")
    again = await merchant.refunds(reference, "1", "R-1")
    assert (again.status, again.body["code"]) == (409, "not_captured")


async def test_a_payment_in_what_is_no_currency_is_listed_and_nothing_is_moved(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till
) -> None:
    opened = await merchant.creates("SALESTILL")
    reference, till = opened["orderReference"], tills["SALESTILL"]
    await installation.fault("salestill", "events", "no_event", reference, times=100)
    back = await shopper.decides(opened["redirectUrl"], "approve")
    case = till.of(reference)
    case.currency = "  "
    till.save(case)
    await shopper.returns(back)
    await installation.quiet()
    details = await merchant.details(reference)
    assert (details["status"], details["refunds"]) == ("PENDING", [])
    assert "another currency" in details["needsReview"]
    assert "is no currency" in details["needsReview"]


async def test_another_orders_return_is_recorded_and_ignored(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    paid_one, open_one = await merchant.creates("CONFIRMTILL"), await merchant.creates("CONFIRMTILL")
    back = URL(await shopper.decides(paid_one["redirectUrl"], "approve"))
    query = await shopper.returns(f"{merchant.base}/return/{open_one['orderToken']}?{back.query_string}")
    assert query["status"] == "PENDING"
    assert installation.balance(open_one["orderReference"]) == 0
    async with installation.database.connection() as held:
        noted = await held.fetchval(
            "SELECT count(*) FROM order_events WHERE kind = 'foreign_return' AND order_id = $1", open_one["orderId"]
        )
    assert noted == 1
    assert (await shopper.returns(str(back)))["status"] == "SUCCESSFUL"


async def test_the_end_of_a_checkout_that_is_not_ours_does_not_end_the_order(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    """The first create's answer was lost and a fresh checkout opened; then the lost one expires."""
    opened = await merchant.creates("SALESTILL")
    reference, till = opened["orderReference"], tills["SALESTILL"]
    ours = till.of(reference)
    body = {**till._shown(ours), "id": "co-lost", "status": "expired"}
    url = ours.data["events_url"]
    answer = await installation.call("POST", url, json=body, headers={"X-Key": "till-key"})
    assert answer.status == 200

    async def heard() -> Any:
        async with installation.database.connection() as held:
            return await held.fetchval(
                "SELECT count(*) = 1 FROM provider_events WHERE state = 'decided' AND order_id = $1", opened["orderId"]
            )

    await eventually(heard)
    assert (await merchant.status(reference))["status"] == "PENDING"
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"


async def test_a_payment_of_a_checkout_that_is_not_ours_does_not_pay_the_order(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    """Proven by its key, with our reference, amount and currency: and for a checkout that this order never opened."""
    till, opened = tills["SALESTILL"], await merchant.creates("SALESTILL")
    reference = opened["orderReference"]
    ours, another = till.of(reference), till.of(await paid(merchant, shopper, "SALESTILL"))
    body = {**till._shown(another), "id": "co-another", "reference": till._shown(ours)["reference"]}
    answer = await installation.call("POST", ours.data["events_url"], json=body, headers={"X-Key": "till-key"})
    assert answer.status == 200

    async def listed() -> Any:
        return (await merchant.details(reference))["needsReview"]

    assert await eventually(listed) == "the provider reports a payment with another session"
    details = await merchant.details(reference)
    assert (details["status"], details["captureStatus"], details["refunds"]) == ("PENDING", None, [])
    assert not installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")
    assert installation.ledger(reference) == []


# -- T2 ---------------------------------------------------------------------------------------------


async def test_an_unsigned_return_that_claims_success_leads_to_asking_and_no_further(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("CONFIRMTILL")
    url = f"{merchant.base}/return/{opened['orderToken']}?via=approved&session={URL(opened['redirectUrl']).name}"
    query = await shopper.returns(url)
    status = await merchant.status(opened["orderReference"])
    # The confirm that the hint led to was refused by the provider: the shopper had not agreed.
    assert query["status"] == status["status"] != "SUCCESSFUL"
    assert installation.balance(opened["orderReference"]) == 0


async def test_an_unsigned_return_that_claims_a_cancel_leads_to_asking_and_no_further(
    merchant: Merchant, shopper: Shopper
) -> None:
    opened = await merchant.creates("SALESTILL")
    query = await shopper.returns(f"{merchant.base}/return/{opened['orderToken']}?via=cancel")
    assert query["status"] == "PENDING"
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "SUCCESSFUL"


async def test_a_report_that_nobody_signed_is_a_hint_whatever_the_connector_makes_of_it(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    opened = await merchant.creates("HINTTILL")
    reference, till = opened["orderReference"], tills["HINTTILL"]
    query = await shopper.returns(f"{merchant.base}/return/{opened['orderToken']}?claims=paid")
    assert query["status"] == "PENDING"
    case, asked = till.of(reference), till.count("status", reference)
    body = {**till._shown(case), "status": "paid", "captured": "100"}
    assert (await installation.call("POST", case.data["events_url"], json=body)).status == 200

    async def heard_and_asked() -> bool:
        return till.count("status", reference) > asked and await heard(installation, reference, 1)

    await eventually(heard_and_asked)
    status = await merchant.status(reference)
    assert (status["status"], status["captureStatus"]) == ("PENDING", None)


async def test_a_forged_event_changes_nothing(installation: Installation, merchant: Merchant, tills: Till) -> None:
    opened = await merchant.creates("SALESTILL")
    case = tills["SALESTILL"].of(opened["orderReference"])
    body = {**tills["SALESTILL"]._shown(case), "status": "paid", "captured": "100"}
    answer = await installation.call("POST", case.data["events_url"], json=body, headers={"X-Key": "guess"})
    assert answer.status == 401
    assert (await merchant.status(opened["orderReference"]))["status"] == "PENDING"


# -- T3 ---------------------------------------------------------------------------------------------


async def cancelled_then_paid(
    installation: Installation, merchant: Merchant, tills: Till, code: str, **changes: Any
) -> str:
    """An order that its deadline ended, and whose checkout is paid all the same; its reference."""
    opened = await merchant.creates(code, cancellationTimeout=600, **changes)
    reference = str(opened["orderReference"])
    answer = await merchant.post(f"/orders/{reference}/cancel", {})
    assert (answer.status, answer.body["status"]) == (201, "CANCELED")
    till = tills[code]
    till.pay(till.of(reference))
    return reference


@pytest.mark.parametrize(("deferred", "row"), [(False, "refunds"), (True, "orderVoids")])
async def test_a_payment_on_an_order_that_ended_is_given_back_by_the_system_and_announced(
    deferred: bool, row: str, installation: Installation, merchant: Merchant, tills: Till, eventually: Eventually
) -> None:
    reference = await cancelled_then_paid(installation, merchant, tills, "SALESTILL", autoCapture=not deferred)

    async def given_back() -> bool:
        return [given["status"] for given in (await merchant.details(reference))[row]] == ["SUCCESSFUL"]

    await eventually(given_back)
    assert (installation.balance(reference), len(installation.ledger(reference))) == (0, 2 if deferred else 3)
    details = await merchant.details(reference)
    assert (details["status"], details["cancelledBy"], details["needsReview"]) == ("CANCELED", "MERCHANT", None)
    [operation] = details[row]
    assert (operation["initiator"], operation["status"], operation["amount"]) == ("SYSTEM", "SUCCESSFUL", "100")

    async def told() -> Any:
        return installation.inbox.events(reference, "VOID_STATUS_UPDATE" if deferred else "REFUND_CALLBACK")

    [event] = await eventually(told)
    assert (event["data"]["initiator"], event["data"]["status"]) == ("SYSTEM", "SUCCESSFUL")
    finals = installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")
    assert [e["data"]["status"] for e in finals] == ["CANCELED"]


@pytest.mark.parametrize(("outcome", "status"), [("decline", "DECLINED"), ("error", "ERROR")])
async def test_a_payment_on_an_order_that_was_declined_or_broke_is_given_back_too(
    outcome: str, status: str, installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till,
    eventually: Eventually,
) -> None:  # fmt: skip
    opened = await merchant.creates("SALESTILL")
    reference, till = opened["orderReference"], tills["SALESTILL"]
    await shopper.pays(opened["redirectUrl"], outcome)
    till.pay(till.of(reference))

    async def given_back() -> bool:
        return bool((await merchant.details(reference))["refundedAmount"] == "100")

    await eventually(given_back)
    assert (await merchant.status(reference))["status"] == status
    assert installation.balance(reference) == 0


async def test_a_give_back_that_the_provider_refuses_is_listed(
    installation: Installation, merchant: Merchant, tills: Till, refusing: Callable[[str, str], None],
    eventually: Eventually,
) -> None:  # fmt: skip
    refusing("SALESTILL", "refund")
    reference = await cancelled_then_paid(installation, merchant, tills, "SALESTILL")

    async def listed() -> Any:
        return (await merchant.details(reference))["needsReview"]

    assert await eventually(listed) == "a refund by the system was refused: refused here"


async def test_what_the_provider_gave_back_itself_is_not_given_back_again(
    installation: Installation, merchant: Merchant, tills: Till, eventually: Eventually
) -> None:
    opened = await merchant.creates("READTILL")
    reference, till = opened["orderReference"], tills["READTILL"]
    await merchant.post(f"/orders/{reference}/cancel", {})
    case = till.of(reference)
    case.status = "paid"
    case.data |= {"captured": "100", "refunded": "100"}
    case.data["moves"] = [
        {"id": "m1", "kind": "capture", "amount": "100", "key": None, "status": "done"},
        {"id": "m2", "kind": "refund", "amount": "100", "key": None, "status": "done"},
    ]
    till.save(case)
    till.tell(case)

    async def seen() -> bool:
        return bool((await merchant.details(reference))["refundedAmount"] == "100")

    await eventually(seen)
    assert [row["initiator"] for row in (await merchant.details(reference))["refunds"]] == ["PROVIDER"]
    assert till.count("refund", reference) == 0


async def test_money_that_nobody_can_give_back_is_listed(
    installation: Installation, merchant: Merchant, tills: Till, eventually: Eventually
) -> None:
    reference = await cancelled_then_paid(installation, merchant, tills, "KEEPTILL")

    async def listed() -> Any:
        return (await merchant.details(reference))["needsReview"]

    assert "the provider has no refund" in await eventually(listed)


async def test_an_ended_orders_checkout_is_watched_until_an_hour_after_its_expiry(
    installation: Installation, merchant: Merchant, tills: Till, eventually: Eventually
) -> None:
    """No event comes and the provider can't close it: only watching finds the payment."""
    opened = await merchant.creates("BLINDTILL")
    reference, till = opened["orderReference"], tills["BLINDTILL"]
    await merchant.post(f"/orders/{reference}/cancel", {})
    assert (await merchant.details(reference))["nextStep"]["what"] == "watch"
    till.pay(till.of(reference))
    await installation.advance(31)

    async def given_back() -> bool:
        return len(installation.ledger(reference)) == 3 and installation.balance(reference) == 0

    await eventually(given_back)
    await installation.quiet()  # what a decision still under way is about to set would miss the clock's move
    await installation.advance(25 * 3600 + 60)

    async def over() -> bool:
        return (await merchant.details(reference))["nextStep"] is None

    await eventually(over)


async def test_the_watch_ends_when_the_provider_calls_the_checkout_dead(merchant: Merchant, shopper: Shopper) -> None:
    opened = await merchant.creates("SALESTILL")
    await shopper.pays(opened["redirectUrl"], "cancel")
    assert (await merchant.details(opened["orderReference"]))["nextStep"] is None


# -- T4 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "list_", "event"),
    [
        ("capture", "orderCaptures", "CAPTURE_STATUS_UPDATE"),
        ("void", "orderVoids", "VOID_STATUS_UPDATE"),
    ],
)
async def test_a_capture_or_void_made_at_the_provider_becomes_an_operation_and_counts(
    verb: str, list_: str, event: str, installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till,
    eventually: Eventually,
) -> None:  # fmt: skip
    reference = await paid(merchant, shopper, "SALESTILL", autoCapture=False)
    till = tills["SALESTILL"]
    till.move(till.of(reference), verb, Decimal(60))

    async def told() -> Any:
        return installation.inbox.events(reference, event)

    [told_of] = await eventually(told)
    assert (told_of["data"]["initiator"], told_of["data"]["amount"]) == ("PROVIDER", 60)
    details = await merchant.details(reference)
    [row] = details[list_]
    assert (details["status"], row["initiator"], row["status"]) == ("SUCCESSFUL", "PROVIDER", "SUCCESSFUL")
    assert (await merchant.captures(reference, "41", "C-1")).body["code"] == "over_capture"
    assert (await merchant.captures(reference, "40", "C-2")).status == 201


@pytest.mark.parametrize("verb", ["refund", "chargeback"])
async def test_a_refund_or_chargeback_made_at_the_provider_becomes_an_operation_and_counts(
    verb: str, installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    reference = await paid(merchant, shopper, "SALESTILL")
    till = tills["SALESTILL"]
    till.move(till.of(reference), verb, Decimal(60))

    async def told() -> Any:
        return installation.inbox.events(reference, "REFUND_CALLBACK")

    [event] = await eventually(told)
    assert (event["data"]["initiator"], event["data"].get("kind")) == (
        "PROVIDER", "chargeback" if verb == "chargeback" else None,
    )  # fmt: skip
    details = await merchant.details(reference)
    assert (details["status"], details["refundedAmount"]) == ("SUCCESSFUL", "60")
    assert (await merchant.refunds(reference, "41", "R-1")).body["code"] == "over_refund"
    assert (await merchant.refunds(reference, "40", "R-2")).status == 201


async def test_a_movement_told_twice_in_two_forms_counts_once(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    """First a total without ids, then the same capture in a list with its id."""
    reference = await paid(merchant, shopper, "READTILL", autoCapture=False)
    till = tills["READTILL"]
    case = till.of(reference)
    case.data["captured"] = "60"
    till.save(case, ("capture", Decimal(60), "m1"))
    till.tell(case)

    async def captured() -> bool:
        return bool((await merchant.details(reference))["capturedAmount"] == "60")

    await eventually(captured)
    case = till.of(reference)
    case.data["moves"] = [{"id": "m1", "kind": "capture", "amount": "60", "key": None, "status": "done"}]
    till.save(case)
    till.tell(case)

    async def heard() -> Any:
        [row] = (await merchant.details(reference))["orderCaptures"]
        return row["providerId"] == "m1"

    await eventually(heard)
    assert (await merchant.details(reference))["capturedAmount"] == "60"


async def test_a_give_back_that_was_refused_is_listed_and_not_tried_at_every_look(
    installation: Installation, merchant: Merchant, tills: Till, refusing: Callable[[str, str], None]
) -> None:
    """A cancelled order was paid all the same, and the provider refuses to give the money back."""
    refusing("BLINDTILL", "refund")
    reference = (await merchant.creates("BLINDTILL", cancellationTimeout=600))["orderReference"]
    await merchant.post(f"/orders/{reference}/cancel", {})
    till = tills["BLINDTILL"]
    till.pay(till.of(reference))
    for _ in range(5):
        await installation.advance(601)
        await installation.quiet()
    details = await merchant.details(reference)
    assert [row["status"] for row in details["refunds"]] == ["FAILED"]
    assert "refused" in details["needsReview"]
    assert len(installation.inbox.events(reference, "REFUND_CALLBACK")) == 1
