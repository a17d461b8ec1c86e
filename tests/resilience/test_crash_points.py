"""A process that dies between any two steps leaves nothing undone and nothing done twice: real processes, really killed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from paymux.platform.crash_points import CrashPoint
from paymux.platform.database import to_json
from paymux.platform.settings import Settings
from tests.conftest import Eventually
from tests.installation import Installation, Merchant, Shopper, free_port
from tests.processes import Process, environment_of, until

LIMITS = {"lease": 2.0, "provider_timeout": 30.0, "provider_connect_timeout": 5.0}


@dataclass
class Doomed:
    """A process of the installation's own, beside it, that dies at the point which it is told."""

    installation: Installation
    process: Process
    folder: Path
    base: str = ""

    def dies_at(self, point: CrashPoint) -> None:
        (self.folder / point).touch()

    async def asked(self, method: str, url: str, **request: Any) -> None:
        """Ask it what it will not live to answer."""
        url = url.replace(self.installation.settings.base_url, self.base)
        with contextlib.suppress(aiohttp.ClientConnectionError):
            answer = await self.installation.call(method, URL(url, encoded=True), **request)
            raise AssertionError(f"it answered {answer.status} {answer.body}")
        assert await asyncio.to_thread(self.process.process.wait, 20) == -9

    async def posts(self, path: str, body: Any) -> None:
        headers = {"Authorization": f"Bearer {await self.installation.merchant.token()}"}
        await self.asked(
            "POST",
            self.base + path,
            data=to_json(body).encode(),
            headers=headers | {"Content-Type": "application/json"},
        )


def process(installation: Installation, folder: Path, name: str, port: int) -> Process:
    settings = installation.settings
    points = folder / "points"
    points.mkdir()
    return Process(
        environment_of(
            PAYMUX_HOME=str(settings.home), PAYMUX_DATABASE_URL=settings.database_url, PAYMUX_PORT=str(port),
            PAYMUX_PUBLIC_URL=settings.base_url, PAYMUX_SANDBOX_URL=settings.sandbox_base_url,
            PAYMUX_LEASE=str(settings.lease), PAYMUX_CRASH_POINTS=str(points),
        ),
        folder,
        name,
    )  # fmt: skip


@pytest.fixture
async def doomed(installation: Installation, tmp_path: Path) -> Any:
    """A `paymux serve`."""
    port = free_port()
    one = Doomed(
        installation, process(installation, tmp_path, "serve", port), tmp_path / "points", f"http://127.0.0.1:{port}"
    )
    try:
        await until(f"{one.base}/healthz", 200, one.process)
        yield one
    finally:
        one.process.stop()


