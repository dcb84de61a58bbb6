"""The driver's settings: the spellings that must work, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from evcharging.apps.ev_driver.settings import DriverSettings
from evcharging.apps.runtime.errors import UsageError


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def load(line: str, **environ: str) -> DriverSettings:
    return DriverSettings.load(line.split(), environ=environ)


def test_the_documented_command_line_works_as_written():
    settings = load("--driver-id driver-alice --kafka-bootstrap localhost:9092 --requests-file requests.txt")
    assert (settings.driver_id, settings.kafka_bootstrap) == ("driver-alice", "localhost:9092")
    assert settings.requests_file == Path("requests.txt")


def test_the_documented_variable_works_as_written():
    assert load("--driver-id d", DRIVER_REQUEST_INTERVAL="2.5 # seconds").request_interval == 2.5


def test_defaults():
    settings = load("--driver-id d")
    assert settings.request_interval == 4.0
    assert settings.requests_file == Path("requests.txt")
    assert (settings.count, settings.repeat, settings.cancel_on_exit) == (1, False, False)
    assert (settings.give_up_after_s, settings.replay_window_s) == (0.0, 3600.0)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", r"--driver-id \(DRIVER_DRIVER_ID\): Field required"),
        ("--driver-id d --count 0", "--count"),
        ("--driver-id d --request-interval -1", "--request-interval"),
        ("--driver-id d --request-intervall 1", r"did you mean --request-interval\?"),
    ],
)
def test_what_cannot_be_is_refused_and_named(line, told):
    with pytest.raises(UsageError, match=told):
        load(line)
