from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from evcharging.apps.charger.register_file import BadRegisterFile, RegisterFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "meters" / "registers.json"


def test_a_register_outlives_its_process(path: Path) -> None:
    registers = RegisterFile(path)
    registers.put("CP-001", 12.345678901234)
    registers.put("CP-002", 0.1 + 0.2)
    registers.save()
    again = RegisterFile(path)
    assert (again.get("CP-001"), again.get("CP-002")) == (12.345678901234, 0.1 + 0.2)


def test_a_charger_that_is_not_in_the_file_begins_at_nothing(path: Path) -> None:
    assert RegisterFile(path).get("CP-009") == 0.0


def test_registers_of_chargers_that_do_not_run_now_are_kept(path: Path) -> None:
    first = RegisterFile(path)
    first.put("CP-001", 5.0)
    first.save()
    second = RegisterFile(path)
    second.put("CP-002", 7.0)
    second.save(durably=True)
    assert json.loads(path.read_text()) == {"CP-001": 5.0, "CP-002": 7.0}


def test_the_file_is_replaced_whole(path: Path) -> None:
    registers = RegisterFile(path)
    registers.put("CP-001", 1.0)
    registers.save()
    with path.open() as before:
        registers.put("CP-001", 2.0)
        registers.save()
        assert json.load(before) == {"CP-001": 1.0}
    assert json.loads(path.read_text()) == {"CP-001": 2.0}
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def test_nothing_is_written_when_nothing_changed(path: Path) -> None:
    registers = RegisterFile(path)
    path.unlink()
    registers.save()
    assert not path.exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "no JSON"),
        ('{"CP-001": 1', "no JSON"),
        ("[]", "got a list, expected an object"),
        ('{"CP-001": -1}', "CP-001 has -1, expected Wh of 0 or more"),
        ('{"CP-001": "5"}', "CP-001 has '5'"),
        ('{"CP-001": true}', "CP-001 has True"),
        ('{"CP-001": NaN}', "CP-001 has nan"),
        ('{"CP-001": Infinity}', "CP-001 has inf"),
    ],
)
def test_a_file_that_is_no_registers_is_refused_and_left_alone(path: Path, content: str, problem: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(BadRegisterFile, match=problem):
        RegisterFile(path)
    assert path.read_text() == content


def test_a_path_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadRegisterFile, match="cannot be"):
        RegisterFile(tmp_path / "file" / "registers.json")


def test_a_disk_that_fails_is_said_once_and_tried_again(path: Path) -> None:
    registers = RegisterFile(path)
    registers.put("CP-001", 1.0)
    path.parent.rename(path.parent.with_name("away"))
    with capture_logs() as logs:
        registers.save()
        registers.save()
        path.parent.mkdir()
        registers.save()
    assert [entry["event"] for entry in logs] == ["registers cannot be saved", "registers are saved again"]
    assert json.loads(path.read_text()) == {"CP-001": 1.0}


@given(content=st.binary(max_size=60))
def test_any_content_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "registers.json"
    path.write_bytes(content)
    try:
        registers = RegisterFile(path)
    except BadRegisterFile:
        assert path.read_bytes() == content
    else:
        assert all(wh >= 0.0 for wh in registers._registers.values())
