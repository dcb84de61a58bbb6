"""What an engine tells MQTT, and what it takes from there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from evcharging.apps.ev_cp_e.mqtt_feed import MqttFeed
from evcharging.domain.charger import ChargerState
from evcharging.domain.states import ChargePointState, MqttStatus
from evcharging.messages.commands import CommandAction, CommandOutcome
from evcharging.mqtt.payloads import UnitAlarm, UnitCommand, UnitEvent, UnitPayload, UnitState, UnitTelemetry
from evcharging.mqtt.topics import CommandTopic
from tests.support.charge_point import NOON
from tests.support.engine import UnitRig, new_cp_id


class Publications:
    """Takes what would go to a broker."""

    def __init__(self) -> None:
        self.units: list[str] = []
        self.payloads: list[UnitPayload] = []

    def online(self, unit_id: str, *, rating_kw: float | None = None) -> None:
        self.units.append(unit_id)

    def telemetry(self, payload: UnitTelemetry) -> bool:
        self.payloads.append(payload)
        return True

    def state(self, payload: UnitState) -> bool:
        self.payloads.append(payload)
        return True

    def event(self, payload: UnitEvent) -> bool:
        self.payloads.append(payload)
        return True

    def alarm(self, payload: UnitAlarm) -> bool:
        self.payloads.append(payload)
        return True


@pytest.fixture
async def rig() -> AsyncIterator[UnitRig]:
    async with UnitRig(new_cp_id()) as rig:
        yield rig


@pytest.fixture
def feed(rig: UnitRig) -> MqttFeed:
    return MqttFeed({rig.unit.cp_id: rig.unit}, rating_kw=22.0, now=lambda: NOON)


async def supplying(rig: UnitRig) -> None:
    rig.command(CommandAction.START_SUPPLY, session_id="session-1", driver_id="driver-alice")
    await rig.until(lambda: rig.unit.point.state is ChargePointState.SUPPLYING)


def fed(feed: MqttFeed, rig: UnitRig) -> Publications:
    publications = Publications()
    for event, _ in rig.published:
        feed.published(event, publications)
    return publications


def measured(feed: MqttFeed, *, solar_fraction: float = 0.0) -> UnitTelemetry:
    publications = Publications()
    feed.measure(publications, solar_fraction=solar_fraction)
    [payload] = publications.payloads
    assert isinstance(payload, UnitTelemetry)
    return payload


async def test_a_unit_is_online_when_its_state_was_announced(feed: MqttFeed, rig: UnitRig):
    publications = fed(feed, rig)
    assert publications.units == [rig.unit.cp_id]
    [state] = publications.payloads
    assert isinstance(state, UnitState)
    assert (state.status, state.reason, state.rating_kw) == (MqttStatus.AVAILABLE, "boot", 22.0)


async def test_a_session_is_an_event_at_both_ends(feed: MqttFeed, rig: UnitRig):
    await supplying(rig)
    rig.unit.end_session("operator_stop")
    await rig.until(lambda: rig.unit.point.state is ChargePointState.ACTIVATED)
    events = [payload for payload in fed(feed, rig).payloads if isinstance(payload, UnitEvent)]
    assert [(event.event, event.session_id) for event in events] == [
        ("session_started", "session-1"),
        ("session_ended", "session-1"),
    ]
    assert events[-1].detail == {"reason": "operator_stop"}


async def test_a_fault_is_an_alarm_until_it_is_over(feed: MqttFeed, rig: UnitRig):
    rig.command(CommandAction.INJECT, payload={"kind": "fault"})
    await rig.until(lambda: rig.unit.point.state is ChargePointState.FAULT)
    rig.command(CommandAction.INJECT, payload={"kind": "clear"})
    await rig.until(lambda: rig.unit.point.state is ChargePointState.ACTIVATED)
    alarms = [payload for payload in fed(feed, rig).payloads if isinstance(payload, UnitAlarm)]
    assert [(alarm.kind, alarm.severity, alarm.active) for alarm in alarms] == [
        ("ground_fault", "critical", True),
        ("ground_fault", "critical", False),
    ]


async def test_telemetry_is_what_flows_and_what_it_comes_to(feed: MqttFeed, rig: UnitRig):
    await supplying(rig)
    await rig.until(lambda: rig.unit.point.session is not None and rig.unit.point.session.last_seq > 0)
    payload = measured(feed, solar_fraction=0.25)
    assert (payload.status, payload.session_id) == (MqttStatus.CHARGING, "session-1")
    assert payload.power_kw == pytest.approx(22.0, abs=0.1)
    assert payload.solar_kw == pytest.approx(5.5, abs=0.1)
    assert payload.energy_kwh > 0.0
    assert (payload.cost, payload.currency) == (pytest.approx(payload.energy_kwh * 0.3, abs=1e-4), "EUR")


async def test_telemetry_is_numbered(feed: MqttFeed):
    assert [measured(feed).seq for _ in range(3)] == [1, 2, 3]


async def test_a_charge_point_in_service_says_more_than_the_bus_does(feed: MqttFeed, rig: UnitRig):
    assert measured(feed).status is MqttStatus.AVAILABLE
    rig.command(CommandAction.INJECT, payload={"kind": "plug"})
    await rig.until(lambda: rig.unit.link.readings.state is ChargerState.PLUGGED)
    assert measured(feed).status is MqttStatus.PREPARING
    await supplying(rig)
    rig.unit.end_session("operator_stop")
    await rig.until(lambda: rig.unit.point.state is ChargePointState.ACTIVATED)
    assert measured(feed).status is MqttStatus.FINISHING


async def test_a_unit_that_has_gone_measures_nothing(feed: MqttFeed, rig: UnitRig):
    rig.unit.leave()
    publications = Publications()
    feed.measure(publications, solar_fraction=0.0)
    assert publications.payloads == []


def a_command(rig: UnitRig, **payload: object) -> UnitCommand:
    return UnitCommand.model_validate({"ts": NOON, "unit_id": rig.unit.cp_id, "payload": payload})


async def test_hands_at_the_cable_work_over_mqtt(feed: MqttFeed, rig: UnitRig):
    command = a_command(rig, code="over_temperature")
    answer = await feed.carry_out(CommandTopic(rig.unit.cp_id, "fault"), command)
    assert answer.outcome is CommandOutcome.ACCEPTED
    await rig.until(lambda: rig.unit.point.fault_reason == "over_temperature")


async def test_a_session_is_stopped_over_mqtt_where_there_is_one(feed: MqttFeed, rig: UnitRig):
    topic = CommandTopic(rig.unit.cp_id, "stop")
    assert (await feed.carry_out(topic, a_command(rig))).error_code == "no_session"
    await supplying(rig)
    assert (await feed.carry_out(topic, a_command(rig))).outcome is CommandOutcome.ACCEPTED
    await rig.until(lambda: rig.unit.point.state is ChargePointState.ACTIVATED)


@pytest.mark.parametrize("verb", ["start", "reboot"])
async def test_nobody_starts_a_session_over_mqtt(feed: MqttFeed, rig: UnitRig, verb: str):
    answer = await feed.carry_out(CommandTopic(rig.unit.cp_id, verb), a_command(rig))
    assert (answer.outcome, answer.error_code) == (CommandOutcome.REJECTED, "not_supported")
    assert rig.node.model.state is ChargerState.AVAILABLE


async def test_another_engines_unit_is_refused(feed: MqttFeed, rig: UnitRig):
    answer = await feed.carry_out(CommandTopic("CP-999", "stop"), a_command(rig))
    assert answer.error_code == "unknown_unit"
