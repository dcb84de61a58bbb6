from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from evcharging.apps.up import service_log
from evcharging.apps.up.service_log import ServiceLog


@pytest.fixture
def shown() -> list[tuple[str, str, int]]:
    return []


@pytest.fixture
def log(tmp_path: Path, shown: list[tuple[str, str, int]]) -> Iterator[ServiceLog]:
    with closing(ServiceLog(tmp_path, "central", lambda *line: shown.append(line))) as log:
        yield log


def test_every_line_is_kept_in_the_file_of_the_service(log, tmp_path):
    log.take_line("one", False)
    log.take_line("two", True)
    log.note("-- stopped")
    log.close()
    assert (tmp_path / "central.log").read_text().splitlines() == ["one", "two", "-- stopped"]


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("2026-01-01 10:00:00 | WARNING | central | slow", logging.WARNING),
        ("2026-01-01 10:00:00 | INFO | Driver:driver-alice | CP-001 | ERROR | no", logging.INFO),
        ('{"event": "slow", "level": "error", "ts": "x"}', logging.ERROR),
        ("no level at all", logging.INFO),
    ],
)
def test_the_level_is_read_from_the_line(log, shown, line, level):
    log.take_line(line, False)
    assert shown == [("central", line, level)]


def test_a_traceback_has_the_level_of_the_line_above_it(log, shown):
    log.take_line("2026-01-01 10:00:00 | ERROR | central | it broke", False)
    log.take_line("Traceback (most recent call last):", False)
    log.take_line("2026-01-01 10:00:00 | INFO | central | on it goes", False)
    assert [level for _name, _line, level in shown] == [logging.ERROR, logging.ERROR, logging.INFO]


def test_what_is_written_to_standard_error_is_an_error_and_remembered(log, shown):
    log.take_line("evcharging central: --http-port 8000: the port is taken", True)
    log.take_line("", True)
    assert shown[0][2] == logging.ERROR
    assert log.last_error == "evcharging central: --http-port 8000: the port is taken"


def test_the_log_of_a_chatty_service_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(service_log, "LOG_FILE_BYTES", 1000)
    log = ServiceLog(tmp_path, "chatty", lambda *_: None)
    for number in range(1000):
        log.take_line(f"line {number}", False)
    log.close()
    files = sorted(tmp_path.iterdir())
    assert len(files) == 1 + service_log.KEPT_FILES
    assert sum(file.stat().st_size for file in files) <= 3000
    assert "line 999" in (tmp_path / "chatty.log").read_text()


def test_a_log_that_cannot_be_written_is_told_once_and_costs_the_service_nothing(tmp_path, shown, capsys):
    log = ServiceLog(tmp_path / "is" / "not" / "there", "central", lambda *line: shown.append(line))
    log.take_line("one", False)
    log.take_line("two", False)
    told = [line for _name, line, _level in shown]
    assert "one" in told
    assert "two" in told
    assert len([line for line in told if "central.log cannot be written to" in line]) == 1
    assert capsys.readouterr().err == ""
