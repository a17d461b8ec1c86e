"""The audit trail, the record of calls to providers, and the lock on what is evidence."""

from alembic import op

from paymux.platform.migrations.steps import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make them. The trigger on order_events waits for writers for as long as `steps.LOCK_WAIT` allows."""
    run_sql(op.get_bind(), "0003_audit.sql")
