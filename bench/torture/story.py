"""One order's story: a merchant and a shopper who ask again whatever got no answer, and who do things twice and at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.torture.endpoint import Endpoint
from bench.torture.installation import Answer, Installation

# What the merchant sells with: code, country, currency, whether it authorises without capturing, whether it makes tokens.
METHODS = (
    ("AFTERPAY_AU", "AU", "AUD", True, False),
    ("KLARNA", "DE", "EUR", True, True),
    ("TABBY_KW", "KW", "KWD", True, False),
    ("TABBY_AE", "AE", "AED", True, False),
    ("LATITUDEPAY_AU", "AU", "AUD", False, False),
    ("PLANPAY_AU", "AU", "AUD", True, True),
    ("HUMM_AU", "AU", "AUD", False, False),
)
OUTCOMES = ("approve",) * 13 + ("decline", "cancel", "pending", "pending", "error", "leave", "leave")
ASKED_AGAIN = 12
FINAL = ("SUCCESSFUL", "DECLINED", "CANCELED", "ERROR")
REPEATED = (201, 422, 502)
"""Answers that a move's reference gives again, whenever it is asked: it was taken on, refused, or surely never left."""


@dataclass
class Asked:
    """A move that the merchant asked for: how much, and every answer under its reference, first come first."""

    amount: Decimal
    answers: list[Answer] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether no call of it has got its answer yet."""
        return all(answer.open for answer in self.answers)


@dataclass
class Order:
    """What the merchant and his shopper know of an order: what they asked, and every answer to it."""

    reference: str
    code: str
    amount: Decimal
    body: dict[str, Any]
    creates: list[Answer] = field(default_factory=list)
    outcome: str = ""
    """What the shopper decided on the provider's page."""
    moves: dict[tuple[str, str], Asked] = field(default_factory=dict)
    """What he asked to move, by kind and reference."""
    ends: set[str] = field(default_factory=set)
    """The final statuses that it was said to have, by answers to him and by the way back to the shop."""

    @property
    def created(self) -> bool:
        """Whether its create has got an answer."""
        return any(not answer.open for answer in self.creates)

    def hears(self, status: str) -> None:
        """Somebody was told its status. On the way back to the shop `CANCELED` is spelt with two L (S1)."""
        status = {"CANCELLED": "CANCELED"}.get(status, status)
        if status in FINAL:
            self.ends.add(status)


