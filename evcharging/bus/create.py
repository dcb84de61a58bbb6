"""Making a bus from an address, the one place where an adapter is chosen."""

from __future__ import annotations

from dataclasses import replace

from evcharging.bus.kafka import KafkaBus
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import shared_log
from evcharging.bus.protocol import Bus

__all__ = ["MEMORY_SCHEME", "create_bus"]

MEMORY_SCHEME = "memory://"


def create_bus(bootstrap: str, *, client_id: str = "evcharging", settings: KafkaSettings | None = None) -> Bus:
    """A bus that is not started yet.

    Args:
        bootstrap: ``host:port`` of a Kafka broker (several with commas), or ``memory://name`` for the log of that name
            in this process.
        client_id: how the broker names this client.
        settings: credentials, bounds and timeouts for Kafka; its address and client id are taken from the arguments.

    Raises:
        ValueError: the address is empty, or names no log.
    """
    if bootstrap.startswith(MEMORY_SCHEME):
        name = bootstrap.removeprefix(MEMORY_SCHEME)
        if not name:
            raise ValueError(f"got {bootstrap!r}, expected a name behind it: memory://demo")
        return MemoryBus(shared_log(name))
    if settings is None:
        return KafkaBus(KafkaSettings(bootstrap, client_id))
    return KafkaBus(replace(settings, bootstrap=bootstrap, client_id=client_id))
