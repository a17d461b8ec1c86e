"""Every query on what belongs to a merchant names him; the few that do not are listed here, each with its reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import paymux
from tests.installation import Installation

SOURCE = Path(paymux.__file__).parent
_STATEMENT = re.compile(r"^\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\b", re.S)
_TABLE = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO)\s+([a-z_]+)(?![a-z_(])")

# Of what is below an order, the order's id is its merchant's, for every way to an order is his own: by his reference, by
# a token that he alone was given, by his own provider account. Those ways are `order_by_reference`, `order_by_token`
# (128 random bits, a shopper's only key), `find_order` (by account), and the jobs, which nobody can write but us.
BY_ORDER = "below an order that was found within its merchant"
BY_JOB = "asked by a job alone, whose payload nobody writes but us"
BY_ID = "the merchant himself, by his own id"
BY_OPERATOR = "asked by an operator's command alone, for all merchants or for the one that he names"
BY_SECRET = "found by a secret of at least 128 random bits, which is all that its holder has"
ALLOWED = {
    "orders/store.py": {
        "lock_order": BY_ORDER, "order_by_id": BY_ORDER, "order_by_token": BY_SECRET,
        "find_order": "within a provider account, which is one merchant's", "update_order": BY_ORDER,
        "add_event": BY_ORDER, "events": BY_ORDER, "derived_totals": BY_ORDER, "claim": BY_ORDER, "operations": BY_ORDER,
        "operation": BY_ORDER, "operation_by_reference": BY_ORDER, "update_operation": BY_ORDER, "lease": BY_ORDER,
        "renew_lease": BY_ORDER, "leased": BY_ORDER, "note_timer": BY_ORDER, "drop_timers": BY_ORDER,
        "timer_due": BY_ORDER, "next_timer": BY_ORDER, "lapsed_timers": BY_JOB, "lease_left": BY_ORDER,
        "orders_named": BY_OPERATOR, "count_to_review": "a number, told by /readyz?verbose",
        "forget_old_keys": "by age alone, for all",
    },
    "orders/event_store.py": {
        "event": BY_JOB, "insert": "under the account that the event's address, a secret, belongs to", "settle": BY_JOB,
        "keep_again": "under the account that the event's address, a secret, belongs to",
        "events_of_order": BY_ORDER, "given_up": BY_OPERATOR, "unmatched": "within a provider account, which is one merchant's",
        "_without_order": "within a provider account, which is one merchant's", "refused": BY_OPERATOR,
        "forget_refused": "by age alone, for all", "forget_orderless": "by age alone, for all",
    },
    "orders/erasure_store.py": {
        "events_of": BY_OPERATOR, "write_event": BY_OPERATOR, "webhooks_of": BY_OPERATOR, "write_webhook": BY_OPERATOR,
        "settled_deliveries_of": BY_OPERATOR, "write_delivery_url": BY_OPERATOR, "forget_answers": BY_OPERATOR,
        "end_tokens": BY_OPERATOR, "free_texts": BY_OPERATOR, "write_operation_texts": BY_OPERATOR,
        "write_event_detail": BY_OPERATOR,
    },
    "orders/reconciliation_store.py": {"*": "the whole installation against its providers, by jobs and an operator's commands"},
    "accounts/store.py": {
        "insert_merchant": "makes him", "lock_merchant": BY_ID, "merchant": BY_ID, "update_merchant": BY_ID,
        "merchant_by_client": "by the client id that he signs in with",
        "account_by_event_key": BY_SECRET, "account_by_id": BY_JOB,
        "has_sandbox_accounts": "whether there is any, at the start of live mode",
    },
    "accounts/logo_store.py": {"by_id": "a picture that every shopper is shown, by the id in its public address"},
    "notifications/store.py": {
        "delivery": BY_JOB, "lock_delivery": BY_JOB, "add_attempt": BY_JOB, "settle": BY_JOB,
        "attempts_of_order": BY_ORDER, "events_of_order": BY_ORDER,
    },
    "audit/store.py": {"calls_of_order": BY_ORDER, "entries_of_order": BY_ORDER, "forget_calls": "by age alone, for all"},
}  # fmt: skip


@dataclass(frozen=True)
class Query:
    file: str
    function: str
    text: str
    where: int

    @property
    def tables(self) -> set[str]:
        return set(_TABLE.findall(self.text))


def _text(node: ast.expr) -> str:
    """The text of a string expression; what is put in stands as `{…}`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return "{" + ast.unparse(node.value) + "}"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    return ""


