from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from evcharging.apps.ev_central.swarm_view import MOST_NEW_LINES, SwarmView
from evcharging.apps.runtime.behaviour_profiles import load_profiles
from evcharging.messages.network import SwarmDesired, SwarmLog, SwarmStatus
from evcharging.messages.topics import SWARM_DESIRED, SWARM_STATUS

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Swarm:
    def __init__(self, **bounds: Any) -> None:
        self.view = SwarmView(load_profiles(), **bounds)

    def desired(self, station_id: str, *, running: bool = True, profile: str = "default") -> bool:
        message = SwarmDesired(ts=NOON, station_id=station_id, running=running, profile=profile)
        return self.view.apply(message, NOON)

    def status(self, station_id: str, state: str = "charging", **more: Any) -> bool:
        message = SwarmStatus(ts=NOON, station_id=station_id, state=state, profile="default", **more)
        return self.view.apply(message, NOON)

    def line(self, station_id: str, line: str) -> bool:
        return self.view.apply(SwarmLog(ts=NOON, station_id=station_id, line=line), NOON)

    def listed(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.view.encoded(self.view.ids())]


def test_stations_are_listed_by_id_from_wherever_one_goes_on() -> None:
    swarm = Swarm()
    for number in (3, 1, 2):
        swarm.desired(f"PY-SIM-000{number}")
    assert list(swarm.view.ids()) == ["PY-SIM-0001", "PY-SIM-0002", "PY-SIM-0003"]
    assert list(swarm.view.ids(after="PY-SIM-0001")) == ["PY-SIM-0002", "PY-SIM-0003"]
    assert len(swarm.view) == 3


def test_a_record_is_encoded_once_until_it_changes() -> None:
    swarm = Swarm()
    swarm.status("A", kwh=1.0)
    (first,) = swarm.view.encoded(["A"])
    assert swarm.view.encoded(["A"])[0] is first
    swarm.status("A", kwh=2.0)
    assert json.loads(swarm.view.encoded(["A"])[0])["energy_kwh"] == 2.0


def test_what_is_known_already_is_no_change() -> None:
    swarm = Swarm()
    assert [swarm.desired("A"), swarm.desired("A"), swarm.status("A"), swarm.status("A")] == [True, False, True, False]
    assert list(swarm.view.take_changes().stations) == ["A"]
    assert list(swarm.view.take_changes().stations) == []


def test_what_central_has_decided_shows_before_the_topic_says_it() -> None:
    swarm = Swarm()
    swarm.view.remember("A", (True, "busy", None, None))
    record = swarm.view.record("A")
    assert record is not None
    assert (record["profile"], record["status"]) == ("busy", "stopped")
    assert swarm.view.said() == {}
    swarm.desired("A", profile="busy")
    assert swarm.view.said() == {"A": (True, "busy", None, None)}


def test_a_log_alone_makes_no_station() -> None:
    swarm = Swarm()
    swarm.line("A", "[12:00:00] hello")
    assert (len(swarm.view), "A" in swarm.view, swarm.view.record("A"), swarm.listed()) == (0, False, None, [])
    assert swarm.view.lines("A") == ["[12:00:00] hello"]
    assert swarm.view.lines("B") == []


def test_a_station_is_gone_when_no_topic_says_anything_of_it() -> None:
    swarm = Swarm()
    swarm.desired("A")
    swarm.status("A")
    swarm.view.take_changes()
    assert swarm.view.forget(SWARM_DESIRED.name, "A")
    assert list(swarm.view.take_changes().stations) == ["A"]
    assert swarm.view.forget(SWARM_STATUS.name, "A")
    assert "A" not in swarm.view
    assert list(swarm.view.take_changes().gone) == ["A"]
    assert not swarm.view.forget(SWARM_STATUS.name, "A")


def test_new_lines_and_stations_are_bounded_whether_or_not_anybody_takes_them() -> None:
    swarm = Swarm(most_stations=2)
    assert [swarm.desired(name) for name in "ABC"] == [True, True, False]
    assert not swarm.line("C", "no room")
    for number in range(MOST_NEW_LINES + 10):
        swarm.line("A", str(number))
    lines = swarm.view.take_changes().lines
    assert (len(lines), lines[-1].line) == (MOST_NEW_LINES, str(MOST_NEW_LINES + 9))


def test_only_stations_at_other_csms_add_energy_and_none_is_counted_twice() -> None:
    swarm = Swarm()
    swarm.status("OURS", register_wh=1_000.0)
    swarm.status("OURS-TOO", "available", register_wh=1_000.0)
    swarm.status("THEIRS", register_wh=2_500.0)
    swarm.status("THEIRS-OFF", "stopped", register_wh=500.0)
    beyond = swarm.view.beyond({"OURS", "OURS-TOO"}, {"OURS"})
    assert (beyond.stations, beyond.online, beyond.energy_wh) == (2, 2, 3_000.0)


def test_a_station_that_nobody_vouches_for_any_more_is_a_change() -> None:
    swarm = Swarm()
    swarm.status("A", holds_s=30)
    swarm.view.take_changes()
    swarm.view.expire(NOON + timedelta(seconds=31))
    assert list(swarm.view.take_changes().stations) == ["A"]
    assert swarm.listed()[0]["status"] == "stopped"


def test_stations_that_draw_power_are_found_and_their_meters_read() -> None:
    swarm = Swarm()
    swarm.status("A", kw=7.0, kwh=1.0)
    swarm.status("B", "available", kwh=3.0)
    swarm.status("C", "offline", kw=7.0)
    assert list(swarm.view.drawing()) == ["A"]
    assert [swarm.view.meter(name) for name in "ABCD"] == [(7.0, 1.0), (0.0, 3.0), (0.0, 0.0), None]
