"""What comes in for an order whose customer was erased: it counts as ever, and nothing of him is kept."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from paymux.connectors import contract as c
from paymux.notifications import store as deliveries
from paymux.orders import erasure, event_store, provider_events, settling, store
from paymux.orders.customer import NOT_KEPT
from paymux.orders.decide import Deciding, deciding
from paymux.orders.model import Initiator, Kind
from tests.conftest import Eventually
from tests.installation import Answer, Installation, Merchant, Shopper
from tests.orders.conftest import GateAt, Till
from tests.orders.test_statuses import paid
from tests.security.reading import in_clear, named_in, opened

WHO = {
    "firstName": "Zenobiah",
    "lastName": "Quillfeather",
    "email": "zenobiah@quillfeather.example",
    "phoneNumber": "+61491570156",
}
SAID = "no account of Zenobiah Quillfeather"


async def erased(installation: Installation, merchant: Merchant, shopper: Shopper, code: str, **changes: Any) -> str:
    """A paid order of hers, from which she was erased; its reference."""
    reference = await paid(merchant, shopper, code, customer=WHO, **changes)
    await installation.quiet()
    done = await erases(installation, reference)
    assert (len(done["erased"]), done["waiting"], done["deliveries"]) == (1, 0, 0)
    return reference


async def erases(installation: Installation, reference: str) -> dict[str, Any]:
    return await erasure.erase(installation.core, erasure.Asked(by="operator", reference=reference))


async def decides(installation: Installation, reference: str, work: Callable[[Deciding], Awaitable[Any]]) -> None:
    async with installation.database.connection() as held:
        order_id = await held.fetchval("SELECT id FROM orders WHERE reference = $1", reference)
    await deciding(installation.core, order_id, "event", work)


async def tells(installation: Installation, till: Any, reference: str, **more: Any) -> Answer:
    """The provider tells the order's state once more, and who bought."""
    case = till.of(reference)
    body = {**till._shown(case), "buyer": WHO, **more}
    return await installation.call("POST", case.data["events_url"], json=body, headers={"X-Key": "till-key"})


async def events(installation: Installation, reference: str) -> list[tuple[str, bool]]:
    """Each stored event of an order: its state, and whether it is empty."""
    async with installation.database.connection() as held:
        rows = await held.fetch(
            "SELECT e.state, e.request_sealed FROM provider_events e JOIN orders o ON o.id = e.order_id"
            " WHERE o.reference = $1 ORDER BY e.id",
            reference,
        )
    return [(row["state"], base64.b64decode(_kept(installation, row["request_sealed"])["body"]) == b"") for row in rows]


def _kept(installation: Installation, sealed: bytes) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(installation.keyring.unseal(sealed, "provider-event"))
    return kept


async def she_is_nowhere(installation: Installation) -> bool:
    return named_in(await opened(installation) | await in_clear(installation), WHO) == []


# -- words -----------------------------------------------------------------------------------------


async def test_no_words_that_a_provider_says_after_an_erasure_are_kept(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, refusing: Callable[[str, str], None]
) -> None:
    reference = await erased(installation, merchant, shopper, "SALESTILL")
    till = tills["SALESTILL"]
    refusing("SALESTILL", "refund")
    till.says = SAID
    try:
        answer = await merchant.refunds(reference, "10", "R-1")
    finally:
        till.says = "refused here"
    assert (answer.status, answer.body["message"]) == (422, NOT_KEPT)

    async def reviewed(desk: Deciding) -> None:
        await desk.review(desk.told(SAID))

    await decides(installation, reference, reviewed)
    await installation.quiet()
    details = await merchant.details(reference)
    assert (details["refunds"][0]["refundFailureReason"], details["needsReview"]) == (NOT_KEPT, NOT_KEPT)
    [told] = installation.inbox.events(reference, "REFUND_CALLBACK")
    assert told["data"]["failureReason"] == NOT_KEPT
    assert await she_is_nowhere(installation)


