"""Databases: schema, migrations, and the inbox and outbox every effect goes through."""
