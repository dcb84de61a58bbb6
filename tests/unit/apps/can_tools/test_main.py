"""The command line of the CAN tools: what it takes, and how it ends. Live runs are in tests/integration."""

from __future__ import annotations

from pathlib import Path

import pytest

from evcharging.apps.can_tools import channels
from evcharging.apps.can_tools.main import can_app, main


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["send", "zz"], "ID 'zz': expected a hexadecimal id"),
        (["send", ""], "ID '': expected a hexadecimal id"),
        (["send", "200", "0"], "DATA '0': expected hexadecimal bytes"),
        (["send", "200", "00" * 9], "9 bytes of data, expected at most 8"),
        (["send", "800"], "id 0x800: expected 0 to 0x7ff"),
        (["send", "200", "--can", "virtual"], "virtual reaches no other process"),
        (["monitor", "--can", "virtual"], "virtual reaches no other process"),
        (["demo", "--can", "virtual"], "virtual reaches no other process"),
        (["monitor", "--can", "nonsense"], "CAN address 'nonsense'"),
        (["monitor", "--id", "xyz"], "ID 'xyz'"),
        (["monitor", "--count", "0"], "greater than or equal to 1"),
        (["demo", "--own-hub", "--can", "hub://127.0.0.1:1"], "leave --can and --channel out"),
        (["send", "200"], "no CAN bus was given and no run is in"),
        (["dance"], "No such command"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(
    argv: list[str],
    told: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(argv) == 2
    said = capsys.readouterr()
    assert told in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


@pytest.mark.parametrize("argv", [["demo"], ["monitor"], ["send", "200"]])
def test_a_hub_that_is_not_there_is_exit_code_1(
    argv: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "CONNECT_WITHIN_S", 0.1)
    channel = ["--channel", "CP-001"] if argv == ["demo"] else []
    assert main([*argv, *channel, "--can", "hub://127.0.0.1:1"]) == 1
    assert "127.0.0.1:1" in capsys.readouterr().err


def test_the_commands_are_those_of_the_interface(capsys: pytest.CaptureFixture[str]) -> None:
    assert {command.name for command in can_app.registered_commands} == {"demo", "monitor", "send"}
    assert main([]) == 0
    assert "monitor" in capsys.readouterr().out
