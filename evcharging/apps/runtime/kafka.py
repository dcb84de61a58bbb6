"""Settings of a service that speaks Kafka: where the broker is, and how to be let in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.runtime.settings import ServiceSettings
from evcharging.bus.create import create_bus
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.protocol import Bus

__all__ = ["KafkaServiceSettings"]


class KafkaServiceSettings(ServiceSettings):
    """The Kafka flags that every such service has."""

    kafka_bootstrap: str = Field("localhost:9092", description="Kafka address, host:port[,host:port]")
    kafka_tls: bool = Field(False, description="encrypt the connection to Kafka")
    kafka_ca_file: Path | None = Field(None, description="certificates to trust, PEM; unset: the system's")
    kafka_sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="how to log in to Kafka; unset: without a login"
    )
    kafka_username: str | None = Field(None, description="user to log in to Kafka as")
    kafka_password: SecretStr | None = Field(None, description="its password")

    def create_bus(self, client_id: str) -> Bus:
        """A bus that is not started yet.

        Raises:
            UsageError: the settings contradict each other, or name no broker.
        """
        password = self.kafka_password.get_secret_value() if self.kafka_password else None
        try:
            settings = KafkaSettings(
                self.kafka_bootstrap,
                client_id,
                tls=self.kafka_tls,
                tls_ca_file=str(self.kafka_ca_file) if self.kafka_ca_file else None,
                sasl_mechanism=self.kafka_sasl,
                sasl_username=self.kafka_username,
                sasl_password=password,
            )
            return create_bus(self.kafka_bootstrap, client_id=client_id, settings=settings)
        except ValueError as error:
            raise UsageError(f"--kafka-bootstrap and its kin: {error}") from None
