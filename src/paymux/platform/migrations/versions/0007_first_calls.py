"""Operations tell when they were first called."""

from alembic import op

from paymux.platform.migrations.steps import run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column."""
    run_sql(op.get_bind(), "0007_first_calls.sql")
