from __future__ import annotations

from pathlib import Path

import pytest

from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.up.settings import UpSettings


def load(*argv: str, **environ: str) -> UpSettings:
    return UpSettings.load(argv, environ=environ)


@pytest.fixture(autouse=True)
def _no_dotenv(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_kafka_can_be_named_either_way():
    assert load("--kafka", "a:1").given_kafka == "a:1"
    assert load("--kafka-bootstrap", "a:1").given_kafka == "a:1"
    assert load().given_kafka is None


def test_two_different_kafkas_are_refused():
    with pytest.raises(UsageError, match="--kafka a:1 and --kafka-bootstrap b:2 are the same setting"):
        load("--kafka", "a:1", "--kafka-bootstrap", "b:2")


def test_the_database_is_in_the_data_directory():
    assert load().database == ".evcharging/simulator.db"
    assert load("--data-dir", "d").database == str(Path("d/simulator.db"))


def test_the_documented_variable_moves_the_database_and_a_url_wins():
    assert load(SIMULATOR_DB_PATH="else.db").database == "else.db"
    assert load(SIMULATOR_DB_PATH="else.db", CENTRAL_DATABASE_URL="postgresql://h/n").database == "postgresql://h/n"


def test_mqtt_telemetry_is_published_each_second_unless_somebody_says_otherwise():
    assert load().mock_publish_interval == 1.0
    assert load(MOCK_PUBLISH_INTERVAL="5 # seconds").mock_publish_interval == 5.0


def test_the_ports_of_services_are_read_where_the_services_read_them():
    settings = load(CENTRAL_HTTP_PORT="8080", CP_ENGINE_HEALTH_PORT="8081")
    assert (settings.http_port, settings.health_port, settings.listen_port) == (8080, 8081, None)
    assert load("--http-port", "1", CENTRAL_HTTP_PORT="8080").http_port == 1


def test_an_unknown_setting_of_ours_is_named():
    with pytest.raises(UsageError, match="UP_CHARGE_POINT .*did you mean UP_CHARGE_POINTS"):
        load(UP_CHARGE_POINT="4")


def test_the_gateway_keeps_its_database_beside_centrals_unless_told_otherwise():
    assert load("--data-dir", "d").gateway_database == str(Path("d/gateway.db"))
    assert load(CENTRAL_DATABASE_URL="postgresql://h/n").gateway_database == "postgresql://h/n"
    assert load(OCPP_GATEWAY_DATABASE_URL="sqlite:///g.db").gateway_database == "sqlite:///g.db"


def test_several_swarm_workers_need_a_kafka_that_can_share_out():
    with pytest.raises(UsageError, match="^several --swarm-workers need a real Kafka"):
        load("--swarm-workers", "2")
    assert load("--swarm-workers", "2", "--kafka", "a:1").swarm_workers == 2
