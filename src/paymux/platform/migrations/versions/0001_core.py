"""The core schema and the job queue's own tables."""

from alembic import op
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment

from paymux.platform.migrations import run_sql, sql_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_sql(op.get_bind(), sql_file("0001_core.sql"))
    run_sql(op.get_bind(), QueryBuilderEnvironment().build_install_query(create_schema=False))
