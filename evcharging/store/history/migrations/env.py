"""Alembic's entry point: runs on the connection that `evcharging.store.migrate` hands over."""

from __future__ import annotations

from alembic import context

from evcharging.store.history.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
