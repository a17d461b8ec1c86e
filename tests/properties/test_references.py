"""E6: every allowed reference is accepted, and finds its order percent-encoded in a path."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.installation import Installation, Shopper

allowed = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="/\\"), min_size=1, max_size=128
).filter(lambda reference: reference not in (".", ".."))
forbidden = st.one_of(
    st.sampled_from((".", "..", "a/b", "a\\b", "/", "\\", "a\nb", "\x7f", "\x00", "tab\there", "x" * 129)),
    st.tuples(allowed, st.characters(max_codepoint=31), allowed).map("".join).map(lambda text: text[-128:] + "\x01"),
)
OFTEN = settings(deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
_USED: set[str] = set()


@given(allowed)
@example("100%")
@example("%2F")
@example("a b")
@example(" ")
@example("details")
@example("a?b#c&d=e;f+g")
@example("...")
@example("Ünï-訂單-🧾")
@example("e\u0301")
@example("\u00e9")
@example("x" * 128)
@settings(OFTEN, max_examples=60)
async def test_every_allowed_reference_finds_its_order_by_its_path(installation: Installation, reference: str) -> None:
    merchant = installation.merchant
    body = merchant.order("PLANPAY_AU", orderReference=reference)
    answer = await merchant.post("/orders", body)
    if reference in _USED:
        assert (answer.status, answer.body["code"]) == (409, "duplicate_reference")
        return
    _USED.add(reference)
    assert (answer.status, answer.body.get("orderReference")) == (201, reference), answer
    for path in (f"/orders/{quote(reference, safe='')}", f"/orders/{quote(reference, safe='')}/"):
        read = await merchant.get(path)
        assert (read.status, read.body.get("merchantReference")) == (200, reference), read
    details = await merchant.get(f"/orders/{quote(reference, safe='')}/details")
    assert (details.status, details.body.get("orderReference")) == (200, reference), details


@given(forbidden)
@settings(OFTEN, max_examples=40)
async def test_every_other_reference_is_refused_by_its_field(installation: Installation, reference: str) -> None:
    merchant = installation.merchant
    answer = await merchant.post("/orders", merchant.order("PLANPAY_AU", orderReference=reference))
    assert answer.status == 400
    assert any(message.startswith("orderReference ") for message in answer.body["message"]), answer.body


@given(st.lists(allowed, min_size=1, max_size=3, unique=True))
@settings(OFTEN, max_examples=8)
async def test_references_of_captures_come_back_as_they_were_sent(installation: Installation, names: list[str]) -> None:
    merchant = installation.merchant
    opened = await merchant.creates("PLANPAY_AU", autoCapture=False)
    await Shopper(installation).pays(opened["redirectUrl"])
    for name in names:
        captured = await merchant.captures(opened["orderReference"], "1", name)
        assert (captured.status, captured.body["captureReference"]) == (201, name), captured
        assert (await merchant.captures(opened["orderReference"], "1", name)).body == captured.body
    details = await merchant.details(opened["orderReference"])
    assert [row["captureId"] for row in details["orderCaptures"]] == names
