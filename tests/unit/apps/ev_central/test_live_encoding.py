from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from evcharging.apps.ev_central.live_encoding import MOST_LINES_A_TICK, LiveEncoder
from evcharging.apps.ev_central.swarm_view import SwarmView
from evcharging.apps.ev_central.view import NetworkView
from evcharging.apps.runtime.behaviour_profiles import load_profiles
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Status, StatusSource
from evcharging.messages.network import SwarmDesired, SwarmLog, SwarmStatus
from evcharging.messages.topics import SWARM_DESIRED, SWARM_STATUS

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Network:
    def __init__(self) -> None:
        self.view, self.swarm = NetworkView(), SwarmView(load_profiles())
        self.encoder = LiveEncoder(self.view, self.swarm)

    def station(self, station_id: str, **more: Any) -> None:
        status = SwarmStatus(ts=NOON, station_id=station_id, state="charging", profile="idle", **more)
        self.swarm.apply(status, NOON)

    def line(self, line: str, station_id: str = "PY-SIM-0001") -> None:
        self.swarm.apply(SwarmLog(ts=NOON, station_id=station_id, line=line), NOON)

    def point(self, cp_id: str) -> None:
        status = Status(ts=NOON, cp_id=cp_id, state=ChargePointState.ACTIVATED, source=StatusSource.ENGINE)
        self.view.apply(status, NOON)

    def tick(self, of: str | None = None) -> list[Any]:
        return [json.loads(text) for text in self.encoder.tick(NOON).messages(of)]

    def snapshot(self) -> dict[str, Any]:
        return dict(json.loads(self.encoder.snapshot(NOON)))


def test_a_snapshot_has_charge_points_and_stations() -> None:
    network = Network()
    network.point("CP-001")
    network.station("PY-SIM-0001", kw=7.0)
    network.encoder.begin(NOON)
    snapshot = network.snapshot()
    assert [point["unit_id"] for point in snapshot["cp"]] == ["CP-001"]
    assert [(s["type"], s["station_id"], s["usage_kw"]) for s in snapshot["stations"]] == [
        ("station", "PY-SIM-0001", 7.0)
    ]
    assert (snapshot["totals"]["stations"], snapshot["totals"]["running"]) == (2, 1)


def test_a_station_is_told_when_it_changes_and_not_before() -> None:
    network = Network()
    network.encoder.begin(NOON)
    network.station("PY-SIM-0001")
    assert [m["type"] for m in network.tick()] == ["station", "totals"]
    assert network.tick() == []
    network.station("PY-SIM-0001", kwh=1.0)
    assert [(m["type"], m["energy_kwh"]) for m in network.tick("PY-SIM-0001")] == [("station", 1.0)]
    assert network.tick("PY-SIM-0002") == []


def test_a_station_that_is_a_charge_point_too_is_told_as_both() -> None:
    network = Network()
    network.encoder.begin(NOON)
    network.point("PY-SIM-0001")
    network.station("PY-SIM-0001")
    assert [m["type"] for m in network.tick("PY-SIM-0001")] == ["cp", "station"]


def test_a_station_that_is_gone_is_told_and_not_in_the_next_snapshot() -> None:
    network = Network()
    network.swarm.apply(SwarmDesired(ts=NOON, station_id="A", running=True), NOON)
    network.encoder.begin(NOON)
    network.swarm.forget(SWARM_STATUS.name, "A")
    network.swarm.forget(SWARM_DESIRED.name, "A")
    assert network.tick("A") == [{"type": "gone", "station_id": "A"}]
    assert network.snapshot()["stations"] == []


def test_lines_are_told_in_order_to_all_and_to_those_who_listen_to_one_station() -> None:
    network = Network()
    network.encoder.begin(NOON)
    for number in range(3):
        network.line(f"a{number}", "A")
        network.line(f"b{number}", "B")
    tick = network.encoder.tick(NOON)
    assert [json.loads(text) for text in tick.messages("A")] == [
        {"type": "log", "station_id": "A", "line": f"a{number}"} for number in range(3)
    ]
    assert len([text for text in tick.all if '"log"' in text]) == 6


def test_a_flood_of_lines_is_cut_for_all_and_whole_for_its_station() -> None:
    network = Network()
    network.encoder.begin(NOON)
    for number in range(MOST_LINES_A_TICK + 50):
        network.line(str(number), "A")
    tick = network.encoder.tick(NOON)
    told = [json.loads(text)["line"] for text in tick.last_lines]
    assert (len(told), told[-1]) == (MOST_LINES_A_TICK, str(MOST_LINES_A_TICK + 49))
    assert len(tick.messages("A")) == MOST_LINES_A_TICK + 50


def test_what_was_said_before_anybody_listened_is_in_the_log_and_not_told_again() -> None:
    network = Network()
    network.line("before")
    network.encoder.begin(NOON)
    assert network.tick("PY-SIM-0001") == []
    assert [json.loads(text)["line"] for text in network.encoder.last_lines("PY-SIM-0001")] == ["before"]
