"""Alembic asks for this file; `paymux.platform.migrations.upgrade` runs the environment itself."""
