"""What integration tests share: servers that are started once for the whole run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgresql import PostgresqlServer


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A PostgreSQL server. Where it cannot run, the tests that want it fail and say why."""
    with PostgresqlServer() as server:
        yield server
