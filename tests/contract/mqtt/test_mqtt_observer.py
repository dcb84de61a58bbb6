"""What Central sees through `UnitObserver`, on every broker."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from evcharging.domain.states import MqttStatus
from evcharging.mqtt.backoff import Backoff
from evcharging.mqtt.client import AioMqttClient
from evcharging.mqtt.observer import Observed, UnitObserver, UnitReport
from evcharging.mqtt.payloads import UnitTelemetry
from evcharging.mqtt.presence import PresenceReason, UnitPresence
from evcharging.mqtt.protocol import MqttMessage
from evcharging.mqtt.publisher import OWN_CONNECTIONS, UnitPublisher

if TYPE_CHECKING:
    from tests.contract.mqtt.conftest import BrokerProcess, Wire

DEADLINE_S = 30.0
QUICK = Backoff(first_s=0.02, most_s=0.1)

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
            publisher.online(f"{first_unit}.{number}")
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


def now() -> datetime:
    return datetime.now(UTC)


class Central:
    """Reads an observer and keeps what it saw."""

    def __init__(self, broker: BrokerProcess, name: str, **options: float) -> None:
        self.client = AioMqttClient(broker.address, client_id=name, backoff=QUICK, random=random.Random(1))
        self.observer = UnitObserver(self.client, clock=now, **options)  # type: ignore[arg-type]
        self.seen: list[Observed] = []
        self._fresh = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Central:  # noqa: PYI034
        self.client.start()
        self._reading = asyncio.create_task(self._read())
        await asyncio.sleep(0)
        async with asyncio.timeout(DEADLINE_S):
            await self.client.wait_connected()
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._reading is not None
        await self.client.stop()
        async with asyncio.timeout(DEADLINE_S):
            await self._reading

    async def _read(self) -> None:
        async for observed in self.observer:
            self.seen.append(observed)
            self._fresh.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._fresh.clear()
                await self._fresh.wait()

    def reports(self, unit_id: str) -> list[UnitReport]:
        return [seen for seen in self.seen if isinstance(seen, UnitReport) and seen.unit_id == unit_id]

    def presence(self, unit_id: str) -> list[tuple[bool, PresenceReason]]:
        return [
            (seen.online, seen.reason)
            for seen in self.seen
            if isinstance(seen, UnitPresence) and seen.unit_id == unit_id
        ]


@pytest.fixture
async def central(broker: BrokerProcess, unit_id: str) -> AsyncIterator[Central]:
    """A Central on the shared broker."""
    async with Central(broker, f"central-{unit_id}") as made:
        yield made


def publisher(broker: BrokerProcess, engine_id: str, *, expected_units: int = 1) -> UnitPublisher:
    return UnitPublisher(
        broker.address,
        engine_id=engine_id,
        clock=now,
        expected_units=expected_units,
        backoff=QUICK,
        random=random.Random(1),
    )


def telemetry(unit_id: str, seq: int) -> UnitTelemetry:
    return UnitTelemetry(
        ts=now(), seq=seq, unit_id=unit_id, status=MqttStatus.CHARGING, session_id="s-1", power_kw=7.2, soc=0.4
    )


async def test_telemetry_and_presence_of_a_unit_are_seen(
    central: Central, broker: BrokerProcess, unit_id: str, engine_id: str
) -> None:
    async with publisher(broker, engine_id) as units:
        units.online(unit_id)
        await units.wait_connected()
        sent = [telemetry(unit_id, seq) for seq in range(1, 51)]
        for payload in sent:
            assert units.telemetry(payload)
        await central.until(lambda: len(central.reports(unit_id)) == 50)
        assert [report.telemetry.seq for report in central.reports(unit_id)] == list(range(1, 51))
        assert not any(report.retained for report in central.reports(unit_id))
    await central.until(lambda: len(central.presence(unit_id)) == 2)
    assert central.presence(unit_id) == [(True, PresenceReason.STATUS), (False, PresenceReason.STATUS)]


async def test_a_unit_of_another_make_is_seen_by_its_topic(central: Central, wire: Wire, unit_id: str) -> None:
    body = {"power_kw": 7, "soc": 42, "status": "Charging", "timestamp": 1_777_636_800.5, "vendor": "x"}
    await wire.publish(f"evse/{unit_id}/telemetry", json.dumps(body).encode(), qos=0)
    await central.until(lambda: bool(central.reports(unit_id)))
    seen = central.reports(unit_id)[0].telemetry
    assert (seen.unit_id, seen.power_kw, seen.soc, seen.status) == (unit_id, 7.0, 0.42, MqttStatus.CHARGING)
    assert central.presence(unit_id) == []


async def test_bad_payloads_and_topics_cost_only_themselves(central: Central, wire: Wire, unit_id: str) -> None:
    topic = f"evse/{unit_id}/telemetry"
    await wire.publish(topic, b'{"status": "available"}')
    await central.until(lambda: bool(central.reports(unit_id)))
    with capture_logs() as told:  # by topic, since what other tests left retained is read, and counted, meanwhile
        await publish_badly(wire, unit_id)
        await wire.publish(topic, b'{"status": "charging"}')
        await central.until(lambda: len(central.reports(unit_id)) == 2)
    ignored = [line for line in told if str(line.get("topic", "")).startswith(f"evse/{unit_id}/")]
    assert len(ignored) == 8
    assert central.observer.counts.bad_payloads >= 8
    assert central.observer.counts.bad_topics == 1
    assert central.presence(unit_id) == []


async def publish_badly(wire: Wire, unit_id: str) -> None:
    topic = f"evse/{unit_id}/telemetry"
    for bad in (b"", b"{", b"\xff\xfe", b"[]", b'{"status": "asleep"}', b'{"status": "charging", "unit_id": "X"}'):
        await wire.publish(topic, bad)
    await wire.publish(f"evse/{unit_id}/status", b"perhaps")
    await wire.publish(f"evse/{unit_id}/state", b'{"engine_id": 7}')
    await wire.publish("evse/no spaces/telemetry", b'{"status": "charging"}')


async def test_a_repeated_telemetry_message_is_seen_once(central: Central, wire: Wire, unit_id: str) -> None:
    first, second = (telemetry(unit_id, seq).to_json() for seq in (1, 2))
    for body in (first, first, second):
        await wire.publish(f"evse/{unit_id}/telemetry", body)
    await central.until(lambda: len(central.reports(unit_id)) == 2)
    assert [report.telemetry.seq for report in central.reports(unit_id)] == [1, 2]
    assert central.observer.counts.repeated == 1


async def test_a_late_central_learns_who_is_there_once_each(
    central: Central, broker: BrokerProcess, unit_id: str, other_unit_id: str, engine_id: str
) -> None:
    async with publisher(broker, engine_id) as units:
        units.online(unit_id)
        units.online(other_unit_id)
        await central.until(lambda: {unit_id, other_unit_id} <= central.observer.presence.online)
        async with Central(broker, f"late-{unit_id}") as late:
            await late.until(lambda: {unit_id, other_unit_id} <= late.observer.presence.online)
            assert late.presence(unit_id) == [(True, PresenceReason.STATUS)]
            assert late.presence(other_unit_id) == [(True, PresenceReason.STATUS)]


async def test_the_death_of_an_engine_with_many_units_takes_each_of_them_off_and_its_return_brings_them_back(
    central: Central,
    broker: BrokerProcess,
    unit_id: str,
    engine_id: str,
    start_publishing: Callable[..., subprocess.Popen[bytes]],
) -> None:
    names = {f"{unit_id}.{number}" for number in range(OWN_CONNECTIONS + 1)}
    arguments = (ENGINE_PROCESS, str(broker.port), engine_id, unit_id, str(len(names)))
    process = start_publishing(*arguments)
    await central.until(lambda: names <= central.observer.presence.online)
    await central.until(lambda: all(name in central.observer.presence for name in names))
    async with Central(broker, f"late-{unit_id}") as late:
        await late.until(lambda: names <= late.observer.presence.online)
        process.send_signal(signal.SIGKILL)
        for watching in (central, late):
            await watching.until(lambda watching=watching: not names & watching.observer.presence.online)  # type: ignore[misc]
            assert watching.presence(f"{unit_id}.0")[-1] == (False, PresenceReason.ENGINE)
    start_publishing(*arguments)
    await central.until(lambda: names <= central.observer.presence.online)


async def test_a_central_that_comes_after_the_death_of_an_engine_takes_none_of_its_units_for_present(
    central: Central,
    broker: BrokerProcess,
    wire: Wire,
    unit_id: str,
    engine_id: str,
    start_publishing: Callable[..., subprocess.Popen[bytes]],
) -> None:
    count = OWN_CONNECTIONS + 1
    process = start_publishing(ENGINE_PROCESS, str(broker.port), engine_id, unit_id, str(count))
    await central.until(lambda: f"{unit_id}.{count - 1}" in central.observer.presence.online)
    process.send_signal(signal.SIGKILL)
    await wire.until(lambda: wire.last(f"evse/_engine/{engine_id}/status") == b"offline")
    async with Central(broker, f"late-{unit_id}") as late:
        await wire.publish(f"evse/{unit_id}.marker/status", b"online")
        await late.until(lambda: f"{unit_id}.marker" in late.observer.presence.online)
        assert not [
            name for name in late.observer.presence.online if name != f"{unit_id}.marker" and name.startswith(unit_id)
        ]


async def test_after_a_broker_kill_units_that_return_stay_and_those_that_do_not_are_given_up(
    own_broker: BrokerProcess, unit_id: str, other_unit_id: str, engine_id: str
) -> None:
    own_broker.start()
    async with (
        Central(own_broker, "central", confirm_within_s=1.5) as central,
        publisher(own_broker, engine_id) as units,
    ):
        units.online(unit_id)
        async with publisher(own_broker, f"{engine_id}-2") as leaving:
            leaving.online(other_unit_id)
            await central.until(lambda: {unit_id, other_unit_id} <= central.observer.presence.online)
            own_broker.kill()
        own_broker.start()
        await central.until(lambda: len(central.presence(other_unit_id)) == 2)
        assert central.presence(other_unit_id)[-1] == (False, PresenceReason.NOT_CONFIRMED)
        assert central.presence(unit_id) == [(True, PresenceReason.STATUS)]


async def test_no_more_units_are_kept_in_mind_than_the_limit(broker: BrokerProcess) -> None:
    quiet = UnitObserver(AioMqttClient(broker.address, client_id="x"), clock=now, unit_limit=2)
    for number in range(4):
        quiet.read(MqttMessage(f"evse/U-{number}/status", b"online"))
    assert quiet.presence.online == {"U-0", "U-1"}
    assert quiet.counts.over_limit == 2
