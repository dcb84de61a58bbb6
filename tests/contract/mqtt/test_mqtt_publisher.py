"""What `UnitPublisher` keeps for its units, on every broker: presence, wills, republication, commands."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from evcharging.domain.states import MqttStatus
from evcharging.messages.commands import CommandOutcome
from evcharging.mqtt.address import MqttAddress
from evcharging.mqtt.backoff import Backoff
from evcharging.mqtt.commands import CommandAnswer
from evcharging.mqtt.discovery import HomeAssistant
from evcharging.mqtt.payloads import UnitAlarm, UnitCommand, UnitEvent, UnitState, UnitTelemetry
from evcharging.mqtt.publisher import OWN_CONNECTIONS, UnitPublisher
from evcharging.mqtt.topics import CommandTopic

if TYPE_CHECKING:
    from tests.contract.mqtt.conftest import BrokerProcess, Link, Wire

DEADLINE_S = 30.0
Start = Callable[..., subprocess.Popen[bytes]]

# Publishes for COUNT units of an engine until it is killed.
ENGINE_PROCESS = """
import asyncio, sys
from datetime import UTC, datetime
from evcharging.mqtt.address import MqttAddress
from evcharging.mqtt.publisher import UnitPublisher

async def main(port, engine_id, first_unit, count):
    address = MqttAddress("127.0.0.1", int(port))
    clock = lambda: datetime.now(UTC)
    async with UnitPublisher(address, engine_id=engine_id, clock=clock, expected_units=int(count)) as publisher:
        for number in range(int(count)):
            publisher.online(first_unit if number == 0 else f"{first_unit}.{number}")
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


def now() -> datetime:
    return datetime.now(UTC)


def publisher(address: MqttAddress, engine_id: str, **options: Any) -> UnitPublisher:
    options = {"backoff": Backoff(first_s=0.02, most_s=0.1), "random": random.Random(1), "clock": now, **options}
    return UnitPublisher(address, engine_id=engine_id, **options)


def telemetry(unit_id: str, seq: int = 1) -> UnitTelemetry:
    return UnitTelemetry(ts=now(), seq=seq, unit_id=unit_id, status=MqttStatus.CHARGING, power_kw=7.2)


async def connected(made: UnitPublisher) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await made.wait_connected()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_unit_announces_itself_and_reports_on_its_own_topics(
    broker: BrokerProcess, wire: Wire, unit_id: str, engine_id: str
) -> None:
    async with publisher(broker.address, engine_id) as units:
        units.online(unit_id, rating_kw=22.0)
        await connected(units)
        assert units.telemetry(telemetry(unit_id))
        assert units.event(UnitEvent(ts=now(), unit_id=unit_id, event="plugged"))
        assert units.alarm(UnitAlarm(ts=now(), unit_id=unit_id, kind="over_temperature"))
        assert units.state(UnitState(ts=now(), unit_id=unit_id, status=MqttStatus.CHARGING))
        topics = [f"evse/{unit_id}/{kind}" for kind in ("status", "telemetry", "event", "alarm", "state")]
        await wire.until(lambda: all(wire.of(topic) for topic in topics) and len(wire.of(topics[-1])) == 2)
        assert wire.of(f"evse/{unit_id}/status") == [b"online"]
        assert json.loads(wire.of(f"evse/{unit_id}/telemetry")[0])["power_kw"] == 7.2
        assert [json.loads(body)["status"] for body in wire.of(f"evse/{unit_id}/state")] == [None, "charging"]


async def test_status_and_state_are_retained_and_the_rest_is_not(
    broker: BrokerProcess, wire: Wire, new_wire: type[Wire], unit_id: str, engine_id: str
) -> None:
    async with publisher(broker.address, engine_id) as units:
        units.online(unit_id)
        await connected(units)
        units.telemetry(telemetry(unit_id))
        units.event(UnitEvent(ts=now(), unit_id=unit_id, event="plugged"))
        await wire.until(lambda: bool(wire.of(f"evse/{unit_id}/event")))
        async with new_wire().watching(broker, f"evse/{unit_id}/#") as late:
            await wire.publish(f"evse/{unit_id}/alarm", b"marker")
            await late.until(lambda: bool(late.of(f"evse/{unit_id}/alarm")))
            kept = {topic for (topic, _), retained in zip(late.messages, late.retained, strict=True) if retained}
            assert kept == {f"evse/{unit_id}/status", f"evse/{unit_id}/state"}


async def test_a_clean_stop_says_offline(broker: BrokerProcess, wire: Wire, unit_id: str, engine_id: str) -> None:
    async with publisher(broker.address, engine_id) as units:
        units.online(unit_id)
        await wire.until(lambda: wire.last(f"evse/{unit_id}/status") == b"online")
    await wire.until(lambda: wire.last(f"evse/{unit_id}/status") == b"offline")
    assert wire.of(f"evse/{unit_id}/status") == [b"online", b"offline"]


