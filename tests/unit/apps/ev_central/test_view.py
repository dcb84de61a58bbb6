from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evcharging.apps.ev_central.view import MOST_ALERTS, NetworkView
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Alert, Health, Severity, Status, StatusSource, Telemetry
from evcharging.messages.commands import Command, CommandAction, CommandOutcome, Reply
from evcharging.messages.drivers import DriverUpdate, UpdateStatus
from evcharging.messages.network import SiteSignal

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def status(cp_id: str, state: ChargePointState = ChargePointState.ACTIVATED, at: float = 0, **more: Any) -> Status:
    return Status(ts=after(at), cp_id=cp_id, state=state, source=StatusSource.ENGINE, **more)


def alert(number: int, at: float = 0, **more: Any) -> Alert:
    values = {"cp_id": "CP-001", "kind": "oscillation", "severity": Severity.WARNING, "started_at": NOON, **more}
    return Alert(ts=after(at), alert_id=f"a-{number}", **values)


def signal(at: float = 0, **more: Any) -> SiteSignal:
    return SiteSignal(**{"ts": after(at), "site_id": "site-1", "price_per_kwh": 0.3, "currency": "EUR", **more})


@pytest.fixture
def view() -> NetworkView:
    return NetworkView()


def tell(view: NetworkView, *messages: Any) -> list[bool]:
    return [view.apply(message, message.ts) for message in messages]


def test_charge_points_are_listed_by_id_from_any_place_on(view):
    tell(view, *(status(cp_id) for cp_id in ("CP-003", "CP-001", "CP-002")))
    assert [record["cp_id"] for record in view.records(NOON, limit=2)] == ["CP-001", "CP-002"]
    assert [record["cp_id"] for record in view.records(NOON, after="CP-002", limit=9)] == ["CP-003"]
    assert [record["cp_id"] for record in view.records(NOON, after="CP-0015", limit=9)] == ["CP-002", "CP-003"]
    assert view.record("CP-9", NOON) is None


def test_states_are_counted(view):
    tell(view, status("CP-001"), status("CP-002"), status("CP-001", ChargePointState.FAULT, at=1))
    assert view.states[ChargePointState.ACTIVATED] == 1
    assert view.states[ChargePointState.FAULT] == 1
    assert sum(view.states.values()) == len(view) == 2


def test_a_driver_update_makes_no_charge_point(view):
    update = DriverUpdate(
        ts=NOON, request_id="r", driver_id="d", cp_id="any", status=UpdateStatus.DENIED, reason="no_free_charge_point"
    )
    assert tell(view, update) == [False]
    assert len(view) == 0


def test_a_message_of_no_concern_changes_nothing(view):
    command = Command(ts=NOON, command_id="c", cp_id="CP-001", action=CommandAction.STOP_CP)
    assert tell(view, command) == [False]
    assert not view.take_changes(NOON)


def test_changes_are_told_once_and_conflated(view):
    tell(view, status("CP-001"), status("CP-002"), status("CP-001", ChargePointState.STOPPED, at=1))
    assert sorted(view.take_changes(after(1)).charge_points) == ["CP-001", "CP-002"]
    assert not view.take_changes(after(1))


def test_a_repeat_is_no_change(view):
    tell(view, status("CP-001"))
    view.take_changes(NOON)
    assert tell(view, status("CP-001")) == [False]
    assert not view.take_changes(NOON)


def test_a_health_that_expires_is_a_change_though_nothing_was_said(view):
    tell(view, status("CP-001"), Health(ts=NOON, cp_id="CP-001", healthy=True))
    view.take_changes(NOON)
    assert not view.take_changes(after(9.9))
    assert view.take_changes(after(10.1)).charge_points == ["CP-001"]
    assert view.record("CP-001", after(10.1))["healthy"] is None


