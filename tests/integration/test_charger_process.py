"""Chargers in a process of their own: what an engine sees of them over the hub when either side is killed or frozen."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from evcharging.can.connect import open_can
from evcharging.can.frames import InjectKind
from evcharging.can.link import ChargerLink, ChargerReadings, LinkEvent, LinkEventKind
from evcharging.domain.charger import SET_POINT_TIMEOUT_S, ChargerState, FaultCode

DEADLINE_S = 30.0


class Process:
    """``evcharging charger`` on a hub port that stays the same over restarts."""

    def __init__(self, directory: Path, *argv: str) -> None:
        self._directory = directory
        self._argv = argv
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def can(self) -> str:
        return f"hub://127.0.0.1:{self._port}"

    async def start(self) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CHARGER_")}
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "evcharging.apps.charger.main", "--hub-port", str(self._port), *self._argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            cwd=self._directory,
        )
        assert self._process.stdout is not None
        said = ""
        async with asyncio.timeout(DEADLINE_S):
            while "chargers are ready" not in said:
                line = (await self._process.stdout.readline()).decode()
                assert line, f"the charger ended: {said}"
                said += line
        address = re.search(r"hub://127\.0\.0\.1:(\d+)", said)
        assert address is not None
        self._port = int(address[1])

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def end(self, number: signal.Signals) -> int:
        """Send a signal and return the exit code."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)
        async with asyncio.timeout(DEADLINE_S):
            _, code = await asyncio.gather(self._drain(), self._process.wait())
        return code

    async def _drain(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        await self._process.stdout.read()


class Engine:
    """An engine's link over TCP, with its news."""

    def __init__(self, can: str, channel: str) -> None:
        self.bus = open_can(can, channel)
        self.link = ChargerLink(self.bus)
        self.news: asyncio.Queue[LinkEvent] = asyncio.Queue()
        self.link.on_event(self.news.put_nowait)

    async def __aenter__(self) -> Engine:  # noqa: PYI034 - it is never subclassed
        await self.bus.wait_connected(DEADLINE_S)
        self.link.open()
        await self.next(LinkEventKind.HEARD)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.link.close()
        await self.bus.close()

    async def next(self, kind: LinkEventKind) -> LinkEvent:
        """The next news of a kind; other news is passed over."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                event = await self.news.get()
                if event.kind is kind:
                    return event

    async def charge(self, limit_amps: float) -> None:
        """Charge until the meter shows it."""
        before_wh = metered(self.link.readings)
        self.link.set_limit(limit_amps)
        self.link.start()
        await self.link.wait_until(
            lambda r: r.state is ChargerState.CHARGING and (r.current_a or 0) > limit_amps - 1, DEADLINE_S
        )
        await self.link.wait_until(lambda r: metered(r) > before_wh, DEADLINE_S)


def metered(readings: ChargerReadings) -> float:
    return readings.register_wh or 0.0


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    process = Process(tmp_path, "--count", "2", "--register-file", "registers.json")
    await process.start()
    yield process
    await process.end(signal.SIGKILL)


async def test_an_engine_charges_over_the_hub_and_gets_the_final_register(process: Process, tmp_path: Path) -> None:
    async with Engine(process.can, "CP-001") as engine, Engine(process.can, "CP-002") as other:
        await engine.charge(32.0)
        engine.link.stop()
        register_wh = await engine.link.wait_register(DEADLINE_S)
        readings = engine.link.readings
        assert readings.state is ChargerState.FINISHED
        assert readings.current_a == 0.0
        assert register_wh > 0.0
        assert other.link.readings.register_wh == 0.0
        assert not engine.link.dropped
    assert await process.end(signal.SIGTERM) == 0
    kept = json.loads((tmp_path / "registers.json").read_text())
    assert kept["CP-001"] == pytest.approx(register_wh, abs=0.1)


async def test_a_killed_charger_is_silent_and_returns_with_its_register(process: Process) -> None:
    async with Engine(process.can, "CP-001") as engine:
        await engine.charge(32.0)
        await process.end(signal.SIGKILL)
        silent = await engine.next(LinkEventKind.SILENT)
        assert silent.state is ChargerState.CHARGING
        heard_wh = metered(engine.link.readings)
        await process.start()
        back = await engine.next(LinkEventKind.HEARD)
        assert back.state is ChargerState.AVAILABLE
        assert await engine.link.wait_register(DEADLINE_S) >= heard_wh > 0.0
        assert "register_fell" not in engine.link.dropped
        await engine.charge(16.0)
        assert metered(engine.link.readings) > heard_wh


async def test_a_frozen_charger_is_silent_and_goes_on_when_it_thaws(process: Process) -> None:
    async with Engine(process.can, "CP-001") as engine:
        await engine.charge(32.0)
        process.send(signal.SIGSTOP)
        await engine.next(LinkEventKind.SILENT)
        process.send(signal.SIGCONT)
        await engine.next(LinkEventKind.HEARD)
        await engine.link.wait_until(lambda r: r.state is ChargerState.CHARGING, DEADLINE_S)


async def test_an_engine_that_is_gone_leaves_no_current_after_five_seconds_and_the_register_stands(
    process: Process,
) -> None:
    async with Engine(process.can, "CP-001") as watcher:
        async with Engine(process.can, "CP-001") as engine:
            await engine.charge(32.0)
        # How soon exactly is for the node's own tests, on a clock that waits for them.
        await watcher.link.wait_until(lambda r: 0.0 < (r.current_a or 0.0) < 31.0, 2 * SET_POINT_TIMEOUT_S)
        await watcher.link.wait_until(lambda r: r.current_a == 0.0, 2 * SET_POINT_TIMEOUT_S)
        await watcher.link.wait_until(lambda r: r.state is ChargerState.SUSPENDED, DEADLINE_S)
        stands_wh = await watcher.link.wait_register(DEADLINE_S)
        assert await watcher.link.wait_register(DEADLINE_S) == stands_wh > 0.0
        async with Engine(process.can, "CP-001") as returned:
            soc = returned.link.readings.soc or watcher.link.readings.soc
            await returned.charge(32.0)
            assert (returned.link.readings.soc or 0.0) >= (soc or 0.0) > 0.3
            assert metered(returned.link.readings) >= stands_wh


async def test_what_is_injected_is_seen_by_the_engine(process: Process) -> None:
    async with Engine(process.can, "CP-001") as engine:
        await engine.charge(16.0)
        engine.link.inject(InjectKind.FAULT, FaultCode.CONTACTOR_WELDED)
        await engine.link.wait_until(lambda r: r.fault_code is FaultCode.CONTACTOR_WELDED, DEADLINE_S)
        assert engine.link.readings.state is ChargerState.FAULTED
        engine.link.inject(InjectKind.CLEAR)
        engine.link.inject(InjectKind.UNPLUG)
        await engine.link.wait_until(lambda r: not r.plugged, DEADLINE_S)
        assert engine.link.readings.state is ChargerState.AVAILABLE


async def test_a_taken_hub_port_is_exit_code_2(process: Process) -> None:
    code, _, told = await command("charger", "--hub-port", process.can.rpartition(":")[2])
    assert code == 2
    assert told.startswith("evcharging charger: --hub-port")
    assert told.count("\n") == 1


async def test_a_register_file_that_is_none_is_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "registers.json").write_text("[]")
    code, _, told = await command("charger", "--hub-port", "0", "--register-file", str(tmp_path / "registers.json"))
    assert code == 2
    assert "expected an object of cp_id to Wh" in told


async def test_tools_talk_to_a_running_charger(process: Process) -> None:
    can = ("--can", process.can)
    code, out, _ = await command("can", "send", "210", "0A00", *can, "--channel", "CP-002")
    assert (code, out) == (0, "sent on CP-002: 210 [2] 0A 00\n")
    code, out, _ = await command("can", "send", "200", *can, "--channel", "CP-002")
    assert (code, out) == (0, "sent on CP-002: 200 [0]\n")
    code, out, _ = await command("can", "monitor", "--json", "--id", "301", "--count", "4", *can)
    plugged = {(frame["channel"], frame["signals"]["Plugged"]) for frame in map(json.loads, out.splitlines())}
    assert code == 0
    assert plugged == {("CP-001", 0), ("CP-002", 1)}


async def test_the_demonstration_runs_on_a_running_hub(process: Process) -> None:
    code, out, told = await command("can", "demo", "--hold-seconds", "0", "--can", process.can)
    assert (code, told) == (0, "")
    assert "CAN-DEMO is there: AVAILABLE" in out
    assert "0x201 stop" in out
    code, out, told = await command("can", "demo", "--hold-seconds", "0", "--can", process.can, "--channel", "CP-001")
    assert (code, told) == (0, "")


async def command(*argv: str) -> tuple[int, str, str]:
    """Run ``evcharging`` to its end; exit code, standard output, standard error."""
    module = {"charger": "evcharging.apps.charger.main", "can": "evcharging.apps.can_tools.main"}[argv[0]]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *argv[1:]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
