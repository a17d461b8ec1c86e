"""The record of calls is append-only but for its age, and a clock that is read stands still meanwhile."""

from alembic import op

from paymux.platform.migrations.steps import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make them. The triggers on provider_calls wait for writers for as long as `steps.LOCK_WAIT` allows."""
    run_sql(op.get_bind(), "0006_bounds_on_what_is_kept.sql")
