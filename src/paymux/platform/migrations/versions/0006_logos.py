"""A merchant's own pictures of payment methods."""

from alembic import op

from paymux.platform.migrations.steps import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make them."""
    run_sql(op.get_bind(), "0006_logos.sql")
