"""GoCardless's own Python client, gocardless-pro 3.22.0, at the simulator: it reads the API, its errors and webhooks its own way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from inspect import getmembers
from typing import Any

import pytest
from gocardless_pro import Client, errors, webhooks

from paymux.sandbox.simulator import LABEL
from tests.connectors.own_host import own_host

TOKEN, SECRET = "sandbox_gocardless_token", "sandbox-gocardless-webhook-secret"
KEY = "0b9f3a52-6a0e-4f7e-9a57-2f4a3f1f6f02"


def unknown_to_the_client(resource: Any, *parts: str) -> set[str]:
    """The fields that were answered and that the client has no name for, at the top and in these parts."""
    kind = type(resource)
    found = set(resource.attributes) - {name for name, what in getmembers(kind) if isinstance(what, property)}
    for part in parts:
        inside = getattr(resource, part)
        known = {name for name, what in getmembers(type(inside)) if isinstance(what, property)}
        found |= {f"{part}.{name}" for name in set(inside.attributes or ()) - known}
    return found


class Shop:
    """A merchant with GoCardless's client, which is a synchronous one, and his shopper at GoCardless's pages."""

    def __init__(self, counter: Any, host: str, token: str = TOKEN, **options: Any) -> None:
        self.counter, self.host = counter, host
        self.client = Client(access_token=token, base_url=host, **options)

    async def does(self, service: str, verb: str, *args: Any, **params: Any) -> Any:
        """One call of the client. The event URL, which is set in GoCardless's dashboard, is told by a header."""
        headers = {LABEL: f"reference=R-1001&events={self.counter.inbox.url}"}
        if key := params.pop("key", None):
            headers["Idempotency-Key"] = key
        call = getattr(getattr(self.client, service), verb)
        return await asyncio.to_thread(call, *args, params=params or None, headers=headers)

    async def asks(self, currency: str = "GBP", **more: Any) -> Any:
        """A billing request for a mandate."""
        return await self.does("billing_requests", "create", mandate_request={"currency": currency}, **more)

    async def sends(self, request: Any) -> Any:
        """The flow that a shopper is sent through."""
        pages = {"redirect_uri": "https://shop.example/back", "exit_uri": "https://shop.example/left"}
        return await self.does("billing_request_flows", "create", **pages, links={"billing_request": request.id})

    async def charges(self, outcome: str = "approve", **more: Any) -> Any:
        """A payment of 100 pounds by a shopper's new mandate."""
        request = await self.asks()
        flow = await self.sends(request)
        await self.counter.shopper(flow.authorisation_url, outcome)
        links = (await self.does("billing_requests", "get", request.id)).links
        by = {"mandate": links.mandate_request_mandate}
        return await self.does("payments", "create", amount=10000, currency="GBP", links=by, **more)

    async def refunds(self, payment: Any, amount: int, total: int, **more: Any) -> Any:
        """A refund, with what all refunds of the payment then come to."""
        wanted = {"amount": amount, "total_amount_confirmation": total, "links": {"payment": payment.id}}
        return await self.does("refunds", "create", **wanted, **more)

    async def told(self, count: int) -> list[Any]:
        """The events of the webhooks received, once so many webhooks have arrived, each let in by the client's own check."""
        inbox = self.counter.inbox.received
        async with asyncio.timeout(10):
            while len(inbox) < count:
                await asyncio.sleep(0.02)
        parsed = [webhooks.parse_with_meta(body, SECRET, headers["webhook-signature"]) for _, headers, _, body in inbox]
        assert all(one.webhook_id.startswith("WB") for one in parsed)
        return [event for one in parsed for event in one.events]


@pytest.fixture
async def shop(counter_of: Callable[[str], Any]) -> AsyncIterator[Shop]:
    counter = await counter_of("gocardless")
    async with own_host(f"{counter.base_url}/gocardless") as host:
        yield Shop(counter, host)


async def test_it_walks_from_the_billing_request_to_the_money_and_knows_every_field(shop: Shop) -> None:
    request = await shop.asks(metadata={"order": "R-1001"})
    flow = await shop.sends(request)
    assert (request.status, flow.links.billing_request) == ("pending", request.id)
    await shop.counter.shopper(flow.authorisation_url, "approve")
    agreed = await shop.does("billing_requests", "get", request.id)
    assert (agreed.status, agreed.metadata, agreed.mandate_request.scheme) == ("fulfilled", {"order": "R-1001"}, "bacs")

    by = {"mandate": agreed.links.mandate_request_mandate}
    payment = await shop.does("payments", "create", amount=10000, currency="GBP", links=by, description="Shirt")
    found = await shop.does("payments", "get", payment.id)
    assert (payment.status, found.status, found.amount, found.links.mandate) == (
        "pending_submission", "confirmed", 10000, by["mandate"],
    )  # fmt: skip

    refund = await shop.refunds(found, 4000, 4000, metadata={"key": "M-1"})
    await shop.refunds(found, 6000, 10000)
    listed = await shop.does("refunds", "list", payment=found.id)
    assert [one.amount for one in listed.records] == [6000, 4000]
    assert (listed.before, listed.after) == (None, None)
    assert [one.id for one in await asyncio.to_thread(list, shop.client.refunds.all({"payment": found.id}))] == [
        one.id for one in listed.records
    ]
    read = await shop.does("refunds", "get", refund.id)
    assert (read.amount, read.links.payment, read.metadata) == (4000, found.id, {"key": "M-1"})
    after = await shop.does("payments", "get", payment.id)
    assert (after.amount_refunded, shop.counter.moved()) == (
        10000, [("authorize", "100.00"), ("capture", "100.00"), ("refund", "40.00"), ("refund", "60.00")],
    )  # fmt: skip

    creditor = (await shop.does("creditors", "list")).records[0]
    assert creditor.id == found.links.creditor
    unknown = unknown_to_the_client(agreed, "links", "mandate_request") | unknown_to_the_client(flow, "links")
    assert unknown | unknown_to_the_client(after, "links") | unknown_to_the_client(read, "links") == set()


