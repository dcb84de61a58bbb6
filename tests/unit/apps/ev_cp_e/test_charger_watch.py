"""What an idle outlet does about its charger."""

from __future__ import annotations

import pytest

from evcharging.apps.ev_cp_e.announcer import Announcer
from evcharging.apps.ev_cp_e.charger_watch import ChargerWatch
from evcharging.apps.ev_cp_e.effects import Effect, Moment, StopOrder
from evcharging.apps.ev_cp_e.standing import Standing
from evcharging.can.link import ChargerReadings
from evcharging.domain.charger import ChargerState, FaultCode
from evcharging.domain.states import ChargePointState
from tests.support.charge_point import NOON

NOW = Moment(NOON, 0.0)


class Watched:
    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self.charger = ChargerReadings(state=ChargerState.AVAILABLE)
        announcer = Announcer("CP-001", source="engine/test", boot_id="boot-1", ended={})
        self.standing = Standing(announcer, self.effects, stop_stands=False)
        self.standing.boot(NOW, previous=ChargePointState.DISCONNECTED)
        self.watch = ChargerWatch(self.charger, self.standing, self.effects)

    def follows(self, state: ChargerState, fault_code: FaultCode = FaultCode.NONE) -> None:
        self.charger.state, self.charger.fault_code = state, fault_code
        self.watch.follow(NOW)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_fault_is_followed_by_its_name(watched: Watched):
    watched.follows(ChargerState.FAULTED, FaultCode.CONTACTOR_WELDED)
    assert watched.standing.state is ChargePointState.FAULT
    assert watched.standing.fault_reason == "contactor_welded"


def test_a_fault_without_a_name_is_one_all_the_same(watched: Watched):
    watched.follows(ChargerState.FAULTED)
    assert watched.standing.fault_reason == "charger_fault"


def test_it_heals_when_the_charger_has_and_not_before(watched: Watched):
    watched.follows(ChargerState.FAULTED, FaultCode.GROUND_FAULT)
    watched.watch.heal(NOW)
    assert watched.standing.state is ChargePointState.FAULT
    watched.follows(ChargerState.AVAILABLE)
    assert watched.standing.state is ChargePointState.FAULT
    watched.watch.heal(NOW)
    assert watched.standing.state is ChargePointState.ACTIVATED


def test_a_charger_that_charges_for_nobody_is_stopped_once_each_time(watched: Watched):
    for state in (ChargerState.CHARGING, ChargerState.SUSPENDED, ChargerState.FINISHED, ChargerState.CHARGING):
        watched.follows(state)
    assert watched.effects.count(StopOrder()) == 2


def test_where_all_is_well_nothing_is_done(watched: Watched):
    before = len(watched.effects)
    watched.follows(ChargerState.PLUGGED)
    watched.watch.heal(NOW)
    assert len(watched.effects) == before
