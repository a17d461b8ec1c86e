"""Splitit, Web API v3: instalment plans on the shopper's credit card, by the hosted form.

A plan is initiated and its form authorises the card; with AutoCapture it runs at once, else our capture starts it.
Either way the whole plan counts as captured: its instalments are Splitit's to collect. Before the capture, a refund
of everything cancels the plan, and that is the void. A refund is found again by its ReferenceId, which is our key.
A plan that says it is authorised is taken at its word only after VerifyAuthorization, as the documentation demands.
A card that was refused leaves the plan `Initialized`: the shopper may try another one for as long as the form lives.
Returns and CreateSucceeded are unsigned. Every call needs an idempotency key, the reading ones a fresh one.
Amounts are numbers in major units. Sources: see provider.toml.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from paymux.connectors.bearer import Bearer, Granted
from paymux.connectors.contract import (
    Account,
    Ask,
    Cancelled,
    Checkout,
    Connector,
    Declined,
    EventReading,
    Incoming,
    Move,
    Moved,
    MoveResult,
    MoveStatus,
    NotThere,
    OrderToPay,
    Paid,
    Pending,
    Redirect,
    Refused,
    Report,
    Underway,
)
from paymux.connectors.provider_http import ProviderHttp
from paymux.connectors.reading import decided, raw, read
from paymux.connectors.splitit import answers, requests
from paymux.connectors.splitit.answers import Plan, refusal
from paymux.money import Money
from paymux.platform.http import Answer, NotSent, Unclear

_PLANS = "/api/installmentplans"
_NOBODY = "00000000000000000000"
_RUNS = frozenset({"Active", "Cleared"})


class Splitit(Connector):
    """Splitit's hosted form with immediate or deferred capture."""

    def __init__(self, account: Account, http: ProviderHttp) -> None:
        super().__init__(account, http)
        identity = (self.url("", "id"), self.credentials["client_id"], self.credentials["client_secret"])
        self._bearer = Bearer(http, identity, self._grant)

    # -- opening ------------------------------------------------------------------------------

    async def create_checkout(self, order: OrderToPay, key: str) -> Redirect | Declined:
        """Initiate a plan, which moves no money."""
        body = requests.plan(order, self.credentials["terminal_id"])
        opened = read(answers.Opened, await self._made("POST", f"{_PLANS}/initiate", body, key))
        if not opened.checkout_url.startswith(("https://", "http://")):
            raise Unclear("the plan has no address to send the shopper to")
        return Redirect(url=opened.checkout_url, session=opened.installment_plan_number)

    # -- reading ------------------------------------------------------------------------------

    def read_return(self, query: Mapping[str, str], checkout: Checkout) -> Ask | Report:
        """Splitit adds nothing of its own: which of our three addresses it was, is all that is told."""
        via = query.get("via")
        return Ask(completed=via == "success", left=via in ("cancel", "failure"))

    async def fetch(self, checkout: Checkout) -> Report:
        """The plan; the first time that it claims to be authorised, that is verified."""
        answer = await self._made("GET", _path(checkout))
        plan = read(Plan, answer)
        held = plan.status in ("PendingCapture", "Active")
        if held and checkout.payment_id is None and not await self._verified(checkout):
            return Pending(reason="the authorization is not verified", completed=True, **_said(plan, answer))
        return _report(plan, answer)

    def read_event(self, event: Incoming) -> EventReading:
        """CreateSucceeded names plan and order in its query. Raises ValueError without either."""
        session = event.query.get("InstallmentPlanNumber") or None
        reference = event.query.get("RefOrderNumber") or None
        if not session and not reference:
            raise ValueError("the event names neither a plan nor an order")
        return EventReading(session=session, reference=None if session else reference)

    async def check(self) -> str:
        """Get an access token, and ask for a plan that nobody has."""
        with suppress(NotThere):
            await self._made("GET", f"{_PLANS}/{_NOBODY}")
        return "Splitit granted an access token and answered a question about a plan"

    # -- moving money -------------------------------------------------------------------------

    async def capture(self, checkout: Checkout, move: Move) -> MoveResult:
        """Start the authorised plan."""
        body: requests.Update = {"Capture": True}
        answer = await self._made("PUT", f"{_path(checkout)}/updateorder", body, move.key)
        said = read(answers.Updated, answer)
        if said.status not in _RUNS:
            raise Unclear(f"the plan is {said.status[:64]} after its capture")
        return Moved(provider_id=f"{checkout.session}/capture", raw=raw(answer))

    async def void(self, checkout: Checkout, move: Move) -> MoveResult:
        """Cancel the plan before it runs, by a refund of all of it."""
        return await self._refunded(checkout, move, {"Amount": requests.number(move.amount), "ReferenceId": move.key})

    async def refund(self, checkout: Checkout, move: Move) -> MoveResult:
        """Lessen the instalments to come, beginning with the next one, and give back what is more than those."""
        amount = requests.number(move.amount)
        body: requests.Refund = {"Amount": amount, "RefundStrategy": "FutureInstallmentsFirst", "ReferenceId": move.key}
        return await self._refunded(checkout, move, body)

    async def _refunded(self, checkout: Checkout, move: Move, body: requests.Refund) -> MoveResult:
        amount = move.amount
        answer = await self._made("POST", f"{_path(checkout)}/refund", body, move.key)
        said = read(answers.Refunded, answer)
        summary = said.summary
        if summary is None or summary.pending_amount > 0:
            return Underway(provider_id=said.refund_id, raw=raw(answer))
        if summary.failed_amount >= amount.amount:
            raise Refused("Splitit could not refund it")
        if summary.failed_amount or summary.succeeded_amount != amount.amount:
            raise Unclear(f"of {amount.text} Splitit refunded {summary.succeeded_amount}")
        return Moved(provider_id=said.refund_id, raw=raw(answer))

    # -- HTTP ---------------------------------------------------------------------------------

    async def _verified(self, checkout: Checkout) -> bool:
        answer = await self._made("GET", f"{_path(checkout)}/verifyauthorization")
        return read(answers.Authorized, answer).is_authorized

    async def _grant(self) -> Granted:
        form: requests.TokenForm = {
            "grant_type": "client_credentials", "scope": "api.v3", "client_id": self.credentials["client_id"],
            "client_secret": self.credentials["client_secret"],
        }  # fmt: skip
        try:
            answer = decided(await self.http.prepare("POST", self.url("/connect/token", "id"), form=form))
            if answer.status >= 400:
                raise Refused("Splitit refused the client id and secret", "invalid_client")
            granted = read(answers.AccessToken, answer)
        except Unclear as fault:
            raise NotSent(f"while preparing: {fault}") from fault
        return Granted(granted.access_token, granted.expires_in)

    async def _made(self, method: str, path: str, body: Mapping[str, object] | None = None, key: str = "") -> Answer:
        headers = {"X-Splitit-IdempotencyKey": key or str(uuid.uuid4()), "X-Splitit-TouchPoint": "paymux"}
        answer = decided(await self._bearer.send(method, self.url(path), headers=headers, json=body))
        if answer.status == 409:
            raise Unclear("answer 409")
        if answer.status >= 400:
            raise refusal(answer)
        return answer


