"""What the document demands of a service, asked of the simulator and of the example, every answer judged by it."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import jsonschema
import pytest

from paymux.connectors.contract import Cancelled, Declined, Moved, MoveKind, NotThere, Paid, Redirect, Refused
from paymux.connectors.generic.requests import charge_body, checkout_body
from paymux.money import Money
from tests.connectors.generic.conftest import CODE, Canned, Service, judge, judge_answer, sign


def new_checkout(service: Service, **changes: Any) -> dict[str, Any]:
    return dict(checkout_body(service.order(**changes), CODE))


def money(amount: str, currency: str = "AUD") -> dict[str, Any]:
    return {"amount": {"amount": amount, "currency": currency}, "reference": "M-1", "description": ""}


async def paid(service: Service, **changes: Any) -> dict[str, Any]:
    _, opened = await service.call("POST", "/checkouts", new_checkout(service, **changes), key="k-create")
    await service.counter.shopper(opened["url"], "approve")
    status, said = await service.call("GET", f"/checkouts/{opened['id']}")
    assert (status, said["status"]) == (200, "paid")
    found: dict[str, Any] = said
    return found


def test_the_judge_refuses_what_the_document_does_not_allow() -> None:
    with pytest.raises(jsonschema.ValidationError):
        judge("Money", {"amount": 1, "currency": "AUD"})
    with pytest.raises(jsonschema.ValidationError):
        judge_answer("GET", "/checkouts/co_1", 200, {"id": "co_1"})
    with pytest.raises(AssertionError):
        judge_answer("POST", "/checkouts", 202, {})


@pytest.mark.parametrize("auto_capture", [True, False])
async def test_what_paymux_sends_fits_the_document(canned: Canned, auto_capture: bool) -> None:
    order = canned.counter.order(
        CODE, auto_capture=auto_capture, delivery=None, additional_data={"providerData": {"a": 1}}
    )
    connector = canned.says({}, 500)
    for schema, send in (
        ("NewCheckout", connector.create_checkout(order, "k-1")),
        ("NewCharge", connector.charge_token(order, "tok_12345678", "k-2")),
    ):
        with pytest.raises(Exception, match="answer 500"):
            await send
        judge(schema, json.loads(canned.asked[-1][3]))
        assert json.loads(canned.asked[-1][3])["provider_data"] == {"a": 1}


async def test_an_unsigned_forged_stale_or_misdirected_request_is_refused(service: Service) -> None:
    target, good = "/checkouts/none", service.headers("GET", "/checkouts/none")
    other = {**good, **sign("whsec_" + "A" * 32, good["webhook-id"], int(good["webhook-timestamp"]), b"")}
    cases = {
        "unsigned": {"Paymux-Contract-Version": good["Paymux-Contract-Version"]},
        "another secret": other,
        "another path": service.headers("GET", "/checkouts/other"),
        "another method": service.headers("POST", target),
        "another key": good | {"Idempotency-Key": "k-1"},
        "another body": service.headers("GET", target, body=b"{}"),
        "too old": service.headers("GET", target, at=int(time.time()) - 3600),
        "too new": service.headers("GET", target, at=int(time.time()) + 3600),
        "no number": good | {"webhook-timestamp": "yesterday"},
        "no signature": good | {"webhook-signature": "v1"},
    }
    for what, headers in cases.items():
        status, said = await service.send("GET", target, headers)
        assert (what, status, said["error"]["code"]) == (what, 401, "unauthorised")
    assert (await service.send("GET", target, good))[0] == 404


async def test_what_is_signed_as_an_event_is_no_request(service: Service) -> None:
    good = service.headers("GET", "/checkouts/none")
    id = good["webhook-id"].replace("req_", "evt_")
    headers = good | sign(service.secret, id, int(good["webhook-timestamp"]), b"")
    assert (await service.send("GET", "/checkouts/none", headers))[0] == 401


async def test_another_version_and_a_write_without_a_key_are_refused(service: Service) -> None:
    headers = service.headers("GET", "/checkouts/none") | {"Paymux-Contract-Version": "2020-01-01"}
    status, said = await service.send("GET", "/checkouts/none", headers)
    assert (status, said["error"]["code"]) == (400, "unsupported_version")
    status, said = await service.call("POST", "/checkouts", new_checkout(service))
    assert (status, said["error"]["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("lacking", ["order_id", "reference", "total", "capture", "urls", "save_token", "expires_at"])
async def test_a_create_that_lacks_a_field_is_invalid(service: Service, lacking: str) -> None:
    body = new_checkout(service)
    del body[lacking]
    status, said = await service.call("POST", "/checkouts", body, key="k-1")
    assert (status, said["error"]["code"]) == (400, "invalid_request")


async def test_a_checkout_is_read_by_id_by_order_and_its_create_by_key(service: Service) -> None:
    body = new_checkout(service)
    status, opened = await service.call("POST", "/checkouts", body, key="k-1")
    assert (status, opened["status"], opened["order_id"]) == (201, "open", body["order_id"])
    assert await service.call("GET", f"/checkouts/{opened['id']}") == (200, opened)
    assert await service.call("GET", f"/checkouts?order_id={body['order_id']}") == (200, {"checkouts": [opened]})
    assert await service.call("GET", "/checkouts?order_id=ord_none") == (200, {"checkouts": []})
    _, operation = await service.call("GET", "/operations/k-1")
    assert (operation["kind"], operation["checkout_id"], operation["status"]) == ("create", opened["id"], "done")
    for target in ("/checkouts/none", "/operations/none"):
        status, said = await service.call("GET", target)
        assert (status, said["error"]["code"]) == (404, "not_found")


async def test_a_create_repeated_with_its_key_opens_one_checkout(service: Service) -> None:
    body = new_checkout(service)
    _, first = await service.call("POST", "/checkouts", body, key="k-1")
    assert await service.call("POST", "/checkouts", body, key="k-1") == (201, first)
    status, said = await service.call("POST", "/checkouts", body | {"locale": "fr_FR"}, key="k-1")
    assert (status, said["error"]["code"]) == (422, "idempotency_key_reused")
    status, said = await service.call("POST", "/checkouts", body, key="k-2")
    assert (status, said["error"]["code"]) == (409, "duplicate_order")


async def test_a_capture_repeated_with_its_key_moves_nothing_twice(service: Service) -> None:
    id = (await paid(service, auto_capture=False))["id"]
    first = await service.call("POST", f"/checkouts/{id}/captures", money("40.00"), key="k-1")
    assert first[0] == 201
    assert await service.call("POST", f"/checkouts/{id}/captures", money("40.00"), key="k-1") == first
    status, said = await service.call("POST", f"/checkouts/{id}/captures", money("41.00"), key="k-1")
    assert (status, said["error"]["code"]) == (422, "idempotency_key_reused")
    _, seen = await service.call("GET", f"/checkouts/{id}")
    assert seen["payment"]["captured"] == "40.00"
    assert [listed["key"] for listed in seen["payment"]["operations"]] == ["k-1"]
    assert await service.call("GET", "/operations/k-1") == (200, first[1])


async def test_nothing_above_what_is_left_is_captured_voided_or_refunded(service: Service) -> None:
    id = (await paid(service, auto_capture=False))["id"]
    steps = [
        ("refunds", "0.01", 422), ("captures", "100.01", 422), ("captures", "60.00", 201), ("captures", "40.01", 422),
        ("voids", "40.01", 422), ("voids", "15.00", 201), ("captures", "25.01", 422), ("captures", "25.00", 201),
        ("refunds", "85.01", 422), ("refunds", "50.00", 201), ("refunds", "35.01", 422), ("refunds", "35.00", 201),
    ]  # fmt: skip
    for number, (kind, amount, expected) in enumerate(steps):
        status, said = await service.call("POST", f"/checkouts/{id}/{kind}", money(amount), key=f"k-{number}")
        assert (number, status) == (number, expected), said
    _, seen = await service.call("GET", f"/checkouts/{id}")
    payment = seen["payment"]
    assert (payment["captured"], payment["voided"], payment["refunded"]) == ("85.00", "15.00", "85.00")


async def test_a_move_in_another_currency_or_of_nothing_is_invalid(service: Service) -> None:
    id = (await paid(service))["id"]
    for number, body in enumerate((money("10.00", "USD"), money("0.00"), {"amount": {}}, {})):
        status, said = await service.call("POST", f"/checkouts/{id}/refunds", body, key=f"k-{number}")
        assert (status, said["error"]["code"]) == (400, "invalid_request")


async def test_an_unpaid_checkout_moves_nothing_and_a_cancelled_one_can_not_be_paid(service: Service) -> None:
    _, opened = await service.call("POST", "/checkouts", new_checkout(service), key="k-0")
    status, said = await service.call("POST", f"/checkouts/{opened['id']}/captures", money("1.00"), key="k-1")
    assert (status, said["error"]["code"]) == (409, "wrong_state")
    for _ in range(2):
        status, said = await service.call("POST", f"/checkouts/{opened['id']}/cancel", {}, key="k-2")
        assert (status, said["status"]) == (200, "cancelled")
    await service.counter.shopper(opened["url"], "approve")
    assert (await service.call("GET", f"/checkouts/{opened['id']}"))[1]["status"] == "cancelled"


async def test_a_paid_checkout_can_not_be_cancelled_and_is_paid_once(service: Service) -> None:
    seen = await paid(service)
    status, said = await service.call("POST", f"/checkouts/{seen['id']}/cancel", {}, key="k-1")
    assert (status, said["error"]["code"]) == (409, "wrong_state")
    _, again = await service.call("GET", f"/checkouts/{seen['id']}")
    assert again["payment"] == seen["payment"]


async def test_the_connector_pays_captures_and_refunds_at_the_service(service: Service) -> None:
    connector, order = service.connector(), service.order(auto_capture=False)
    opened = await connector.create_checkout(order, "k-0")
    assert isinstance(opened, Redirect)
    checkout = service.counter.checkout(order, opened)
    assert (await service.counter.shopper(opened.url, "approve"))["via"] == "success"
    ten = Money(order.total.amount / 10, "AUD")
    assert isinstance(await connector.capture(checkout, service.counter.move(ten, "k-1", "100")), Moved)
    assert isinstance(await connector.void(checkout, service.counter.move(ten, "k-2", "90")), Moved)
    assert isinstance(await connector.refund(checkout, service.counter.move(ten, "k-3", "10")), Moved)
    report = await connector.fetch(checkout)
    assert isinstance(report, Paid)
    assert (report.session, report.reference, report.total) == (opened.session, order.reference, order.total)
    assert report.captured == report.voided == report.refunded == 10
    assert report.moves is not None
    assert [(m.kind, m.key) for m in report.moves] == [
        (MoveKind.CAPTURE, "k-1"), (MoveKind.VOID, "k-2"), (MoveKind.REFUND, "k-3"),
    ]  # fmt: skip
    found = await connector.find_move(checkout, MoveKind.REFUND, "k-3", None)
    assert found == report.moves[2]
    assert await connector.find_move(checkout, MoveKind.REFUND, "k-4", None) is None
    with pytest.raises(Refused, match="left"):
        await connector.capture(checkout, service.counter.move(order.total, "k-5", "80"))


async def test_a_token_is_kept_and_charged_once_per_key(service: Service) -> None:
    seen = await paid(service, get_token=True)
    assert seen["token"]["value"]
    body = dict(charge_body(service.order(), CODE, seen["token"]["value"]))
    status, first = await service.call("POST", "/charges", body, key="k-1")
    assert (status, first["status"], first["url"], first["payment"]["captured"]) == (201, "paid", None, "100.00")
    assert await service.call("POST", "/charges", body, key="k-1") == (201, first)
    status, said = await service.call("POST", "/charges", body | {"order_id": "ord_2", "token": "tok_none"}, key="k-2")
    assert (status, said["error"]["code"]) == (422, "token_not_valid")
    assert (await service.call("GET", "/operations/k-1"))[1]["kind"] == "charge"


@pytest.mark.parametrize(
    ("outcome", "kind", "via"), [("decline", Declined, "failure"), ("cancel", Cancelled, "cancel")]
)
async def test_who_is_declined_or_goes_back_has_not_paid(service: Service, outcome: str, kind: type, via: str) -> None:
    connector, order = service.connector(), service.order()
    opened = await connector.create_checkout(order, "k-0")
    assert isinstance(opened, Redirect)
    assert (await service.counter.shopper(opened.url, outcome))["via"] == via
    assert isinstance(await connector.fetch(service.counter.checkout(order, opened)), kind)


async def test_every_change_is_told_by_a_signed_event_that_fits_the_document(service: Service) -> None:
    id = (await paid(service, auto_capture=False))["id"]
    await service.call("POST", f"/checkouts/{id}/captures", money("40.00"), key="k-1")
    async with asyncio.timeout(10):
        while len(service.counter.inbox.received) < 2:
            await asyncio.sleep(0.02)
    told = []
    for method, headers, _, body in service.counter.inbox.received:
        assert (method, headers["paymux-contract-version"]) == ("POST", "2026-11-01")
        expected = sign(service.secret, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
        assert headers["webhook-signature"] == expected["webhook-signature"]
        judge("Event", json.loads(body))
        told.append(json.loads(body)["data"]["payment"]["captured"])
    assert sorted(told) == ["0.00", "40.00"]


async def test_what_the_service_does_not_know_is_not_there(service: Service) -> None:
    order = service.order()
    for session in ("co_none", ""):
        checkout = service.counter.checkout(order, Redirect(url="", session=session))
        with pytest.raises(NotThere):
            await service.connector().fetch(checkout)


async def test_a_lost_create_is_found_by_its_order(service: Service) -> None:
    connector, order = service.connector(), service.order()
    opened = await connector.create_checkout(order, "k-0")
    assert isinstance(opened, Redirect)
    unknown = service.counter.checkout(order, Redirect(url="", session=""))
    assert (await connector.fetch(unknown)).session == opened.session
