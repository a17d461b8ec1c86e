"""Events that wait for their order tell which."""

from alembic import op

from paymux.platform.migrations.steps import run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the column."""
    run_sql(op.get_bind(), "0009_what_events_name.sql")
