"""The launcher in real processes: what it runs, and that it ends with whoever holds the pipe."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

DEADLINE_S = 30

OBEDIENT = """
import signal, sys
def main(argv):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    print("runs", *argv, flush=True)
    while True:
        signal.pause()
"""
DEAF = """
import signal
def main(argv):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("runs", flush=True)
    while True:
        signal.pause()
"""
HASTY = """
import evcharging.apps.up.launch as launch
launch.DRAIN_S = 0.2
"""


@contextmanager
def launch(directory: Path, module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", f"{HASTY}\nimport sys\nsys.exit(launch.main({[module, *arguments]!r}))"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(directory)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "obedient.py").write_text(OBEDIENT)
    (tmp_path / "deaf.py").write_text(DEAF)
    (tmp_path / "brief.py").write_text("def main(argv): return 3")
    return tmp_path


def test_the_arguments_reach_the_service(directory):
    with launch(directory, "obedient", "--port", "1") as process:
        begin(process)
        assert first_line(process) == "runs --port 1"


def test_the_exit_code_is_the_services(directory):
    with launch(directory, "brief") as process:
        begin(process)
        assert process.wait(DEADLINE_S) == 3


def test_a_service_is_loaded_at_once_and_begins_when_it_is_told_to(directory):
    (directory / "loud.py").write_text("print('loaded', flush=True)\ndef main(argv):\n    print('begun', flush=True)\n")
    with launch(directory, "loud") as process:
        assert first_line(process) == "loaded"
        assert process.stdout is not None
        assert not select.select([process.stdout], [], [], 0.2)[0]
        begin(process)
        assert first_line(process) == "begun"


def test_a_service_whose_parent_ends_before_it_begins_ends(directory):
    with launch(directory, "obedient") as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(DEADLINE_S) == -signal.SIGTERM


def test_a_service_drains_when_its_parent_is_gone(directory):
    with launch(directory, "obedient") as process:
        begin(process)
        first_line(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(DEADLINE_S) == 7


def test_a_service_that_does_not_drain_in_time_is_ended(directory):
    with launch(directory, "deaf") as process:
        begin(process)
        first_line(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(DEADLINE_S) == 1


def test_a_service_whose_parent_was_killed_ends(directory):
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-m', 'evcharging.apps.up.launch', 'obedient'],"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)\n"
        "child.stdin.write('\\n'); child.stdin.flush()\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "child.wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(directory)},
    ) as parent:
        child = int(first_line(parent))
        watched = os.pidfd_open(child)
        parent.kill()
    try:
        assert select.select([watched], [], [], DEADLINE_S)[0], "the child outlived its parent"
    finally:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(watched, signal.SIGKILL)
        os.close(watched)