async def test_one_unit_goes_and_comes_back_and_the_others_stay(
    broker: BrokerProcess, wire: Wire, unit_id: str, other_unit_id: str, engine_id: str
) -> None:
    async with publisher(broker.address, engine_id) as units:
        units.online(unit_id)
        units.online(other_unit_id)
        await connected(units)
        async with asyncio.timeout(DEADLINE_S):
            await units.offline(unit_id)
        await wire.until(lambda: wire.last(f"evse/{unit_id}/status") == b"offline")
        assert not units.telemetry(telemetry(unit_id))
        assert units.telemetry(telemetry(other_unit_id))
        units.online(unit_id)
        await wire.until(lambda: wire.last(f"evse/{unit_id}/status") == b"online")
        assert wire.last(f"evse/{other_unit_id}/status") == b"online"


async def test_a_killed_process_leaves_the_will_of_each_of_its_units(
    broker: BrokerProcess, wire: Wire, new_wire: type[Wire], unit_id: str, engine_id: str, start_publishing: Start
) -> None:
    statuses = [f"evse/{name}/status" for name in (unit_id, f"{unit_id}.1", f"{unit_id}.2")]
    process = start_publishing(ENGINE_PROCESS, str(broker.port), engine_id, unit_id, "3")
    await wire.until(lambda: all(wire.last(topic) == b"online" for topic in statuses))
    process.send_signal(signal.SIGKILL)
    await wire.until(lambda: all(wire.last(topic) == b"offline" for topic in statuses))
    async with new_wire().watching(broker, f"evse/{unit_id}/status") as late:
        await late.until(lambda: late.last(f"evse/{unit_id}/status") == b"offline")
        assert late.retained[0]


async def test_a_dropped_socket_leaves_the_will_and_the_unit_comes_back(
    broker: BrokerProcess, link: Link, wire: Wire, unit_id: str, engine_id: str
) -> None:
    topic = f"evse/{unit_id}/status"
    async with publisher(link.address, engine_id) as units:
        units.online(unit_id)
        await wire.until(lambda: wire.last(topic) == b"online")
        link.refuse()
        await wire.until(lambda: wire.last(topic) == b"offline")
        link.accept()
        await wire.until(lambda: wire.last(topic) == b"online")


async def test_a_will_that_comes_late_does_not_stand(
    broker: BrokerProcess, wire: Wire, unit_id: str, engine_id: str
) -> None:
    topic = f"evse/{unit_id}/status"
    async with publisher(broker.address, engine_id) as units:
        units.online(unit_id)
        await connected(units)
        await wire.publish(topic, b"offline", retain=True)
        await wire.until(lambda: wire.of(topic)[-2:] == [b"offline", b"online"])


async def test_after_a_broker_kill_state_and_status_are_there_again_and_telemetry_of_the_outage_is_counted(
    own_broker: BrokerProcess, new_wire: type[Wire], unit_id: str, other_unit_id: str, engine_id: str
) -> None:
    own_broker.start()
    async with publisher(own_broker.address, engine_id) as units:
        for name in (unit_id, other_unit_id):
            units.online(name)
            units.state(UnitState(ts=now(), unit_id=name, status=MqttStatus.CHARGING, session_id=f"s-{name}"))
        await connected(units)
        own_broker.kill()
        await until(lambda: not units.health().connected)
        dropped_before = units.health().dropped_qos0
        await until(lambda: not units.telemetry(telemetry(unit_id)))
        assert not units.telemetry(telemetry(unit_id))
        assert units.health().dropped_qos0 == dropped_before + 2
        own_broker.start()
        await connected(units)
        async with new_wire().watching(own_broker) as late:
            for name in (unit_id, other_unit_id):
                await late.until(lambda name=name: late.last(f"evse/{name}/status") == b"online")  # type: ignore[misc]
                await late.until(lambda name=name: bool(late.of(f"evse/{name}/state")))  # type: ignore[misc]
                assert json.loads(late.of(f"evse/{name}/state")[0])["session_id"] == f"s-{name}"
            assert late.of(f"evse/{unit_id}/telemetry") == []
            assert units.telemetry(telemetry(unit_id, seq=9))
            await late.until(lambda: bool(late.of(f"evse/{unit_id}/telemetry")))


