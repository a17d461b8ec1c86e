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
        "lock_order": BY_ORDER, "order_by_id": BY_ORDER, "erased": BY_ORDER, "order_by_token": BY_SECRET,
        "find_order": "within a provider account, which is one merchant's", "update_order": BY_ORDER,
        "add_event": BY_ORDER, "events": BY_ORDER, "derived_totals": BY_ORDER, "claim": BY_ORDER, "operations": BY_ORDER,
        "operation": BY_ORDER, "operation_by_reference": BY_ORDER, "update_operation": BY_ORDER, "lease": BY_ORDER,
        "renew_lease": BY_ORDER, "leased": BY_ORDER, "note_timer": BY_ORDER, "drop_timers": BY_ORDER,
        "timer_due": BY_ORDER, "next_timer": BY_ORDER, "lapsed_timers": BY_JOB, "lease_left": BY_ORDER,
        "orders_named": BY_OPERATOR, "orders_to_review": BY_OPERATOR, "count_to_review": "a number, told by /readyz?verbose",
        "forget_old_keys": "by age alone, for all",
    },
    "orders/event_store.py": {
        "event": BY_JOB, "insert": "under the account that the event's address, a secret, belongs to", "settle": BY_JOB,
        "keep_again": "under the account that the event's address, a secret, belongs to",
        "events_of_order": BY_ORDER, "given_up": BY_OPERATOR, "waiting_for": "within a provider account, which is one merchant's",
        "_without_order": "within a provider account, which is one merchant's", "refused": BY_OPERATOR,
        "forget_refused": "by age alone, for all", "forget_orderless": "by age alone, for all",
    },
    "orders/erasure_store.py": {
        "orders_after": BY_OPERATOR, "orders_named": BY_OPERATOR, "orderless_events_after": BY_OPERATOR,
        "events_of": BY_OPERATOR, "write_event": BY_OPERATOR, "webhooks_of": BY_OPERATOR, "write_webhook": BY_OPERATOR,
        "deliveries_of": BY_OPERATOR, "write_delivery_url": BY_OPERATOR, "write_url_once_settled": BY_OPERATOR,
        "forget_answers": BY_OPERATOR,
        "end_tokens": BY_OPERATOR, "event_details": BY_OPERATOR, "write_operation_texts": BY_OPERATOR,
        "write_event_detail": BY_OPERATOR,
    },
    "orders/reconciliation_store.py": {"*": "the whole installation against its providers, by jobs and an operator's commands"},
    "accounts/store.py": {
        "insert_merchant": "makes him", "lock_merchant": BY_ID, "merchant": BY_ID, "update_merchant": BY_ID,
        "merchant_by_client": "by the client id that he signs in with",
        "account_by_event_key": BY_SECRET, "account_by_id": BY_JOB,
        "has_sandbox_accounts": "whether there is any, at the start of live mode", "merchants": BY_OPERATOR,
    },
    "accounts/logo_store.py": {"by_id": "a picture that every shopper is shown, by the id in its public address"},
    "notifications/store.py": {
        "delivery": BY_JOB, "lock_delivery": BY_JOB, "add_attempt": BY_JOB, "settle": BY_JOB,
        "attempts_of_order": BY_ORDER, "events_of_order": BY_ORDER, "deliveries_of_all": BY_OPERATOR,
        "count_exhausted": "a number, told by /readyz?verbose",
    },
    "audit/store.py": {
        "": "the one statement that writes both kinds of entry: it reads no merchant's row",
        "calls_of_order": BY_ORDER, "entries_of_order": BY_ORDER, "forget_calls": "by age alone, for all",
    },
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