class Storyteller:
    """Tells stories until the time is over. The same seed makes the same choices."""

    def __init__(self, installation: Installation, endpoint: Endpoint, rng: random.Random, name: str) -> None:
        self.at, self.endpoint, self.rng, self.name = installation, endpoint, rng, name
        self.orders: list[Order] = []
        self.calls = 0

    async def tell(self) -> None:
        """Create an order and live it, or a part of its life."""
        order = self._new_order()
        self.orders.append(order)
        answers = await self._asked(
            [lambda: self._create(order)] * (2 if self.rng.random() < 0.15 else 1), lambda: self._create(order)
        )
        if answers[0].status != 201:
            return
        if "token" not in order.body:
            await self._shop(order, answers[0].body["redirectUrl"])
        await self._after(order)

    def _new_order(self) -> Order:
        code, country, currency, defers, tokens = self.rng.choice(METHODS)
        reference = f"{self.name}-{len(self.orders)}"
        amount = Decimal(self.rng.randint(2000, 60_000)) / 100
        who = {"firstName": "Ada", "lastName": "Byron", "email": "ada@shop.example", "phoneNumber": "+61400000000"}
        address = {**who, "streetAddress": "1 High Street", "city": "Town", "state": "NSW", "region": "NSW",
                   "postalCode": "2000", "country": country}  # fmt: skip
        body: dict[str, Any] = {
            "orderReference": reference, "bnplProvider": code, "purchaseCountry": country, "purchaseCurrency": currency,
            "locale": "en_AU", "orderAmount": amount, "customer": who, "billingAddress": address, "shippingAddress": address,
            "orderItems": [{"name": "Shirt", "quantity": 1, "sku": "S", "unitPrice": amount, "totalAmount": amount}],
            "dynamicRedirectUrl": "https://shop.example/return",
        }  # fmt: skip
        if defers and self.rng.random() < 0.5:
            body["autoCapture"] = False
        if self.rng.random() < 0.2:
            body["cancellationTimeout"] = self.rng.choice((60, 600, 7200))
        if tokens and self.rng.random() < 0.4:
            mine = [token for of, token in self.endpoint.tokens if of == code]
            body |= {"token": self.rng.choice(mine), "customerPresent": True} if mine else {"getToken": True}
        return Order(reference, code, amount, body)

    async def _create(self, order: Order) -> Answer:
        self.calls += 1
        order.creates.append(
            answer := await self.at.api("POST", "/orders", order.body, {"Idempotency-Key": order.reference})
        )
        return answer

    async def _asked(
        self, first: list[Callable[[], Awaitable[Answer]]], again: Callable[[], Awaitable[Answer]]
    ) -> list[Answer]:
        """Call at once what is in `first`; ask again until every one has its answer, as a careful merchant does."""
        answers = list(await asyncio.gather(*(call() for call in first)))
        for n, answer in enumerate(answers):
            for _ in range(ASKED_AGAIN):
                if not answer.open:
                    break
                await asyncio.sleep(self.rng.uniform(0.2, 1.5))
                answer = await again()
            answers[n] = answer
        return answers

    # -- the shopper -----------------------------------------------------------------------------

    async def _shop(self, order: Order, redirect_url: str) -> None:
        outcome = self.rng.choice(OUTCOMES)
        if self.rng.random() < 0.06:
            await asyncio.gather(self._cancel(order), self._pay(order, redirect_url, outcome))
        elif outcome != "leave":
            await self._pay(order, redirect_url, outcome)

    async def _pay(self, order: Order, url: str, outcome: str) -> None:
        back = ""
        for _ in range(4):
            checkout = await self._checkout(url)
            if checkout:
                decided = await self.at.ask("POST", checkout, data={"outcome": outcome})
                if decided.status == 303:
                    back, order.outcome = decided.location, outcome
                    break
            await asyncio.sleep(self.rng.uniform(0.2, 1.0))
        if order.outcome == "pending" and self.rng.random() < 0.8:
            later = {"reference": order.reference, "outcome": self.rng.choice(("approve", "approve", "decline"))}
            await self.at.ask("POST", self.at.sandbox + "/control/settle", json=later)
        if not back or self.rng.random() < 0.15:
            return  # closes the browser
        for _ in range(2 if self.rng.random() < 0.2 else 1):
            to_the_shop = await self.at.ask("GET", back)
            if to_the_shop.status == 303:
                order.hears(parse_qs(urlsplit(to_the_shop.location).query).get("status", [""])[0])

    async def _checkout(self, url: str) -> str:
        """The provider's page: the address that we gave, or where our page leads to, by itself or by a form. Empty: nowhere."""
        if url.startswith(self.at.sandbox):
            return url
        page = await self.at.ask("GET", url)
        if page.status == 200 and (form := _Form(page.body)).fields:
            page = await self.at.ask("POST", form.action, data=form.fields)
        return page.location if page.status == 303 and page.location.startswith(self.at.sandbox) else ""

    async def _cancel(self, order: Order) -> None:
        self.calls += 1
        if (await self.at.api("POST", f"/orders/{order.reference}/cancel")).status == 201:
            order.hears("CANCELED")

    # -- the merchant afterwards -----------------------------------------------------------------

    async def _after(self, order: Order) -> None:
        for _ in range(6):
            state = await self.at.api("GET", f"/orders/{order.reference}")
            if state.status == 200 and state.body["status"] in FINAL:
                order.hears(state.body["status"])
                break
            await asyncio.sleep(self.rng.uniform(0.1, 0.6))
        else:
            return
        if state.body["status"] != "SUCCESSFUL":
            return
        if order.body.get("autoCapture") is False:
            await self._capture_and_void(order)
        if self.rng.random() < 0.6:
            await self._refund(order)

    async def _capture_and_void(self, order: Order) -> None:
        way = self.rng.random()
        if way < 0.3:
            await self._move(order, "capture", "C1", order.amount)
        elif way < 0.6:
            part = (order.amount / 3).quantize(Decimal("0.01"))
            await self._move(order, "capture", "C1", part, twice=self.rng.random() < 0.3)
            await self._move(order, "capture", "C2", part)
            await self._move(order, "void", "V1", order.amount - 2 * part)
        elif way < 0.75:
            await self._move(order, "void", "V1", order.amount)
        elif way < 0.9:
            # Two at once that together are too much: one may go through.
            most = (order.amount * 2 / 3).quantize(Decimal("0.01"))
            await asyncio.gather(
                self._move(order, "capture", "C1", most), self._move(order, "capture", "C2", most),
            )  # fmt: skip

    async def _refund(self, order: Order) -> None:
        way = self.rng.random()
        if way < 0.4:
            await self._move(order, "refund", "R1", (order.amount / 4).quantize(Decimal("0.01")))
            await self._move(order, "refund", "R2", (order.amount / 4).quantize(Decimal("0.01")))
        elif way < 0.7:
            most = (order.amount * 3 / 5).quantize(Decimal("0.01"))
            await asyncio.gather(self._move(order, "refund", "R1", most), self._move(order, "refund", "R2", most))
        else:
            await self._move(order, "refund", "R1", order.amount, twice=True)
        if self.rng.random() < 0.3 and ("refund", "R1") in order.moves:
            await self._move(order, "refund", "R1", order.moves["refund", "R1"].amount)

    async def _move(self, order: Order, kind: str, reference: str, amount: Decimal, *, twice: bool = False) -> None:
        body: dict[str, Any] = {f"{kind}Reference": reference, "amount": amount}
        if kind == "refund":
            body = {"refundReference": reference, "refundAmount": {"amount": amount}}

        asked = order.moves.setdefault((kind, reference), Asked(amount))

        async def call() -> Answer:
            self.calls += 1
            asked.answers.append(answer := await self.at.api("POST", f"/orders/{order.reference}/{kind}", body))
            return answer

        await self._asked([call] * (2 if twice else 1), call)

    async def ask_again(self) -> None:
        """After the trouble: repeat every call that never got its answer, and once more every move that got one."""
        for order in self.orders:
            if not order.created:
                again = partial(self._create, order)
                await self._asked([again], again)
            for (kind, reference), asked in list(order.moves.items()):
                if asked.open or any(answer.status in REPEATED for answer in asked.answers):
                    await self._move(order, kind, reference, asked.amount)


class _Form(HTMLParser):
    """The form of a page that posts itself on to the provider; `fields` is empty where there is none."""

    def __init__(self, page: Any) -> None:
        super().__init__()
        self.action, self.fields = "", {}  # type: str, dict[str, str]
        self.feed(page if isinstance(page, str) else "")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = given.get("action", "")
        elif tag == "input" and given.get("name"):
            self.fields[given["name"]] = given.get("value", "")
