"""The API document holds whatever is called: no 5xx, no status and no body that it does not describe.

Every operation of a running installation's own document is called with what its schemas allow and with what they do not,
by an authenticated merchant, on orders that are there in every state and on orders that are not.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.errors import InvalidSchema
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from paymux.accounts.failed_attempts import FailedAttempts
from paymux.api.app import make_app
from paymux.connectors.registry import all_codes
from tests.installation import Installation, Merchant, Shopper

LIMITS = {"provider_timeout": 10.0, "sandbox_hold": 12.0, "lease": 20.0, "max_requests": 1000, "database_wait": 30.0}
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
OPERATIONS = [
    "create_token", "create_customer_session", "get_keys", "get_options", "create_order", "get_order", "order_details",
    "get_order_details", "capture_order", "void_order", "refund_order", "cancel_order", "alive", "ready", "provider_event",
    "provider_event_by_get", "move_clock",
]  # fmt: skip
"""Every operation; the clock is moved last, for years, so that the others' orders and tokens live on."""
READS = ("get_keys", "alive", "ready")
SEARCHED = [name for name in OPERATIONS if name not in READS]
CALLS = 20_000
EACH = math.ceil(CALLS / len(SEARCHED))
"""Calls that the long search makes of each operation at least."""
_NUMBERS = itertools.count(1)
SEARCH = settings(
    deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much,
                           HealthCheck.data_too_large, HealthCheck.large_base_example],
)  # fmt: skip


class Caller:
    """Makes calls out of the document, each answer held against it."""

    def __init__(self, installation: Installation, document: dict[str, Any]) -> None:
        self.installation, self.document = installation, document
        self.schema = schemathesis.openapi.from_dict(document)
        self.schema.config.update(base_url=installation.settings.base_url)
        self.operations = {}
        for found in self.schema.get_all_operations():
            assert isinstance(found, Ok), found
            self.operations[found.ok().definition.raw["operationId"]] = found.ok()
        self.session = requests.Session()
        self.known: dict[str, list[str]] = {"reference": [], "event_key": []}
        self.heard: Counter[str] = Counter()
        self.turned_away: Counter[str] = Counter()

    async def prepare(self) -> None:
        """Orders in every state, and the event addresses of the accounts."""
        merchant, shopper = self.installation.merchant, Shopper(self.installation)
        stories: list[tuple[str, dict[str, Any], str | None]] = [
            ("PLANPAY_AU", {}, None), ("PLANPAY_AU", {}, "approve"), ("PLANPAY_AU", {}, "decline"),
            ("PLANPAY_AU", {"autoCapture": False}, "approve"), ("AFTERPAY_AU", {"autoCapture": False}, "approve"),
            ("AFTERPAY_AU", {}, "cancel"),
        ]  # fmt: skip
        for code, changes, outcome in stories:
            opened = await merchant.creates(code, **changes)
            self.known["reference"].append(opened["orderReference"])
            if outcome is not None:
                await shopper.pays(opened["redirectUrl"], outcome)
        async with self.installation.database.transaction() as tx:
            rows = await tx.fetch("SELECT event_key FROM provider_accounts ORDER BY code LIMIT 40")
        self.known["event_key"] = [row["event_key"] for row in rows]

    def case(self, name: str, data: st.DataObject) -> Any:
        """One call: what the schemas allow or do not allow, more often than not for something that is there."""
        operation = self.operations[name]
        modes = (
            list(GenerationMode)
            if operation.body or operation.query or operation.headers
            else [GenerationMode.POSITIVE]
        )
        case = data.draw(operation.as_strategy(data.draw(st.sampled_from(modes))))
        for field, known in self.known.items():
            if field in (case.path_parameters or {}) and data.draw(st.integers(0, 3)):
                case.path_parameters[field] = data.draw(st.sampled_from(known))
        if data.draw(st.booleans()):
            self._splice(case, data)
        return case

    def _splice(self, case: Any, data: st.DataObject) -> None:
        """Take the documented example for the body, and only a few of the fields that were drawn."""
        (media,) = case.operation.definition.raw.get("requestBody", {"content": {"": {}}})["content"].values()
        if "example" not in media or not isinstance(case.body, dict):
            return
        body = copy.deepcopy(media["example"])
        for field in sorted(case.body, key=str):
            if not data.draw(st.integers(0, 3)):
                body[field] = case.body[field]
        for field in ("orderReference", "captureReference", "voidReference", "refundReference"):
            if body.get(field) == media["example"].get(field) is not None and data.draw(st.integers(0, 3)):
                body[field] = f"FUZZ-{next(_NUMBERS)}"
        case.body = body

    async def check(self, case: Any) -> None:
        """Call, and hold the answer against the document. What no HTTP client can send is no example of a search."""
        headers = {} if case.operation.definition.raw["security"] == [] else await self.bearer()
        try:
            answer = await asyncio.to_thread(case.call, session=self.session, headers=headers)
        except (requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL, UnicodeError, InvalidSchema):
            reject()
        (self.turned_away if answer.status_code == 429 else self.heard)[
            case.operation.definition.raw["operationId"]
        ] += 1
        case.validate_response(answer, checks=CHECKS)

    async def bearer(self) -> dict[str, str]:
        """The header of an authenticated merchant."""
        return {"Authorization": f"Bearer {await self.installation.merchant.token()}"}


