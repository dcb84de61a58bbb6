"""How to reach Kafka and how much may wait for it; turned into aiokafka's options in one place.

The options that make delivery safe (all acknowledgements, idempotence, no automatic commits) are not settings: they
are what the bus promises.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["KafkaSettings"]


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """One client's view of a Kafka cluster.

    Attributes:
        bootstrap: ``host:port``, several separated by commas.
        client_id: how the broker names this client in its logs.
        partitions: the count every topic is created with; equal counts let the range assignor keep keys together.
        replication_factor: copies of each partition; as many as there are brokers, three at most, by default.
        max_waiting: records accepted and not yet acknowledged, before publishers have to wait or are refused.
        max_waiting_bytes: the same in bytes of keys, values and headers.
        max_record_bytes: the largest record; larger ones are refused.
        max_batch_bytes: the most that one request carries for one partition.
        linger_ms: publishing more often than this is gathered into requests this far apart; the first goes at once.
        request_timeout_s: after this a request that was not answered is sent again over a new connection.
        fetch_max_wait_ms: how long a fetch may wait for a record; a partition that gets a record waits for it too.
        fetch_idle_wait_ms: the same for a reader that has had no record for a while.
        session_timeout_s: a member of a group that is silent for so long loses its partitions.
        stop_timeout_s: how long `stop` tries to send what still waits.
        tls: encrypt the connection.
        tls_ca_file: certificates to trust instead of the system's.
        tls_cert_file: this client's certificate, with ``tls_key_file``, where the broker asks for one.
        tls_key_file: this client's private key.
        sasl_mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; none without it.
        sasl_username: the user to log in as.
        sasl_password: never shown.
    """

    bootstrap: str
    client_id: str = "evcharging"
    partitions: int = 4
    replication_factor: int | None = None
    max_waiting: int = 50_000
    max_waiting_bytes: int = 64 * 1024 * 1024
    max_record_bytes: int = 900_000
    max_batch_bytes: int = 128 * 1024
    linger_ms: float = 5.0
    request_timeout_s: float = 15.0
    fetch_max_wait_ms: int = 10
    fetch_idle_wait_ms: int = 20
    session_timeout_s: float = 6.0
    stop_timeout_s: float = 10.0
    tls: bool = False
    tls_ca_file: str | None = None
    tls_cert_file: str | None = None
    tls_key_file: str | None = None
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.bootstrap.strip():
            raise ValueError("the Kafka bootstrap address is empty, expected host:port")
        if self.partitions < 1:
            raise ValueError(f"partitions is {self.partitions}, expected 1 or more")
        if self.sasl_mechanism is not None and not (self.sasl_username and self.sasl_password):
            raise ValueError(f"SASL {self.sasl_mechanism} needs a user name and a password, got one or none of them")
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("a client certificate needs both its certificate file and its key file, got one of them")

    def servers(self) -> list[tuple[str, int]]:
        """The hosts and ports of ``bootstrap``.

        Raises:
            ValueError: one of them is not ``host:port``.
        """
        servers = []
        for server in self.bootstrap.split(","):
            host, _, port = server.strip().rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65536:
                raise ValueError(f"got the Kafka address {server.strip()!r}, expected host:port, as localhost:9092")
            servers.append((host, int(port)))
        return servers

    def client_options(self) -> dict[str, Any]:
        """The options that every aiokafka client takes.

        Raises:
            ValueError: an address is not ``host:port``, or a TLS file cannot be used.
        """
        options: dict[str, Any] = {
            "bootstrap_servers": [f"{host}:{port}" for host, port in self.servers()],
            "client_id": self.client_id,
            "request_timeout_ms": int(self.request_timeout_s * 1000),
            "security_protocol": self._security_protocol(),
        }
        if self.tls:
            options["ssl_context"] = self._tls_context()
        if self.sasl_mechanism is not None:
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.sasl_username
            options["sasl_plain_password"] = self.sasl_password
        return options

    def producer_options(self) -> dict[str, Any]:
        """Acknowledged by all, without duplicates of its own making."""
        return self.client_options() | {
            "acks": "all",
            "enable_idempotence": True,
            "max_batch_size": self.max_batch_bytes,
            "max_request_size": 1024 * 1024,
        }

    def consumer_options(self) -> dict[str, Any]:
        """From the earliest record, committed by hand."""
        return self.client_options() | {
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "fetch_max_wait_ms": self.fetch_max_wait_ms,
            "session_timeout_ms": int(self.session_timeout_s * 1000),
            "heartbeat_interval_ms": int(self.session_timeout_s * 1000 / 3),
        }

    def _tls_context(self) -> ssl.SSLContext:
        named = [file for file in (self.tls_ca_file, self.tls_cert_file, self.tls_key_file) if file is not None]
        try:
            context = ssl.create_default_context(cafile=self.tls_ca_file)
            if self.tls_cert_file is not None:
                context.load_cert_chain(self.tls_cert_file, self.tls_key_file)
        except OSError as error:
            raise ValueError(f"TLS cannot be set up from {', '.join(named)}: {error}; expected PEM files") from error
        return context

    def _security_protocol(self) -> str:
        sasl = self.sasl_mechanism is not None
        if self.tls:
            return "SASL_SSL" if sasl else "SSL"
        return "SASL_PLAINTEXT" if sasl else "PLAINTEXT"
