"""Services of `evcharging up` that are killed while sessions go on."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import httpx
import pytest

from tests.support.up import Run


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
