"""What the log tells of an engine's earlier lives."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from evcharging.apps.ev_cp_e.announcer import SESSIONS_REMEMBERED
from evcharging.apps.ev_cp_e.recovery import Memory, Past
from evcharging.domain.charger import ChargerState, FaultCode
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Status, StatusDetail, StatusSource
from evcharging.messages.commands import CommandAction
from evcharging.messages.envelope import Event, Received
from evcharging.messages.network import OcppConfig
from evcharging.messages.topics import OCPP_CONFIG, STATUS
from tests.support.charge_point import NOON, Bench, past_of


def of_central(state: ChargePointState, previous: ChargePointState, **fields: Any) -> Event[Status]:
    status = Status(
        ts=NOON, cp_id="CP-001", state=state, previous_state=previous, source=StatusSource.CENTRAL, **fields
    )
    return Event(STATUS, status, f"central-{state}", "central")


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.boot()
    return bench


def test_an_empty_log_knows_nothing():
    assert past_of([]) == Past()


def test_others_are_passed_over(bench: Bench):
    assert past_of(bench.events, "CP-002") == Past()


def test_a_session_without_an_end_is_open_where_its_last_interval_ended(bench: Bench):
    bench.start(kwh=5)
    bench.flows(6.1)
    bench.flows(6.1)
    lost = past_of(bench.events).open_session
    assert lost is not None
    assert (lost.session_id, lost.driver_id) == ("session-1", "driver-alice")
    assert (lost.last_seq, lost.register_start_wh, lost.register_wh) == (2, Decimal("1000.0"), Decimal("1012.2"))
    assert lost.target_wh == 5000
    assert lost.interval_end == lost.last_heard_at == NOON + timedelta(seconds=2)
    assert lost.elapsed_s == pytest.approx(2.0)
    assert lost.soc == 0.3
    assert lost.traceparent == "00-trace"


def test_a_session_without_an_interval_is_open_at_its_start(bench: Bench):
    bench.start()
    lost = past_of(bench.events).open_session
    assert lost is not None
    assert (lost.last_seq, lost.register_wh, lost.interval_end) == (0, Decimal("1000.0"), NOON)


def test_a_session_that_ended_is_not_open_and_its_end_can_be_told_again(bench: Bench):
    bench.start()
    bench.later(10.0)
    bench.charger_stops(61.1)
    past = past_of(bench.events)
    assert past.open_session is None
    end = past.ended["session-1"]
    assert (end.id, end.message) == (bench.events[-1].id, bench.events[-1].message)


def test_the_last_ends_are_remembered_and_no_more(bench: Bench):
    for number in range(SESSIONS_REMEMBERED + 2):
        bench.start(f"session-{number}")
        bench.later(10.0)
        bench.charger_stops(6.1)
    ended = list(past_of(bench.events).ended)
    assert (len(ended), ended[0]) == (SESSIONS_REMEMBERED, "session-2")


def test_a_session_that_a_fault_ended_is_not_open(bench: Bench):
    bench.start()
    bench.says(ChargerState.FAULTED, FaultCode.GROUND_FAULT)
    bench.meters(1000.2)
    past = past_of(bench.events)
    assert past.open_session is None
    assert past.state is ChargePointState.FAULT


def test_a_beginning_told_again_after_the_end_opens_nothing(bench: Bench):
    bench.start()
    begun = bench.events[-1]
    bench.later(10.0)
    bench.charger_stops(61.1)
    assert past_of([*bench.events, begun]).open_session is None


def test_centrals_word_on_an_engine_that_is_away_does_not_end_its_session(bench: Bench):
    bench.start()
    fault = of_central(
        ChargePointState.FAULT,
        ChargePointState.SUPPLYING,
        session_id="session-1",
        reason="engine_unreachable",
        detail=StatusDetail(text="three probes missed"),
    )
    past = past_of([*bench.events, fault])
    assert past.state is ChargePointState.FAULT
    assert past.open_session is not None


def test_centrals_word_that_all_is_well_again_takes_nothing_from_what_the_engine_said(bench: Bench):
    bench.start(kwh=5)
    bench.flows(6.1)
    words = [
        of_central(ChargePointState.FAULT, ChargePointState.SUPPLYING, reason="engine_unreachable"),
        of_central(ChargePointState.ACTIVATED, ChargePointState.FAULT, reason="healthy"),
        of_central(ChargePointState.SUPPLYING, ChargePointState.ACTIVATED, reason="healthy", session_id="session-1"),
    ]
    lost = past_of([*bench.events, *words]).open_session
    assert lost is not None
    assert (lost.target_wh, lost.last_seq) == (5000, 1)
    assert lost.elapsed_s == pytest.approx(1.0)


def test_the_time_an_engine_was_away_is_not_the_sessions(bench: Bench):
    bench.start()
    bench.flows(6.1)
    bench.flows(6.1)
    past = past_of(bench.events)
    second = Bench(past=past, wall=NOON + timedelta(seconds=30))
    second.says(ChargerState.SUSPENDED)
    second.meters(1020.0)
    second.flows(6.1)
    lost = past_of([*bench.events, *second.events]).open_session
    assert lost is not None
    assert lost.elapsed_s == pytest.approx(3.0, abs=0.01)
    assert lost.last_seq == 3


def test_answers_are_remembered_by_their_command(bench: Bench):
    command = bench.start()
    past = past_of(bench.events)
    assert past.answered[command.command_id].message.outcome == "ACCEPTED"


def test_the_register_on_record_is_the_highest(bench: Bench):
    bench.start()
    bench.flows(6.1)
    bench.later(9.0)
    bench.charger_stops(55.0)
    assert past_of(bench.events).register_wh == Decimal("1061.1")


def test_an_administrative_stop_stands_until_it_is_taken_back(bench: Bench):
    bench.command(CommandAction.STOP_CP)
    assert past_of(bench.events).stop_stands
    bench.says(ChargerState.FAULTED, FaultCode.GROUND_FAULT)
    assert past_of(bench.events).stop_stands
    assert past_of(bench.events[-2:]).stop_stands, "each status says so for itself"
    bench.effects += bench.point.leave(bench.now)
    assert past_of(bench.events).stop_stands
    assert past_of(bench.events).state is ChargePointState.DISCONNECTED


def test_a_stop_that_was_taken_back_does_not_stand(bench: Bench):
    bench.command(CommandAction.STOP_CP)
    bench.command(CommandAction.RESUME_CP)
    assert not past_of(bench.events).stop_stands


def test_a_stop_survives_a_fault_that_only_central_saw(bench: Bench):
    bench.command(CommandAction.STOP_CP)
    fault = of_central(ChargePointState.FAULT, ChargePointState.STOPPED)
    assert past_of([*bench.events, fault]).stop_stands
    assert past_of([fault]).stop_stands, "also where compaction has left nothing else"


def test_the_start_of_the_register_follows_from_the_telemetry_where_the_status_does_not_say(bench: Bench):
    bench.start()
    bench.flows(6.1)
    bench.flows(6.2)
    begun = next(event for event in bench.events if event.message == bench.status)
    bare = Event(
        begun.topic, begun.message.model_copy(update={"detail": None}), begun.id, begun.source, begun.traceparent
    )
    lost = past_of([bare, *(event for event in bench.events if event.topic.name == "cp.telemetry")]).open_session
    assert lost is not None
    assert lost.register_start_wh == Decimal("1000.0")
    assert lost.driver_id == "driver-alice"


def test_which_sessions_need_telemetry_is_told():
    bench = Bench()
    bench.boot()
    bench.start()
    memory = Memory(["CP-001", "CP-002"], source="engine/next")
    for event in bench.events:
        memory.take(Received(event.message, event.id, event.topic.name, 0, 0, None, 0))
    assert memory.open_since() == memory.without_telemetry() == {"CP-001": NOON}
    bench.flows(6.1)
    last = bench.events[-1]
    memory.take(Received(last.message, last.id, last.topic.name, 0, 0, None, 0))
    assert memory.open_since() == {"CP-001": NOON}
    assert memory.without_telemetry() == {}


class TestWhoseTheIdIs:
    @staticmethod
    def of_station(state: ChargePointState, *, central: bool = False) -> Event[Status]:
        listed = ({"connector_id": 0, "state": state}, {"connector_id": 1, "state": "ACTIVATED"})
        source = StatusSource.CENTRAL if central else StatusSource.OCPP
        status = Status(ts=NOON, cp_id="CP-001", state=state, source=source, detail=StatusDetail(connectors=listed))
        return Event(STATUS, status, f"station-{state}-{central}", "gateway")

    def test_a_connected_station_has_it_until_it_is_gone(self):
        assert past_of([self.of_station(ChargePointState.ACTIVATED)]).station_connected
        assert not past_of([self.of_station(ChargePointState.DISCONNECTED)]).station_connected

    def test_a_station_that_central_alone_still_tells_of_has_it(self):
        assert past_of([self.of_station(ChargePointState.FAULT, central=True)]).station_connected

    @pytest.mark.parametrize(
        ("registrations", "reserved"),
        [
            ([{}], True),
            ([{}, {"deleted": True}], False),
            ([{"deleted": True}, {}], True),
            ([{"deleted": True, "held_by_engine": True}], False),
            ([{"held_by_engine": True}], False),
            ([{"held_by_engine": True}, {}], True),
        ],
    )
    def test_a_registered_station_has_it_unless_an_engine_does(self, registrations, reserved):
        said = [OcppConfig(ts=NOON, cp_id="CP-001", **fields) for fields in registrations]
        events = [Event(OCPP_CONFIG, config, f"config-{number}", "central") for number, config in enumerate(said)]
        assert past_of(events).station_registered is reserved
        assert not past_of(events).station_connected

    def test_an_engine_that_spoke_last_has_it(self, bench: Bench):
        assert not past_of([self.of_station(ChargePointState.ACTIVATED), *bench.events]).station_connected