@dataclass
class Story:
    """One order that loses the process which serves it, and how it is told from outside that it has healed."""

    installation: Installation
    merchant: Merchant
    shopper: Shopper
    doomed: Doomed
    eventually: Eventually

    async def authorised(self) -> str:
        opened = await self.merchant.creates("AFTERPAY_AU", autoCapture=False)
        await self.installation.call("GET", await self.shopper.decides(opened["redirectUrl"], "approve"))
        reference: str = opened["orderReference"]
        assert (await self.merchant.status(reference))["captureStatus"] == "AUTHORIZED"
        return reference

    async def paid(self) -> str:
        opened = await self.merchant.creates("AFTERPAY_AU")
        await self.installation.call("GET", await self.shopper.decides(opened["redirectUrl"], "approve"))
        assert (await self.merchant.status(opened["orderReference"]))["status"] == "SUCCESSFUL"
        return str(opened["orderReference"])

    async def becomes(self, reference: str, status: str) -> dict[str, Any]:
        async def asked() -> dict[str, Any] | None:
            details = await self.merchant.details(reference)
            return details if details["status"] == status else None

        found: dict[str, Any] = await self.eventually(asked)
        return found

    async def moved(self, reference: str, kind: str, named: str) -> None:
        """The operation ends well, its reference repeats that, and the provider moved money for it once."""
        names = {"capture": "orderCaptures", "void": "orderVoids", "refund": "refunds"}

        async def done() -> bool:
            (move,) = (await self.merchant.details(reference))[names[kind]]
            return bool(move["status"] == "SUCCESSFUL")

        await self.eventually(done)
        again = {"capture": self.merchant.captures, "void": self.merchant.voids, "refund": self.merchant.refunds}[kind]
        assert (await again(reference, "40", named)).status == 201
        await self.installation.quiet()
        assert [amount for what, amount in self.installation.ledger(reference) if what == kind] == [40]

    # -- the operations ----------------------------------------------------------------------------

    async def create(self, point: CrashPoint) -> None:
        body = self.merchant.order("AFTERPAY_AU")
        self.doomed.dies_at(point)
        await self.doomed.posts("/orders", body)
        details = await self.becomes(body["orderReference"], "PENDING")
        back = await self.shopper.decides(details["redirectUrl"], "approve")
        await self.installation.call("GET", back)
        await self.becomes(body["orderReference"], "SUCCESSFUL")
        assert self.kinds(body["orderReference"]) == ["authorize", "capture"]

    async def confirm(self, point: CrashPoint) -> None:
        opened = await self.merchant.creates("AFTERPAY_AU")
        back = await self.shopper.decides(opened["redirectUrl"], "approve")
        self.doomed.dies_at(point)
        await self.doomed.asked("GET", back)
        await self.becomes(opened["orderReference"], "SUCCESSFUL")
        await self.installation.quiet()
        assert self.kinds(opened["orderReference"]) == ["authorize", "capture"]
        (told,) = self.installation.inbox.events(opened["orderReference"], "ORDER_ASYNC_CALLBACK")
        assert told["data"]["status"] == "SUCCESSFUL"

    async def capture(self, point: CrashPoint) -> None:
        reference = await self.authorised()
        self.doomed.dies_at(point)
        await self.doomed.posts(f"/orders/{reference}/capture", {"captureReference": "M-1", "amount": 40})
        await self.moved(reference, "capture", "M-1")

    async def void(self, point: CrashPoint) -> None:
        reference = await self.authorised()
        self.doomed.dies_at(point)
        await self.doomed.posts(f"/orders/{reference}/void", {"voidReference": "M-1", "amount": 40})
        await self.moved(reference, "void", "M-1")

    async def refund(self, point: CrashPoint) -> None:
        reference = await self.paid()
        body = {"refundReference": "M-1", "refundAmount": {"amount": 40}, "refundDescription": "returned"}
        self.doomed.dies_at(point)
        await self.doomed.posts(f"/orders/{reference}/refund", body)
        await self.moved(reference, "refund", "M-1")

    async def charge_token(self, point: CrashPoint) -> None:
        agreed = await self.merchant.creates("PLANPAY_AU", getToken=True)
        await self.installation.call("GET", await self.shopper.decides(agreed["redirectUrl"], "approve"))

        async def token() -> Any:
            told = self.installation.inbox.events(agreed["orderReference"], "ORDER_ASYNC_CALLBACK")
            return told and told[0]["data"]["token"]

        body = self.merchant.order("PLANPAY_AU", token=await self.eventually(token), customerPresent=False)
        self.doomed.dies_at(point)
        await self.doomed.posts("/orders", body)
        await self.becomes(body["orderReference"], "SUCCESSFUL")
        await self.installation.quiet()
        assert self.installation.balance(body["orderReference"]) == 100
        assert self.kinds(body["orderReference"]) == ["authorize", "capture"]

    def kinds(self, reference: str) -> list[str]:
        return sorted(kind for kind, _ in self.installation.ledger(reference))


@pytest.fixture
def story(
    installation: Installation, merchant: Merchant, shopper: Shopper, doomed: Doomed, eventually: Eventually
) -> Story:
    return Story(installation, merchant, shopper, doomed, eventually)


