"""The gateway as a command: what it says of settings that cannot work."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from evcharging.apps.ocpp_gateway.main import main


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_port_that_is_taken_ends_it_with_2_and_names_the_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--standalone", "--ws-port", str(port), "--http-port", "0"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"evcharging gateway: --ws-port {port}: the port is taken")
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--standalone", "--host", "192.0.2.1"], "--station-password"),
        (["--tls-key", "key.pem"], "--tls-certificate"),
        (["--tls-certificate", "gone.pem"], "gone.pem"),
        (["--database-url", "mysql://x/y"], "--database-url"),
        (["--most-stations", "100000000"], "--nofile=100000256"),
        (["--frames", "sometimes"], "--frames"),
        (["--mqtt", "nonsense"], "--mqtt"),
        (["--ws-prot", "1"], "--ws-port"),
    ],
)
def test_settings_that_cannot_work_end_it_with_2_and_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main([*arguments, *(() if "--host" in arguments else ("--http-port", "0"))]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_an_unknown_variable_under_its_prefix_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCPP_GATEWAY_WS_PROT", "9000")
    assert main([]) == 2
    assert "OCPP_GATEWAY_WS_PROT (in the environment) is no setting of gateway" in capsys.readouterr().err