async def test_over_200_units_share_one_connection_with_one_will(
    broker: BrokerProcess, wire: Wire, unit_id: str, engine_id: str, start_publishing: Start
) -> None:
    count = OWN_CONNECTIONS + 1
    engine_status = f"evse/_engine/{engine_id}/status"
    process = start_publishing(ENGINE_PROCESS, str(broker.port), engine_id, unit_id, str(count))
    last = f"evse/{unit_id}.{count - 1}"
    await wire.until(lambda: wire.last(f"{last}/status") == b"online" and bool(wire.of(f"{last}/state")))
    assert wire.last(engine_status) == b"online"
    assert json.loads(wire.of(f"{last}/state")[0])["engine_id"] == engine_id
    process.send_signal(signal.SIGKILL)
    await wire.until(lambda: wire.last(engine_status) == b"offline")
    assert wire.last(f"{last}/status") == b"online"


async def test_a_clean_stop_of_many_units_says_offline_for_the_engine_and_for_each(
    broker: BrokerProcess, wire: Wire, unit_id: str, engine_id: str
) -> None:
    names = [f"{unit_id}.{number}" for number in range(OWN_CONNECTIONS + 50)]
    async with publisher(broker.address, engine_id, expected_units=len(names)) as units:
        for name in names:
            units.online(name)
        assert units.health().connections <= 1
        await wire.until(lambda: wire.last(f"evse/{names[-1]}/status") == b"online")
    await wire.until(lambda: wire.last(f"evse/_engine/{engine_id}/status") == b"offline")
    await wire.until(lambda: all(wire.last(f"evse/{name}/status") == b"offline" for name in names))


async def test_200_units_have_200_connections(broker: BrokerProcess, wire: Wire, unit_id: str, engine_id: str) -> None:
    names = [f"{unit_id}.{number}" for number in range(OWN_CONNECTIONS)]
    async with publisher(broker.address, engine_id, expected_units=len(names)) as units:
        for name in names:
            units.online(name)
        await connected(units)
        assert units.health().connections == OWN_CONNECTIONS
        await wire.until(lambda: all(wire.last(f"evse/{name}/status") == b"online" for name in names))
    await wire.until(lambda: all(wire.last(f"evse/{name}/status") == b"offline" for name in names))


async def test_units_that_nobody_expected_share_a_connection_beyond_the_first_200(engine_id: str) -> None:
    nowhere = MqttAddress("127.0.0.1", 1)
    async with publisher(nowhere, engine_id) as units:
        for number in range(OWN_CONNECTIONS + 5):
            units.online(f"U-{number}")
        assert len(units._links()) == OWN_CONNECTIONS + 1


class Commanded:
    """A publisher whose commands are seen, and answered as told."""

    def __init__(self, address: MqttAddress, engine_id: str, expected_units: int) -> None:
        self.seen: list[tuple[CommandTopic, UnitCommand]] = []
        self.publisher = publisher(
            address, engine_id, expected_units=expected_units, on_command=self.carry_out, discovery=None
        )

    async def carry_out(self, topic: CommandTopic, command: UnitCommand) -> CommandAnswer:
        self.seen.append((topic, command))
        if topic.verb == "start":
            return CommandAnswer(CommandOutcome.REJECTED, error_code="busy", error_description="a session is running")
        return CommandAnswer(payload={"done": True})


@pytest.fixture(params=[1, OWN_CONNECTIONS + 1], ids=["own connection", "shared connection"])
async def commanded(
    request: pytest.FixtureRequest, broker: BrokerProcess, unit_id: str, engine_id: str
) -> AsyncIterator[Commanded]:
    made = Commanded(broker.address, engine_id, request.param)
    async with made.publisher as units:
        units.online(unit_id)
        await connected(units)
        yield made


async def acks(wire: Wire, unit_id: str, verb: str, count: int) -> list[dict[str, Any]]:
    topic = f"evse/{unit_id}/cmd/{verb}/ack"
    await wire.until(lambda: len(wire.of(topic)) >= count)
    return [json.loads(body) for body in wire.of(topic)]


async def test_a_command_is_carried_out_and_acknowledged(commanded: Commanded, wire: Wire, unit_id: str) -> None:
    body = json.dumps(
        {"command_id": "c-1", "payload": {"amps": 10}, "expires_at": (now() + timedelta(minutes=1)).isoformat()}
    )
    await wire.publish(f"evse/{unit_id}/cmd/limit", body.encode())
    (ack,) = await acks(wire, unit_id, "limit", 1)
    assert (ack["command_id"], ack["outcome"], ack["payload"]) == ("c-1", "ACCEPTED", {"done": True})
    assert [(topic.unit_id, topic.verb, command.payload) for topic, command in commanded.seen] == [
        (unit_id, "limit", {"amps": 10})
    ]


async def test_a_refusal_says_why(commanded: Commanded, wire: Wire, unit_id: str) -> None:
    await wire.publish(f"evse/{unit_id}/cmd/start", b"")
    (ack,) = await acks(wire, unit_id, "start", 1)
    assert (ack["outcome"], ack["error_code"]) == ("REJECTED", "busy")


