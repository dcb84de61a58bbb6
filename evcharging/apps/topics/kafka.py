"""Where the Kafka to look into is, and how to be let in: the options that `list` and `tail` have in common."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.up.addresses import DATA_DIR, Addresses
from evcharging.bus.kafka_settings import KafkaSettings

__all__ = ["SaslMechanism", "kafka_settings", "looks_into_kafka"]

DEFAULT_BOOTSTRAP = "127.0.0.1:9092"


class SaslMechanism(StrEnum):
    """Ways to log in to Kafka."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


def looks_into_kafka(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `kafka_settings`, and what these make to the command, as its argument ``kafka``."""
    own, options = (inspect.signature(each, eval_str=True).parameters for each in (command, kafka_settings))
    offered = [*(parameter for name, parameter in own.items() if name != "kafka"), *options.values()]

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        command(kafka=kafka_settings(**{name: given.pop(name) for name in options}), **given)

    # Typer offers what a function's signature and annotations say.
    with_options.__signature__ = inspect.Signature(offered)  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in offered}
    return with_options


def kafka_settings(
    *,
    kafka_bootstrap: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            envvar="TOPICS_KAFKA_BOOTSTRAP",
            help=f"Kafka to look into; unset: that of the run in --data-dir, else {DEFAULT_BOOTSTRAP}.",
        ),
    ] = None,
    kafka_tls: Annotated[
        bool, typer.Option(envvar="TOPICS_KAFKA_TLS", help="Encrypt the connection to Kafka.")
    ] = False,
    kafka_ca_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", envvar="TOPICS_KAFKA_CA_FILE", help="Certificates to trust, PEM; unset: the system's."
        ),
    ] = None,
    kafka_sasl: Annotated[
        SaslMechanism | None,
        typer.Option(envvar="TOPICS_KAFKA_SASL", help="How to log in to Kafka; unset: without a login."),
    ] = None,
    kafka_username: Annotated[
        str | None, typer.Option(metavar="NAME", envvar="TOPICS_KAFKA_USERNAME", help="User to log in to Kafka as.")
    ] = None,
    kafka_password: Annotated[
        str | None,
        typer.Option(
            metavar="PASSWORD", envvar="TOPICS_KAFKA_PASSWORD", help="Its password; better given as variable."
        ),
    ] = None,
    data_dir: Annotated[Path, typer.Option(metavar="DIR", help="Data directory of evcharging up.")] = DATA_DIR,
) -> KafkaSettings:
    """The settings of a client.

    Raises:
        UsageError: the options contradict each other, or a certificate cannot be read.
    """
    try:
        settings = KafkaSettings(
            kafka_bootstrap or _of_the_run_in(data_dir),
            client_id="evcharging-topics",
            tls=kafka_tls,
            tls_ca_file=str(kafka_ca_file) if kafka_ca_file is not None else None,
            sasl_mechanism=None if kafka_sasl is None else kafka_sasl.value,
            sasl_username=kafka_username,
            sasl_password=kafka_password,
        )
        settings.client_options()  # which reads the certificates
    except ValueError as error:
        raise UsageError(f"--kafka-bootstrap and its kin: {error}") from None
    return settings


def _of_the_run_in(data_dir: Path) -> str:
    running = Addresses.read(data_dir)
    return running.kafka if running is not None else DEFAULT_BOOTSTRAP
