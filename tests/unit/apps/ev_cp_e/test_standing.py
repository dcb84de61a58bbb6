"""Every move of a charge point's state, and how it is told."""

from __future__ import annotations

import pytest

from evcharging.apps.ev_cp_e.announcer import Announcer
from evcharging.apps.ev_cp_e.effects import Effect, Moment, Note, Publish
from evcharging.apps.ev_cp_e.standing import Standing
from evcharging.domain.states import ChargePointState, IllegalTransition
from evcharging.messages.charge_points import Alert, Status
from tests.support.charge_point import NOON

NOW = Moment(NOON, 0.0)
ACTIVATED, STOPPED, FAULT = ChargePointState.ACTIVATED, ChargePointState.STOPPED, ChargePointState.FAULT


class Told:
    def __init__(self, *, stop_stands: bool = False) -> None:
        self.effects: list[Effect] = []
        announcer = Announcer("CP-001", source="engine/test", boot_id="boot-1", ended={})
        self.standing = Standing(announcer, self.effects, stop_stands=stop_stands)

    @property
    def statuses(self) -> list[Status]:
        return [e.event.message for e in self.effects if isinstance(e, Publish) and isinstance(e.event.message, Status)]

    @property
    def alerts(self) -> list[Alert]:
        return [e.event.message for e in self.effects if isinstance(e, Publish) and isinstance(e.event.message, Alert)]

    @property
    def moves(self) -> list[tuple[str, str, str | None]]:
        return [(str(s.previous_state), str(s.state), s.reason) for s in self.statuses]


@pytest.fixture
def told() -> Told:
    told = Told()
    told.standing.boot(NOW, previous=ChargePointState.DISCONNECTED)
    return told


def test_it_boots_into_service_or_into_the_stop_that_stands():
    for stop_stands, state in ((False, ACTIVATED), (True, STOPPED)):
        told = Told(stop_stands=stop_stands)
        told.standing.boot(NOW, previous=FAULT)
        assert told.moves == [("FAULT", state, "boot")]


def test_a_fault_is_told_once_for_each_reason(told: Told):
    told.standing.fail(NOW, "charger_silent", detail="no frame")
    told.standing.fail(NOW, "charger_silent", detail="no frame")
    told.standing.fail(NOW, "ground_fault", detail="so it says")
    assert told.moves[1:] == [("ACTIVATED", "FAULT", "charger_silent"), ("FAULT", "FAULT", "ground_fault")]
    assert [(a.kind, a.ended_at is None) for a in told.alerts] == [
        ("charger_silent", True),
        ("charger_silent", False),
        ("ground_fault", True),
    ]


def test_it_heals_to_where_it_belongs(told: Told):
    told.standing.fail(NOW, "ground_fault", detail="so it says")
    told.standing.stop(NOW, cause="command-1", traceparent=None)
    told.standing.heal(NOW)
    assert told.moves[-1] == ("FAULT", "STOPPED", "healed")
    assert told.standing.fault_reason is None


def test_while_a_stop_stands_each_status_says_so(told: Told):
    told.standing.stop(NOW, cause="command-1", traceparent=None)
    told.standing.fail(NOW, "ground_fault", detail="so it says")
    told.standing.heal(NOW)
    told.standing.leave(NOW)
    assert [s.detail is not None and s.detail.administrative_stop for s in told.statuses[1:]] == [True] * 4


def test_a_move_that_is_not_legal_changes_and_tells_nothing(told: Told):
    before = len(told.effects)
    with pytest.raises(IllegalTransition):
        told.standing.resume(NOW, cause="command-1", traceparent=None)
    assert len(told.effects) == before
    assert told.standing.state is ACTIVATED


def test_it_leaves_once(told: Told):
    told.standing.leave(NOW)
    told.standing.leave(NOW)
    assert told.moves[1:] == [("ACTIVATED", "DISCONNECTED", "shutdown")]


def test_a_warning_is_an_alert_and_a_line_in_the_log(told: Told):
    told.standing.warn(NOW, "limit_above_rating", "100 A was clamped")
    assert told.alerts[-1].kind == "limit_above_rating"
    assert told.effects[-1] == Note("100 A was clamped", warning=True)
