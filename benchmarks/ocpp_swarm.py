"""Stations in one process at the gateway in another: boot time, memory, CPU a call and latency, beside the yardstick.

For each size a standalone gateway is started, measured from the outside, and asked by forty plain lines on `ocpp` and
`websockets` and then by our stations, in one run: MeterValues each 10 s, Heartbeat each 60 s. One JSON line a figure.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
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


class GatewayProcess:
    """A gateway in a process of its own, on ports that stay the same when it is started again."""

    def __init__(self, folder: Path, *, flags: tuple[str, ...] = ("--standalone",)) -> None:
        self._flags = flags
        self.database = folder / "gateway.db"
        self._log = folder / "gateway.log"
        self._ws_port, self._http_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where stations connect, without their id."""
        return f"ws://127.0.0.1:{self._ws_port}/ocpp"

    @property
    def process(self) -> psutil.Process:
        assert self._process is not None  # noqa: S101 - it was started
        return psutil.Process(self._process.pid)

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "evcharging.apps.ocpp_gateway.main", *self._flags, "--frames", "off"),
                    *("--ws-port", str(self._ws_port), "--http-port", str(self._http_port)),
                    *("--db-path", str(self.database)),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while self._get("/ready") is None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the gateway did not come up: " + self._log.read_text()[-2000:])
            time.sleep(0.05)

    def connected(self) -> int:
        """How many stations have a socket."""
        return self.counted("evcharging_gateway_stations")

    def counted(self, metric: str) -> int:
        """What a metric without labels stands at."""
        metrics = (self._get("/metrics") or b"").decode()
        found = re.search(rf"^{metric} (\d+)", metrics, re.MULTILINE)
        return int(found.group(1)) if found else 0

    def kill(self) -> None:
        self.process.kill()
        self._reap()

    def stop(self) -> None:
        self.process.terminate()
        self._reap()

    def _reap(self) -> None:
        assert self._process is not None  # noqa: S101 - it was started
        self._process.wait()

    def _get(self, path: str) -> bytes | None:
        url = f"http://127.0.0.1:{self._http_port}{path}"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            return bytes(answer.read())
        return None


@contextlib.contextmanager
def gateway(*flags: str) -> Iterator[GatewayProcess]:
    with tempfile.TemporaryDirectory() as folder:
        process = GatewayProcess(Path(folder), flags=flags or ("--standalone",))
        process.start()
        try:
            yield process
        finally:
            process.stop()


def cpu_s(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))


def measure(peer: str, count: int) -> dict[str, float]:
    """Run one peer against a gateway of its own; its figures, and the gateway's over the measured time."""
    with (
        gateway() as csms,
        subprocess.Popen(
            [sys.executable, str(PEERS[peer]), csms.url, str(count), str(MEASURED_S)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        ) as stations,
    ):
        assert stations.stdout is not None  # noqa: S101 - asked for above
        if stations.stdout.readline() != "measuring\n":
            raise SystemExit(f"{peer}: {count} stations did not come up")
        boot_cpu_s = cpu_s(csms.process)
        figures: dict[str, float] = json.loads(stations.stdout.readline())
        measured_cpu_s = cpu_s(csms.process) - boot_cpu_s
        figures["gateway_rss_mib"] = round(csms.process.memory_info().rss / 2**20, 1)
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
