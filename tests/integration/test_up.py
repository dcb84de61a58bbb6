"""`evcharging up` as people run it: real processes on free ports, in a directory of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

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


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def start(*arguments: str) -> Run:
        runs.append(Run(tmp_path, *arguments))
        return runs[-1]

    yield start
    for run in runs:
        run.end()


def gone(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(pid) for pid in pids)


def test_a_run_completes_sessions_and_ends_on_ctrl_c_leaving_nothing(start):
    run = start()
    addresses = run.until_ready()
    assert run.children().keys() == SERVICES
    assert addresses["pid"] == run.process.pid
    assert all(point["healthy"] for point in run.get("/cp") if point["source"] == "engine")

    session = run.until("a completed session", run.completed_sessions)[0]
    assert session["kwh"] > 0
    assert session["source"] == "engine"

    stations = run.until("its five stations are online", lambda: len(found := run.online_stations()) == 5 and found)
    assert stations == [f"PY-SIM-000{number}" for number in range(1, 6)]
    at_the_gateway = {point["cp_id"] for point in run.get("/cp") if point["source"] == "ocpp"}
    assert at_the_gateway == set(stations)
    assert addresses["ocpp"].startswith("ws://127.0.0.1:")
    assert run.said(f"{addresses['ocpp']}/<id>")

    second = start()
    assert second.wait() == 2
    assert second.said(f"already running in .evcharging (pid {run.process.pid})")

    pids = list(run.children().values())
    os.killpg(run.process.pid, signal.SIGINT)  # as a terminal does: to the whole foreground group
    assert run.wait() == 0
    assert gone(pids)
    assert not (run.directory / ".evcharging" / "addresses.json").exists()
    logs = {path.name for path in (run.directory / ".evcharging" / "logs").iterdir()}
    assert logs == {f"{name}.log" for name in SERVICES | {"migrate"}}
    assert not run.said("did not end within"), run.told()
    assert not run.said("Traceback"), run.told()


@pytest.fixture(scope="module")
def lasting_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One run for the tests that leave it as it was: ready, with sessions of ten seconds going on.

    Without OCPP stations: the driver who takes any charge point while the engine's is faulted would stay at one of them
    until the vehicle is full.
    """
    run = Run(tmp_path_factory.mktemp("up"), "--charge-points", "1", "--drivers", "1", "--stations", "0")
    try:
        run.until_ready()
        yield run
    finally:
        run.end()


@pytest.mark.parametrize("service", ["central", "engine", "charger", "mqtt", "monitor", "driver"])
def test_a_killed_service_is_started_again_and_sessions_go_on(lasting_run, service):
    run = lasting_run
    before = len(run.until("a completed session", run.completed_sessions))
    first = run.children()[service]
    os.kill(first, signal.SIGKILL)
    run.until(f"{service} runs again", lambda: run.children().get(service, first) != first)
    assert run.until("it is said so", lambda: run.said(f"{service} ended (killed by SIGKILL)"))

    def another_session() -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return len(run.completed_sessions()) > before
        return False

    run.until("another completed session", another_session)


def test_nothing_is_left_when_up_itself_is_killed(start):
    run = start()
    run.until_ready()
    pids = list(run.children().values())
    assert len(pids) == len(SERVICES)
    run.process.kill()
    run.until("every service ended", lambda: gone(pids), deadline_s=20)


def test_the_end_of_the_embedded_kafka_ends_the_run_and_what_was_stored_is_there_at_the_next_start(start):
    run = start()
    run.until_ready()
    stored = {session["session_id"] for session in run.until("a completed session", run.completed_sessions)}
    pids = list(run.children().values())
    os.kill(run.children()["kafka"], signal.SIGKILL)
    assert run.wait() == 1
    assert run.said("evcharging up: kafka ended (killed by SIGKILL)")
    assert gone(pids)

    again = start("--no-drivers")
    again.until_ready()
    assert stored <= {session["session_id"] for session in again.completed_sessions()}
    again.process.terminate()
    assert again.wait() == 0


def test_a_port_asked_for_that_is_taken_is_bad_usage(start):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        run = start("--http-port", str(port))
        assert run.wait() == 2
    assert run.said(f"evcharging up: --http-port {port}: the port is taken")
    assert not run.said("Traceback"), run.told()


def test_a_setting_that_a_service_refuses_is_bad_usage_with_its_own_words(start, monkeypatch):
    monkeypatch.setenv("CP_ENGINE_KW_RAET", "11")
    run = start()
    assert run.wait() == 2
    assert run.said("CP_ENGINE_KW_RAET (in the environment) is no setting of engine; did you mean CP_ENGINE_KW_RATE?")


def test_stopping_before_it_is_ready_leaves_nothing(start):
    run = start()
    run.until("the brokers are started", lambda: "kafka" in run.children())
    pids = list(run.children().values())
    run.process.terminate()
    assert run.wait() == 0
    assert gone(pids)


def test_a_second_ctrl_c_ends_at_once_and_leaves_nothing(start):
    run = start()
    run.until_ready()
    children = run.children()
    os.kill(children["driver"], signal.SIGSTOP)  # it will not drain
    run.process.send_signal(signal.SIGINT)
    run.until("it stops", lambda: run.said("stopping"))
    run.process.send_signal(signal.SIGINT)
    assert run.wait(deadline_s=10) == 1
    assert gone(list(children.values()))