class Unguarded(FailedAttempts):
    """Lets everybody guess: the guard would turn nearly every call of `/token` away before its body is looked at."""

    def wait(self, caller: str, client_id: str) -> int:
        return 0


@pytest.fixture(scope="module")
async def caller(installation: Installation) -> Any:
    app: Any = installation.server.config.app
    assert isinstance(app.state.failed_attempts, FailedAttempts)
    app.state.failed_attempts = Unguarded()
    document = make_app(installation.core).openapi()
    caller = Caller(installation, copy.deepcopy(document))
    await caller.prepare()
    yield caller
    caller.session.close()


async def test_every_operation_of_the_document_is_called(caller: Caller) -> None:
    assert set(OPERATIONS) == set(caller.operations)
    assert set(all_codes()) == set(
        caller.document["components"]["schemas"]["CreateOrder"]["properties"]["bnplProvider"]["enum"]
    )


@pytest.mark.parametrize("name", OPERATIONS)
@settings(SEARCH, max_examples=35)
@given(data=st.data())
async def test_no_call_is_answered_otherwise_than_the_document_says(
    name: str, caller: Caller, merchant: Merchant, data: st.DataObject
) -> None:
    await caller.check(caller.case(name, data))


async def test_what_readyz_says_while_no_worker_is_there_is_described_too(
    caller: Caller, installation: Installation, eventually: Any
) -> None:
    case = caller.operations["ready"].Case()

    async def not_ready() -> Any:
        async with installation.database.transaction() as tx:
            await tx.execute("UPDATE installation SET worker_seen_real = now() - interval '1 hour'")
        answer = await asyncio.to_thread(case.call, session=caller.session)
        return answer if answer.status_code == 503 else None

    answer = await eventually(not_ready)
    case.validate_response(answer, checks=[check for check in CHECKS if check is not not_a_server_error])


async def test_an_answer_that_the_document_does_not_describe_is_noticed(caller: Caller) -> None:
    case = caller.operations["get_order"].Case(path_parameters={"reference": "nobody-s"})
    answer = await asyncio.to_thread(case.call, session=caller.session, headers=await caller.bearer())
    case.validate_response(answer, checks=CHECKS)
    document = copy.deepcopy(caller.document)
    del document["paths"]["/orders/{reference}"]["get"]["responses"]["404"]
    with pytest.raises(FailureGroup, match="404"):
        Caller(caller.installation, document).operations["get_order"].Case(
            path_parameters={"reference": "nobody-s"}
        ).validate_response(answer, checks=CHECKS)
    document = copy.deepcopy(caller.document)
    document["components"]["schemas"]["Error"]["properties"]["code"]["type"] = "integer"
    with pytest.raises(FailureGroup, match="integer"):
        Caller(caller.installation, document).operations["get_order"].Case(
            path_parameters={"reference": "nobody-s"}
        ).validate_response(answer, checks=CHECKS)


@pytest.fixture
def counted(name: str, caller: Caller) -> Iterator[None]:
    """Sees to it that a search reached what it was to reach, as often as it was to."""
    before = caller.heard[name]
    yield
    assert caller.heard[name] - before >= EACH
    assert caller.turned_away[name] == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("name", SEARCHED)
@settings(SEARCH, max_examples=EACH + 100)
@given(data=st.data())
async def test_nor_is_any_of_twenty_thousand(
    name: str, caller: Caller, merchant: Merchant, data: st.DataObject
) -> None:
    await caller.check(caller.case(name, data))
