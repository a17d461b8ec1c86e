"""U1, U2 and U4: calls whose outcome nobody knows, lost creates, and leases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors import contract as c
from paymux.connectors.registry import provider_of
from paymux.orders import calls, store
from paymux.orders.core import Core
from paymux.orders.model import Initiator, Kind
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper
from tests.orders.conftest import GateAt, Till
from tests.orders.test_statuses import paid


async def operation_of(installation: Installation, order_reference: str, reference: str) -> str:
    async with installation.database.connection() as held:
        found: str = await held.fetchval(
            "SELECT o.id FROM operations o JOIN orders ON orders.id = order_id WHERE orders.reference = $1 AND o.reference = $2",
            order_reference,
            reference,
        )
    return found


# -- U1 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["timeout_after", "error_after", "reset_after", "malformed"])
async def test_a_capture_with_no_usable_answer_is_pending_and_repaired_by_reading(
    fault: str, installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    """field.md thread 15: a timed-out payment was called failed after its last poll."""
    reference = await paid(merchant, shopper, "SALESTILL", autoCapture=False)
    await installation.fault("salestill", "capture", fault, reference)
    await installation.fault("salestill", "events", "no_event", reference)
    answer = await merchant.captures(reference, "100", "C-1")
    assert (answer.status, answer.body["status"]) == (201, "PENDING")

    async def repaired() -> bool:
        return bool((await merchant.status(reference))["captureStatus"] == "CAPTURED")

    await eventually(repaired)
    assert (await merchant.captures(reference, "100", "C-1")).body["status"] == "SUCCESSFUL"
    assert (installation.balance(reference), tills["SALESTILL"].count("capture", reference)) == (100, 1)


async def test_a_lost_confirm_is_repaired_by_the_path_of_a_live_answer(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    """field.md thread 9: what the janitor repaired did not go through the state machine, and nothing followed."""
    opened = await merchant.creates("CONFIRMTILL")
    reference = opened["orderReference"]
    await installation.fault("confirmtill", "confirm", "error_after", reference)
    await installation.fault("confirmtill", "events", "no_event", reference, times=9)
    query = await shopper.pays(opened["redirectUrl"])
    assert query["status"] == "PENDING"
    await installation.advance(31)

    async def told() -> Any:
        return installation.inbox.events(reference, "ORDER_ASYNC_CALLBACK")

    [event] = await eventually(told)
    assert (event["data"]["status"], event["data"]["captureStatus"]) == ("SUCCESSFUL", "CAPTURED")
    assert installation.balance(reference) == 100


@pytest.mark.parametrize("end", [c.Declined, c.Cancelled, c.Expired, c.Broken])
async def test_an_end_that_a_repeated_confirm_is_answered_with_says_nothing_of_the_first_and_is_left_to_a_person(
    end: type[Any], installation: Installation, merchant: Merchant, shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout may be gone because the first call was done; here nobody can ask for it."""

    async def ended(_: Any, checkout: c.Checkout, key: str) -> c.Report:
        report: c.Report = end(session=checkout.session, reason="the checkout is gone")
        return report

    opened = await merchant.creates("REPEATTILL")
    reference = opened["orderReference"]
    await installation.fault("repeattill", "confirm", "error_before", reference)
    assert (await shopper.pays(opened["redirectUrl"]))["status"] == "PENDING"
    with monkeypatch.context() as later:
        later.setattr(provider_of("REPEATTILL")[0].connector, "confirm", ended)
        for seconds in (31, 61, 601):
            await installation.advance(seconds)
            await installation.quiet()
    assert (await merchant.status(reference))["status"] == "PENDING"
    why = "nobody knows whether the confirm confirm happened: ask the provider"
    assert (await merchant.details(reference))["needsReview"] == why


