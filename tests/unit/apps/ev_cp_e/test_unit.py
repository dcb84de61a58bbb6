"""A charge point on its channel: effects become frames and events, frames become news."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from evcharging.apps.ev_cp_e.command_desk import Refused
from evcharging.can.frames import InjectKind
from evcharging.domain.charger import ChargerState, FaultCode
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Status, Telemetry
from evcharging.messages.commands import CommandAction, Reply
from tests.support.engine import UnitRig, new_cp_id


@pytest.fixture
async def rig() -> AsyncIterator[UnitRig]:
    async with UnitRig(new_cp_id()) as rig:
        yield rig


def start(rig: UnitRig) -> None:
    rig.command(CommandAction.START_SUPPLY, session_id="session-1", driver_id="driver-alice")


async def test_a_start_reaches_the_charger_and_its_answer_comes_back(rig: UnitRig):
    start(rig)
    await rig.until(lambda: rig.unit.point.state is ChargePointState.SUPPLYING)
    assert rig.node.model.state is ChargerState.CHARGING
    assert rig.node.model.limit_amps == pytest.approx(31.75)
    assert [type(message) for message in rig.messages] == [Status, Reply, Status]


async def test_telemetry_follows_the_chargers_register(rig: UnitRig):
    rig.solar_fraction = 1.0
    start(rig)
    await rig.until(lambda: isinstance(rig.messages[-1], Telemetry))
    interval = rig.messages[-1]
    assert isinstance(interval, Telemetry)
    assert interval.energy_wh == interval.solar_wh > 0.0


async def test_while_congested_no_telemetry_is_made(rig: UnitRig):
    rig.congested = True
    start(rig)
    await rig.until(lambda: rig.node.model.register_wh > 9.0)
    assert not any(isinstance(message, Telemetry) for message in rig.messages)
    rig.congested = False
    await rig.until(lambda: isinstance(rig.messages[-1], Telemetry))


async def test_what_happens_at_the_cable_comes_back_over_can(rig: UnitRig):
    rig.unit.inject(InjectKind.FAULT, FaultCode.GROUND_FAULT)
    await rig.until(lambda: rig.unit.point.state is ChargePointState.FAULT)
    rig.unit.inject(InjectKind.CLEAR, FaultCode.NONE)
    await rig.until(lambda: rig.unit.point.state is ChargePointState.ACTIVATED)


async def test_somebody_on_the_spot_ends_a_session_and_only_where_there_is_one(rig: UnitRig):
    with pytest.raises(Refused, match="ACTIVATED"):
        rig.unit.end_session("operator_stop")
    start(rig)
    await rig.until(lambda: rig.unit.point.state is ChargePointState.SUPPLYING)
    rig.unit.end_session("operator_stop")
    await rig.until(lambda: rig.unit.point.state is ChargePointState.ACTIVATED)


async def test_an_answer_told_again_is_marked_as_such(rig: UnitRig):
    start(rig)
    await rig.until(lambda: rig.unit.point.state is ChargePointState.SUPPLYING)
    start(rig)
    assert [(type(event.message), again) for event, again in rig.published[-2:]] == [(Status, True), (Reply, False)]


async def test_it_goes_away_in_good_order(rig: UnitRig):
    start(rig)
    await rig.until(lambda: rig.unit.point.state is ChargePointState.SUPPLYING)
    rig.unit.leave()
    assert not rig.unit.gone
    await rig.unit.wait_gone()
    last = rig.messages[-1]
    assert isinstance(last, Status)
    assert last.state is ChargePointState.DISCONNECTED


async def test_a_session_does_not_begin_on_a_register_that_is_not_believed(rig: UnitRig):
    rig.node.model._register_wh = 5000.0
    await rig.until(lambda: rig.unit.link.readings.register_wh == 5000.0)
    rig.unit.inject(InjectKind.FAULT, FaultCode.GROUND_FAULT)
    await rig.until(lambda: rig.unit.point.state is ChargePointState.FAULT)
    rig.node.model._register_wh = 0.0  # the meter is replaced
    rig.unit.inject(InjectKind.CLEAR, FaultCode.NONE)
    await rig.until(lambda: rig.unit.link.dropped["register_fell"] > 0)
    assert rig.unit.point.state is ChargePointState.FAULT
    await rig.until(lambda: rig.unit.point.state is ChargePointState.ACTIVATED)
    assert rig.unit.link.readings.register_wh == 0.0


async def test_a_closed_unit_hears_nothing_and_says_nothing(rig: UnitRig):
    rig.unit.close()
    rig.unit.close()
    before = len(rig.published)
    rig.node.model.inject_fault(FaultCode.GROUND_FAULT)
    rig.node.report(in_full=True)
    assert len(rig.published) == before
