"""The guards of what is evidence hold in every session."""

from alembic import op

from paymux.platform.migrations.steps import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Let them fire always. Each waits for its table's writers for as long as `steps.LOCK_WAIT` allows."""
    run_sql(op.get_bind(), "0010_guards_that_always_hold.sql")
