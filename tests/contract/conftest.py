"""The buses that the contract is held against: memory, the embedded Kafka, and Apache Kafka (marker ``kafka``)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from evcharging.apps.broker.apache import ApacheKafka
from evcharging.apps.broker.jars import kafka_jars
from evcharging.bus.embedded import EmbeddedKafka
from tests.support.bus import Broker

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "kafka"


@pytest.fixture(scope="session")
def apache_kafka() -> Iterator[ApacheKafka]:
    """One node for the whole run. Where it cannot run, the tests that want it fail and say why."""
    node = ApacheKafka(kafka_jars(CACHE), properties={"log.cleaner.backoff.ms": "500"})
    # In a thread of its own: where this is asked for by an asynchronous fixture, a loop is already running.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, node.start()).result()
        yield node
        thread.submit(asyncio.run, node.__aexit__(None, None, None)).result()


ALL_BROKERS = ["memory", "embedded", pytest.param("apache", marks=pytest.mark.kafka)]
KAFKA_BROKERS = ["embedded", pytest.param("apache", marks=pytest.mark.kafka)]
REBALANCING_BROKERS = ["memory", pytest.param("apache", marks=pytest.mark.kafka)]


@pytest.fixture(params=ALL_BROKERS)
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    """Each kind of broker in turn."""
    async with _connected(request) as made:
        yield made


@pytest.fixture(params=KAFKA_BROKERS)
async def kafka_broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    """Those that speak Kafka's protocol."""
    async with _connected(request) as made:
        yield made


@pytest.fixture(params=REBALANCING_BROKERS)
async def rebalancing_broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    """Those that deal partitions out to several members within a moment; the embedded one takes its time."""
    async with _connected(request) as made:
        yield made


@pytest.fixture(params=[pytest.param("apache", marks=pytest.mark.kafka)])
async def apache_broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    """Apache Kafka, which can be killed and frozen."""
    async with _connected(request) as made:
        yield made


@contextlib.asynccontextmanager
async def _connected(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    broker = Broker(request.param)
    async with AsyncExitStack() as stack:
        if broker.kind == "embedded":
            broker.bootstrap = (await stack.enter_async_context(EmbeddedKafka())).bootstrap
        elif broker.kind == "apache":
            broker.node = request.getfixturevalue("apache_kafka")
            broker.bootstrap = broker.node.bootstrap
        await stack.enter_async_context(broker.buses)
        yield broker
