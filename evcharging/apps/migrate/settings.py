"""Settings of `evcharging migrate`: where the databases are, said as the services that own them are told it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import AliasChoices, Field, SecretStr

from evcharging.apps.runtime.settings import ServiceSettings
from evcharging.store.database import database_beside

__all__ = ["MigrateSettings"]

GATEWAY_FILE = Path("gateway.db")


class MigrateSettings(ServiceSettings):
    """Flags of ``evcharging migrate``; the variables are those of Central and of the gateway."""

    prefix: ClassVar[str] = "MIGRATE_"
    service: ClassVar[str] = "migrate"
    summary: ClassVar[str] = "Bring the databases to their newest schemas, making them where there are none."

    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("database_url", "CENTRAL_DATABASE_URL"),
        description="sqlite:///file or postgresql://…; wins over --db-path",
    )
    db_path: Path = Field(
        Path("simulator.db"),
        validation_alias=AliasChoices("db_path", "SIMULATOR_DB_PATH"),
        description="SQLite file",
    )
    history_database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("history_database_url", "CENTRAL_HISTORY_DATABASE_URL"),
        description="the history; unset: history.db beside, in PostgreSQL the same database",
    )
    gateway_database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("gateway_database_url", "OCPP_GATEWAY_DATABASE_URL"),
        description="the OCPP gateways'; unset: gateway.db beside, in PostgreSQL the same database",
    )
    gateway_db_path: Path = Field(
        GATEWAY_FILE,
        validation_alias=AliasChoices("gateway_db_path", "OCPP_GATEWAY_DB_PATH"),
        description="the OCPP gateways' SQLite file; as it is here it is meant to be beside Central's",
    )

    @property
    def database(self) -> str:
        """Where Central's database is."""
        return self.database_url.get_secret_value() if self.database_url else str(self.db_path)

    @property
    def history_database(self) -> str:
        """Where the history is.

        Raises:
            InvalidDatabaseUrl: it is to be beside a database that is none.
        """
        return _given(self.history_database_url) or database_beside(self.database, "history.db")

    @property
    def gateway_database(self) -> str:
        """Where the gateways' database is.

        Raises:
            InvalidDatabaseUrl: it is to be beside a database that is none.
        """
        file = None if self.gateway_db_path == GATEWAY_FILE else str(self.gateway_db_path)
        return _given(self.gateway_database_url) or file or database_beside(self.database, GATEWAY_FILE.name)


def _given(url: SecretStr | None) -> str | None:
    return None if url is None else url.get_secret_value()
