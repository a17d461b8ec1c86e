"""How Alembic runs a migration of ours: on the connection, and in the transaction, that `upgrade` holds."""

from alembic import context

from paymux.platform.migrations import REVISION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=REVISION_TABLE)
with context.begin_transaction():
    context.run_migrations()