OPERATIONS: dict[str, Callable[[Story, CrashPoint], Awaitable[None]]] = {
    "create": Story.create, "confirm": Story.confirm, "capture": Story.capture, "void": Story.void,
    "refund": Story.refund, "charge_token": Story.charge_token,
}  # fmt: skip


# Each costs a process's start and a lease. The quick ones are those that pay, from where it hurts most: the provider has
# done it, and nobody knows.
QUICK = {("create", CrashPoint.CALLED), ("confirm", CrashPoint.CALLED), ("refund", CrashPoint.CALLED)}
DEATHS = [
    pytest.param(operation, point, marks=[] if (operation, point) in QUICK else [pytest.mark.slow])
    for operation in OPERATIONS
    for point in (CrashPoint.CLAIMED, CrashPoint.CALLED, CrashPoint.DECIDED)
]


@pytest.mark.parametrize(("operation", "point"), DEATHS)
async def test_an_operation_whose_process_died_heals_and_moves_once(
    operation: str, point: CrashPoint, story: Story
) -> None:
    await OPERATIONS[operation](story, point)


async def test_an_order_is_blocked_for_its_dead_holders_lease_and_no_longer(
    installation: Installation, merchant: Merchant, story: Story, eventually: Eventually
) -> None:
    """Nobody takes over before the lease has lapsed, and somebody asks as soon as it has: a round of asking is 30 s."""
    assert Settings.model_fields["lease"].default == 30.0
    reference = await story.paid()
    body = {"refundReference": "M-1", "refundAmount": {"amount": 40}, "refundDescription": "returned"}
    story.doomed.dies_at(CrashPoint.CALLED)
    await story.doomed.posts(f"/orders/{reference}/refund", body)

    async def asked() -> Any:
        async with installation.database.connection() as held:
            return await held.fetchrow(
                "SELECT died.at_real AS died, found.at_real AS found, o.status FROM operations o"
                " JOIN orders ON orders.id = o.order_id"
                " JOIN audit_entries died ON died.order_id = orders.id AND died.action = 'order.refund'"
                " JOIN audit_entries found ON found.order_id = orders.id AND found.action = 'order.decided'"
                "   AND found.detail->'events' ? 'refund'"
                " WHERE orders.reference = $1 AND o.reference = 'M-1' AND o.status = 'SUCCESSFUL'",
                reference,
            )

    row = await eventually(asked)
    blocked = (row["found"] - row["died"]).total_seconds()
    # Its last sign of life came after its claim; a busy machine may take some seconds to come round to it.
    assert installation.settings.lease <= blocked < installation.settings.lease + 20


async def test_a_webhook_whose_worker_died_before_it_was_kept_comes_again_under_its_id(
    installation: Installation, merchant: Merchant, tmp_path: Path, eventually: Eventually
) -> None:
    worker = Doomed(installation, process(installation, tmp_path, "worker", free_port()), tmp_path / "points")
    worker.dies_at(CrashPoint.DELIVERED)
    references = []

    async def dead() -> bool:
        # The installation's own worker takes its share of the deliveries.
        references.append((await merchant.creates("AFTERPAY_AU"))["orderReference"])
        return worker.process.process.poll() is not None

    try:
        await eventually(dead)
        assert worker.process.process.returncode == -9

        def twice() -> list[str]:
            ids = [headers["webhook-id"] for headers, _ in installation.inbox.received]
            return sorted({one for one in ids if ids.count(one) > 1})

        async def came_again() -> bool:
            return bool(twice())

        await eventually(came_again)
        await installation.quiet()
        for one in twice():
            bodies = {body for headers, body in installation.inbox.received if headers["webhook-id"] == one}
            assert len(bodies) == 1, "the same bytes"
        for reference in references:
            assert len(installation.inbox.events(reference, "ORDER_STATUS_UPDATE")) == 1
    finally:
        worker.process.stop()
