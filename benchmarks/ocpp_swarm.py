"""Stations in one process at the gateway in another: boot time, memory, CPU a call and latency, beside the yardstick.

For each size a standalone gateway is started, measured from the outside, and asked by forty plain lines on `ocpp` and
`websockets` and then by our stations, in one run: MeterValues each 10 s, Heartbeat each 60 s. One JSON line a figure.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil

HERE = Path(__file__).parent
SIZES = (1_000, 10_000)
MEASURED_S = 20
READY_WITHIN_S = 60
PEERS = {"yardstick": HERE / "yardstick" / "plain_ocpp.py", "swarm": HERE / "yardstick" / "swarm_stations.py"}


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def gateway() -> Iterator[tuple[str, psutil.Process]]:
    """A standalone gateway; gives the URL without a station's id, and its process."""
    ws_port, http_port = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder, Path(folder, "gateway.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "evcharging.apps.ocpp_gateway.main",
                    "--standalone",
                    "--accept-unknown-id-tags",
                ),
                *("--frames", "off", "--ws-port", str(ws_port), "--http-port", str(http_port)),
                *("--db-path", str(Path(folder, "gateway.db"))),
            ],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + READY_WITHIN_S
            while not is_ready(f"http://127.0.0.1:{http_port}/ready"):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("the gateway did not come up: " + Path(folder, "gateway.log").read_text()[-2000:])
                time.sleep(0.05)
            yield f"ws://127.0.0.1:{ws_port}/ocpp", psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()


def is_ready(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - on loopback
        return bool(answer.status == 200)
    return False


def cpu_s(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))


def measure(peer: str, count: int) -> dict[str, float]:
    """Run one peer against a gateway of its own; its figures, and the gateway's over the measured time."""
    with (
        gateway() as (url, process),
        subprocess.Popen(
            [sys.executable, str(PEERS[peer]), url, str(count), str(MEASURED_S)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        ) as stations,
    ):
        assert stations.stdout is not None  # noqa: S101 - asked for above
        if stations.stdout.readline() != "measuring\n":
            raise SystemExit(f"{peer}: {count} stations did not come up")
        boot_cpu_s = cpu_s(process)
        figures: dict[str, float] = json.loads(stations.stdout.readline())
        measured_cpu_s = cpu_s(process) - boot_cpu_s
        figures["gateway_rss_mib"] = round(process.memory_info().rss / 2**20, 1)
        figures["gateway_boot_cpu_s"] = round(boot_cpu_s, 2)
        figures["gateway_core_share"] = round(measured_cpu_s / MEASURED_S, 3)
        figures["gateway_cpu_us_per_call"] = round(measured_cpu_s / figures["calls"] * 1e6, 1)
        stations.kill()
    return figures


def main(sizes: tuple[int, ...]) -> None:
    for count in sizes:
        for peer in PEERS:
            for figure, value in measure(peer, count).items():
                line = {"benchmark": "ocpp_swarm", "peer": peer, "stations": count, "figure": figure, "value": value}
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(tuple(int(size) for size in sys.argv[1:]) or SIZES)
