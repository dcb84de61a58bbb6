"""Where the Kafka to look into is, and how to be let in: the options that `list` and `tail` have in common."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from evcharging.apps.runtime.errors import UsageError
from evcharging.bus.kafka_settings import KafkaSettings

__all__ = [
    "DEFAULT_BOOTSTRAP",
    "Bootstrap",
    "CaFile",
    "Password",
    "Sasl",
    "SaslMechanism",
    "Tls",
    "Username",
    "kafka_settings",
]

DEFAULT_BOOTSTRAP = "127.0.0.1:9092"


class SaslMechanism(StrEnum):
    """Ways to log in to Kafka."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


Bootstrap = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        envvar="TOPICS_KAFKA_BOOTSTRAP",
        help=f"Kafka to look into; unset: that of the run in --data-dir, else {DEFAULT_BOOTSTRAP}.",
    ),
]
Tls = Annotated[bool, typer.Option(envvar="TOPICS_KAFKA_TLS", help="Encrypt the connection to Kafka.")]
CaFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", envvar="TOPICS_KAFKA_CA_FILE", help="Certificates to trust, PEM; unset: the system's."
    ),
]
Sasl = Annotated[
    SaslMechanism | None,
    typer.Option(envvar="TOPICS_KAFKA_SASL", help="How to log in to Kafka; unset: without a login."),
]
Username = Annotated[
    str | None, typer.Option(metavar="NAME", envvar="TOPICS_KAFKA_USERNAME", help="User to log in to Kafka as.")
]
Password = Annotated[
    str | None,
    typer.Option(metavar="PASSWORD", envvar="TOPICS_KAFKA_PASSWORD", help="Its password; better given as variable."),
]


def kafka_settings(
    bootstrap: str,
    *,
    tls: bool,
    ca_file: Path | None,
    sasl: SaslMechanism | None,
    username: str | None,
    password: str | None,
    request_timeout_s: float = 15.0,
) -> KafkaSettings:
    """The settings of a client.

    Raises:
        UsageError: the options contradict each other, or a certificate cannot be read.
    """
    try:
        settings = KafkaSettings(
            bootstrap,
            client_id="evcharging-topics",
            request_timeout_s=request_timeout_s,
            tls=tls,
            tls_ca_file=str(ca_file) if ca_file is not None else None,
            sasl_mechanism=None if sasl is None else sasl.value,
            sasl_username=username,
            sasl_password=password,
        )
        settings.client_options()  # which reads the certificates
    except ValueError as error:
        raise UsageError(f"--kafka-bootstrap and its kin: {error}") from None
    return settings
