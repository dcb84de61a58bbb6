"""Registrations in memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from evcharging.apps.ocpp_gateway.boots import BootTerms
from evcharging.apps.ocpp_gateway.stations import OLD_PASSWORD_HOLDS, StationRegistry
from evcharging.messages.network import OcppConfig

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def config(cp_id: str, **fields: object) -> OcppConfig:
    return OcppConfig(ts=NOW, cp_id=cp_id, **fields)  # type: ignore[arg-type]


def registry(*, open_registration: bool = False) -> StationRegistry:
    return StationRegistry(open_registration=open_registration, default=config, now=lambda: NOW)


def test_a_station_is_found_once_it_is_registered_and_until_it_is_withdrawn() -> None:
    stations = registry()
    assert stations.find("CP-001") is None

    stations.take(config("CP-001", security_profile=1))
    assert stations.find("CP-001") == config("CP-001", security_profile=1)
    assert len(stations) == 1

    stations.take(config("CP-001", deleted=True))
    assert stations.find("CP-001") is None


def test_the_last_word_on_a_station_counts() -> None:
    stations = registry()
    stations.take(config("CP-001"))
    stations.take(config("CP-001", security_profile=2))

    assert stations.find("CP-001") == config("CP-001", security_profile=2)


def test_a_station_that_is_forgotten_twice_is_simply_gone() -> None:
    stations = registry()
    stations.take(config("CP-001"))
    stations.forget("CP-001")
    stations.forget("CP-001")

    assert stations.find("CP-001") is None


def test_open_registration_lets_anybody_in_but_the_registered_by_their_registration() -> None:
    stations = registry(open_registration=True)
    stations.take(config("CP-001", security_profile=1))

    assert stations.find("CP-002") == config("CP-002")
    assert stations.registered("CP-002") is None
    assert stations.find("CP-001") == config("CP-001", security_profile=1)


def test_an_id_is_an_engines_until_central_says_that_the_engine_has_left() -> None:
    stations = StationRegistry(open_registration=True, default=config)
    assert not stations.held_by_engine("CP-1")
    stations.take(config("CP-1", deleted=True, held_by_engine=True))
    assert stations.held_by_engine("CP-1")
    assert stations.registered("CP-1") is None
    stations.take(config("CP-1", deleted=True))
    assert not stations.held_by_engine("CP-1")


def test_a_boot_is_answered_by_the_registration() -> None:
    stations = registry()
    assert stations.boot_terms("CP-001", interval_s=300) == BootTerms("Rejected", 300)
    stations.take(config("CP-001", boot_status="Pending", heartbeat_interval_s=60))
    assert stations.boot_terms("CP-001", interval_s=300) == BootTerms("Pending", 60)
    stations.take(config("CP-001", configuration={"One": "1"}))
    assert stations.boot_terms("CP-001", interval_s=300) == BootTerms("Accepted", 300, {"One": "1"})


class TestAnOldPassword:
    def test_holds_beside_the_one_that_a_station_was_given_until_the_station_comes_with_that(self) -> None:
        stations = registry()
        stations.take(config("CP-001", password_hash="one"))
        stations.take(config("CP-001", password_hash="two", old_password_holds=True))
        assert stations.old_password("CP-001") == "one"
        stations.take(config("CP-001", password_hash="two"))  # told again, as at Central's start
        assert stations.old_password("CP-001") == "one"
        stations.came_with_the_new_password("CP-001")
        assert stations.old_password("CP-001") is None

    def test_holds_for_its_time_at_most(self) -> None:
        moment = NOW
        stations = StationRegistry(open_registration=False, default=config, now=lambda: moment)
        stations.take(config("CP-001", password_hash="one"))
        stations.take(config("CP-001", password_hash="two", old_password_holds=True))
        moment = NOW + OLD_PASSWORD_HOLDS - timedelta(seconds=1)
        assert stations.old_password("CP-001") == "one"
        moment = NOW + OLD_PASSWORD_HOLDS
        assert stations.old_password("CP-001") is None

    def test_ends_with_a_password_that_an_operator_sets_and_with_the_registration(self) -> None:
        stations = registry()
        stations.take(config("CP-001", password_hash="one"))
        stations.take(config("CP-001", password_hash="two", old_password_holds=True))
        stations.take(config("CP-001", password_hash="three"))
        assert stations.old_password("CP-001") is None
        stations.take(config("CP-001", password_hash="four", old_password_holds=True))
        assert stations.old_password("CP-001") == "three"
        stations.take(config("CP-001", deleted=True))
        assert stations.old_password("CP-001") is None

    def test_is_none_where_there_was_none(self) -> None:
        stations = registry()
        stations.take(config("CP-001", password_hash="one", old_password_holds=True))
        assert stations.old_password("CP-001") is None
