"""The throw-away provider's connector: JSON, amounts as decimal strings, the key in the body."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from paymux.connectors import contract as c
from paymux.money import Money
from paymux.platform.database import from_json


class TillConnector(c.Connector):
    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.http.send(method, self.url(path), json=body, headers={"X-Key": self.credentials["key"]})
        said = answer.json()
        if answer.status == 404:
            raise c.NotThere("unknown")
        if answer.status >= 400:
            raise c.Refused(said["reason"], said["code"])
        return said

    def _once(self, verb: str) -> bool:
        return bool(getattr(self.facts.idempotent, verb))

    # -- opening and reading ----------------------------------------------------------------------

    async def create_checkout(self, order: c.OrderToPay, key: str) -> c.Redirect | c.Declined:
        able = self.facts.capabilities
        body = {
            "key": key, "once": self._once("create"), "reference": order.reference, "amount": str(order.total.amount),
            "currency": order.total.currency, "capture": order.auto_capture and not able.capture_after_authorisation,
            "confirm": able.confirm, "return_url": order.return_url,
            "events_url": order.events_url if self.facts.events.kind != "none" else "",
        }  # fmt: skip
        said = await self._call("POST", "/checkouts", body)
        return c.Redirect(url=said["url"], session=said["id"])

    async def charge_token(self, order: c.OrderToPay, token: str, key: str) -> c.Report:
        body = {
            "key": key, "once": self._once("charge_token"), "reference": order.reference, "token": token,
            "amount": str(order.total.amount), "currency": order.total.currency, "capture": order.auto_capture,
            "confirm": False, "return_url": order.return_url, "events_url": "",
        }  # fmt: skip
        return self._report(await self._call("POST", "/charges", body))

    def read_return(self, query: Mapping[str, str], checkout: c.Checkout) -> c.Ask | c.Report:
        via = query.get("via", "")
        if query.get("claims") == "paid":
            # What a careless connector would say of a return that nobody signed.
            return c.Paid(payment_id="claimed", total=checkout.total, captured=checkout.total.amount)
        return c.Ask(session=query.get("session"), approved=via == "approved", left=via == "cancel")

    async def fetch(self, checkout: c.Checkout) -> c.Report:
        name = checkout.session or f"reference:{checkout.reference}"
        return self._report(await self._call("GET", f"/checkouts/{name}"))

    def verify_event(self, event: c.Incoming) -> str | None:
        if self.facts.events.kind == "header" and event.headers.get("x-key") != self.credentials["key"]:
            raise c.Forged
        return None

    def read_event(self, event: c.Incoming) -> c.EventReading:
        said = from_json(event.body)
        return c.EventReading(session=said["id"], reference=said["reference"], report=self._report(said))

    # -- moving -----------------------------------------------------------------------------------

    async def confirm(self, checkout: c.Checkout, key: str) -> c.Report:
        body = {"key": key, "once": self._once("confirm")}
        return self._report(await self._call("POST", f"/checkouts/{checkout.session}/confirm", body))

    async def capture(self, checkout: c.Checkout, move: c.Move) -> c.MoveResult:
        return await self._move(checkout, "capture", move)

    async def void(self, checkout: c.Checkout, move: c.Move) -> c.MoveResult:
        return await self._move(checkout, "void", move)

    async def refund(self, checkout: c.Checkout, move: c.Move) -> c.MoveResult:
        return await self._move(checkout, "refund", move)

    async def _move(self, checkout: c.Checkout, verb: str, move: c.Move) -> c.MoveResult:
        body = {"key": move.key, "once": self._once(verb), "amount": str(move.amount.amount)}
        return c.Moved(provider_id=(await self._call("POST", f"/checkouts/{checkout.session}/{verb}", body))["id"])

    async def cancel_checkout(self, checkout: c.Checkout) -> None:
        await self._call("POST", f"/checkouts/{checkout.session}/cancel", {})

    # -- what is read -----------------------------------------------------------------------------

    def _report(self, said: dict[str, Any]) -> c.Report:
        about: dict[str, Any] = {"session": said["id"], "reference": said["reference"]}
        match said["status"]:
            case "open":
                return c.Pending(**about)
            case "pending":
                return c.Pending(**about, completed=True)
            case "approved":
                return c.Approved(**about)
            case "declined":
                return c.Declined(**about, reason="no")
            case "cancelled":
                return c.Cancelled(**about)
            case "expired":
                return c.Expired(**about)
            case "failed":
                return c.Broken(**about, reason="broken")
        lists = self.code.settings["lists"]
        moves = tuple(
            c.ProviderMove(
                kind=c.MoveKind(move["kind"]), amount=Decimal(move["amount"]), provider_id=move["id"],
                status=c.MoveStatus(move["status"]), key=move["key"] if lists == "keys" else None,
            )
            for move in said["moves"]
        )  # fmt: skip
        return c.Paid(
            **about, payment_id=said["id"], total=Money(Decimal(said["amount"]), said["currency"]),
            captured=Decimal(said["captured"]), voided=Decimal(said["voided"]), refunded=Decimal(said["refunded"]),
            expired=Decimal(said["expired"]), moves=None if lists == "totals" else moves,
            authorised_until=datetime.fromisoformat(said["until"]) if said["until"] else None,
            underway=said["status"] == "checking",
        )  # fmt: skip