def test_a_health_told_anew_expires_from_then(view):
    for at in range(0, 25, 5):
        tell(view, Health(ts=after(at), cp_id="CP-001", healthy=True))
    view.take_changes(after(20))
    assert not view.take_changes(after(29))
    assert view.take_changes(after(31)).charge_points == ["CP-001"]


def test_alerts_are_listed_newest_first_and_a_repeat_counts_once(view):
    assert tell(view, alert(1), alert(2, at=1), alert(1)) == [True, True, False]
    assert [a.alert_id for a in view.alerts()] == ["a-2", "a-1"]
    assert [a.alert_id for a in view.take_changes(NOON).alerts] == ["a-1", "a-2"]


def test_an_alert_that_ends_takes_the_place_of_its_beginning(view):
    tell(view, alert(1), alert(1, at=5, ended_at=after(5)))
    assert [a.ended_at for a in view.alerts()] == [after(5)]
    assert tell(view, alert(1)) == [False]


def test_alerts_are_bounded(view):
    tell(view, *(alert(number) for number in range(MOST_ALERTS + 10)))
    assert len(view.alerts()) == MOST_ALERTS
    assert view.alerts()[-1].alert_id == "a-10"
    assert len(view.take_changes(NOON).alerts) == MOST_ALERTS


def test_charge_points_are_bounded():
    view = NetworkView(most_charge_points=2)
    assert tell(view, status("CP-001"), status("CP-002"), status("CP-003")) == [True, True, False]
    assert "CP-003" not in view
    assert tell(view, status("CP-001", ChargePointState.STOPPED, at=1)) == [True]


def test_the_price_is_the_sites_own_and_a_late_one_does_not_count():
    view = NetworkView(site_id="site-1")
    tell(view, signal(5, price_per_kwh=0.4), signal(6, site_id="elsewhere", price_per_kwh=9.0))
    assert view.apply(signal(4), after(7)) is False
    assert view.signal.price_per_kwh == 0.4
    assert view.take_changes(after(7)).signal.price_per_kwh == 0.4


def test_a_new_currency_changes_every_charge_point(view):
    tell(view, status("CP-001"), status("CP-002"))
    view.take_changes(NOON)
    tell(view, signal(1, currency="INR"))
    assert len(view.take_changes(after(1)).charge_points) == 2
    assert view.record("CP-001", after(1))["currency"] == "INR"


def test_replies_are_told_to_whoever_takes_changes(view):
    reply = Reply(ts=NOON, command_id="c-1", cp_id="CP-001", outcome=CommandOutcome.REJECTED)
    tell(view, reply)
    assert view.take_changes(NOON).replies == [reply]


def test_a_registered_charge_point_is_there_before_it_says_anything(view):
    view.remember("CP-001")
    assert view.record("CP-001", NOON)["state"] is ChargePointState.DISCONNECTED
    assert view.take_changes(NOON).charge_points == ["CP-001"]


def test_a_charge_point_that_was_deleted_is_gone_until_it_speaks_again(view):
    tell(view, status("CP-001"), Health(ts=NOON, cp_id="CP-001", healthy=True))
    view.take_changes(NOON)
    assert view.forget("CP-001") is True
    assert view.forget("CP-001") is False
    changes = view.take_changes(after(20))
    assert (changes.gone, changes.charge_points) == (["CP-001"], [])
    assert sum(view.states.values()) == len(view) == 0
    view.forget("CP-001")
    tell(view, status("CP-001", at=21))
    assert view.take_changes(after(21)).gone == []


def test_the_latest_meter_of_a_charge_point_is_kept(view):
    telemetry = Telemetry(
        ts=NOON,
        cp_id="CP-001",
        session_id="s",
        seq=1,
        interval_start=NOON,
        interval_end=after(1),
        register_wh=1,
        energy_wh=1,
        kw=1,
        kwh=1,
        euros=0,
    )
    tell(view, telemetry)
    assert view.meter("CP-001") == telemetry
    assert view.meter("CP-9") is None
