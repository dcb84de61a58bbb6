"""Brokers to connect buses to, and waiting for what they bring."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from evcharging.apps.broker.apache import ApacheKafka
from evcharging.bus.create import create_bus
from evcharging.bus.kafka_settings import KafkaSettings
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import MemoryLog
from evcharging.bus.protocol import Bus, Record, Subscription

__all__ = ["Broker", "read", "until"]

_names = itertools.count(1)


@dataclass
class Broker:
    """Something buses can connect to, for one test."""

    kind: str
    bootstrap: str = ""
    node: ApacheKafka | None = None
    log: MemoryLog = field(default_factory=MemoryLog)
    buses: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def bus(self, *, started: bool = True, **settings: object) -> Bus:
        """A bus of its own on this broker, stopped at the end of the test."""
        bus: Bus
        if self.kind == "memory":
            bus = MemoryBus(self.log)
        else:
            bus = create_bus(self.bootstrap, settings=KafkaSettings(self.bootstrap, stop_timeout_s=2, **settings))  # type: ignore[arg-type]
        self.buses.push_async_callback(bus.stop)
        if started:
            await bus.start()
        return bus

    def topic(self) -> str:
        """A name that no other test uses."""
        return f"contract.{next(_names)}"

    def group(self) -> str:
        """A name that no other test uses."""
        return f"group-{next(_names)}"


async def read(subscription: Subscription, count: int, *, within_s: float = 30.0) -> list[Record]:
    """Take records until there are ``count`` of them; fails with what came when the time is up."""
    records: list[Record] = []
    try:
        async with asyncio.timeout(within_s):
            while len(records) < count:
                records += await subscription.getmany()
    except TimeoutError:
        pytest.fail(f"{len(records)} of {count} records came within {within_s} s; the last: {records[-1:]}")
    return records


async def until(condition: Callable[[], bool], *, within_s: float = 30.0) -> None:
    """Wait until ``condition`` holds."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)
