from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from evcharging.apps.ev_central.swarm_station import LOG_LINES, LONGEST_LINE, LogTail, StationPicture
from evcharging.apps.runtime.behaviour_profiles import load_profiles
from evcharging.messages.network import SwarmDesired, SwarmStatus

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
IDLE = load_profiles()["idle"]


def status(seconds: float = 0, state: str = "charging", **more: Any) -> SwarmStatus:
    values = {"ts": NOON + timedelta(seconds=seconds), "station_id": "PY-SIM-0001", "state": state, "profile": "idle"}
    return SwarmStatus(**{**values, **more})


def told(*said: SwarmStatus) -> StationPicture:
    station = StationPicture("PY-SIM-0001")
    for word in said:
        station.apply_status(word, NOON + timedelta(hours=1))
    return station


def test_a_station_shows_what_it_does_and_what_its_profile_allows() -> None:
    policy = {"action": "charge", "reason": "Conditions OK"}
    assert told(status(kw=7.36, kwh=12.5, policy=policy)).record(IDLE) == {
        "station_id": "PY-SIM-0001",
        "profile": "idle",
        "status": "online",
        "usage_kw": 7.36,
        "energy_kwh": 12.5,
        "max_energy_kwh": 20.0,
        "charge_if_price_below": 18.0,
        "allow_peak_hours": False,
        "policy": policy,
    }


def test_a_station_that_is_stopped_or_out_of_reach_is_not_online_and_draws_nothing() -> None:
    for state in ("stopped", "offline"):
        record = told(status(state=state, kw=7.0)).record(IDLE)
        assert (record["status"], record["usage_kw"]) == ("stopped", 0.0)


def test_a_profile_that_central_does_not_know_shows_no_limits() -> None:
    record = told(status(profile="of-another-worker")).record(None)
    assert (record["profile"], record["max_energy_kwh"], record["allow_peak_hours"]) == (
        "of-another-worker",
        None,
        None,
    )


def test_a_profile_without_sessions_shows_no_limits() -> None:
    record = told(status()).record(load_profiles()["no-transactions"])
    assert (record["max_energy_kwh"], record["charge_if_price_below"], record["allow_peak_hours"]) == (None, None, None)


def test_the_profile_that_is_wanted_is_shown_before_the_station_has_it() -> None:
    station = told(status())
    station.apply_desired(SwarmDesired(ts=NOON, station_id="PY-SIM-0001", running=True, profile="busy"))
    assert station.profile == "busy"


def test_a_late_word_of_the_same_worker_does_not_count_another_workers_does() -> None:
    station = told(status(10, worker="a", kwh=2.0), status(5, worker="a", kwh=1.0))
    assert station.kwh == 2.0
    assert station.apply_status(status(5, worker="b", kwh=3.0), NOON + timedelta(hours=1))
    assert station.kwh == 3.0


def test_a_worker_whose_term_is_over_is_not_heard_whenever_it_speaks() -> None:
    station = told(status(0, worker="b", kwh=2.0, handover={"term": 2, "holder": "b"}))
    late = status(5, worker="a", kwh=1.0, handover={"term": 1, "holder": "a"})
    assert not station.apply_status(late, NOON + timedelta(hours=1))
    assert station.kwh == 2.0


def test_terms_may_begin_anew_once_the_last_word_holds_no_longer() -> None:
    station = StationPicture("PY-SIM-0001")
    station.apply_status(status(0, worker="b", kwh=2.0, holds_s=3, handover={"term": 9, "holder": "b"}), NOON)
    anew = status(4, worker="c", kwh=0.5, holds_s=3, handover={"term": 1, "holder": "c"})
    assert station.apply_status(anew, NOON + timedelta(seconds=4))
    assert (station.kwh, station.online) == (0.5, True)


def test_the_same_word_again_is_no_news_but_holds_longer() -> None:
    station = StationPicture("PY-SIM-0001")
    assert station.apply_status(status(0, holds_s=60), NOON)
    assert not station.apply_status(status(50, holds_s=60), NOON + timedelta(seconds=50))
    assert not station.expire(NOON + timedelta(seconds=109))
    assert station.expire(NOON + timedelta(seconds=110))
    assert not station.online
    assert not station.expire(NOON + timedelta(seconds=200))


def test_a_word_without_a_time_holds_until_the_next() -> None:
    station = told(status())
    assert not station.expire(NOON + timedelta(days=365))
    assert station.online


@given(st.lists(st.text(max_size=30), max_size=LOG_LINES * 2 + 5))
def test_a_log_keeps_its_last_lines_whatever_is_in_them(lines: list[str]) -> None:
    tail = LogTail()
    for line in lines:
        tail.append(line)
    expected = [line.replace("\n", " ").encode("utf-8", "replace").decode() for line in lines[-LOG_LINES:]]
    assert tail.lines() == expected
    assert len(tail) == len(expected)


def test_a_line_is_bounded() -> None:
    tail = LogTail()
    tail.append("x" * 10_000)
    assert [len(line) for line in tail.lines()] == [LONGEST_LINE]
