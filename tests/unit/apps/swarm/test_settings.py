from __future__ import annotations

import pytest

from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.swarm.settings import SwarmSettings


@pytest.fixture(autouse=True)
def _no_dotenv(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def load(*argv: str, **environ: str) -> SwarmSettings:
    return SwarmSettings.load(argv, environ=environ)


def test_the_documented_variable_names_the_csms():
    assert load().csms_url == "ws://127.0.0.1:9000/ocpp"
    assert load(SWARM_CSMS_URL="wss://csms.example/ocpp/ # theirs").csms_url == "wss://csms.example/ocpp"


def test_an_address_that_is_no_websocket_is_refused():
    with pytest.raises(UsageError, match=r"SWARM_CSMS_URL.*expected ws://host:port/path.*http://csms"):
        load("--csms-url", "http://csms")


def test_each_worker_has_a_name_of_its_own_unless_it_is_given_one():
    assert load("--worker-id", "w1").name == "w1"
    assert load().name.startswith("swarm-")


def test_metrics_are_where_they_are_documented():
    assert load().metrics_port == 9100


def test_the_password_is_never_shown():
    assert "s3cret" not in repr(load(SWARM_CSMS_PASSWORD="s3cret"))


def test_the_level_names_a_rating_plate():
    assert load("--level", "L2-3").spec.rated_kw == pytest.approx(22.17, abs=0.2)
