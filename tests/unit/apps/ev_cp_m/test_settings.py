"""The monitor's settings: the spellings that must work, and what is refused."""

from __future__ import annotations

import pytest

from evcharging.apps.ev_cp_m.settings import MonitorSettings
from evcharging.apps.runtime.errors import UsageError


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def load(line: str, **environ: str) -> MonitorSettings:
    return MonitorSettings.load(line.split(), environ=environ)


def test_the_documented_command_line_works_as_written():
    settings = load(
        "--cp-id CP-001 --cp-e-host localhost --cp-e-port 8001 --central-host localhost --central-port 8000"
    )
    assert settings.cp_id == ["CP-001"]
    assert (settings.cp_e_host, settings.cp_e_port) == ("localhost", 8001)
    assert (settings.central_host, settings.central_port, settings.central_tcp_port) == ("localhost", 8000, None)


def test_the_documented_variables_work_as_written():
    settings = load("", CP_MONITOR_CP_ID="CP-003 # third", CP_MONITOR_CP_E_HOST="ev-cp-e-3")
    assert (settings.cp_id, settings.cp_e_host) == (["CP-003"], "ev-cp-e-3")


@pytest.mark.parametrize("line", ["--cp-id CP-001 --cp-id CP-002", "--cp-id CP-001,CP-002"])
def test_several_charge_points_can_be_named(line):
    assert load(line).cp_id == ["CP-001", "CP-002"]


def test_it_probes_each_second_and_allows_three_misses_where_nothing_is_set():
    settings = load("--cp-id CP-001")
    assert (settings.interval_s, settings.timeout_s, settings.misses) == (1.0, 1.0, 3)


def test_the_token_is_centrals_variable_and_is_not_shown():
    settings = load("--cp-id CP-001", CENTRAL_API_TOKEN="very-secret")
    assert settings.api_token is not None
    assert settings.api_token.get_secret_value() == "very-secret"
    assert "very-secret" not in repr(settings)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", r"--cp-id \(CP_MONITOR_CP_ID\): Field required"),
        ("--cp-id CP/001", r"--cp-id .*'CP/001'"),
        ("--cp-id CP-001,CP-001", "CP-001 is named more than once"),
        ("--cp-id CP-001 --cp-e-host http://engine", "--cp-e-host"),
        ("--cp-id CP-001 --cp-e-port 0", "--cp-e-port"),
        ("--cp-id CP-001 --interval-s 0", "--interval-s"),
    ],
)
def test_what_cannot_be_is_refused_and_named(line, told):
    with pytest.raises(UsageError, match=told):
        load(line)
