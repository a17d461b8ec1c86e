"""Runs that compare our orders with what their providers say, and what they found."""

from alembic import op

from paymux.platform.migrations.steps import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make them."""
    run_sql(op.get_bind(), "0004_reconciliation.sql")
