"""The core schema, and the job queue's own tables as pgqueuer 1.6 makes them."""

from alembic import op
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment

from paymux.platform.migrations.steps import run_sql, run_statements

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    run_sql(op.get_bind(), "0001_core.sql")
    run_statements(op.get_bind(), QueryBuilderEnvironment().build_install_query(create_schema=False))
