"""`evcharging up` as people run it: real processes on free ports, in a directory of its own; watched, killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

__all__ = ["SERVICES", "Run", "gone"]

DEADLINE_S = 60.0
POLL_S = 0.05
LOG_LINES = 15
ANY_PORTS = [
    argument
    for flag in (
        *("--http-port", "--listen-port", "--health-port", "--can-port", "--kafka-port", "--mqtt-port"),
        *("--ws-port", "--gateway-http-port", "--metrics-port"),
    )
    for argument in (flag, "0")
]
QUICK = {"CP_ENGINE_SESSION_SECONDS": "2", "DRIVER_REQUEST_INTERVAL": "0.2"}
SERVICES = {"kafka", "mqtt", "charger", "central", "engine", "monitor", "gateway", "swarm", "driver"}


class Run:
    """One `evcharging up`, and what it prints."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.directory = directory
        self.lines: list[str] = []
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("UP_", "CENTRAL_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "evcharging", "up", *ANY_PORTS, *arguments],
            cwd=directory,
            env={**environ, **QUICK, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            self.lines.extend(line.rstrip("\n") for line in output)

    def until(self, what: str, condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
        """Wait for ``condition`` to be true, and return what it returned."""
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            if found := condition():
                return found
            time.sleep(POLL_S)
        raise AssertionError(f"not within {deadline_s:g} s: {what}\n{self.told()}")

    def told(self) -> str:
        """What it printed, and the end of each service's log."""
        logs = sorted((self.directory / ".evcharging" / "logs").glob("*.log"))
        ends = [line for log in logs for line in (f"== {log.name}", *log.read_text().splitlines()[-LOG_LINES:])]
        return "\n".join([*self.lines, *ends])

    @property
    def addresses(self) -> dict[str, Any]:
        return json.loads((self.directory / ".evcharging" / "addresses.json").read_text())

    def said(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def until_ready(self) -> dict[str, Any]:
        def ready_or_over() -> bool:
            assert self.process.poll() is None, self.told()
            return self.said("READY http://127.0.0.1:")

        self.until("READY", ready_or_over)
        return self.addresses

    def children(self) -> dict[str, int]:
        """The pid of each service, by the module that it runs."""
        names = {"ev_central": "central", "ev_cp_e": "engine", "ev_cp_m": "monitor", "ev_driver": "driver"}
        names |= {"broker": "kafka", "mqtt_broker": "mqtt", "charger": "charger"}
        names |= {"ocpp_gateway": "gateway", "swarm": "swarm"}
        found = {}
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                words = child.cmdline()
                if "evcharging.apps.up.launch" in words:
                    module = words[words.index("evcharging.apps.up.launch") + 1]
                    found[names.get(module.split(".")[2], module)] = child.pid
        return found

    def get(self, path: str) -> Any:
        return httpx.get(self.addresses["http"] + path, timeout=5, trust_env=False).raise_for_status().json()

    def completed_sessions(self) -> list[dict[str, Any]]:
        sessions = self.get("/api/v1/sessions?limit=100")
        return [one for one in sessions if one["status"] == "COMPLETED" and one["source"] == "engine"]

    def online_stations(self) -> list[str]:
        return [station["station_id"] for station in self.get("/stations") if station["status"] == "online"]

    def wait(self, deadline_s: float = DEADLINE_S) -> int:
        code = self.process.wait(deadline_s)
        self._reading.join()
        return code

    def end(self) -> None:
        """Leave nothing running, whatever the test found."""
        family = [self.process.pid]
        with contextlib.suppress(psutil.NoSuchProcess):
            family += [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self._reading.join()


def gone(pids: list[int]) -> bool:
    """Whether none of these processes is there any more."""
    return not any(psutil.pid_exists(pid) for pid in pids)