async def test_expired_repeated_retained_and_malformed_commands_are_not_carried_out(
    commanded: Commanded, wire: Wire, unit_id: str
) -> None:
    await wire.publish(f"evse/{unit_id}/cmd/resume", b"", retain=True)
    await wire.publish(f"evse/{unit_id}/cmd/stop", b'{"command_id": "old", "expires_at": "2020-01-01T00:00:00Z"}')
    await wire.publish(f"evse/{unit_id}/cmd/stop", b'{"command_id": "c-1"}')
    await wire.publish(f"evse/{unit_id}/cmd/stop", b'{"command_id": "c-1"}')
    await wire.publish(f"evse/{unit_id}/cmd/stop", b"not json")
    answers = await acks(wire, unit_id, "stop", 4)
    assert [(answer["command_id"], answer["outcome"]) for answer in answers] == [
        ("old", "EXPIRED"),
        ("c-1", "ACCEPTED"),
        ("c-1", "ACCEPTED"),
        (None, "REJECTED"),
    ]
    assert [command.command_id for _, command in commanded.seen if command.command_id] == ["c-1"]
    counts = commanded.publisher.command_counts
    assert (counts.expired, counts.repeated, counts.malformed) == (1, 1, 1)


async def test_a_retained_command_is_not_carried_out_when_the_unit_connects(
    broker: BrokerProcess, wire: Wire, unit_id: str, engine_id: str
) -> None:
    await wire.publish(f"evse/{unit_id}/cmd/stop", b'{"command_id": "kept"}', retain=True)
    made = Commanded(broker.address, engine_id, 1)
    async with made.publisher as units:
        units.online(unit_id)
        await connected(units)
        await wire.publish(f"evse/{unit_id}/cmd/resume", b'{"command_id": "new"}')
        await acks(wire, unit_id, "resume", 1)
        assert [command.command_id for _, command in made.seen] == ["new"]
    await wire.publish(f"evse/{unit_id}/cmd/stop", b"", retain=True)


async def test_a_command_for_a_unit_of_somebody_else_is_left_to_them(
    commanded: Commanded, wire: Wire, unit_id: str, other_unit_id: str
) -> None:
    await wire.publish(f"evse/{other_unit_id}/cmd/stop", b'{"command_id": "theirs"}')
    await wire.publish(f"evse/{unit_id}/cmd/stop", b'{"command_id": "ours"}')
    await acks(wire, unit_id, "stop", 1)
    assert [command.command_id for _, command in commanded.seen] == ["ours"]
    assert wire.of(f"evse/{other_unit_id}/cmd/stop/ack") == []


async def test_home_assistant_finds_the_units_sensors_retained(
    broker: BrokerProcess, wire: Wire, new_wire: type[Wire], unit_id: str, engine_id: str
) -> None:
    async with publisher(broker.address, engine_id, discovery=HomeAssistant(currency="EUR")) as units:
        units.online(unit_id)
        await connected(units)
        topic = f"homeassistant/sensor/{unit_id}/power/config"
        await wire.until(lambda: bool(wire.of(topic)))
        async with new_wire().watching(broker, f"homeassistant/sensor/{unit_id}/#") as late:
            await late.until(lambda: len({name for name, _ in late.messages}) == 10)
            assert all(late.retained)
        assert json.loads(wire.of(topic)[0])["state_topic"] == f"evse/{unit_id}/telemetry"


async def test_home_assistant_is_told_that_a_unit_on_a_shared_connection_is_there_only_with_its_engine(
    broker: BrokerProcess, wire: Wire, unit_id: str, engine_id: str
) -> None:
    many = OWN_CONNECTIONS + 1
    async with publisher(broker.address, engine_id, expected_units=many, discovery=HomeAssistant()) as units:
        units.online(unit_id)
        topic = f"homeassistant/sensor/{unit_id}/power/config"
        await wire.until(lambda: bool(wire.of(topic)))
    told = [available["topic"] for available in json.loads(wire.of(topic)[0])["availability"]]
    assert told == [f"evse/{unit_id}/status", f"evse/_engine/{engine_id}/status"]


async def test_without_a_broker_nothing_blocks_and_stopping_is_quick(unit_id: str, engine_id: str) -> None:
    units = publisher(MqttAddress("127.0.0.1", 1), engine_id)
    units.online(unit_id)
    assert not units.telemetry(telemetry(unit_id))
    assert units.state(UnitState(ts=now(), unit_id=unit_id))
    assert units.event(UnitEvent(ts=now(), unit_id=unit_id, event="plugged"))
    await until(lambda: units.health().detail not in (None, "connecting"))
    async with asyncio.timeout(DEADLINE_S):
        await units.stop()
        await units.stop()
    units.online(unit_id)
    assert units.units == frozenset()