@pytest.mark.parametrize("code", ["SALESTILL", "ONCETILL"])
async def test_a_call_that_never_arrived_is_repeated_with_its_first_key_where_that_is_safe(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    """field.md threads 2 and 19: a repeat with a new key, or behind one's back, charged again."""
    opened = await merchant.creates(code)
    reference = opened["orderReference"]
    await shopper.decides(opened["redirectUrl"], "approve")

    async def captured() -> bool:
        return bool((await merchant.status(reference))["status"] == "SUCCESSFUL")

    await eventually(captured)
    for fault in ("error_before", "error_after"):
        await installation.fault(code.lower(), "refund", fault, reference)
    assert (await merchant.refunds(reference, "30", "R-1")).body["refundStatus"] == "PENDING"

    async def refunded() -> bool:
        await installation.advance(31)
        return bool((await merchant.details(reference))["refunds"][0]["status"] == "SUCCESSFUL")

    await eventually(refunded)
    assert installation.balance(reference) == 70
    assert [kind for kind, _ in installation.ledger(reference)].count("refund") == 1


@pytest.mark.parametrize("verb", ["refund", "capture"])
async def test_what_is_neither_idempotent_nor_readable_stays_pending_blocked_and_is_listed(
    verb: str, installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    """field.md threads 15 and 19."""
    reference = await paid(merchant, shopper, "BLINDTILL", autoCapture=verb == "refund")
    await installation.fault("blindtill", verb, "timeout_after", reference)
    move = merchant.refunds if verb == "refund" else merchant.captures
    first = await move(reference, "60", "M-1")
    assert first.status == 201
    await installation.advance(86_400)
    await installation.advance(86_400)

    details = await merchant.details(reference)
    [row] = details["refunds" if verb == "refund" else "orderCaptures"][:1]
    assert (row["status"], row["needsReview"]) == ("PENDING", True)
    assert details["needsReview"] == f"nobody knows whether the {verb} M-1 happened: ask the provider"
    assert (await move(reference, "41", "M-2")).body["code"] == f"over_{verb}"
    assert (await move(reference, "60", "M-1")).status == 201
    assert tills["BLINDTILL"].count(verb, reference) == 1
    assert len(installation.inbox.events(reference, "ORDER_NEEDS_REVIEW")) == 1


async def test_what_is_readable_but_not_idempotent_is_asked_about_and_never_repeated(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    reference = await paid(merchant, shopper, "READTILL")
    await installation.fault("readtill", "refund", "error_before", reference)
    assert (await merchant.refunds(reference, "60", "R-1")).body["refundStatus"] == "PENDING"
    before = tills["READTILL"].count("status", reference)

    async def asked_thrice() -> bool:
        await installation.advance(61)
        return bool(tills["READTILL"].count("status", reference) >= before + 3)

    await eventually(asked_thrice)
    assert (await merchant.details(reference))["refunds"][0]["status"] == "PENDING"
    # What is counted here arrived, and the first did not: a repeat would be counted.
    assert (tills["READTILL"].count("refund", reference), installation.balance(reference)) == (0, 100)


async def test_a_refusal_of_another_try_does_not_make_a_waiting_refund_fail(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, eventually: Eventually
) -> None:
    """The provider lists a refused refund of the same amount, without a key: it may be anybody's."""
    reference = await paid(merchant, shopper, "READTILL")
    await installation.fault("readtill", "refund", "error_after", reference)
    await installation.fault("readtill", "events", "no_event", reference)
    till = tills["READTILL"]
    case = till.of(reference)
    case.data["moves"].append({"id": "mv-old", "kind": "refund", "amount": "60", "key": None, "status": "failed"})
    till.save(case)
    assert (await merchant.refunds(reference, "60", "R-1")).body["refundStatus"] == "PENDING"

    async def found() -> bool:
        await merchant.status(reference)
        return bool((await merchant.details(reference))["refunds"][0]["status"] != "PENDING")

    await eventually(found)
    assert (await merchant.details(reference))["refunds"][0]["status"] == "SUCCESSFUL"


async def test_the_no_to_a_repeat_is_not_taken_for_the_first_calls_no(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, refusing: Callable[[str, str], None],
    eventually: Eventually, other_process: Core,
) -> None:  # fmt: skip
    """Its first caller died after sending; the provider has moved on and refuses the repeat ("already captured")."""
    reference = await paid(merchant, shopper, "SALESTILL", autoCapture=False)
    operation_id = await _left_by_the_dead(installation, reference, "C-1", Decimal(100))
    refusing("SALESTILL", "capture")
    decision = await calls.run_operation(other_process, operation_id)
    assert decision is not None
    async with installation.database.connection() as held:
        op = await store.operation(held, operation_id)
    assert op.pending
    assert op.asks == 1


async def test_a_capture_that_never_left_is_called_for_the_first_time_later_and_its_no_counts(
    installation: Installation, merchant: Merchant, shopper: Shopper, gate_at: GateAt, monkeypatch: pytest.MonkeyPatch,
    tills: Till, refusing: Callable[[str, str], None], eventually: Eventually,
) -> None:  # fmt: skip
    opened = await merchant.creates("AFTERTILL")
    reference = opened["orderReference"]
    back = await shopper.decides(opened["redirectUrl"], "approve")
    gate = gate_at(calls, "_take", when=lambda _, operation_id: operation_id.startswith("cap_"))
    returning = asyncio.create_task(shopper.returns(back))
    await gate.reached.wait()
    with monkeypatch.context() as gone:
        gone.setitem(vars(installation.settings), "sandbox_base_url", "http://127.0.0.1:1")
        gate.open()
        assert (await returning)["status"] == "PENDING"
    assert tills["AFTERTILL"].count("capture", reference) == 0

    refusing("AFTERTILL", "capture")
    await installation.advance(31)

    async def broke() -> bool:
        return bool((await merchant.status(reference))["captureStatus"] == "VOIDED")

    await eventually(broke)
    assert (await merchant.status(reference))["status"] == "ERROR"
    assert tills["AFTERTILL"].count("capture", reference) == 1


async def _unanswered_refund(installation: Installation, other_process: Core, reference: str, wait: int) -> str:
    """A refund of 60 that got no answer, so many seconds ago."""
    async with installation.database.transaction() as tx:
        order_id = await tx.fetchval("SELECT id FROM orders WHERE reference = $1", reference)
        order = await store.lock_order(tx, order_id)
        op = await store.claim(
            tx, order, Kind.REFUND, installation.clock.now(), reference="R-1", amount=Decimal(60),
            initiator=Initiator.MERCHANT, holder="proc_dead", lease=-3600,
        )  # fmt: skip
    assert op is not None
    await calls.run_operation(other_process, op.id)
    async with installation.database.transaction() as tx:
        await tx.execute(
            "UPDATE operations SET called_at = called_at - $2::interval WHERE id = $1", op.id, timedelta(seconds=wait)
        )
    return op.id


@pytest.mark.parametrize(
    ("fault", "wait", "status", "moved"),
    [
        ("error_after", 3_500, "SUCCESSFUL", [Decimal(60)]),
        ("error_before", 3_500, "SUCCESSFUL", [Decimal(60)]),
        ("error_after", 3_601, "PENDING", [Decimal(60)]),
        ("error_before", 3_601, "PENDING", []),
    ],
)
async def test_what_can_only_be_repeated_is_repeated_while_the_provider_surely_knows_its_key(
    fault: str, wait: int, status: str, moved: list[Decimal],
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, other_process: Core,
) -> None:  # fmt: skip
    """A key that the provider has forgotten makes a repeat another refund."""
    reference = await paid(merchant, shopper, "ONCETILL")
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"
    await installation.fault("oncetill", "events", "no_event", reference, times=100)
    await installation.fault("oncetill", "refund", fault, reference)
    await calls.run_operation(other_process, await _unanswered_refund(installation, other_process, reference, wait))
    details = await merchant.details(reference)
    [row] = details["refunds"]
    assert (row["status"], row["needsReview"]) == (status, status == "PENDING")
    assert [amount for kind, amount in installation.ledger(reference) if kind == "refund"] == moved
    if status == "PENDING":
        assert details["needsReview"] == "nobody knows whether the refund R-1 happened: ask the provider"
        assert (await merchant.refunds(reference, "41", "R-2")).body["code"] == "over_refund", "its amount is blocked"
        before = tills["ONCETILL"].count("refund", reference)
        await installation.advance(86_400)
        await installation.quiet()
        assert tills["ONCETILL"].count("refund", reference) == before


@pytest.mark.parametrize(
    ("code", "wait", "status"),
    [("NATURALTILL", 3_500, "FAILED"), ("NATURALTILL", 3_601, "PENDING"), ("ONCETILL", 60, "PENDING")],
)
async def test_the_no_to_a_repeat_counts_only_where_the_provider_surely_gives_its_first_answer_again(
    code: str, wait: int, status: str,
    installation: Installation, merchant: Merchant, shopper: Shopper, other_process: Core,
    refusing: Callable[[str, str], None],
) -> None:  # fmt: skip
    """Else "no" may mean "done already" or "this key was used": by then the first may be done (field.md thread 13)."""
    reference = await paid(merchant, shopper, code)
    await installation.quiet()
    assert (await merchant.status(reference))["status"] == "SUCCESSFUL"
    await installation.fault(code.lower(), "events", "no_event", reference, times=100)
    await installation.fault(code.lower(), "refund", "error_before", reference)
    operation_id = await _unanswered_refund(installation, other_process, reference, wait)
    refusing(code, "refund")
    await calls.run_operation(other_process, operation_id)
    details = await merchant.details(reference)
    [row] = details["refunds"]
    assert (row["status"], row["needsReview"]) == (status, status == "PENDING")
    if status == "PENDING":
        assert (await merchant.refunds(reference, "60", "R-2")).body["code"] == "over_refund", "its amount is blocked"


async def _left_by_the_dead(installation: Installation, reference: str, name: str, amount: Decimal) -> str:
    """A capture that a process claimed and called for before it died, an hour ago."""
    async with installation.database.transaction() as tx:
        order_id = await tx.fetchval("SELECT id FROM orders WHERE reference = $1", reference)
        order = await store.lock_order(tx, order_id)
        op = await store.claim(
            tx, order, Kind.CAPTURE, installation.clock.now(), reference=name, amount=amount, holder="proc_dead",
            lease=-3600, calls=1,
        )  # fmt: skip
    assert op is not None
    return op.id


@pytest.mark.parametrize("fault", ["error_before", "error_after"])
async def test_a_token_charge_with_no_answer_is_asked_about_and_repeated_only_if_it_never_arrived(
    fault: str, installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually
) -> None:
    """field.md threads 2 and 19."""
    agreed = await merchant.creates("PLANPAY_AU", getToken=True)
    await shopper.pays(agreed["redirectUrl"])

    async def token() -> Any:
        events = installation.inbox.events(agreed["orderReference"], "ORDER_ASYNC_CALLBACK")
        return events and events[0]["data"]["token"]

    body = merchant.order("PLANPAY_AU", token=await eventually(token), customerPresent=False)
    reference = body["orderReference"]
    await installation.fault("generic", "charge_token", fault, reference)
    await installation.fault("generic", "events", "no_event", reference)
    answer = await merchant.post("/orders", body)
    assert (answer.status, answer.body["paymentStatus"]) == (201, "pending")

    async def charged() -> bool:
        await installation.advance(31)
        return bool((await merchant.status(reference))["status"] == "SUCCESSFUL")

    await eventually(charged)
    assert installation.ledger(reference) == [("authorize", 100), ("capture", 100)]


# -- U2 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["SALESTILL", "BLINDTILL"])
async def test_a_lost_create_is_answered_with_our_page_which_opens_the_checkout(
    code: str, installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till
) -> None:
    body = merchant.order(code)
    reference = body["orderReference"]
    await installation.fault(code.lower(), "create", "error_after", reference)
    answer = await merchant.post("/orders", body)
    assert (answer.status, answer.body["paymentStatus"]) == (201, "pending")
    assert answer.body["redirectUrl"] == f"{merchant.base}/checkout/{answer.body['orderToken']}"
    query = await shopper.pays(answer.body["redirectUrl"])
    assert query["status"] == "SUCCESSFUL"
    assert tills[code].count("create", reference) == 2
    assert installation.balance(reference) == 100


async def test_a_create_that_stays_lost_ends_in_error_and_the_shopper_goes_back(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    body = merchant.order("SALESTILL")
    await installation.fault("salestill", "create", "error_before", body["orderReference"], times=9)
    answer = await merchant.post("/orders", body)
    page = await installation.call("GET", answer.body["redirectUrl"])
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    query = await shopper.returns(answer.body["redirectUrl"])
    assert query["status"] == "ERROR"
    assert (await merchant.status(body["orderReference"]))["failureReason"] == "the checkout could not be opened"


async def test_a_lost_create_is_tried_again_without_the_shopper(
    installation: Installation, merchant: Merchant, eventually: Eventually
) -> None:
    body = merchant.order("SALESTILL")
    await installation.fault("salestill", "create", "error_before", body["orderReference"])
    await merchant.post("/orders", body)
    assert (await merchant.details(body["orderReference"]))["nextStep"] is not None
    await installation.advance(31)

    async def opened() -> bool:
        url = (await merchant.details(body["orderReference"]))["redirectUrl"]
        return bool(url.startswith(installation.settings.sandbox_base_url))

    await eventually(opened)


async def test_a_payment_on_a_checkout_that_we_never_knew_is_not_trusted(
    installation: Installation, merchant: Merchant, tills: Till, eventually: Eventually
) -> None:
    body = merchant.order("SALESTILL")
    reference, till = body["orderReference"], tills["SALESTILL"]
    await installation.fault("salestill", "create", "error_after", reference, times=9)
    await merchant.post("/orders", body)
    till.pay(till.of(reference))

    async def listed() -> Any:
        return (await merchant.details(reference))["needsReview"]

    assert await eventually(listed) == "the provider reports a payment with another session"
    assert (await merchant.status(reference))["status"] == "PENDING"


# -- U4 ---------------------------------------------------------------------------------------------


async def test_a_slow_call_whose_caller_lives_is_never_doubled(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, gate_at: GateAt, other_process: Core
) -> None:
    """The call takes many leases' time: its living holder renews, and nobody else takes over."""
    reference = await paid(merchant, shopper, "SALESTILL")
    gate = gate_at(calls, "_send_move")
    slow = asyncio.create_task(merchant.refunds(reference, "60", "R-1"))
    await gate.reached.wait()
    operation_id = await operation_of(installation, reference, "R-1")
    first = await _lease(installation, operation_id)
    while await _lease(installation, operation_id) < first + 2 * installation.settings.lease:
        assert await calls.run_operation(other_process, operation_id) is None
        await asyncio.sleep(installation.settings.lease / 4)
    await installation.advance(3600)
    gate.open()
    assert (await slow).body["refundStatus"] == "SUCCESSFUL"
    assert tills["SALESTILL"].count("refund", reference) == 1


async def _lease(installation: Installation, operation_id: str) -> float:
    """Until when an operation is leased, in seconds."""
    async with installation.database.connection() as held:
        return float(
            await held.fetchval(
                "SELECT extract(epoch FROM lease_until_real) FROM operations WHERE id = $1", operation_id
            )
        )


async def test_a_dead_holders_call_is_taken_over_after_its_lease_and_asked_about_first(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, gate_at: GateAt, other_process: Core,
    eventually: Eventually,
) -> None:  # fmt: skip
    """field.md thread 18: two callers, one refund."""
    reference = await paid(merchant, shopper, "SALESTILL")
    await installation.fault("salestill", "events", "no_event", reference, times=9)
    gate = gate_at(calls, "_send_move", after=True)
    async with installation.database.transaction() as tx:
        order_id = await tx.fetchval("SELECT id FROM orders WHERE reference = $1", reference)
        order = await store.lock_order(tx, order_id)
        op = await store.claim(tx, order, Kind.REFUND, installation.clock.now(), reference="R-1", amount=Decimal(60))
    assert op is not None
    dying = asyncio.create_task(calls.run_operation(installation.core, op.id))
    await gate.reached.wait()
    dying.cancel()
    assert await calls.run_operation(other_process, op.id) is None

    async def taken_over() -> Any:
        return await calls.run_operation(other_process, op.id)

    await eventually(taken_over)
    assert (await merchant.details(reference))["refunds"][0]["status"] == "SUCCESSFUL"
    assert (tills["SALESTILL"].count("refund", reference), installation.balance(reference)) == (1, 40)


async def test_an_operation_that_is_being_asked_about_gives_its_first_result_again(
    installation: Installation, merchant: Merchant, shopper: Shopper, gate_at: GateAt
) -> None:
    reference = await paid(merchant, shopper, "SALESTILL")
    await installation.fault("salestill", "refund", "error_after", reference)
    await installation.fault("salestill", "events", "no_event", reference)
    assert (await merchant.refunds(reference, "60", "R-1")).body["refundStatus"] == "PENDING"
    gate = gate_at(calls, "_ask", when=lambda _, taken: taken.order.reference == reference)
    await installation.advance(31)
    await gate.reached.wait()
    again = await merchant.refunds(reference, "60", "R-1")
    assert (again.status, again.body["refundStatus"]) == (201, "PENDING")
    gate.open()


async def test_the_key_goes_along_with_the_call_and_is_kept_before_it_leaves(
    installation: Installation, merchant: Merchant, shopper: Shopper, gate_at: GateAt
) -> None:
    """field.md threads 4 and 18: the claim and its key are committed before anything is sent."""
    reference = await paid(merchant, shopper, "SALESTILL")
    gate = gate_at(calls, "_send_move")
    asking = asyncio.create_task(merchant.refunds(reference, "60", "R-1"))
    await gate.reached.wait()
    async with installation.database.connection() as held:
        row = await held.fetchrow(
            "SELECT * FROM operations WHERE id = $1", await operation_of(installation, reference, "R-1")
        )
    assert (row["status"], row["calls"], row["amount"]) == ("PENDING", 1, 60)
    assert row["holder"] is not None
    gate.open()
    await asking
    done = installation.sandbox.simulators["salestill"].of(reference).data["done"]  # type: ignore[attr-defined]
    assert row["key"] in done
