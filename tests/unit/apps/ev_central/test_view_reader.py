from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from evcharging.apps.ev_central.swarm_view import SwarmView
from evcharging.apps.ev_central.view import NetworkView
from evcharging.apps.ev_central.view_reader import LOGS_REACH_BACK, ViewReader
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import MemoryLog
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Alert, Health, Severity, Status, StatusSource
from evcharging.messages.envelope import Event
from evcharging.messages.network import SwarmDesired, SwarmLog, SwarmStatus
from evcharging.messages.topics import ALERTS, HEALTH, STATUS, SWARM_DESIRED, SWARM_LOG, SWARM_STATUS
from tests.support.central import a_moment

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Network:
    """A log, a view of it, and the reader between them."""

    def __init__(self) -> None:
        self.now = NOON
        self.log = MemoryLog()
        self.bus = MemoryBus(self.log, wall_clock=self.seconds)
        self.view = NetworkView()
        self.swarm = SwarmView({})

    def seconds(self) -> float:
        return self.now.timestamp()

    async def say(self, topic, message, event_id="e") -> None:
        await self.bus.publish(Event(topic, message, event_id, "test"))

    async def status(self, cp_id, state=ChargePointState.ACTIVATED) -> None:
        await self.say(STATUS, Status(ts=self.now, cp_id=cp_id, state=state, source=StatusSource.ENGINE))

    def reading(self) -> _Reading:
        return _Reading(ViewReader(self.bus, self.view, self.swarm, now=lambda: self.now))


class _Reading:
    def __init__(self, reader: ViewReader) -> None:
        self.reader = reader

    async def __aenter__(self) -> ViewReader:
        await self.reader.__aenter__()
        self.task = asyncio.create_task(self.reader.run())
        await asyncio.wait_for(self.reader.wait_caught_up(), 30)
        return self.reader

    async def __aexit__(self, *error: object) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        await self.reader.__aexit__(None, None, None)


async def until(condition) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await a_moment()


async def test_states_of_before_are_there_when_it_has_caught_up():
    network = Network()
    await network.status("CP-001", ChargePointState.STOPPED)
    async with network.reading() as reader:
        assert reader.caught_up()
        assert reader.health().progressing
        assert network.view.record("CP-001", NOON)["state"] is ChargePointState.STOPPED


async def test_what_follows_is_taken_in_as_it_comes():
    network = Network()
    async with network.reading():
        await network.status("CP-001")
        await until(lambda: "CP-001" in network.view)


async def test_health_of_before_is_not_asked_for_but_yesterdays_alert_is():
    network = Network()
    await network.say(HEALTH, Health(ts=NOON, cp_id="CP-001", healthy=True))
    alert = Alert(
        ts=NOON, alert_id="a-1", cp_id="CP-001", kind="oscillation", severity=Severity.WARNING, started_at=NOON
    )
    await network.say(ALERTS, alert)
    network.now += timedelta(hours=1)
    async with network.reading():
        assert [a.alert_id for a in network.view.alerts()] == ["a-1"]
        assert "CP-001" not in network.view


async def test_a_record_that_cannot_be_read_costs_only_itself():
    network = Network()
    await network.bus.publish_raw(STATUS.name, b"CP-001", b'{"state": "FLYING"}', [])
    await network.bus.publish_raw(STATUS.name, b"CP-001", b"\xff not JSON", [])
    await network.status("CP-001")
    async with network.reading():
        assert network.view.record("CP-001", NOON)["state"] is ChargePointState.ACTIVATED
        assert len(network.view) == 1


async def test_a_tombstone_takes_a_charge_point_out():
    network = Network()
    await network.status("CP-001")
    await network.status("CP-002")
    await network.bus.publish_raw(STATUS.name, b"CP-001", None, [])
    async with network.reading():
        assert [record["cp_id"] for record in network.view.records(NOON, limit=9)] == ["CP-002"]


async def test_nothing_is_committed_so_each_reader_sees_everything():
    network = Network()
    await network.status("CP-001")
    for _ in range(2):
        network.view = NetworkView()
        async with network.reading():
            assert "CP-001" in network.view


async def test_the_swarm_is_read_into_a_view_of_its_own():
    network = Network()
    await network.say(SWARM_DESIRED, SwarmDesired(ts=NOON, station_id="PY-SIM-0001", running=True, profile="idle"))
    await network.say(SWARM_STATUS, SwarmStatus(ts=NOON, station_id="PY-SIM-0001", state="charging", profile="idle"))
    await network.say(SWARM_LOG, SwarmLog(ts=NOON, station_id="PY-SIM-0001", line="[12:00:00] hello"))
    async with network.reading():
        assert network.swarm.record("PY-SIM-0001")["status"] == "online"
        assert network.swarm.lines("PY-SIM-0001") == ["[12:00:00] hello"]
        assert len(network.view) == 0


async def test_lines_of_long_ago_are_left_to_the_history():
    network = Network()
    await network.say(SWARM_LOG, SwarmLog(ts=NOON, station_id="PY-SIM-0001", line="long ago"))
    network.now += LOGS_REACH_BACK + timedelta(seconds=1)
    await network.say(SWARM_LOG, SwarmLog(ts=network.now, station_id="PY-SIM-0001", line="just now"))
    async with network.reading():
        assert network.swarm.lines("PY-SIM-0001") == ["just now"]
