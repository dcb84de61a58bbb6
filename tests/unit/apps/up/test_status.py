from __future__ import annotations

from evcharging.apps.up.status import status_line


def test_the_line_counts_states_sessions_power_and_money():
    points = [
        {"cp_id": "CP-001", "state": "SUPPLYING", "session_id": "s1", "kw": 22.0},
        {"cp_id": "CP-002", "state": "SUPPLYING", "session_id": "s2", "kw": 21.5},
        {"cp_id": "CP-003", "state": "ACTIVATED", "session_id": None, "kw": None},
    ]
    totals = {"energy_kwh": 1.5, "earnings": 0.45, "currency": "EUR"}
    assert status_line(points, totals) == (
        "3 charge points: 2 SUPPLYING, 1 ACTIVATED · 2 sessions · 43.5 kW · 1.500 kWh, 0.45 EUR in all"
    )


def test_one_is_said_in_the_singular():
    line = status_line([{"state": "FAULT", "session_id": "s"}], {"energy_kwh": 0, "earnings": 0, "currency": "INR"})
    assert line.startswith("1 charge point: 1 FAULT · 1 session · 0.0 kW")


def test_an_empty_network_has_no_states():
    line = status_line([], {"energy_kwh": 0, "earnings": 0, "currency": "EUR"})
    assert line.startswith("0 charge points: none yet · 0 sessions")