async def test_a_sentence_of_our_own_is_kept_after_an_erasure(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await erased(installation, merchant, shopper, "SALESTILL")

    async def unreachable(desk: Deciding) -> None:
        op = await store.claim(
            desk.tx, desk.order, Kind.REFUND, desk.now, reference="R-1", amount=Decimal(10), initiator=Initiator.MERCHANT,
            calls=1,
        )  # fmt: skip
        assert op is not None
        await settling.not_sent(op, "no way there")(desk)

    await decides(installation, reference, unreachable)
    [refund] = (await merchant.details(reference))["refunds"]
    assert refund["refundFailureReason"] == "the provider could not be reached: no way there"


async def test_neither_raw_answer_nor_form_nor_token_comes_to_an_erased_order(
    installation: Installation, merchant: Merchant, shopper: Shopper
) -> None:
    reference = await erased(installation, merchant, shopper, "SALESTILL")
    sealed = installation.keyring.seal(json.dumps(WHO), "checkout-form")

    async def late(desk: Deciding) -> None:
        desk.order = desk.order.with_changes({"get_token": True})
        report = c.Paid(
            payment_id="p", raw={"buyer": WHO}, token=c.ProviderToken(value="hers"), total=None, captured=None
        )
        await desk.keep_raw(report)
        await desk.token(report)
        await desk.change(checkout_url=f"https://pay.example/{WHO['email']}", checkout_form_sealed=sealed)

    await decides(installation, reference, late)
    async with installation.database.connection() as held:
        row = await held.fetchrow("SELECT * FROM orders WHERE reference = $1", reference)
        tokens = await held.fetchval("SELECT count(*) FROM payment_tokens WHERE order_id = $1", row["id"])
    assert (row["raw_sealed"], row["checkout_url"], row["checkout_form_sealed"], row["token_id"]) == (None,) * 4
    assert tokens == 0


# -- events ----------------------------------------------------------------------------------------


async def test_an_event_on_its_way_while_its_order_is_erased_is_counted_and_emptied_when_it_arrives(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till, gate_at: GateAt
) -> None:
    reference = await paid(merchant, shopper, "ONCETILL", customer=WHO)
    await installation.quiet()
    gate = gate_at(provider_events, "run_event")
    assert (await tells(installation, tills["ONCETILL"], reference)).status == 200
    await gate.reached.wait()
    done = await erases(installation, reference)
    assert (len(done["erased"]), done["waiting"]) == (1, 1)
    gate.open()
    await installation.quiet()
    assert set(await events(installation, reference)) == {("decided", True)}
    assert await she_is_nowhere(installation)
    done = await erases(installation, reference)
    assert (len(done["erased"]), done["waiting"], done["events"]) == (1, 0, 0)


async def test_an_erasure_waits_for_the_event_that_is_being_bound_to_its_order(
    installation: Installation,
    merchant: Merchant,
    shopper: Shopper,
    tills: Till,
    gate_at: GateAt,
    blocked: Callable[[], Awaitable[bool]],
    eventually: Eventually,
) -> None:
    """The event has just seen an order that is not erased: whichever is first, the other one sees it."""
    reference = await paid(merchant, shopper, "ONCETILL", customer=WHO)
    await installation.quiet()
    gate = gate_at(store, "erased", after=True)
    assert (await tells(installation, tills["ONCETILL"], reference)).status == 200
    await gate.reached.wait()
    erasing = asyncio.create_task(erases(installation, reference))
    await eventually(blocked)
    gate.open()
    assert (await erasing)["events"] > 0
    await installation.quiet()
    assert set(await events(installation, reference)) == {("decided", True)}
    assert await she_is_nowhere(installation)


async def test_an_event_that_comes_again_in_the_same_words_is_emptied_again(
    installation: Installation, merchant: Merchant, shopper: Shopper, tills: Till
) -> None:
    reference = await paid(merchant, shopper, "ONCETILL", customer=WHO)
    await tells(installation, tills["ONCETILL"], reference)
    await installation.quiet()
    await erases(installation, reference)
    before = await events(installation, reference)
    assert (await tells(installation, tills["ONCETILL"], reference)).status == 200
    await installation.quiet()
    assert await events(installation, reference) == before
    assert await she_is_nowhere(installation)


async def test_an_event_that_an_erasure_empties_before_it_is_read_stays_its_orders_and_is_asked_about(
    installation: Installation,
    merchant: Merchant,
    shopper: Shopper,
    tills: Till,
    gate_at: GateAt,
    eventually: Eventually,
) -> None:
    reference = await paid(merchant, shopper, "HINTTILL", customer=WHO)
    await installation.quiet()
    till = tills["HINTTILL"]
    case = till.of(reference)
    hint = {"id": case.id, "reference": reference, "status": "open"}
    assert (await installation.call("POST", case.data["events_url"], json=hint)).status == 200
    await installation.quiet()
    gate = gate_at(event_store, "event")
    asked = till.count("status", reference)
    assert (await installation.call("POST", case.data["events_url"], json=hint)).status == 200
    await gate.reached.wait()
    assert (await erases(installation, reference))["events"] > 0
    gate.open()

    async def asked_about() -> bool:
        return bool(till.count("status", reference) > asked)

    await eventually(asked_about)
    await installation.quiet()
    assert set(await events(installation, reference)) == {("decided", True)}


# -- deliveries ------------------------------------------------------------------------------------


async def test_an_erasure_and_the_delivery_that_is_settled_beside_it_leave_no_address_that_names_her(
    installation: Installation,
    merchant: Merchant,
    shopper: Shopper,
    gate_at: GateAt,
    blocked: Callable[[], Awaitable[bool]],
    eventually: Eventually,
) -> None:
    """The erasure that meets a delivery within its settling waits, and finds it settled."""
    url = f"{installation.inbox.url}/of?mail={WHO['email']}"
    await _told_at(installation, None)
    try:
        gate = gate_at(deliveries, "add_attempt")
        opened_order = await merchant.creates("SALESTILL", customer=WHO, dynamicCallbackUrl=url)
        await shopper.pays(opened_order["redirectUrl"])
        await gate.reached.wait()
        erasing = asyncio.create_task(erases(installation, opened_order["orderReference"]))
        await eventually(blocked)
        gate.open()
        assert (await erasing)["deliveries"] == 0
        await installation.quiet()
    finally:
        await _told_at(installation, installation.inbox.url)
    assert await she_is_nowhere(installation)


async def test_an_address_that_a_worker_of_an_older_version_left_whole_is_emptied_by_the_same_erasure_once_more(
    installation: Installation, merchant: Merchant, shopper: Shopper, eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It knows nothing of what is to be left of an address once its delivery is settled."""

    async def settle_before_0011(
        tx: Any, delivery_id: str, state: str, attempts: int, next_at: Any, now: Any
    ) -> None:  # fmt: skip
        await tx.execute(
            "UPDATE deliveries SET state = $2, attempts = $3, next_at = $4 WHERE id = $1",
            delivery_id, state, attempts, next_at,
        )  # fmt: skip

    monkeypatch.setattr(deliveries, "settle", settle_before_0011)
    url = f"{installation.inbox.url}/of?mail={WHO['email']}"
    await _told_at(installation, None)
    installation.inbox.status = 500
    try:
        opened_order = await merchant.creates("SALESTILL", customer=WHO, dynamicCallbackUrl=url)
        await shopper.pays(opened_order["redirectUrl"])
        await installation.quiet()
        assert (await erases(installation, opened_order["orderReference"]))["deliveries"] > 0
    finally:
        installation.inbox.status = 200
        await _told_at(installation, installation.inbox.url)
    await installation.advance(60)

    async def delivered() -> bool:
        async with installation.database.connection() as held:
            return not await held.fetchval("SELECT EXISTS (SELECT FROM deliveries WHERE state = 'waiting')")

    await eventually(delivered)
    assert not await she_is_nowhere(installation)
    assert (await erases(installation, opened_order["orderReference"]))["deliveries"] == 0
    assert await she_is_nowhere(installation)


async def _told_at(installation: Installation, url: str | None) -> None:
    """The merchant's own webhook address."""
    async with installation.database.transaction() as tx:
        await tx.execute("UPDATE merchants SET webhook_url = $1", url)
