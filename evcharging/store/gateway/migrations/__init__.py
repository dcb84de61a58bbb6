"""Alembic environment of the gateways' database."""
