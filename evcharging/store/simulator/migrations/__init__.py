"""Alembic environment of Central's database."""