_TEXT = re.compile(r"'(?:[^']|'')*'")
_OWN_ROW = re.compile(r"(\w+\.)?merchant_id = \$\d+(::text)?")
_JOINED = re.compile(r"(?<!CROSS )\bJOIN \w+ \w+ ON \w+\.\w+ = \w+\.\w+(?= JOIN| LEFT JOIN|$)")
_END = re.compile(
    r"\b(GROUP BY|HAVING|WINDOW|ORDER BY|LIMIT|OFFSET|FETCH|FOR (NO KEY )?UPDATE|FOR (KEY )?SHARE|RETURNING|ON CONFLICT)\b"
)
_INSERT = re.compile(
    r"INSERT INTO \w+ \((?P<columns>[^()]*)\) VALUES \((?P<values>.*?)\)(?P<rest>(?: ON CONFLICT.*| RETURNING.*)?)"
)
_OVERWRITES = re.compile(r"ON CONFLICT (?!DO NOTHING|\([^()]*\bmerchant_id\b[^()]*\) )")


def _outside(text: str) -> str:
    """What stands in no parentheses; what does stands as `()`."""
    depth, found = 0, ""
    for letter in text:
        depth -= letter == ")"
        found += "" if depth else letter
        depth += letter == "("
    return found


def _scoped(query: Query) -> bool:
    """Whether a statement's rows can be no other merchant's: `merchant_id = $n` has to be true of each, or is written.

    It reads no SQL beyond that. A statement within another, a table joined otherwise than by `a.x = b.y`, and whatever else
    is written in another way, is for a person to look at and to list.
    """
    text = _TEXT.sub("''", " ".join(query.text.split()))
    if len(re.findall(r"\b(SELECT|UNION|INTERSECT|EXCEPT|WITH)\b", text)) > 1:
        return False
    if text.startswith("INSERT INTO") and not re.search(r"\bSELECT\b", text):
        return _writes_own(text)
    source, found, condition = _outside(text).partition(" WHERE ")
    joins = source.partition(" FROM ")[2]
    if "," in joins or " USING " in joins or len(re.findall(r"\bJOIN\b", joins)) != len(_JOINED.findall(joins)):
        return False
    terms = re.split(r"\bAND\b", _END.split(condition)[0])
    return bool(found) and " OR " not in condition and any(_OWN_ROW.fullmatch(term.strip()) for term in terms)


def _writes_own(text: str) -> bool:
    """Whether a row that is written is given its merchant, and overwrites none but his.

    `{names}` are all the columns of a model whose merchant the table demands: see the test of that.
    """
    if (row := _INSERT.fullmatch(text)) is None or _OVERWRITES.search(row["rest"]):
        return False
    columns, values = ([one.strip() for one in row[part].split(",")] for part in ("columns", "values"))
    return (columns, values) == (["{names}"], ["{places}"]) or (
        "merchant_id" in columns and re.fullmatch(r"\$\d+", values[columns.index("merchant_id")]) is not None
    )


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


