from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console

from evcharging.apps.up import terminal as terminal_module
from evcharging.apps.up.terminal import Terminal


def plain() -> tuple[Terminal, io.StringIO]:
    output = io.StringIO()
    return Terminal(Console(file=output, width=40), verbose=False), output


def test_warnings_of_a_service_are_shown_with_its_name():
    terminal, output = plain()
    terminal.service_line("central", "slow", logging.WARNING)
    terminal.service_line("central", "fine", logging.INFO)
    assert output.getvalue() == "central | slow\n"


def test_verbose_shows_every_line():
    output = io.StringIO()
    terminal = Terminal(Console(file=output), verbose=True)
    terminal.service_line("central", "fine", logging.INFO)
    assert output.getvalue() == "central | fine\n"


def test_a_long_line_is_not_broken_and_markup_in_it_is_text():
    terminal, output = plain()
    terminal.say("READY [bold]http://127.0.0.1:8000[/bold] and much more text than fits")
    assert output.getvalue() == "READY [bold]http://127.0.0.1:8000[/bold] and much more text than fits\n"


def test_without_a_terminal_the_status_is_a_line_each_ten_seconds(monkeypatch: pytest.MonkeyPatch):
    terminal, output = plain()
    now = 100.0
    monkeypatch.setattr(terminal_module.time, "monotonic", lambda: now)
    for step in range(21):
        now = 100.0 + step
        terminal.status(f"at {step}")
    assert output.getvalue().splitlines() == ["at 0", "at 10", "at 20"]


def test_on_a_terminal_the_status_is_one_line_that_lines_are_printed_above():
    output = io.StringIO()
    with Terminal(Console(file=output, force_terminal=True, width=60), verbose=False) as terminal:
        terminal.status("first")
        terminal.say("a sentence")
        terminal.status("second")
    assert "a sentence" in output.getvalue()
    assert "\n" not in output.getvalue().split("a sentence")[0]


def test_a_table_shows_names_and_values():
    terminal, output = plain()
    terminal.say_table({"Kafka": "127.0.0.1:9092", "MQTT": "mqtt://127.0.0.1:1883"})
    assert [line.split() for line in output.getvalue().splitlines()] == [
        ["Kafka", "127.0.0.1:9092"],
        ["MQTT", "mqtt://127.0.0.1:1883"],
    ]