def queries_in(path: Path) -> Iterator[Query]:
    tree = ast.parse(path.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr | ast.BinOp):
            inside |= {id(part) for part in ast.walk(node) if part is not node}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp) or id(node) in inside:
            continue
        if _STATEMENT.match(text := _text(node)) and _TABLE.search(text):
            around = [one for one in functions if one.lineno <= node.lineno <= (one.end_lineno or 0)]
            name = max(around, key=lambda one: one.lineno).name if around else ""
            yield Query(str(path.relative_to(SOURCE)), name, text, node.lineno)


def stores() -> list[Path]:
    return [path for path in sorted(SOURCE.rglob("*store.py")) if "sandbox" not in path.parts]


async def owned_tables(installation: Installation) -> set[str]:
    """The tables whose rows are a merchant's: with his id, or below one of these by a foreign key or by an id's name."""
    async with installation.database.connection() as held:
        columns = await held.fetch(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        )
        keys = await held.fetch(
            "SELECT conrelid::regclass::text AS child, confrelid::regclass::text AS parent FROM pg_constraint WHERE contype = 'f'"
        )
    of_one = ("merchant_id", "account_id", "order_id")
    owned = {"merchants"} | {row["table_name"] for row in columns if row["column_name"] in of_one}
    while more := {row["child"] for row in keys if row["parent"] in owned} - owned:
        owned |= more
    return owned


def _scoped(query: Query) -> bool:
    """Whether a statement names the merchant: in its condition, or among the columns that it writes."""
    if "INSERT INTO" in query.text:
        return "merchant_id" in query.text or "{names}" in query.text
    condition = query.text.partition(" WHERE ")[2]
    return re.search(r"\bmerchant_id = |\(\$\d(::text)? (= ''|IS NULL) OR (\w\.)?merchant_id", condition) is not None


async def test_every_query_on_what_is_a_merchants_names_him_or_is_listed_with_its_reason(
    installation: Installation,
) -> None:
    owned = await owned_tables(installation)
    assert owned >= {
        "orders",
        "operations",
        "deliveries",
        "delivery_attempts",
        "payment_tokens",
        "provider_events",
        "timers",
    }
    found = [query for path in stores() for query in queries_in(path)]
    assert len(found) > 60
    whole = {file for file, functions in ALLOWED.items() if "*" in functions}
    found = [query for query in found if query.file not in whole]
    unscoped = {(q.file, q.function) for q in found if q.tables & owned and not _scoped(q)}
    listed = {(file, function) for file, functions in ALLOWED.items() for function in functions if file not in whole}
    assert sorted(unscoped - listed) == [], "name the merchant, or list it with the reason why nobody else can reach it"
    assert sorted(listed - unscoped) == [], "these are scoped, or gone: take them off the list"


def test_there_is_no_sql_but_in_the_stores() -> None:
    others = [
        path for path in sorted(SOURCE.rglob("*.py"))
        if path not in stores() and not {"sandbox", "migrations"} & set(path.parts)
    ]  # fmt: skip
    # Tables of the installation as a whole: no merchant's row is in any of them.
    own = {"installation"}
    strays = [(q.file, q.where, q.text[:60]) for path in others for q in queries_in(path) if q.tables - own]
    assert [stray for stray in strays if not stray[0].startswith("platform/")] == []


@pytest.mark.parametrize(
    ("statement", "scoped"),
    [
        ("SELECT * FROM orders WHERE merchant_id = $1 AND reference = $2", True),
        ("SELECT * FROM orders WHERE reference = $2", False),
        ("SELECT merchant_id FROM orders WHERE reference = $2", False),
        ("SELECT d.id FROM deliveries d JOIN outbox_events e ON e.id = d.event_id WHERE d.merchant_id = $1", True),
        ("UPDATE orders SET merchant_id = $1 WHERE id = $2", False),
        ("DELETE FROM orders", False),
    ],
)
def test_the_look_for_the_merchant_is_no_look_for_his_name(statement: str, scoped: bool) -> None:
    assert _scoped(Query("x", "x", statement, 1)) is scoped