def test_what_is_read_of_an_order_or_operation_is_read_by_name() -> None:
    """PostgreSQL refuses a prepared `SELECT *`, once in each connection, when an upgrade has added a column."""
    found = [query for path in stores() for query in queries_in(path) if query.tables & {"orders", "operations"}]
    assert len(found) > 20
    everything = re.compile(r"(\b(SELECT|RETURNING)|,) (o\.)?\*")
    assert [(query.file, query.where) for query in found if everything.search(query.text)] == []


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
    "statement",
    [
        "SELECT * FROM orders WHERE merchant_id = $1 AND reference = $2",
        "SELECT * FROM orders WHERE reference = $2 AND (code = $3 OR $3 = '') AND merchant_id = $1 ORDER BY id FOR UPDATE",
        "SELECT d.id FROM deliveries d JOIN outbox_events e ON e.id = d.event_id WHERE d.merchant_id = $1",
        "UPDATE orders SET status = 'no OR yes' WHERE id = $2 AND merchant_id = $1 RETURNING *",
        "DELETE FROM orders WHERE merchant_id = $1",
        "INSERT INTO channels (merchant_id, alias) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        "INSERT INTO channels (merchant_id, alias) VALUES ($1, $2) ON CONFLICT (merchant_id, alias) DO UPDATE SET name = $3",
        "INSERT INTO orders ({names}) VALUES ({places}) RETURNING *",
        "INSERT INTO timers (order_id, what) SELECT id, 'poll' FROM orders WHERE merchant_id = $1 AND reference = $2",
    ],
)
def test_a_statement_that_names_the_merchant_in_every_row_is_scoped(statement: str) -> None:
    assert _scoped(Query("x", "x", statement, 1))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM orders WHERE reference = $2",
        "SELECT merchant_id FROM orders WHERE reference = $2",
        "SELECT * FROM orders WHERE merchant_id = $1 OR reference = $2",
        "SELECT * FROM orders WHERE reference = $2 OR code = $3 AND merchant_id = $1",
        "SELECT * FROM orders WHERE (merchant_id = $1 OR reference = $2)",
        "SELECT * FROM orders WHERE ($1::text IS NULL OR merchant_id = $1) AND reference = $2",
        "SELECT * FROM orders WHERE NOT merchant_id = $1",
        "SELECT * FROM orders WHERE merchant_id = $1 IS NOT TRUE",
        "SELECT * FROM orders WHERE merchant_id = merchant_id AND reference = $2",
        "SELECT * FROM orders o WHERE o.reference = $1 AND o.merchant_id = o.merchant_id",
        "SELECT * FROM orders WHERE reference = $2 ORDER BY status = 'x' AND merchant_id = $1",
        "SELECT * FROM orders WHERE reference = ' AND merchant_id = $1 AND '",
        "SELECT d.* FROM deliveries d JOIN outbox_events e ON e.merchant_id = d.merchant_id WHERE d.id = $1",
        "SELECT d.* FROM deliveries d LEFT JOIN orders o ON o.merchant_id = $1 WHERE d.id = $2",
        "SELECT o.* FROM orders o JOIN channels c ON true WHERE c.merchant_id = $1",
        "SELECT o.* FROM orders o JOIN channels c ON c.name = o.channel OR true WHERE c.merchant_id = $1",
        "SELECT o.* FROM orders o, channels c WHERE c.merchant_id = $1",
        "DELETE FROM orders USING channels c WHERE c.merchant_id = $1",
        "SELECT (SELECT secret_hash FROM merchant_secrets LIMIT 1) FROM orders WHERE merchant_id = $1",
        "SELECT id FROM orders WHERE merchant_id = $1 UNION SELECT id FROM orders",
        "WITH gone AS (DELETE FROM orders) SELECT * FROM channels WHERE merchant_id = $1",
        "UPDATE orders SET merchant_id = $1 WHERE id = $2",
        "UPDATE orders SET status = 'x' WHERE id = $2 AND EXISTS (SELECT 1 FROM merchants m WHERE m.id = orders.merchant_id)",
        "DELETE FROM orders",
        "INSERT INTO orders (merchant_id) SELECT merchant_id FROM orders WHERE id = $1",
        "INSERT INTO orders (merchant_id, id) VALUES ((SELECT merchant_id FROM orders WHERE id = $1), $2)",
        "INSERT INTO orders (id, code) VALUES ($1, $2) ON CONFLICT (merchant_id, code) DO NOTHING",
        "INSERT INTO orders (merchant_id, id) VALUES (current_user, $1)",
        "INSERT INTO orders (merchant_id, id) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET status = 'x'",
        "INSERT INTO orders VALUES ($1, $2)",
    ],
)
def test_the_look_for_the_merchant_is_no_look_for_his_name(statement: str) -> None:
    assert not _scoped(Query("x", "x", statement, 1))


async def test_a_row_that_names_no_merchant_is_not_taken_by_a_table_that_is_written_whole(
    installation: Installation,
) -> None:
    whole = {
        name for path in stores() for query in queries_in(path) if "({names})" in query.text for name in query.tables
    }
    assert "orders" in whole
    async with installation.database.connection() as held:
        rows = await held.fetch(
            "SELECT table_name FROM information_schema.columns WHERE column_name = 'merchant_id' AND is_nullable = 'NO'"
            " AND column_default IS NULL"
        )
    assert whole - {row["table_name"] for row in rows} == set()
