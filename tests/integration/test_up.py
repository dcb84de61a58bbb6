"""`evcharging up` as people run it: what it prints, how it ends, and that nothing is left of it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.up import SERVICES, Run, gone


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def start(*arguments: str) -> Run:
        runs.append(Run(tmp_path, *arguments))
        return runs[-1]

    yield start
    for run in runs:
        run.end()


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
    assert run.wait(deadline_s=10) == 130
    assert gone(list(children.values()))
