"""The engine's settings: the spellings that must work, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from evcharging.apps.ev_cp_e.settings import EngineSettings
from evcharging.apps.runtime.errors import UsageError
from evcharging.domain.charger import L2_THREE_PHASE, L3, ChargerLevel


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def load(line: str = "", **environ: str) -> EngineSettings:
    return EngineSettings.load(line.split(), environ=environ)


def test_the_documented_command_line_works_as_written():
    settings = load("--kafka-bootstrap localhost:9092 --cp-id CP-001 --health-port 8001")
    assert (settings.kafka_bootstrap, settings.cp_ids, settings.health_port) == ("localhost:9092", ("CP-001",), 8001)


def test_the_documented_variables_work_as_written():
    settings = load(
        CP_ENGINE_CP_ID="CP-003",
        CP_ENGINE_HEALTH_PORT="8003",
        CP_ENGINE_KW_RATE="11.0 # half",
        CP_ENGINE_EURO_RATE="0.45",
        MOCK_PUBLISH_INTERVAL="1",
    )
    assert (settings.cp_ids, settings.health_port, settings.kw_rate) == (("CP-003",), 8003, 11.0)
    assert (settings.euro_rate, settings.mqtt_interval) == (Decimal("0.45"), 1.0)


def test_the_defaults_are_the_documented_ones():
    settings = load()
    assert (settings.kw_rate, settings.euro_rate, settings.session_seconds) == (22.0, Decimal("0.30"), 10.0)
    assert (settings.time_scale, settings.can, settings.mqtt, settings.mqtt_interval) == (1.0, "virtual", None, 5.0)
    assert (settings.host, settings.health_port) == ("127.0.0.1", 8001)
    assert settings.spec is L2_THREE_PHASE


def test_charge_points_are_counted_on_from_the_first():
    assert load("--cp-id CP-009 --count 3").cp_ids == ("CP-009", "CP-010", "CP-011")
    assert load("--cp-id 7 --count 2").cp_ids == ("7", "8")


def test_a_name_without_a_number_is_one_charge_point():
    assert load("--cp-id garage").cp_ids == ("garage",)
    with pytest.raises(UsageError, match="ends in a number, got 'garage'"):
        load("--cp-id garage --count 2")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--can nonsense", "expected virtual, hub://HOST:PORT"),
        ("--can hub:CP-001", "expected hub://HOST:PORT"),
        ("--can socketcan:can0 --count 2", "carries one charger and there are 2"),
        ("--mqtt http://broker", "expected mqtt://"),
        ("--count 0", "--count"),
        ("--time-scale 0.5", "--time-scale"),
        ("--kw-rate 0", "--kw-rate"),
        ("--cp-id a/b", "--cp-id"),
        ("--cp-id _engine", "choose another name"),
        ("--engine-id a/b", "--engine-id"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(line: str, said: str):
    with pytest.raises(UsageError, match=said):
        load(line)


def test_an_unknown_variable_under_its_prefix_is_named():
    with pytest.raises(UsageError, match="CP_ENGINE_KWRATE.*CP_ENGINE_KW_RATE"):
        load(CP_ENGINE_KWRATE="11")


def test_the_chargers_are_described_as_by_the_charger_itself():
    settings = load("--level L3 --vehicle-capacity-kwh 77 --vehicle-arrival-soc 0.5")
    assert settings.spec is L3
    assert (settings.vehicle.capacity_kwh, settings.vehicle.arrival_soc) == (77.0, 0.5)
    assert load("--rated-amps 125").spec.rated_amps == 125.0
    assert load("--level DC --rating-kw 50").spec.level is ChargerLevel.DC


def test_its_name_can_be_part_of_a_topic():
    assert load("--engine-id engine-7").name == "engine-7"
    assert len(load().name) <= 48


def test_the_terms_of_a_session_follow_from_it():
    terms = load("--kw-rate 11 --session-seconds 0 --time-scale 600").terms
    assert (terms.kw_rate, terms.session_seconds, terms.time_scale) == (11.0, 0.0, 600.0)
