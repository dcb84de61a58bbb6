from __future__ import annotations

import json

import pytest

from evcharging.apps.doctor import main as doctor
from evcharging.apps.doctor.check import Check, CheckFailed


async def passes() -> str:
    return "fine"


async def fails() -> str:
    raise CheckFailed("too small", mend="make it larger")


@pytest.fixture
def checks(monkeypatch):
    def set_checks(*checks: Check) -> None:
        monkeypatch.setattr(doctor, "machine_checks", lambda _data_dir: list(checks))
        monkeypatch.setattr(doctor, "round_trip_checks", list)
        monkeypatch.setattr(doctor, "program_checks", list)

    return set_checks


def test_all_that_is_required_passing_is_0(checks, capsys):
    checks(Check("one", passes), Check("two", fails, needed_for="make test-all"))
    assert doctor.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["ok", "one", "fine"]
    assert lines[1].split("two")[0].strip() == "-"
    assert "(needed for make test-all)" in lines[1]
    assert lines[2].strip() == "mend: make it larger"
    assert lines[-1] == "Everything required is here: evcharging up"


def test_one_that_is_required_failing_is_1(checks, capsys):
    checks(Check("one", fails), Check("two", passes))
    assert doctor.main([]) == 1
    out = capsys.readouterr().out
    assert out.startswith("FAIL")
    assert "1 required failed" in out


def test_json_is_one_document_with_every_verdict(checks, capsys):
    checks(Check("one", fails), Check("two", passes, needed_for="tests"))
    assert doctor.main(["--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "ok": False,
        "checks": [
            {
                "name": "one",
                "required": True,
                "needed_for": "everything",
                "passed": False,
                "detail": "too small",
                "mend": "make it larger",
            },
            {
                "name": "two",
                "required": False,
                "needed_for": "tests",
                "passed": True,
                "detail": "fine",
                "mend": None,
            },
        ],
    }


def test_bad_usage_is_2_with_one_line(capsys):
    assert doctor.main(["--jsn"]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "--jsn" in captured.err
