"""A merchant's own pictures of payment methods."""

from alembic import op

from paymux.platform.migrations.steps import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make them."""
    run_sql(op.get_bind(), "0005_logos.sql")
