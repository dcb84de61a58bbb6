"""Settings of the embedded broker."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from evcharging.apps.runtime.settings import ServiceSettings

__all__ = ["BrokerSettings"]


class BrokerSettings(ServiceSettings):
    """The port, and nothing else: its address is loopback, since the broker names that one to its clients."""

    prefix: ClassVar[str] = "BROKER_"
    service: ClassVar[str] = "broker"
    summary: ClassVar[str] = (
        "The embedded Kafka alone, on 127.0.0.1: for one copy of each service, development and demonstration."
    )

    port: int = Field(9092, ge=0, le=65535, description="bootstrap port; 0 takes any free one")
