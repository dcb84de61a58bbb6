from __future__ import annotations

import logging
import socket
from collections.abc import Iterator

import pytest

from evcharging.bus.embedded import EmbeddedKafka
from evcharging.bus.kafka_cluster import create_topics, quiet_library_logs, why_unreachable
from evcharging.bus.kafka_settings import KafkaSettings


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    logger = logging.getLogger("aiokafka")
    level = logger.level
    yield logger
    logger.setLevel(level)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (logging.NOTSET, logging.CRITICAL),
        (logging.ERROR, logging.CRITICAL),
        (logging.WARNING, logging.WARNING),
        (logging.DEBUG, logging.DEBUG),
    ],
)
def test_the_library_is_quiet_unless_somebody_asked_for_more(library: logging.Logger, before: int, after: int) -> None:
    library.setLevel(before)
    quiet_library_logs()
    assert library.level == after


async def test_a_port_where_nobody_listens_is_told_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert await why_unreachable(KafkaSettings(f"127.0.0.1:{port}")) == "Connection refused"


async def test_somebody_who_does_not_speak_kafka_is_told_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        settings = KafkaSettings(f"127.0.0.1:{port}", request_timeout_s=0.2)
        assert await why_unreachable(settings) == "no answer within 0.2 s"


async def test_nothing_stands_in_the_way_of_a_broker_that_answers() -> None:
    async with EmbeddedKafka() as broker:
        assert await why_unreachable(KafkaSettings(broker.bootstrap)) is None


async def test_a_broker_that_cannot_create_topics_is_left_alone() -> None:
    async with EmbeddedKafka() as broker:
        await create_topics(KafkaSettings(broker.bootstrap), ["cp.status", "cp.telemetry"])
