from __future__ import annotations

import pytest

from evcharging.bus.embedded import EmbeddedKafka
from evcharging.bus.kafka_cluster import describe_cluster
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.protocol import BusUnavailable


async def test_each_broker_has_an_address_and_an_identity_of_its_own() -> None:
    async with EmbeddedKafka() as one, EmbeddedKafka() as other:
        assert one.bootstrap != other.bootstrap
        clusters = [await describe_cluster(KafkaSettings(broker.bootstrap)) for broker in (one, other)]
        assert clusters[0].id != clusters[1].id
        assert clusters[0].addresses == {one.address}


async def test_a_broker_that_was_not_started_has_no_address() -> None:
    broker = EmbeddedKafka()
    with pytest.raises(BusUnavailable, match="call start"):
        _ = broker.bootstrap
    await broker.stop()


async def test_a_stopped_broker_answers_nobody() -> None:
    async with EmbeddedKafka() as broker:
        settings = KafkaSettings(broker.bootstrap)
    with pytest.raises(Exception, match="Unable to bootstrap"):
        await describe_cluster(settings)
