from __future__ import annotations

import resource
import socket

import pytest

from evcharging.apps.swarm.main import main


@pytest.fixture(autouse=True)
def _no_dotenv(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_more_stations_than_open_files_are_bad_usage_with_the_command_that_mends_it(monkeypatch, capsys):
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 1024))
    assert main(["--max-stations", "5000"]) == 2
    told = capsys.readouterr().err
    assert "--max-stations 5000" in told
    assert "prlimit --pid $$ --nofile=5256:5256" in told


def test_a_port_that_is_taken_is_bad_usage(capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert main(["--metrics-port", str(port)]) == 2
    assert f"--metrics-port {port}: the port is taken" in capsys.readouterr().err


def test_a_profile_of_ones_own_that_makes_no_sense_is_named(tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text("pause_s: soon\n")
    assert main(["--profiles-dir", str(tmp_path)]) == 2
    assert "--profiles-dir" in capsys.readouterr().err


def test_certificates_that_cannot_be_read_are_named(tmp_path, capsys):
    assert main(["--csms-ca-file", str(tmp_path / "ca.pem"), "--metrics-port", "0"]) == 2
    assert "--csms-ca-file" in capsys.readouterr().err
