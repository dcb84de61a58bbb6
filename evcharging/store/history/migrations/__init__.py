"""Alembic's environment for the history."""
