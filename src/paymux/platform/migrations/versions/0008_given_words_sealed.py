"""What merchants and connectors give that may name people is sealed, too."""

from alembic import op

from paymux.platform.migrations.steps import run_sql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns."""
    run_sql(op.get_bind(), "0008_given_words_sealed.sql")
