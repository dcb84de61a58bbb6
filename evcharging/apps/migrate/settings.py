"""Settings of `evcharging migrate`: where Central's database is, said as Central is told it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import AliasChoices, Field, SecretStr

from evcharging.apps.runtime.settings import ServiceSettings

__all__ = ["MigrateSettings"]


class MigrateSettings(ServiceSettings):
    """Flags of ``evcharging migrate``; the variables are Central's."""

    prefix: ClassVar[str] = "MIGRATE_"
    service: ClassVar[str] = "migrate"
    summary: ClassVar[str] = "Bring Central's database to the newest schema, making it where there is none."

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

    @property
    def database(self) -> str:
        """Where the database is."""
        return self.database_url.get_secret_value() if self.database_url else str(self.db_path)
