"""A gateway killed under many stations: all come back, every transaction is kept once, with all of its energy."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.gateway_process import GatewayProcess, gateway_process

pytestmark = pytest.mark.chaos

STATIONS = 300
RUN_S = 40
PATIENCE_S = 120.0


def rows(gateway: GatewayProcess, what: str) -> tuple[int, ...]:
    """One row of the gateway's own database, read beside it."""
    with closing(sqlite3.connect(f"file:{gateway.folder}/gateway.db?mode=ro", uri=True)) as database:
        return tuple(database.execute(f"SELECT {what} FROM transactions").fetchone())


def begin_run(gateway: GatewayProcess, report: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "evcharging.apps.load_run.main", "--csms-url", gateway.url, "--no-live"),
            *("--count", str(STATIONS), "--profile", "busy", "--duration", f"{RUN_S}s", "--ramp", "2s"),
            *("--meter-interval", "2s", "--seed", "7", "--report", str(report)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_stations_survive_a_gateway_that_is_killed_and_lose_and_double_nothing(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with gateway_process(tmp_path, "--accept-unknown-id-tags", "--frames", "off") as gateway:
        with begin_run(gateway, report) as run:
            deadline = time.monotonic() + PATIENCE_S
            while rows(gateway, "count(*)") < (STATIONS // 2,):
                assert run.poll() is None, run.communicate()[0]
                assert time.monotonic() < deadline
                time.sleep(0.1)
            gateway.kill()
            begun = rows(gateway, "count(*), count(stopped_at)")
            gateway.start()
            told, _ = run.communicate(timeout=PATIENCE_S + RUN_S)
        assert run.returncode == 0, told
        ledger = json.loads(report.read_text())["ledger"]
        connections = json.loads(report.read_text())["connections"]
        kept = rows(
            gateway, "count(*), count(DISTINCT transaction_id), count(stopped_at), sum(meter_stop_wh - meter_start_wh)"
        )
    assert begun[0] > begun[1], "nothing was under way when the gateway died"
    assert ledger["clean"], ledger
    assert kept == (ledger["began"], ledger["began"], ledger["began"], ledger["metered_wh"])
    assert connections["reconnects"] >= STATIONS
