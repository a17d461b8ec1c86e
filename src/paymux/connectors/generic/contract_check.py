"""Tests somebody's service against the contract, with one harmless checkout that is cancelled at the end.

What it needs is the connector's own signed call; what it sends wrongly on purpose, it signs itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from paymux.connectors.contract import Address, Item, NotThere, OrderToPay, Person, Refused
from paymux.connectors.generic.answers import CheckoutSeen, CheckoutsFound, Operation, read
from paymux.connectors.generic.requests import TrialCheckout, checkout_body
from paymux.connectors.generic.signature import VERSION, VERSION_HEADER, open_secret, signed_headers
from paymux.money import Money
from paymux.platform.clock import Clock
from paymux.platform.http import Answer, NotSent, Unclear
from paymux.platform.identifiers import new_id

if TYPE_CHECKING:
    from paymux.connectors.generic.connector import Generic


async def check_contract(connector: Generic) -> str:
    """A sentence on what was seen. Raises Refused naming in words the first thing that is wrong, or NotSent."""
    return await _Check(connector).run()


class _Check:
    def __init__(self, connector: Generic) -> None:
        self.connector = connector
        self.body: TrialCheckout = {**checkout_body(_test_order(connector), connector.code.code), "test": True}
        # Nobody listens to a test checkout.
        self.body["urls"].pop("events", None)
        self.key = new_id("check")

    async def run(self) -> str:
        await self._signatures_are_demanded()
        await self._step("an unknown checkout must be 404 not_found", self._unknown_is_not_found)
        first = await self._step("creating a test checkout", self._create)
        try:
            await self._readable(first)
        except Refused:
            # What is wrong has been found; the test checkout should not stay open for it.
            with contextlib.suppress(Refused, Unclear, NotSent):
                await self._cancel(first)
            raise
        await self._step("cancelling the test checkout", lambda: self._cancel(first))
        return (
            f"The service at {self.connector.endpoint} speaks contract version {VERSION}: signatures are demanded, a "
            f"test checkout was created, read, found and cancelled, and its repetition gave the same one."
        )

    async def _signatures_are_demanded(self) -> None:
        target, signer = "/checkouts/none", open_secret(self.connector.credentials.get("secret", ""))
        now = Clock.real()
        cases: tuple[tuple[str, Mapping[str, str]], ...] = (
            ("without a signature", {}),
            ("with a signature over another body", signed_headers(signer, "GET", target, "", b"{}", now)),
            ("signed for another path", signed_headers(signer, "GET", "/checkouts/other", "", b"", now)),
            ("signed for another method", signed_headers(signer, "POST", target, "", b"", now)),
            ("signed for another Idempotency-Key", signed_headers(signer, "GET", target, "other", b"", now)),
            ("signed an hour ago", signed_headers(signer, "GET", target, "", b"", now - timedelta(hours=1))),
        )
        for what, headers in cases:
            answer = await self._raw(target, headers)
            if answer.status != 401:
                raise Refused(f"A request {what} must be answered 401, not {answer.status}.", "signature_not_demanded")

    async def _raw(self, target: str, headers: Mapping[str, str]) -> Answer:
        try:
            return await self.connector.http.send(
                "GET", self.connector.endpoint + target, headers={VERSION_HEADER: VERSION, **headers}
            )
        except Unclear as fault:
            raise Refused(f"A request that must be answered 401 brought no answer: {fault}.", "unclear") from fault

    async def _step(self, what: str, doing: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await doing()
        except Unclear as fault:
            raise Refused(f"While {what}: {fault}.", "unclear") from fault
        except Refused as no:
            raise Refused(f"While {what}: {no.reason}", no.code) from no

    async def _unknown_is_not_found(self) -> None:
        try:
            await self.connector.call("GET", f"/checkouts/{new_id('none')}")
        except NotThere:
            return
        raise Refused("it was answered as if it existed.", "unknown_is_known")

    async def _create(self) -> CheckoutSeen:
        seen = read(CheckoutSeen, await self.connector.call("POST", "/checkouts", key=self.key, body=self.body))
        self._is_ours(seen)
        if seen.status != "open" or not seen.url:
            raise Refused(f"a new checkout must be open and have a url, not {seen.status!r}.", "not_open")
        return seen

    def _is_ours(self, seen: CheckoutSeen) -> None:
        total = self.body["total"]
        if (seen.order_id, seen.reference) != (self.body["order_id"], self.body["reference"]):
            raise Refused("the answer must echo order_id and reference.", "not_echoed")
        if seen.total.money != Money.parse(total["amount"], total["currency"]):
            raise Refused("the answer must name the amount that was asked.", "other_amount")

    async def _readable(self, first: CheckoutSeen) -> None:
        async def same() -> None:
            self._same(await self._create(), first)

        async def reused() -> None:
            try:
                await self.connector.call("POST", "/checkouts", key=self.key, body=self.body | {"locale": "fr_FR"})
            except Refused as no:
                if no.code == "idempotency_key_reused":
                    return
            raise Refused("it must be answered 422 idempotency_key_reused.", "key_reused")

        async def by_id() -> None:
            seen = read(CheckoutSeen, await self.connector.call("GET", f"/checkouts/{first.id}"))
            self._is_ours(seen)
            self._same(seen, first)

        async def by_order() -> None:
            answer = await self.connector.call("GET", f"/checkouts?order_id={first.order_id}")
            found = read(CheckoutsFound, answer).checkouts
            if [seen.id for seen in found] != [first.id]:
                raise Refused("it must list exactly this checkout.", "not_found_by_order")

        async def by_key() -> None:
            seen = read(Operation, await self.connector.call("GET", f"/operations/{self.key}"))
            if (seen.key, seen.kind, seen.checkout_id) != (self.key, "create", first.id):
                raise Refused("it must tell of the create.", "operation_not_readable")

        await self._step("repeating the create with its Idempotency-Key", same)
        await self._step("sending another body with a used Idempotency-Key", reused)
        await self._step("reading the test checkout", by_id)
        await self._step("finding the test checkout by its order_id", by_order)
        await self._step("reading the create by its Idempotency-Key", by_key)

    @staticmethod
    def _same(seen: CheckoutSeen, first: CheckoutSeen) -> None:
        if seen.id != first.id:
            raise Refused("another checkout was answered.", "another_checkout")

    async def _cancel(self, first: CheckoutSeen) -> None:
        for _ in range(2):
            target = f"/checkouts/{first.id}/cancel"
            answer = await self.connector.call("POST", target, key=f"cancel_{first.order_id}", body={})
            seen = read(CheckoutSeen, answer)
            self._same(seen, first)
            if seen.status != "cancelled":
                raise Refused(f"it must be cancelled then, not {seen.status!r}.", "not_cancelled")


def _test_order(connector: Generic) -> OrderToPay:
    code, now = connector.code, Clock.real()
    total = Money(code.min, code.currencies[0] if code.currencies else "EUR")
    who = {"first_name": "Test", "last_name": "Checkout", "email": "test@paymux.invalid", "phone": ""}
    country = code.countries[0] if code.countries else "DE"
    order_id = new_id("ord")
    return OrderToPay(
        id=order_id, reference=f"check-{order_id}", total=total,
        items=(Item(name="Test", quantity=1, unit_price=total.amount, total=total.amount),),
        shipping=total.amount * 0, tax=total.amount * 0, discount=total.amount * 0, customer=Person(**who),
        billing=Address(**who, country=country), delivery=None, country=country, locale="en_GB", auto_capture=True,
        get_token=False, customer_present=None, shipping_method="", shipping_type="", additional_data={},
        return_url="https://paymux.invalid/return", events_url="", created_at=now,
        # Long enough for a sandbox whose clock was moved.
        expires_at=now + timedelta(days=366),
    )  # fmt: skip


__all__ = ["check_contract"]
