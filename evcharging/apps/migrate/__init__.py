"""Bringing the databases to their newest schemas, once, before the services start."""
