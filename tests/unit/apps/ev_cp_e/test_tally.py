"""What an engine counts."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from evcharging.apps.ev_cp_e.tally import Tally
from evcharging.domain.charger import ChargerState, FaultCode
from evcharging.messages.commands import CommandAction
from tests.support.charge_point import Bench
from tests.support.engine import UnitRig, new_cp_id


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"evcharging_engine_{name}", labels) or 0.0


def counted(bench: Bench) -> None:
    tally = Tally()
    for event in bench.events:
        tally.count(event)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.boot()
    return bench


def test_sessions_energy_and_commands_are_counted(bench: Bench):
    names = [
        ("sessions_started_total", {"how": "begun"}),
        ("sessions_ended_total", {"reason": "operator_stop"}),
        ("energy_wh_total", {"source": "solar"}),
        ("energy_wh_total", {"source": "grid"}),
        ("telemetry_total", {}),
        ("commands_total", {"outcome": "ACCEPTED"}),
    ]
    before = [value(name, **labels) for name, labels in names]
    bench.start()
    bench.flows(6.0, solar_fraction=0.5)
    bench.command(CommandAction.STOP_SUPPLY, session_id="session-1")
    bench.charger_stops()
    counted(bench)
    after = [value(name, **labels) for name, labels in names]
    assert [round(b - a, 1) for a, b in zip(before, after, strict=True)] == [1, 1, 3.0, 3.0, 2, 2]


def test_a_fault_counts_once_by_its_kind(bench: Bench):
    before = value("faults_total", kind="ground_fault")
    bench.says(ChargerState.FAULTED, FaultCode.GROUND_FAULT)
    bench.command(CommandAction.STOP_CP)
    counted(bench)
    assert value("faults_total", kind="ground_fault") - before == 1


def test_a_reason_that_somebody_made_up_is_no_label_of_its_own(bench: Bench):
    before = value("sessions_ended_total", reason="other")
    bench.start()
    bench.command(CommandAction.STOP_SUPPLY, session_id="session-1", payload={"reason": "because"})
    bench.charger_stops()
    counted(bench)
    assert value("sessions_ended_total", reason="other") - before == 1
    assert value("sessions_ended_total", reason="because") == 0.0


async def test_what_is_so_at_the_moment_is_looked_at():
    async with UnitRig(new_cp_id()) as rig:
        Tally().look([rig.unit], held=7)
        assert value("charge_points", state="ACTIVATED") == 1
        assert value("charge_points", state="FAULT") == 0
        assert value("events_held") == 7
        rig.command(CommandAction.START_SUPPLY, session_id="session-1")
        await rig.until(lambda: rig.unit.point.power_kw > 0)
        Tally().look([rig.unit], held=0)
        assert value("power_kw") == pytest.approx(22.0, abs=0.1)
