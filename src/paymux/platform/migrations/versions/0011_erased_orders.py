"""Orders tell that their customer was erased, and deliveries what is left of their address then."""

from alembic import op

from paymux.platform.migrations.steps import run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns."""
    run_sql(op.get_bind(), "0011_erased_orders.sql")
