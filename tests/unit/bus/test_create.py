from __future__ import annotations

import pytest

from evcharging.bus.create import create_bus
from evcharging.bus.kafka import KafkaBus
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import forget_log
from evcharging.bus.protocol import Position


async def test_buses_of_one_name_share_a_log_in_memory() -> None:
    one, same, other = (create_bus(f"memory://{name}") for name in ("shared", "shared", "other"))
    assert isinstance(one, MemoryBus)
    await one.publish_raw("cp.health", b"k", b"v", [])
    async with same.subscribe({"cp.health": Position.BEGINNING}) as subscription:
        assert len(await subscription.getmany()) == 1
    async with other.subscribe({"cp.health": Position.BEGINNING}) as subscription:
        assert not await subscription.getmany(timeout_s=0)
    forget_log("shared")
    async with create_bus("memory://shared").subscribe({"cp.health": Position.BEGINNING}) as subscription:
        assert not await subscription.getmany(timeout_s=0)


def test_any_other_address_is_kafkas() -> None:
    assert isinstance(create_bus("127.0.0.1:9092"), KafkaBus)
    assert isinstance(create_bus("a:1,b:2", client_id="central", settings=KafkaSettings("-", partitions=8)), KafkaBus)


@pytest.mark.parametrize("bootstrap", ["", "   ", "memory://", "localhost", "a:1,b"])
def test_an_address_without_a_place_is_refused(bootstrap: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        create_bus(bootstrap)
