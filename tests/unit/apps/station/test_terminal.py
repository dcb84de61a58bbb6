"""What a station shows on the terminal."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from evcharging.apps.runtime.logs import configure_logging
from evcharging.apps.station.terminal import Terminal
from evcharging.ocpp.station.fault_kinds import FaultKind
from evcharging.ocpp.station.faults import Judgement
from evcharging.ocpp.station.interfaces import TransactionRecord
from tests.support.station_world import World


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def terminal(written: io.StringIO) -> Terminal:
    return Terminal(Console(file=written, width=200, highlight=False))


def test_prints_lines_as_they_are(terminal: Terminal, written: io.StringIO) -> None:
    terminal.log("CP-1", "[12:05:32] BootNotification sent")
    terminal.log("CP-1", "[12:05:33] Authorization failed - [red]ABC[/red] (Blocked)")
    assert written.getvalue().splitlines() == [
        "[12:05:32] BootNotification sent",
        "[12:05:33] Authorization failed - [red]ABC[/red] (Blocked)",
    ]


def test_lets_nothing_steer_the_terminal(terminal: Terminal, written: io.StringIO) -> None:
    terminal.log("CP-1", "[12:05:32] Disconnected - \x1b[2J\nforged")
    assert written.getvalue() == "[12:05:32] Disconnected - ?[2J?forged\n"


@pytest.mark.parametrize(
    ("message", "colour"),
    [
        ("Charging started (price: 18.50 INR)", "32"),
        ("Heartbeat failed - timeout", "31"),
        ("Price too high (24.00 INR) - waiting", "33"),
    ],
)
def test_colours_what_matters(message: str, colour: str) -> None:
    written = io.StringIO()
    terminal = Terminal(Console(file=written, width=200, highlight=False, force_terminal=True, color_system="standard"))
    terminal.log("CP-1", f"[12:05:32] {message}")
    assert f"\x1b[{colour}m{message}" in written.getvalue()


def test_writes_json_lines_for_machines() -> None:
    written = io.StringIO()
    configure_logging(level="info", log_format="json", who="station", stream=written)
    Terminal(Console(file=io.StringIO()), as_json=True).log("CP-1", "[12:05:32] Connected")
    line = json.loads(written.getvalue())
    assert (line["event"], line["station"]) == ("Connected", "CP-1")


def test_tells_of_faults_and_how_they_were_taken(terminal: Terminal, written: io.StringIO) -> None:
    terminal.fault("CP-1", FaultKind.BAD_JSON)
    terminal.judged("CP-1", Judgement(FaultKind.BAD_JSON, "no answer", True))
    terminal.judged("CP-1", Judgement(FaultKind.UNKNOWN_ACTION, "CALLRESULT", False))
    assert [line.strip() for line in written.getvalue().splitlines()] == [
        "fault on purpose: bad-json",
        "bad-json: no answer, as expected",
        "unknown-action: CALLRESULT, not as expected",
    ]


async def test_shows_the_station_and_what_the_run_came_to(terminal: Terminal, written: io.StringIO) -> None:
    told: list[None] = []
    terminal.on_transaction = lambda: told.append(None)
    record = TransactionRecord("CP-001", 1, "t", "TAG", 0.0, 1000, 3500, ended_at_s=1.0)
    terminal.transaction_began(record)
    terminal.transaction_ended(record)
    terminal.transaction_settled(record)
    terminal.called("CP-001", "Heartbeat", 0.01, "ok")
    terminal.called("CP-001", "Heartbeat", None, "timeout")
    terminal.message_dropped("CP-001", "StopTransaction", "InternalError")
    snapshot = World().station.snapshot()
    terminal.show(snapshot)
    terminal.summary("CP-001", snapshot)
    shown = written.getvalue()
    assert "CP-001 offline, 0.00 kW" in shown
    assert "connector 1 Available, 0.00 kW, limit 32 A" in shown
    assert "1 transactions, 2.500 kWh; calls: 1 ok, 1 timeout; 0 messages waiting, 1 given up" in shown
    assert len(told) == 3
