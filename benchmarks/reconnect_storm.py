"""A gateway killed under thousands of stations and started again: who came back, how soon, and what was lost.

`evcharging swarm` runs against a standalone gateway that gets SIGKILL while stations charge and is started again. The
ledger holds what stations metered against what was acknowledged; the gateway's own database is counted beside it.
One JSON line a figure.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from ocpp_swarm import GatewayProcess

SIZES = (1_000, 5_000)
AWAY_S = 2.0
GIVE_UP_S = 600


def rows(database: Path, what: str) -> tuple[int, ...]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return tuple(connection.execute(f"SELECT {what} FROM transactions").fetchone())  # noqa: S608 - ours


def storm(count: int, folder: Path) -> dict[str, float]:
    ramp_s = max(2, count // 250)
    report = folder / "report.json"
    gateway = GatewayProcess(folder)
    gateway.start()
    try:
        run = subprocess.Popen(
            [
                *(sys.executable, "-m", "evcharging.apps.load_run.main", "--csms-url", gateway.url, "--no-live"),
                *("--count", str(count), "--profile", "busy", "--meter-interval", "10s", "--report", str(report)),
                *("--ramp", f"{ramp_s}s", "--duration", f"{ramp_s + 90}s", "--settle", "120"),
            ],
            stdout=subprocess.DEVNULL,
        )
        began = time.monotonic()
        while rows(gateway.database, "count(*)") < (count // 2,):
            if run.poll() is not None or time.monotonic() - began > GIVE_UP_S:
                raise SystemExit(f"{count} stations did not begin to charge")
            time.sleep(0.2)
        begun, over = rows(gateway.database, "count(*), count(stopped_at)")
        gateway.kill()
        time.sleep(AWAY_S)
        gateway.start()
        restarted = time.monotonic()
        while gateway.connected() < count and time.monotonic() - restarted < GIVE_UP_S:
            time.sleep(0.1)
        back_s = time.monotonic() - restarted
        exit_code = run.wait(GIVE_UP_S)
        kept = rows(gateway.database, "count(*), count(DISTINCT transaction_id), sum(meter_stop_wh - meter_start_wh)")
    finally:
        gateway.stop()
    told = json.loads(report.read_text())
    ledger, sockets = told["ledger"], told["connections"]
    return {
        "transactions_open_at_the_kill": begun - over,
        "all_back_s": round(back_s, 2),
        "reconnects": sockets["reconnects"],
        "exit_code": exit_code,
        "ledger_clean": int(ledger["clean"]),
        "transactions_begun": ledger["began"],
        "transactions_kept": kept[0],
        "transaction_ids": kept[1],
        "metered_wh": ledger["metered_wh"],
        "kept_wh": kept[2],
        "messages_kept_while_away": ledger["kept_messages"],
    }


def main(sizes: tuple[int, ...]) -> None:
    for count in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for figure, value in storm(count, Path(folder)).items():
                line = {"benchmark": "reconnect_storm", "stations": count, "figure": figure, "value": value}
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(tuple(int(size) for size in sys.argv[1:]) or SIZES)
