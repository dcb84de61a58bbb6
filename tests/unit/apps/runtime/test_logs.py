"""Log lines: one event, one line, whoever wrote it."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator

import pytest
import structlog

from evcharging.apps.runtime.logs import configure_logging


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_line_shows_time_level_who_and_message(capsys):
    configure_logging(level="info", log_format="text", who="driver")
    structlog.get_logger().bind(who="Driver:driver-alice").info("CP-001 | ACCEPTED")
    (line,) = lines(capsys)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \| INFO \| Driver:driver-alice \| CP-001 \| ACCEPTED", line)


def test_a_logger_without_a_name_of_its_own_shows_the_services(capsys):
    configure_logging(level="info", log_format="text", who="driver")
    structlog.get_logger().warning("slow", seconds=3)
    assert lines(capsys)[0].endswith("| WARNING | driver | slow seconds=3")


def test_lines_under_the_level_are_left_out(capsys):
    configure_logging(level="warning", log_format="text", who="driver")
    structlog.get_logger().info("chatter")
    logging.getLogger("some.library").info("chatter")
    assert lines(capsys) == []


def test_a_tool_keeps_standard_output_for_its_results(capsys):
    configure_logging(level="info", log_format="text", who="topics", stream=sys.stderr)
    structlog.get_logger().warning("slow")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("| WARNING | topics | slow\n")


def test_libraries_log_in_the_same_form(capsys):
    configure_logging(level="info", log_format="text", who="driver")
    logging.getLogger("some.library").warning("lost %d", 3)
    assert lines(capsys)[0].endswith("| WARNING | driver | lost 3")


def test_the_http_client_does_not_log_each_request(capsys):
    configure_logging(level="info", log_format="text", who="monitor")
    logging.getLogger("httpx").info("HTTP Request: GET http://127.0.0.1/health")
    assert lines(capsys) == []


def test_a_peers_text_cannot_forge_a_line_nor_steer_the_terminal(capsys):
    configure_logging(level="info", log_format="text", who="driver")
    structlog.get_logger().info("denied: busy\n2025-01-01 00:00:00 | INFO | x | forged \x1b[2J", detail="a\u2028b")
    (line,) = capsys.readouterr().out.rstrip("\n").split("\n")
    assert r"busy\n2025" in line
    assert r"\x1b[2J" in line
    assert r"a\u2028b" in line


def test_an_exception_follows_its_line(capsys):
    configure_logging(level="info", log_format="text", who="driver")
    try:
        int("broken")
    except ValueError:
        structlog.get_logger().exception("could not")
    out = lines(capsys)
    assert out[0].endswith("| ERROR | driver | could not")
    assert out[-1].startswith("ValueError: invalid literal")


def test_json_lines_carry_time_level_and_fields(capsys):
    configure_logging(level="info", log_format="json", who="driver")
    structlog.get_logger().bind(who="Driver:d").info("said", kwh=1.5)
    event = json.loads(lines(capsys)[0])
    assert event["event"] == "said"
    assert event["level"] == "info"
    assert (event["who"], event["kwh"]) == ("Driver:d", 1.5)
    assert event["ts"].endswith("Z")
