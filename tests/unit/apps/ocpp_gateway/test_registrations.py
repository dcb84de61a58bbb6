"""Registrations as Central publishes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from evcharging.apps.ocpp_gateway.registrations import CHANGED, OF_AN_ENGINE, WITHDRAWN, Registrations
from evcharging.apps.ocpp_gateway.stations import StationRegistry
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import MemoryLog
from evcharging.messages.envelope import Event
from evcharging.messages.network import OcppConfig
from evcharging.messages.topics import OCPP_CONFIG

NOW = datetime(2026, 1, 31, tzinfo=UTC)
DEADLINE_S = 30


class Reading:
    def __init__(self, bus: MemoryBus, *, open_registration: bool) -> None:
        self.bus = bus
        self.dropped: list[tuple[str, str]] = []
        self.reconfigured: list[str] = []
        self.stations = StationRegistry(
            open_registration=open_registration, default=lambda cp_id: OcppConfig(ts=NOW, cp_id=cp_id)
        )
        self.registrations = Registrations(
            bus,
            self.stations,
            drop=lambda cp_id, why: self.dropped.append((cp_id, why)),
            reconfigured=self.reconfigured.append,
        )

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.005)


async def say(bus: MemoryBus, cp_id: str = "CP-001", **fields: Any) -> None:
    message = OcppConfig(ts=NOW, cp_id=cp_id, **fields)
    await bus.publish(Event(OCPP_CONFIG, message, f"{cp_id}-{fields}", "central"))


@asynccontextmanager
async def reading(bus: MemoryBus, *, open_registration: bool = False) -> AsyncIterator[Reading]:
    made = Reading(bus, open_registration=open_registration)
    async with made.registrations:
        task = asyncio.create_task(made.registrations.run())
        await asyncio.wait_for(made.registrations.wait_caught_up(), DEADLINE_S)
        yield made
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_was_registered_before_is_known_once_it_has_caught_up() -> None:
    bus = MemoryBus(MemoryLog())
    await say(bus, security_profile=1)
    await say(bus, security_profile=2)
    async with reading(bus) as read:
        found = read.stations.find("CP-001")
        assert found is not None
        assert found.security_profile == 2
        assert read.registrations.progressing


async def test_a_withdrawn_registration_ends_the_stations_connection() -> None:
    bus = MemoryBus(MemoryLog())
    await say(bus)
    async with reading(bus) as read:
        read.dropped.clear()
        await say(bus, deleted=True)
        await read.until(lambda: read.dropped)
        assert read.dropped == [("CP-001", WITHDRAWN)]
        assert read.stations.find("CP-001") is None


async def test_a_record_without_a_value_withdraws_too() -> None:
    bus = MemoryBus(MemoryLog())
    await say(bus)
    async with reading(bus) as read:
        read.dropped.clear()
        await bus.publish_raw(OCPP_CONFIG.name, b"CP-001", None, [])
        await read.until(lambda: read.dropped)
        assert read.stations.find("CP-001") is None


async def test_new_credentials_end_the_connection_and_other_changes_do_not() -> None:
    bus = MemoryBus(MemoryLog())
    await say(bus, security_profile=1, password_hash="one")
    async with reading(bus) as read:
        read.dropped.clear()
        await say(bus, security_profile=1, password_hash="one", boot_status="Pending")
        await say(bus, security_profile=1, password_hash="two")
        await read.until(lambda: read.dropped)
        assert read.dropped == [("CP-001", CHANGED)]


async def test_with_open_registration_a_withdrawal_ends_nothing() -> None:
    bus = MemoryBus(MemoryLog())
    await say(bus)
    async with reading(bus, open_registration=True) as read:
        read.dropped.clear()
        await say(bus, deleted=True)
        await read.until(lambda: read.stations.registered("CP-001") is None)
        assert read.dropped == []


async def test_a_station_whose_id_an_engine_takes_is_sent_away() -> None:
    bus = MemoryBus(MemoryLog())
    async with reading(bus, open_registration=True) as read:
        await say(bus, deleted=True, held_by_engine=True)
        await read.until(lambda: read.dropped)
        assert read.dropped == [("CP-001", OF_AN_ENGINE)]
        assert read.stations.held_by_engine("CP-001")


async def test_another_configuration_is_told_where_the_station_may_stay_connected() -> None:
    bus = MemoryBus(MemoryLog())
    await say(bus, configuration={"One": "1"})
    async with reading(bus) as read:
        assert read.reconfigured == []  # nobody was connected before it was registered
        await say(bus, configuration={"One": "1"}, boot_status="Pending")
        await say(bus, configuration={"One": "2"})
        await say(bus, configuration={"One": "3"}, security_profile=1, password_hash="one")
        await say(bus, security_profile=1, password_hash="one")
        await say(bus, configuration={}, security_profile=1, password_hash="one")
        await say(bus, deleted=True)
        await read.until(lambda: ("CP-001", WITHDRAWN) in read.dropped)
        assert read.reconfigured == ["CP-001", "CP-001"]  # another value, and no configuration any more


async def test_a_station_that_was_given_its_password_over_ocpp_stays_connected() -> None:
    bus = MemoryBus(MemoryLog())
    await say(bus, security_profile=1, password_hash="one")
    async with reading(bus) as read:
        read.dropped.clear()
        await say(bus, security_profile=1, password_hash="two", old_password_holds=True)
        await say(bus, security_profile=2, password_hash="three", old_password_holds=True)
        await read.until(lambda: read.dropped)
        found = read.stations.registered("CP-001")
        assert found is not None
        assert found.password_hash == "three"
        assert read.dropped == [("CP-001", CHANGED)]