def _path(checkout: Checkout) -> str:
    return f"{_PLANS}/{quote(checkout.session, safe='')}"


# -- what is read -----------------------------------------------------------------------------


def _said(plan: Plan, answer: Answer) -> dict[str, Any]:
    return {"session": plan.installment_plan_number, "reference": plan.ref_order_number, "raw": raw(answer)}


def _report(plan: Plan, answer: Answer) -> Report:
    """What a plan says; its status decides."""
    said = _said(plan, answer)
    if plan.status == "Initialized":
        tried = plan.authorization is not None and plan.authorization.status == "Failed"
        return Pending(reason="the card was refused; another one may do" if tried else "the form is open", **said)
    runs = plan.status in _RUNS or (plan.status == "Canceled" and plan.was_captured)
    if plan.status == "Canceled" and not plan.was_captured and not plan.was_authorized:
        return Cancelled(reason="the plan was cancelled at Splitit", **said)
    if not runs and plan.status not in ("PendingCapture", "Canceled"):
        return Pending(reason=f"unknown plan status {plan.status[:64]}", completed=True, **said)
    if plan.total is None or not plan.currency:
        raise Unclear("an authorised plan without its amount")
    total = Money(plan.total, plan.currency)
    if not runs:
        voided = total.amount if plan.status == "Canceled" else Decimal(0)
        return Paid(payment_id=plan.installment_plan_number, total=total, captured=Decimal(0), voided=voided, **said)
    refunded = sum((move.amount for move in plan.moves if move.status is MoveStatus.DONE), Decimal(0))
    return Paid(
        payment_id=plan.installment_plan_number,
        total=total,
        captured=total.amount,
        voided=Decimal(0),
        refunded=refunded,
        moves=plan.moves,
        **said,
    )
