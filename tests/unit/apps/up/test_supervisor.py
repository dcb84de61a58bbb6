from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from evcharging.apps.runtime.errors import GaveUp, UsageError
from evcharging.apps.up.spec import Probe, Restart, ServiceSpec
from evcharging.apps.up.supervisor import Supervisor

DEADLINE_S = 30.0

RUNS = "import signal; print('up', flush=True); signal.pause()"
IGNORES_SIGTERM = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()"
)


class Stage:
    """A supervisor on Python one-liners, and what it said."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.told: list[str] = []
        self.shown: list[tuple[str, str, int]] = []

    def supervisor(self, *specs: ServiceSpec) -> Supervisor:
        return Supervisor(
            specs,
            log_dir=self.directory,
            tell=self.told.append,
            show=lambda name, line, level: self.shown.append((name, line, level)),
        )

    @asynccontextmanager
    async def running(self, *specs: ServiceSpec) -> AsyncIterator[Supervisor]:
        async with asyncio.timeout(DEADLINE_S), self.supervisor(*specs) as supervisor:
            await supervisor.until_ready(DEADLINE_S)
            yield supervisor

    def said(self, service: str, line: str = "up") -> Probe:
        """A probe: ready once the service has printed ``line`` since it was last started."""

        async def probe() -> str | None:
            log = self.directory / f"{service}.log"
            lines = log.read_text().splitlines() if log.exists() else []
            starts = [number for number, text in enumerate(lines) if text.startswith("-- start ")]
            return None if starts and line in lines[starts[-1] :] else f"has not said {line}"

        return probe

    def spec(self, name: str, code: str = RUNS, **options: object) -> ServiceSpec:
        options.setdefault("ready", self.said(name))
        return ServiceSpec(name, (sys.executable, "-c", code), **options)  # type: ignore[arg-type]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.02)


def pids_of(supervisor: Supervisor) -> Sequence[int]:
    return [service.pid for service in supervisor.services.values() if service.pid is not None]


async def test_a_service_starts_only_once_what_it_needs_is_ready(stage: Stage) -> None:
    mark = stage.directory / "mark"
    slow = stage.spec("slow", f"import pathlib, time; time.sleep(0.2); pathlib.Path({str(mark)!r}).touch(); {RUNS}")
    quick = stage.spec("quick", f"import os; print('seen', os.path.exists({str(mark)!r})); {RUNS}", needs=("slow",))
    async with stage.running(quick, slow):
        assert ("quick", "seen True") in [line[:2] for line in stage.shown]


async def test_a_service_that_loads_early_begins_once_what_it_needs_is_ready(stage: Stage) -> None:
    mark = stage.directory / "mark"
    loaded = stage.directory / "loaded"
    slow = stage.spec(
        "slow",
        f"import pathlib, time\nwhile not pathlib.Path({str(loaded)!r}).exists(): time.sleep(0.01)\n"
        f"pathlib.Path({str(mark)!r}).touch(); {RUNS}",
    )
    early = stage.spec(
        "early",
        f"import os, pathlib; pathlib.Path({str(loaded)!r}).touch(); input()\n"
        f"print('seen', os.path.exists({str(mark)!r})); {RUNS}",
        needs=("slow",),
        loads_early=True,
    )
    async with stage.running(early, slow) as supervisor:
        assert ("early", "seen True") in [line[:2] for line in stage.shown]
        assert supervisor.services["early"].starts == 1


async def test_a_killed_service_is_started_again_and_the_terminal_hears_of_it(stage: Stage) -> None:
    async with stage.running(stage.spec("engine")) as supervisor:
        engine = supervisor.services["engine"]
        first = engine.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: engine.starts == 2 and engine.ready.is_set())
        assert engine.pid != first
        assert any("engine ended (killed by SIGKILL)" in told for told in stage.told)
        assert any("engine is back" in told for told in stage.told)


async def test_a_service_that_ends_is_not_ready_meanwhile(stage: Stage) -> None:
    async with stage.running(stage.spec("engine")) as supervisor:
        engine = supervisor.services["engine"]
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)
        await until(lambda: not engine.ready.is_set())
        assert engine.lacks.startswith(("ended", "starting", "has not said"))


async def test_the_end_of_an_essential_service_ends_the_run_and_repeats_its_last_error(stage: Stage) -> None:
    code = "import sys; sys.stderr.write('the disk is full\\n'); sys.exit(1)"
    broker = stage.spec("kafka", f"print('up', flush=True); input(); input(); {code}", restart=Restart.ESSENTIAL)
    async with stage.running(broker) as supervisor:
        child = supervisor.services["kafka"].child
        assert child is not None
        assert child._process.stdin is not None
        child._process.stdin.write(b"\n")
        with pytest.raises(GaveUp, match=r"kafka ended \(exit 1\): the disk is full; .*kafka.log"):
            await supervisor.until_failure()
        assert supervisor.services["kafka"].starts == 1


async def test_what_runs_once_is_ready_by_ending_well(stage: Stage) -> None:
    migrate = stage.spec("migrate", "pass", restart=Restart.RUN_ONCE)
    async with stage.running(migrate, stage.spec("central", needs=("migrate",))) as supervisor:
        assert supervisor.services["migrate"].starts == 1
        assert supervisor.services["migrate"].pid is None


async def test_what_runs_once_and_fails_ends_the_run_before_what_needs_it_was_started(stage: Stage) -> None:
    migrate = stage.spec("migrate", "import sys; sys.exit('no such database')", restart=Restart.RUN_ONCE)
    async with stage.supervisor(migrate, stage.spec("central", needs=("migrate",))) as supervisor:
        with pytest.raises(GaveUp, match=r"migrate ended \(exit 1\): no such database"):
            await supervisor.until_ready(DEADLINE_S)
        assert supervisor.services["central"].starts == 0


async def test_work_that_is_done_is_not_begun_again(stage: Stage) -> None:
    async with stage.running(stage.spec("driver", "pass", restart=Restart.UNTIL_DONE)) as supervisor:
        await until(supervisor._keepers[0].done)
        assert supervisor.services["driver"].starts == 1


async def test_refused_settings_end_the_run_with_what_the_service_said(stage: Stage) -> None:
    central = stage.spec("central", "import sys; sys.stderr.write('CENTRAL_PROT is no setting\\n'); sys.exit(2)")
    async with stage.supervisor(central) as supervisor:
        with pytest.raises(UsageError, match="CENTRAL_PROT is no setting"):
            await supervisor.until_ready(DEADLINE_S)


async def test_exit_2_of_a_service_that_was_ready_before_is_a_crash_like_any_other(stage: Stage) -> None:
    code = f"import os, sys; p = {str(stage.directory / 'ran')!r}; again = os.path.exists(p); open(p, 'a').close()\n"
    code += "print('up', flush=True); again or (input(), input()); sys.exit(2)"
    async with stage.running(stage.spec("central", code)) as supervisor:
        central = supervisor.services["central"]
        assert central.child is not None
        assert central.child._process.stdin is not None
        central.child._process.stdin.write(b"\n")
        await until(lambda: central.starts == 3)


async def test_giving_up_names_each_service_that_is_not_ready_and_what_it_lacks(stage: Stage) -> None:
    mute = stage.spec("mute", "import signal; signal.pause()")
    async with stage.supervisor(mute, stage.spec("central", needs=("mute",))) as supervisor:
        await until(lambda: supervisor.services["mute"].lacks == "has not said up")
        assert supervisor.unready == ["mute", "central"]
        with pytest.raises(GaveUp, match=r"mute: has not said up; central: waits for mute"):
            await supervisor.until_ready(0.01)


async def test_services_stop_from_the_highest_stage_down(stage: Stage) -> None:
    ended = stage.directory / "ended"
    code = (
        "import signal, sys\n"
        f"def end(*_): open({str(ended)!r}, 'a').write(sys.argv[1] + '\\n'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end); print('up', flush=True)\n"
        "while True: signal.pause()"
    )
    order = {"kafka": 0, "driver": 9, "central": 5}
    specs = [
        ServiceSpec(name, (sys.executable, "-c", code, name), ready=stage.said(name), stop_stage=at)
        for name, at in order.items()
    ]
    async with stage.running(*specs):
        pass
    assert ended.read_text().split() == ["driver", "central", "kafka"]


async def test_a_stage_is_gone_before_the_next_one_is_stopped_even_if_it_had_to_be_killed(stage: Stage) -> None:
    pid_file = stage.directory / "pid"
    stubborn = f"import os; open({str(pid_file)!r}, 'w').write(str(os.getpid())); {IGNORES_SIGTERM}"
    last = (
        "import os, signal, sys\n"
        "def end(*_):\n"
        f"    try: os.kill(int(open({str(pid_file)!r}).read()), 0)\n"
        "    except ProcessLookupError: print('it is gone', flush=True)\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end); print('up', flush=True)\n"
        "while True: signal.pause()"
    )
    async with stage.running(
        stage.spec("stubborn", stubborn, stop_stage=1, stop_within_s=0.2), stage.spec("last", last, stop_stage=0)
    ):
        pass
    assert ("last", "it is gone") in [line[:2] for line in stage.shown]


async def test_a_service_that_ignores_sigterm_is_killed_after_its_deadline(stage: Stage) -> None:
    async with stage.running(stage.spec("stubborn", IGNORES_SIGTERM, stop_within_s=0.2)) as supervisor:
        (pid,) = pids_of(supervisor)
    assert not psutil.pid_exists(pid)
    assert any("stubborn did not end within 0.2 s" in told for told in stage.told)


async def test_a_frozen_service_is_killed_after_its_deadline(stage: Stage) -> None:
    async with stage.running(stage.spec("frozen", stop_within_s=0.2)) as supervisor:
        (pid,) = pids_of(supervisor)
        os.kill(pid, signal.SIGSTOP)
    assert not psutil.pid_exists(pid)


async def test_a_stop_that_is_itself_cancelled_leaves_no_process(stage: Stage) -> None:
    pids: list[int] = []

    async def run() -> None:
        async with stage.running(stage.spec("stubborn", IGNORES_SIGTERM), stage.spec("willing")) as supervisor:
            pids.extend(pids_of(supervisor))
            await asyncio.Event().wait()

    task = asyncio.create_task(run())
    await until(lambda: len(pids) == 2)
    task.cancel()
    await until(lambda: not psutil.pid_exists(pids[1]))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not psutil.pid_exists(pids[0])


async def test_what_a_service_itself_started_ends_with_it(stage: Stage) -> None:
    code = (
        "import subprocess, sys, signal\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        f"print(child.pid); {IGNORES_SIGTERM}"
    )
    async with stage.running(stage.spec("parent", code, stop_within_s=0.2)):
        grandchild = int(next(line for _name, line, _level in stage.shown if line.isdigit()))
        assert psutil.pid_exists(grandchild)
    await until(lambda: not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == "zombie")


async def test_a_program_that_does_not_exist_is_named(stage: Stage) -> None:
    async with stage.supervisor(ServiceSpec("gone", ("/nowhere/at/all",))) as supervisor:
        with pytest.raises(GaveUp, match="gone cannot be started"):
            await supervisor.until_ready(DEADLINE_S)


async def test_the_environment_of_a_service_is_ours_and_its_own_on_top(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROM_US", "a")
    code = f"import os; print(os.environ['FROM_US'] + os.environ['OF_ITS_OWN']); {RUNS}"
    async with stage.running(stage.spec("central", code, env={"OF_ITS_OWN": "b"})):
        assert ("central", "ab") in [line[:2] for line in stage.shown]


async def test_a_line_without_end_is_handed_on_in_parts(stage: Stage) -> None:
    code = f"print('x' * 100_000); {RUNS}"
    async with stage.running(stage.spec("chatty", code)):
        parts = [line for _name, line, _level in stage.shown if line.startswith("x")]
        assert sum(map(len, parts)) == 100_000
        assert max(map(len, parts)) <= 16 * 1024
