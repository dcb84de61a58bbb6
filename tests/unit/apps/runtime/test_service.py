"""A service as a process: exit codes, the one line on standard error, and signals."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import ClassVar

import pytest
import structlog
from pydantic import Field

from evcharging.apps.runtime.errors import GaveUp, UsageError
from evcharging.apps.runtime.service import run_service, until_stopped
from evcharging.apps.runtime.settings import ServiceSettings


class KettleSettings(ServiceSettings):
    prefix: ClassVar[str] = "KETTLE_"
    service: ClassVar[str] = "kettle"
    summary: ClassVar[str] = "Boils water."

    litres: float = Field(1.0, gt=0, description="water, litres")


@pytest.fixture(autouse=True)
def _process_as_it_was(tmp_path, monkeypatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def ending_with(result: object):
    async def main(settings: KettleSettings, stop: asyncio.Event) -> int | None:
        if isinstance(result, BaseException):
            raise result
        return result  # type: ignore[return-value]

    return main


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (None, 0),
        (0, 0),
        (3, 3),
        (GaveUp("no water"), 1),
        (UsageError("no kettle"), 2),
        (ExceptionGroup("tasks", [GaveUp("no water")]), 1),
        (ExceptionGroup("tasks", [ExceptionGroup("inner", [UsageError("no kettle")])]), 2),
    ],
)
def test_how_main_ended_becomes_the_exit_code(result, code):
    assert run_service(ending_with(result), KettleSettings, []) == code


@pytest.mark.parametrize("error", [GaveUp("no water"), ExceptionGroup("tasks", [GaveUp("no water")])])
def test_giving_up_says_so_in_one_line(error, capsys):
    run_service(ending_with(error), KettleSettings, [])
    assert capsys.readouterr().err == "evcharging kettle: no water\n"


def test_wrong_settings_end_with_2_and_one_line_before_main_runs(capsys):
    assert run_service(ending_with(AssertionError("must not run")), KettleSettings, ["--litres", "-1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("evcharging kettle: --litres (KETTLE_LITRES): ")


def test_a_fault_of_our_own_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        run_service(ending_with(ZeroDivisionError()), KettleSettings, [])


def test_a_fault_of_our_own_beside_a_giving_up_is_not_hidden():
    group = ExceptionGroup("tasks", [GaveUp("no water"), ZeroDivisionError()])
    with pytest.raises(ExceptionGroup):
        run_service(ending_with(group), KettleSettings, [])


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_stop_event_and_the_drained_service_ends_with_0(sig):
    drained = []

    async def main(settings: KettleSettings, stop: asyncio.Event) -> None:
        os.kill(os.getpid(), sig)
        await asyncio.wait_for(stop.wait(), 30)
        drained.append(True)

    assert run_service(main, KettleSettings, []) == 0
    assert drained == [True]


def test_a_second_signal_ends_a_service_that_does_not_drain():
    program = textwrap.dedent("""
        import asyncio, os, signal, sys
        from typing import ClassVar
        from evcharging.apps.runtime.service import run_service
        from evcharging.apps.runtime.settings import ServiceSettings

        class Settings(ServiceSettings):
            prefix: ClassVar[str] = "STUCK_"
            service: ClassVar[str] = "stuck"
            summary: ClassVar[str] = "Does not drain."

        async def main(settings, stop):
            os.kill(os.getpid(), signal.SIGTERM)
            await stop.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()

        sys.exit(run_service(main, Settings, []))
    """)
    ended = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True, text=True, check=False)
    assert ended.returncode == 130, ended.stderr
    assert "stopping signal=SIGTERM" in ended.stdout
    assert ended.stderr == "evcharging stuck: cut off by another SIGTERM, before it was done\n"


@pytest.mark.parametrize(("third", "code"), [("os.kill(os.getpid(), signal.SIGINT)", 130), ("return 7", 7)])
def test_a_service_that_can_hurry_does_so_at_the_second_signal_and_a_third_ends_it(third: str, code: int) -> None:
    program = textwrap.dedent(f"""
        import asyncio, functools, os, signal, sys
        from typing import ClassVar
        from evcharging.apps.runtime.service import Hurry, run_service
        from evcharging.apps.runtime.settings import ServiceSettings

        class Settings(ServiceSettings):
            prefix: ClassVar[str] = "SLOW_"
            service: ClassVar[str] = "slow"
            summary: ClassVar[str] = "Can hurry."

        async def main(settings, stop, hurry):
            os.kill(os.getpid(), signal.SIGINT)
            await stop.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            await hurry.wait()
            {third}
            await asyncio.Event().wait()

        hurry = Hurry(on_first="draining", on_second="hurrying")
        sys.exit(run_service(functools.partial(main, hurry=hurry.asked), Settings, [], hurry=hurry))
    """)
    ended = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True, text=True, check=False)
    assert ended.returncode == code, ended.stderr
    said = ended.stderr.splitlines()
    assert said[:2] == ["evcharging slow: draining", "evcharging slow: hurrying"]
    assert said[2:] == ([] if code == 7 else ["evcharging slow: cut off by another SIGINT, before it was done"])


@pytest.mark.parametrize("ending", ["return 3", "raise UsageError('no kettle')"])
def test_a_signal_after_the_last_word_leaves_the_exit_code_as_it_is(ending: str) -> None:
    program = textwrap.dedent(f"""
        import asyncio, os, signal, sys
        from typing import ClassVar
        from evcharging.apps.runtime.errors import UsageError
        from evcharging.apps.runtime.service import run_service
        from evcharging.apps.runtime.settings import ServiceSettings

        class Settings(ServiceSettings):
            prefix: ClassVar[str] = "DONE_"
            service: ClassVar[str] = "done"
            summary: ClassVar[str] = "Is done."

        async def main(settings, stop):
            os.kill(os.getpid(), signal.SIGINT)
            await stop.wait()
            os.kill(os.getpid(), signal.SIGINT)
            {ending}

        sys.exit(run_service(main, Settings, []))
    """)
    ended = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True, text=True, check=False)
    assert ended.returncode == (3 if ending == "return 3" else 2), ended.stderr
    assert ended.stderr == ("" if ending == "return 3" else "evcharging done: no kettle\n")


async def test_until_stopped_returns_what_the_work_returned():
    async def work() -> int:
        return 7

    assert await until_stopped(asyncio.Event(), work()) == 7


async def test_until_stopped_passes_on_the_works_error():
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await until_stopped(asyncio.Event(), work())


async def test_until_stopped_cancels_the_work_and_waits_for_its_cleanup():
    stop, cleaned = asyncio.Event(), []

    async def work() -> int:
        stop.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)
        return 7

    assert await until_stopped(stop, work()) is None
    assert cleaned == [True]


async def test_cancelling_until_stopped_cancels_the_work():
    started, cancelled = asyncio.Event(), []

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    task = asyncio.create_task(until_stopped(asyncio.Event(), work()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled == [True]