@pytest.mark.parametrize(("outcome", "status"), [("approve", "confirmed"), ("decline", "failed")])
async def test_the_bank_decides_and_the_payment_says_so(shop: Shop, outcome: str, status: str) -> None:
    payment = await shop.charges(outcome)
    assert (await shop.does("payments", "get", payment.id)).status == status
    assert bool(shop.counter.moved()) is (outcome == "approve")


async def test_it_cancels_what_is_still_open_and_is_told_when_it_is_too_late(shop: Shop) -> None:
    request = await shop.asks()
    assert (await shop.does("billing_requests", "cancel", request.id)).status == "cancelled"
    waiting = await shop.charges("pending")
    assert (await shop.does("payments", "cancel", waiting.id)).status == "cancelled"
    collected = await shop.charges()
    for service, late in (("billing_requests", request), ("payments", collected)):
        with pytest.raises(errors.InvalidStateError) as no:
            await shop.does(service, "cancel", late.id)
        assert (no.value.code, no.value.errors[0]["reason"]) == (422, "cancellation_failed")
    assert shop.counter.moved() == [("authorize", "100.00"), ("capture", "100.00")]


async def test_a_repeated_key_makes_nothing_twice_and_leads_the_client_to_what_it_made(shop: Shop) -> None:
    payment = await shop.charges(key=KEY)
    by = {"mandate": payment.links.mandate}
    again = await shop.does("payments", "create", amount=10000, currency="GBP", links=by, key=KEY)
    assert (again.id, len(shop.counter.moved())) == (payment.id, 2)
    careful = Shop(shop.counter, shop.host, raise_on_idempotency_conflict=True)
    with pytest.raises(errors.IdempotentCreationConflictError) as no:
        await careful.does("payments", "create", amount=10000, currency="GBP", links=by, key=KEY)
    assert (no.value.code, no.value.conflicting_resource_id) == (409, payment.id)
    refund = await shop.refunds(payment, 4000, 4000, key=KEY)
    assert (await shop.refunds(payment, 4000, 4000, key=KEY)).id == refund.id
    assert shop.counter.moved()[2:] == [("refund", "40.00")]


async def test_a_refusal_is_the_clients_own_error_and_says_what_is_wrong(shop: Shop) -> None:
    payment = await shop.charges()
    wrong = {"mandate": "MD0"}
    for call, kind, said in (
        (shop.asks("JPY"), errors.ValidationFailedError, "mandate_request.currency is not supported /billing_requests"),
        (
            shop.does("payments", "create", amount=1, currency="GBP", links=wrong),
            errors.ValidationFailedError,
            "mandate",
        ),
        (
            shop.does("payments", "create", amount=0, currency="GBP", links=wrong),
            errors.ValidationFailedError,
            "mandate",
        ),
        (shop.refunds(payment, 4000, 5000), errors.InvalidStateError, "sum"),
        (shop.refunds(payment, 10001, 10001), errors.InvalidStateError, "more than"),
        (shop.does("payments", "get", "PM0"), errors.InvalidApiUsageError, "not found"),
        (Shop(shop.counter, shop.host, "other").does("creditors", "list"), errors.AuthenticationError, "token"),
    ):
        with pytest.raises(kind) as no:
            await call
        assert said in str(no.value)
        assert no.value.documentation_url.startswith("https://developer.gocardless.com")
    assert len(shop.counter.moved()) == 2


async def test_its_own_check_lets_the_webhooks_in_and_no_other(shop: Shop) -> None:
    payment = await shop.charges()
    await shop.refunds(payment, 4000, 4000)
    events = await shop.told(4)
    assert {("billing_requests", "fulfilled"), ("payments", "created"), ("payments", "confirmed"), ("refunds", "created"),
            ("refunds", "paid")} <= {(event.resource_type, event.action) for event in events}  # fmt: skip
    assert {event.links.payment for event in events if event.resource_type == "payments"} == {payment.id}
    for event in events:
        assert unknown_to_the_client(event, "links", "details") == set()
    _, headers, _, body = shop.counter.inbox.received[0]
    for changed, secret in ((body.replace(b"fulfilled", b"cancelled"), SECRET), (body, "other")):
        with pytest.raises(errors.InvalidSignatureError):
            webhooks.parse(changed, secret, headers["webhook-signature"])
