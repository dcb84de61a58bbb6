"""How ``evcharging station`` ends where it cannot begin."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from evcharging.apps.station import outlets
from evcharging.apps.station.main import main, station
from evcharging.apps.station.settings import StationAppSettings


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--csms-url", "http://x/"), "--csms-url (STATION_CSMS_URL): expected an address such as ws://"),
        (("--profile", "lazy"), "--profile lazy: no behaviour profile 'lazy'; there are"),
        (("--faults", "bad-jason=1"), "--faults (STATION_FAULTS): 'bad-jason' is no fault; expected bad-json"),
        (("--ca", "x.pem"), "--ca, --client-cert and --client-key are for wss://"),
        (("--csms-url", "wss://x/", "--ca", "absent.pem"), "absent.pem: cannot be used as certificates to trust"),
        (("--configuration", "NoSuchKey=1"), "NoSuchKey"),
        (("--configuration", "HeartbeatInterval"), "expected KEY=VALUE;KEY=VALUE"),
        (("--can", "carrier-pigeon"), "expected virtual, hub://HOST:PORT"),
        (("--id", "a b"), "--id (STATION_ID): it names the CAN channel too"),
    ],
)
def test_settings_that_are_wrong_are_told_in_one_line_with_exit_code_2(
    flags: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(flags) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1


def test_a_station_without_its_charger_gives_up_with_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(outlets, "HEARD_WITHIN_S", 0.2)
    assert main(["--id", "CP-ALONE", "--can", "hub://127.0.0.1:9"]) == 1
    assert "--can hub://127.0.0.1:9" in capsys.readouterr().err


def test_a_queue_file_that_is_none_is_told_with_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "queue").write_text("no queue\n")
    assert main(["--queue-file", str(tmp_path / "queue")]) == 2
    assert "--queue-file" in capsys.readouterr().err


def test_the_memory_of_another_station_is_not_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "queue.open").write_text('{"station_id": "CP-2", "transactions": [], "registers_wh": []}')
    assert main(["--id", "CP-1", "--queue-file", str(tmp_path / "queue")]) == 2
    assert "is of station CP-2, not of CP-1" in capsys.readouterr().err


def test_a_station_that_never_connected_in_its_time_exits_with_1_and_says_what_to_check(
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = "ws://127.0.0.1:1/ocpp"
    assert main(["--csms-url", url, "--id", "CP-LOST", "--profile", "none", "--duration", "0.3"]) == 1
    assert (
        "never connected to ws://127.0.0.1:1/ocpp: ws://127.0.0.1:1/ocpp/CP-LOST: Connection refused; "
        "check: is the CSMS running"
    ) in " ".join(capsys.readouterr().err.split())


async def test_a_station_that_never_connected_and_is_stopped_by_hand_ends_well_and_says_what_to_check(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stop = asyncio.Event()
    stop.set()
    await station(StationAppSettings(csms_url="ws://127.0.0.1:1/ocpp", id="CP-LOST", profile="none"), stop)
    assert "never connected to ws://127.0.0.1:1/ocpp" in capsys.readouterr().out
