"""What is asked of the cluster itself: who it is, why it cannot be reached, that topics exist.

Topics have equal partition counts, and compaction where they ask for it.
Apache Kafka is asked to create them. The embedded broker has no such call: it makes a topic with four partitions when
somebody asks for its metadata, which the producer does at first use.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError, NoError, TopicAlreadyExistsError, for_code

from evcharging.bus.checks import COMPACTED
from evcharging.bus.kafka_settings import KafkaSettings

__all__ = ["Cluster", "create_topics", "describe_cluster", "quiet_library_logs", "why_unreachable"]

log = structlog.get_logger(__name__)

MOST_COPIES = 3


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster: another id is another log, even at the same address."""

    id: str
    addresses: frozenset[tuple[str, int]]


async def create_topics(settings: KafkaSettings, names: Iterable[str]) -> None:
    """Create those of ``names`` that are missing, where the broker can.

    Raises:
        KafkaError: the broker is away, or refused for another reason than that the topic is there.
    """
    admin = AIOKafkaAdminClient(**settings.client_options())
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
        if _is_embedded(cluster):
            return
        there = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
        wanted = list(names)
        for name in wanted:
            if there.get(name, settings.partitions) != settings.partitions:
                log.warning(
                    "a topic has another partition count than the setting; keys of different topics will not meet",
                    topic=name,
                    partitions=there[name],
                    setting=settings.partitions,
                )
        copies = settings.replication_factor or min(len(cluster["brokers"]), MOST_COPIES)
        missing = [_new_topic(name, settings.partitions, copies) for name in wanted if name not in there]
        if missing:
            _check(await admin.create_topics(missing))
    finally:
        await admin.close()


async def describe_cluster(settings: KafkaSettings) -> Cluster:
    """Who answers at the bootstrap address at the moment.

    Raises:
        KafkaError: nobody does.
    """
    quiet_library_logs()
    admin = AIOKafkaAdminClient(**settings.client_options())
    try:
        await admin.start()
        described = await admin.describe_cluster()
    finally:
        await admin.close()
    addresses = frozenset((str(broker["host"]), int(broker["port"])) for broker in described["brokers"])
    # The embedded broker makes its id from a place in memory, which its successor may have been given again.
    place = str(sorted(addresses)) if _is_embedded(described) else ""
    return Cluster(f"{described['cluster_id']}{place}", addresses)


async def why_unreachable(settings: KafkaSettings) -> str | None:
    """What stands in the way of a connection; aiokafka tries all addresses and keeps the reasons to itself.

    Returns:
        The first address's error (nobody listens, its certificate is not trusted, the password is wrong), if any.
    """
    options = settings.client_options()
    del options["bootstrap_servers"]
    host, port = settings.servers()[0]
    try:
        async with asyncio.timeout(settings.request_timeout_s):
            connection = await create_conn(host.strip("[]"), port, **options)
    except TimeoutError:
        return f"no answer within {settings.request_timeout_s:g} s"
    except (KafkaError, ssl.SSLError, socket.gaierror) as error:
        return str(error)
    except OSError as error:
        return os.strerror(error.errno) if error.errno else str(error)
    await connection.close()
    return None


def quiet_library_logs() -> None:
    """Keep aiokafka from logging several errors a second while a broker is away; what matters is logged here.

    Whoever has asked for more than its errors still gets all of it.
    """
    library = logging.getLogger("aiokafka")
    if library.level == logging.NOTSET or library.level >= logging.ERROR:
        library.setLevel(logging.CRITICAL)


def _is_embedded(described: Mapping[str, Any]) -> bool:
    """The embedded broker names a controller that is none of its brokers; Apache Kafka never does."""
    return described["controller_id"] not in {broker["node_id"] for broker in described["brokers"]}


def _new_topic(name: str, partitions: int, copies: int) -> NewTopic:
    configs = {"cleanup.policy": "compact"} if name in COMPACTED else {}
    return NewTopic(name, partitions, copies, topic_configs=configs)


def _check(response: Any) -> None:
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        if error not in (NoError, TopicAlreadyExistsError):
            raise KafkaError(f"topic {name} could not be created: {error.__name__} {message[0] if message else ''}")
