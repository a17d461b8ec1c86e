"""Workers are woken for jobs that are due, and find those without reading the ones that are not."""

from alembic import op

from paymux.platform.migrations.steps import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Change the job queue's trigger and indexes."""
    run_sql(op.get_bind(), "0002_wake_for_due_jobs.sql")
