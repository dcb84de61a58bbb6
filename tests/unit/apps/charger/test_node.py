"""A charger node against an engine that says exactly what the test wants; no time passes unless the test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from can import Message

from evcharging.apps.charger.node import SET_POINT_PATIENCE_S
from evcharging.can.frame_fields import crc8_j1850
from evcharging.can.frames import (
    ChargerStatus,
    Condition,
    CurrentLimit,
    Inject,
    InjectKind,
    MeasuredCurrent,
    Meter,
    StartCharging,
    StopCharging,
)
from evcharging.domain.charger import SET_POINT_TIMEOUT_S, ChargerState, FaultCode, VehicleSpec

Bench = Any


def state_said(bench: Bench) -> ChargerState:
    return bench.last(ChargerStatus).state


async def charge(bench: Bench, limit_amps: float = 16.0) -> None:
    await bench.tell(CurrentLimit(limit_amps), StartCharging())


async def test_a_start_plugs_a_vehicle_in_and_says_so_at_once(bench: Bench) -> None:
    await charge(bench)
    assert bench.last(ChargerStatus).state is ChargerState.CHARGING
    assert bench.last(ChargerStatus).plugged
    assert bench.last(MeasuredCurrent) == MeasuredCurrent(16.0)
    assert bench.last(Condition).soc == 0.3


async def test_the_meter_runs_while_current_flows(bench: Bench) -> None:
    await charge(bench)
    bench.pass_time(3.0)
    bench.node.report(in_full=True)
    await bench.settle()
    kw = 3 * 230.94 * 16.0 / 1000.0
    assert bench.last(Meter).register_wh == pytest.approx(kw * 1000 * 3.0 / 3600.0, abs=0.11)
    assert bench.last(Meter).voltage_v == pytest.approx(230.9)


async def test_a_start_without_a_set_point_waits_suspended(bench: Bench) -> None:
    await bench.tell(StartCharging())
    assert state_said(bench) is ChargerState.SUSPENDED
    await bench.tell(CurrentLimit(10.0))
    assert state_said(bench) is ChargerState.CHARGING


async def test_a_stop_ends_the_session_and_says_the_final_register_after_the_status(bench: Bench) -> None:
    await charge(bench)
    bench.pass_time(10.0)
    bench.said.clear()
    await bench.tell(StopCharging())
    kinds = [type(frame) for frame in bench.said]
    assert kinds == [MeasuredCurrent, ChargerStatus, Meter, Condition]
    assert bench.said[0] == MeasuredCurrent(0.0)
    assert bench.said[1].state is ChargerState.FINISHED
    assert bench.said[2].register_wh == pytest.approx(bench.node.model.register_wh, abs=0.1)


async def test_a_repeated_start_goes_on_with_the_same_vehicle(bench: Bench) -> None:
    await charge(bench)
    bench.pass_time(3.0)
    soc, register_wh = bench.node.model.soc, bench.node.model.register_wh
    assert soc > 0.3
    await bench.tell(StartCharging())
    assert (bench.node.model.soc, bench.node.model.register_wh) == (soc, register_wh)
    assert state_said(bench) is ChargerState.CHARGING


async def test_an_engine_that_comes_back_goes_on_with_the_suspended_vehicle(bench: Bench) -> None:
    await charge(bench)
    bench.pass_time(10.0)
    assert bench.node.model.state is ChargerState.SUSPENDED
    soc = bench.node.model.soc
    await charge(bench)
    assert bench.node.model.state is ChargerState.CHARGING
    assert bench.node.model.soc == soc


async def test_a_start_after_the_end_brings_a_fresh_vehicle_and_an_older_meter(bench: Bench) -> None:
    await charge(bench)
    bench.pass_time(10.0)
    await bench.tell(StopCharging())
    register_wh = bench.node.model.register_wh
    assert register_wh > 0.0
    await charge(bench)
    assert bench.node.model.soc == 0.3
    assert bench.node.model.register_wh == register_wh


async def test_the_vehicle_is_the_one_that_was_asked_for(bench_with: Callable[..., Bench]) -> None:
    bench = bench_with(vehicle=lambda: VehicleSpec(40.0, 11.0, 0.5))
    await charge(bench, 32.0)
    assert bench.last(Condition).soc == 0.5
    assert bench.last(MeasuredCurrent).current_a == pytest.approx(11_000 / (3 * 230.94), abs=0.01)


async def test_a_limit_changes_the_current_and_is_not_answered_unless_the_state_changes(bench: Bench) -> None:
    await charge(bench)
    bench.said.clear()
    await bench.tell(CurrentLimit(10.0))
    assert bench.said == []
    bench.node.advance(bench.clock.now_s)
    bench.node.report(in_full=False)
    await bench.settle()
    assert bench.said == [MeasuredCurrent(10.0)]
    await bench.tell(CurrentLimit(5.0))
    assert state_said(bench) is ChargerState.SUSPENDED
    assert bench.last(MeasuredCurrent) == MeasuredCurrent(0.0)


async def test_a_limit_above_the_rating_is_clamped(bench: Bench) -> None:
    await charge(bench, 100.0)
    assert bench.node.model.limit_amps == 32.0
    assert bench.node.model.limit_clamped


async def test_a_report_says_the_current_and_in_full_everything(bench: Bench) -> None:
    bench.node.report(in_full=True)
    await bench.settle()
    assert [type(frame) for frame in bench.said] == [MeasuredCurrent, ChargerStatus, Meter, Condition]
    bench.said.clear()
    bench.node.report(in_full=False)
    await bench.settle()
    assert [type(frame) for frame in bench.said] == [MeasuredCurrent]


async def test_a_change_of_state_by_itself_is_in_the_next_report(bench_with: Callable[..., Bench]) -> None:
    bench = bench_with(vehicle=lambda: VehicleSpec(10.0, 22.0, 0.989))
    await charge(bench, 32.0)
    bench.said.clear()
    while not bench.node.has_news:
        bench.pass_time(0.1)
        await bench.tell(CurrentLimit(32.0))
        if bench.said:
            break
    bench.node.report(in_full=False)
    await bench.settle()
    assert state_said(bench) is ChargerState.FINISHED


async def test_the_rolling_counter_goes_up_by_one_and_round(bench: Bench) -> None:
    for _ in range(300):
        bench.node.report(in_full=True)
    await bench.settle()
    counters = [frame.counter for frame in bench.said if isinstance(frame, ChargerStatus)]
    assert counters == [number % 256 for number in range(1, 301)]


async def test_without_a_set_point_the_current_is_gone_after_five_seconds(bench: Bench) -> None:
    await charge(bench, 32.0)
    bench.pass_time(SET_POINT_PATIENCE_S - 0.1)
    assert bench.node.model.current_a > 31.0
    bench.pass_time(SET_POINT_TIMEOUT_S - SET_POINT_PATIENCE_S)
    assert bench.node.model.current_a == 0.0
    assert bench.node.model.state is ChargerState.SUSPENDED
    register_wh = bench.node.model.register_wh
    bench.pass_time(60.0)
    assert bench.node.model.register_wh == register_wh


async def test_the_ramp_has_steps_between_full_current_and_none(bench: Bench) -> None:
    await charge(bench, 32.0)
    bench.pass_time(SET_POINT_PATIENCE_S)
    seen = []
    for _ in range(11):
        bench.pass_time(0.1)
        seen.append(bench.node.model.current_a)
    assert seen == sorted(seen, reverse=True)
    assert len([amps for amps in seen if 0.0 < amps < 31.0]) >= 5


async def test_a_repeated_set_point_keeps_the_current(bench: Bench) -> None:
    await charge(bench, 32.0)
    for _ in range(12):
        bench.pass_time(1.0)
        await bench.tell(CurrentLimit(32.0))
    assert bench.node.model.current_a > 31.0


async def test_a_process_that_was_held_up_ramps_down_when_it_would_have(bench: Bench) -> None:
    await charge(bench, 32.0)
    bench.pass_time(1.0)
    register_wh = bench.node.model.register_wh
    bench.pass_time(60.0, step_s=60.0)
    delivered_wh = bench.node.model.register_wh - register_wh
    full_wh_per_s = 22_000 / 3600
    assert delivered_wh < full_wh_per_s * SET_POINT_TIMEOUT_S
    assert bench.node.model.current_a == 0.0


async def test_silence_is_counted_in_wall_time_whatever_the_time_scale(bench_with: Callable[..., Bench]) -> None:
    bench = bench_with(time_scale=60.0)
    await charge(bench, 32.0)
    bench.pass_time(SET_POINT_PATIENCE_S - 0.1)
    assert bench.node.model.current_a > 31.0
    minutes = SET_POINT_PATIENCE_S - 0.1
    assert bench.node.model.register_wh == pytest.approx(22_000 * minutes / 60, rel=0.04)
    bench.pass_time(SET_POINT_TIMEOUT_S - SET_POINT_PATIENCE_S)
    assert bench.node.model.current_a == 0.0


async def test_unplugging_ends_the_session_and_plugging_brings_another_vehicle(bench: Bench) -> None:
    await charge(bench)
    await bench.tell(Inject(InjectKind.UNPLUG))
    assert bench.last(ChargerStatus).state is ChargerState.AVAILABLE
    assert not bench.last(ChargerStatus).plugged
    assert bench.last(Condition).soc is None
    await bench.tell(Inject(InjectKind.PLUG))
    assert bench.last(ChargerStatus).state is ChargerState.PLUGGED
    await bench.tell(Inject(InjectKind.PLUG))
    assert bench.node.refused == {"VehiclePresent": 1}
    await bench.tell(StartCharging())
    assert state_said(bench) is ChargerState.CHARGING


async def test_a_fault_stops_the_charge_until_it_is_cleared(bench: Bench) -> None:
    await charge(bench)
    await bench.tell(Inject(InjectKind.FAULT, FaultCode.GROUND_FAULT))
    assert bench.last(ChargerStatus).fault_code is FaultCode.GROUND_FAULT
    assert state_said(bench) is ChargerState.FAULTED
    bench.said.clear()
    await bench.tell(StartCharging())
    assert bench.node.refused == {"ChargerFaulted": 1}
    assert state_said(bench) is ChargerState.FAULTED
    await bench.tell(Inject(InjectKind.CLEAR))
    assert state_said(bench) is ChargerState.FINISHED
    await bench.tell(StartCharging())
    assert state_said(bench) is ChargerState.CHARGING


async def test_a_refused_start_plugs_nothing_in(bench: Bench) -> None:
    await bench.tell(Inject(InjectKind.FAULT, FaultCode.CONTACTOR_WELDED), StartCharging(), Inject(InjectKind.CLEAR))
    assert bench.last(ChargerStatus).state is ChargerState.AVAILABLE


async def test_bad_frames_are_counted_and_cost_nothing_else(bench: Bench) -> None:
    await charge(bench)
    bench.said.clear()
    for can_id, data in [(0x200, b"\x00"), (0x210, b"\x01"), (0x2F0, b"\x09\x00"), (0x123, b""), (0x301, b"")]:
        await bench.tell(Message(arbitration_id=can_id, is_extended_id=False, data=data))
    await bench.tell(Message(arbitration_id=0x201, is_extended_id=False, is_fd=False, data=b"", is_error_frame=False))
    assert bench.node.dropped == {"length": 2, "value": 1, "unknown_id": 1, "foreign_charger": 1}
    assert state_said(bench) is ChargerState.FINISHED


async def test_a_status_it_says_has_a_checksum_that_fits(bench: Bench) -> None:
    raw: list[bytes] = []
    bench.engine.add_listener(lambda m: raw.append(bytes(m.data)) if m.arbitration_id == 0x301 else None)
    await charge(bench)
    assert raw
    assert all(crc8_j1850(data[:3]) == data[3] for data in raw)


async def test_what_the_channel_does_not_take_is_counted(bench: Bench) -> None:
    await bench.node._bus.close()
    bench.node.report(in_full=True)
    assert bench.node.unsent == 4


async def test_a_closed_node_obeys_no_more(bench: Bench) -> None:
    bench.node.close()
    await charge(bench)
    assert bench.node.model.state is ChargerState.AVAILABLE


class Kept:
    """A register store that writes down when it was told and asked to save."""

    def __init__(self) -> None:
        self.acts: list[object] = []

    def put(self, cp_id: str, register_wh: float) -> None:
        self.acts.append(round(register_wh, 6))

    def save(self) -> None:
        self.acts.append("save")


async def test_a_register_is_saved_before_it_is_said(bench_with: Callable[..., Bench]) -> None:
    kept = Kept()
    bench = bench_with(registers=kept)
    await charge(bench)
    bench.pass_time(1.0)
    bench.engine.add_listener(lambda m: kept.acts.append("said") if m.arbitration_id == 0x302 else None)
    await bench.tell(StopCharging())
    assert kept.acts[-3:] == [round(bench.node.model.register_wh, 6), "save", "said"]
