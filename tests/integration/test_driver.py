"""Drivers over a bus in memory with a small scripted Central on its other end, and as a process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import pytest
import structlog

from evcharging.apps.broker.relay import relaying
from evcharging.apps.ev_driver.main import drive
from evcharging.apps.ev_driver.settings import DriverSettings
from evcharging.apps.runtime.errors import UsageError
from evcharging.bus.consumer import Consumer
from evcharging.bus.create import create_bus
from evcharging.bus.embedded import EmbeddedKafka
from evcharging.bus.memory_log import forget_log
from evcharging.bus.protocol import Bus, Position
from evcharging.messages.drivers import DriverRequest, DriverUpdate, RequestKind, UpdateStatus
from evcharging.messages.envelope import Event, Received
from evcharging.messages.topics import DRIVER_REQUESTS, DRIVER_UPDATES

WITHIN_S = 30

Step = tuple[UpdateStatus, dict[str, Any]]
ACCEPTED: Step = (UpdateStatus.ACCEPTED, {"session_id": "s"})
PROGRESS: Step = (UpdateStatus.IN_PROGRESS, {"kw": 22.0, "kwh": 0.03, "euros": 0.01})
COMPLETED: Step = (UpdateStatus.COMPLETED, {"kwh": 0.06, "euros": 0.02})
CANCELLED: Step = (UpdateStatus.CANCELLED, {"reason": "driver_cancel", "kwh": 0.03, "euros": 0.01})
BUSY: Step = (UpdateStatus.DENIED, {"reason": "busy"})
CHARGED = (ACCEPTED, PROGRESS, COMPLETED)


class ScriptedCentral:
    """Answers each request with the steps that ``script`` gives for it; `says` sends more by hand."""

    def __init__(self, bus: Bus) -> None:
        self.received: list[Received[DriverRequest]] = []
        self.script: Callable[[DriverRequest], Sequence[Step]] = lambda _: CHARGED
        self.copies = 1
        self._bus = bus
        self._news = asyncio.Event()
        self._sent = 0

    @property
    def requests(self) -> list[DriverRequest]:
        return [received.message for received in self.received]

    async def handle(self, batch: Sequence[Received[DriverRequest]]) -> None:
        for received in batch:
            self.received.append(received)
            for step in self.script(received.message):
                await self.says(received.message, step)
        self._news.set()

    async def says(self, request: DriverRequest, step: Step) -> None:
        status, fields = step
        self._sent += 1
        update = DriverUpdate(
            ts=datetime.now(UTC),
            request_id=request.request_id,
            driver_id=request.driver_id,
            status=status,
            **{"cp_id": "CP-007" if request.cp_id == "any" else request.cp_id, **fields},
        )
        for _ in range(self.copies):
            await (await self._bus.publish(Event(DRIVER_UPDATES, update, f"update-{self._sent}", source="central")))

    async def gets(self, count: int) -> DriverRequest:
        """Wait for the request of that number, from 1."""
        async with asyncio.timeout(WITHIN_S):
            while len(self.received) < count:
                self._news.clear()
                await self._news.wait()
        return self.requests[count - 1]


@contextlib.asynccontextmanager
async def answering(bus: Bus) -> AsyncIterator[ScriptedCentral]:
    central = ScriptedCentral(bus)
    consumer = Consumer(bus, {DRIVER_REQUESTS: Position.BEGINNING}, handler=central.handle)
    async with consumer, asyncio.TaskGroup() as group:
        reading = group.create_task(consumer.run())
        try:
            yield central
        finally:
            reading.cancel()


class UpdatesHeldBack:
    """A bus whose reader of updates is slower than its reader of requests, by as much as the test likes."""

    def __init__(self, bus: Bus) -> None:
        self.requests_read = asyncio.Event()
        self.updates_may_come = asyncio.Event()
        self._bus = bus

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    def subscribe(self, topics: dict[str, Any], **options: Any) -> Any:
        return _HeldBack(
            self._bus.subscribe(topics, **options),
            until=self.updates_may_come if DRIVER_UPDATES.name in topics else None,
            left=self.requests_read if DRIVER_REQUESTS.name in topics else None,
        )


class _HeldBack:
    def __init__(self, subscription: Any, *, until: asyncio.Event | None, left: asyncio.Event | None) -> None:
        self._subscription = subscription
        self._until = until
        self._left = left

    def __getattr__(self, name: str) -> Any:
        return getattr(self._subscription, name)

    async def __aenter__(self) -> Self:
        await self._subscription.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._subscription.__aexit__(*error)
        if self._left is not None:
            self._left.set()

    async def getmany(self, **bounds: Any) -> Any:
        if self._until is not None:
            await self._until.wait()
        return await self._subscription.getmany(**bounds)


class Log:
    """What the drivers logged, and waiting for it."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str]] = []
        self._news = asyncio.Event()

    def __call__(self, _logger: Any, _name: str, event: dict[str, Any]) -> dict[str, Any]:
        self.entries.append((event.get("who", ""), event["event"]))
        self._news.set()
        raise structlog.DropEvent

    def of(self, driver_id: str = "driver-alice") -> list[str]:
        return [line for who, line in self.entries if who == f"Driver:{driver_id}"]

    async def shows(self, part: str) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not any(part in line for _, line in self.entries):
                self._news.clear()
                await self._news.wait()


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    structlog.configure(processors=[structlog.stdlib.PositionalArgumentsFormatter(), log])
    yield log
    structlog.reset_defaults()


@pytest.fixture
def memory() -> Iterator[str]:
    name = uuid4().hex
    yield f"memory://{name}"
    forget_log(name)


@pytest.fixture
async def central(memory: str) -> AsyncIterator[ScriptedCentral]:
    bus = create_bus(memory)
    await bus.start()
    async with answering(bus) as central:
        yield central
    await bus.stop()


@pytest.fixture
def settings_for(memory: str, tmp_path: Path) -> Callable[..., DriverSettings]:
    def build(lines: str, **more: Any) -> DriverSettings:
        path = tmp_path / "requests.txt"
        path.write_text(lines, encoding="utf-8")
        fields = {"driver_id": "driver-alice", "kafka_bootstrap": memory, "requests_file": path, "request_interval": 0}
        return DriverSettings(**{**fields, **more})

    return build


async def driven(settings: DriverSettings) -> None:
    async with asyncio.timeout(WITHIN_S):
        await drive(settings, asyncio.Event())


@contextlib.asynccontextmanager
async def driving(settings: DriverSettings) -> AsyncIterator[asyncio.Event]:
    """Drive during the block, then stop and wait for the end."""
    stop = asyncio.Event()
    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as group:
        group.create_task(drive(settings, stop))
        try:
            yield stop
        finally:
            stop.set()


async def killed(settings: DriverSettings, when: Callable[[], Any]) -> None:
    """Drive until ``when`` returns, then end without any farewell, as SIGKILL would."""
    task = asyncio.create_task(drive(settings, asyncio.Event()))
    await when()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_it_works_through_the_file_and_logs_each_step(central, settings_for, log):
    await driven(settings_for("CP-001\nCP-002,10\n"))
    assert log.of() == [
        "Requested charging at CP-001",
        "CP-001 | ACCEPTED",
        "CP-001 | IN_PROGRESS | 22.0 kW, €0.01",
        "CP-001 | COMPLETED | 0.06 kWh, €0.02",
        "Requested charging at CP-002, 10 kWh",
        "CP-002 | ACCEPTED",
        "CP-002 | IN_PROGRESS | 22.0 kW, €0.01",
        "CP-002 | COMPLETED | 0.06 kWh, €0.02",
        "2 requests: 2 completed, 0 denied, 0 failed, 0 cancelled; 0.12 kWh, €0.04",
    ]
    assert [(request.cp_id, request.kwh) for request in central.requests] == [("CP-001", None), ("CP-002", 10.0)]


async def test_a_request_carries_its_ids_and_a_trace_of_its_own(central, settings_for, log):
    await driven(settings_for("CP-001\nCP-001\n"))
    first, second = central.received
    for received in (first, second):
        assert re.fullmatch(r"req-[0-9a-f]{32}", received.message.request_id)
        assert received.id == received.message.request_id
        assert received.message.driver_id == "driver-alice"
        assert received.message.kind is RequestKind.CHARGE
    assert first.message.request_id != second.message.request_id
    assert first.traceparent
    assert second.traceparent
    assert first.traceparent.split("-")[1] != second.traceparent.split("-")[1]


async def test_the_next_request_is_sent_when_the_one_before_has_ended_and_not_before(central, settings_for, log):
    central.script = lambda _: [ACCEPTED]
    async with driving(settings_for("CP-001\nCP-002\n")):
        first = await central.gets(1)
        await log.shows("CP-001 | ACCEPTED")
        await central.says(first, PROGRESS)
        await log.shows("CP-001 | IN_PROGRESS")
        assert len(central.requests) == 1
        await central.says(first, COMPLETED)
        await central.gets(2)


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (BUSY, "CP-001 | DENIED | busy"),
        ((UpdateStatus.FAILED, {"reason": "engine_lost", "kwh": 0.5}), "CP-001 | FAILED | engine_lost | 0.50 kWh"),
        (CANCELLED, "CP-001 | CANCELLED | driver_cancel | 0.03 kWh, €0.01"),
    ],
)
async def test_every_end_lets_the_driver_go_on(central, settings_for, log, step, line):
    central.script = lambda request: [step] if request.cp_id == "CP-001" else CHARGED
    await driven(settings_for("CP-001\nCP-002\n"))
    assert line in log.of()
    assert "CP-002 | COMPLETED | 0.06 kWh, €0.02" in log.of()


async def test_any_is_sent_as_such_and_shown_as_what_central_chose(central, settings_for, log):
    await driven(settings_for("any\n"))
    assert central.requests[0].cp_id == "any"
    assert log.of()[:2] == ["Requested charging at any", "CP-007 | ACCEPTED"]


async def test_repeated_updates_are_told_and_counted_once(central, settings_for, log, tmp_path):
    central.copies = 3
    path = tmp_path / "summary.json"
    await driven(settings_for("CP-001\nCP-002\n", summary_json=path))
    assert len(log.of()) == 2 * 4 + 1
    assert json.loads(path.read_text())["completed"] == 2


async def test_updates_of_other_drivers_and_other_requests_change_nothing(central, settings_for, log):
    central.script = lambda _: []
    async with driving(settings_for("CP-001\n")):
        request = await central.gets(1)
        await central.says(request.model_copy(update={"driver_id": "driver-bob"}), COMPLETED)
        await central.says(request.model_copy(update={"request_id": "req-other"}), COMPLETED)
        await central.says(request, ACCEPTED)
        await log.shows("CP-001 | ACCEPTED")
        assert log.of() == ["Requested charging at CP-001", "CP-001 | ACCEPTED"]


async def test_without_an_answer_it_says_that_it_waits_and_makes_no_outcome_up(central, settings_for, log):
    central.script = lambda _: []
    async with driving(settings_for("CP-001\nCP-002\n", response_timeout_s=0.02)):
        request = await central.gets(1)
        await log.shows("CP-001 | no word for 0 s; still waiting for an answer")
        await central.says(request, ACCEPTED)
        await log.shows("still waiting for its end")
        assert len(central.requests) == 1
        central.script = lambda _: CHARGED
        await central.says(request, COMPLETED)
        await log.shows("CP-002 | COMPLETED")


async def test_it_gives_up_by_cancelling_and_still_waits_for_the_end(central, settings_for, log, tmp_path):
    central.script = lambda _: []
    path = tmp_path / "summary.json"
    settings = settings_for("any\n", response_timeout_s=0.05, give_up_after_s=0.02, summary_json=path)
    async with driving(settings) as stop:
        request = await central.gets(1)
        cancellation = await central.gets(2)
        await log.shows("giving up: cancelling the request")
        assert cancellation.kind is RequestKind.CANCEL
        assert (cancellation.request_id, cancellation.cp_id) == (request.request_id, "any")
        assert central.received[1].id == f"{request.request_id}:CANCEL"
        assert DRIVER_REQUESTS.key_of(cancellation) == DRIVER_REQUESTS.key_of(request)
        await log.shows("still waiting for its cancellation")
        await central.says(request, CANCELLED)
        await log.shows("1 requests: 0 completed, 0 denied, 0 failed, 1 cancelled")
        assert not stop.is_set()
    assert len(central.requests) == 2
    assert json.loads(path.read_text())["cancelled"] == 1


async def test_stopped_in_mid_session_it_lets_the_session_go_on_and_says_so(central, settings_for, log):
    central.script = lambda _: [ACCEPTED, PROGRESS]
    async with driving(settings_for("CP-001\nCP-002\n")):
        await log.shows("CP-001 | IN_PROGRESS")
    assert log.of()[-2:] == [
        "CP-001 | the session goes on without the driver; its outcome is told at the next start",
        "1 requests: 0 completed, 0 denied, 0 failed, 0 cancelled, 1 open; 0.00 kWh, €0.00",
    ]
    assert [request.kind for request in central.requests] == [RequestKind.CHARGE]


async def test_stopped_with_cancel_on_exit_it_cancels_and_tells_the_end(central, settings_for, log):
    central.script = lambda request: [CANCELLED] if request.kind is RequestKind.CANCEL else [ACCEPTED, PROGRESS]
    async with driving(settings_for("any\nCP-002\n", cancel_on_exit=True)):
        await log.shows("CP-007 | IN_PROGRESS")
    charge, cancellation = central.requests
    assert (cancellation.kind, cancellation.request_id) == (RequestKind.CANCEL, charge.request_id)
    assert DRIVER_REQUESTS.key_of(cancellation) == DRIVER_REQUESTS.key_of(charge)
    assert log.of()[-1] == "1 requests: 0 completed, 0 denied, 0 failed, 1 cancelled; 0.03 kWh, €0.01"


class TestReturning:
    async def test_a_killed_driver_learns_what_became_of_its_session_and_then_works_through_its_file(
        self, central, settings_for, log, tmp_path
    ):
        central.script = lambda _: [ACCEPTED, PROGRESS]
        await killed(settings_for("CP-001\n"), lambda: log.shows("CP-001 | IN_PROGRESS"))
        await central.says(central.requests[0], COMPLETED)
        central.script = lambda _: CHARGED
        log.entries.clear()
        path = tmp_path / "summary.json"
        await driven(settings_for("CP-002\n", summary_json=path))
        assert log.of() == [
            "CP-001 | COMPLETED | 0.06 kWh, €0.02 | outcome of the last request of an earlier run",
            "Requested charging at CP-002",
            "CP-002 | ACCEPTED",
            "CP-002 | IN_PROGRESS | 22.0 kW, €0.01",
            "CP-002 | COMPLETED | 0.06 kWh, €0.02",
            "1 requests: 1 completed, 0 denied, 0 failed, 0 cancelled; 0.06 kWh, €0.02",
        ]
        summary = json.loads(path.read_text())
        assert (summary["requests"], summary["earlier"]["completed"]) == (1, 1)

    async def test_what_is_still_open_is_waited_for_before_the_file_is_begun(self, central, settings_for, log):
        central.script = lambda _: [ACCEPTED, PROGRESS]
        await killed(settings_for("CP-001\n"), lambda: log.shows("CP-001 | IN_PROGRESS"))
        log.entries.clear()
        async with driving(settings_for("CP-002\n")):
            await log.shows("CP-001 | open since an earlier run; waiting for its end")
            assert len(central.requests) == 1
            await central.says(central.requests[0], COMPLETED)
            await central.gets(2)
        assert log.of()[:3] == [
            "CP-001 | open since an earlier run; waiting for its end",
            "CP-001 | COMPLETED | 0.06 kWh, €0.02",
            "Requested charging at CP-002",
        ]

    async def test_it_asks_for_nothing_before_it_has_read_all_it_was_told(
        self, central, settings_for, log, memory, monkeypatch
    ):
        central.script = lambda _: [ACCEPTED, PROGRESS]
        await killed(settings_for("CP-001\n"), lambda: log.shows("CP-001 | IN_PROGRESS"))
        await central.says(central.requests[0], COMPLETED)
        central.script = lambda _: CHARGED
        log.entries.clear()
        bus = UpdatesHeldBack(create_bus(memory))
        monkeypatch.setattr("evcharging.apps.runtime.kafka.create_bus", lambda *_, **__: bus)
        async with driving(settings_for("CP-002\n")):
            await bus.requests_read.wait()
            for _ in range(100):
                await asyncio.sleep(0)
            assert log.of() == []
            bus.updates_may_come.set()
            await log.shows("CP-002 | COMPLETED")
        assert log.of()[0].startswith("CP-001 | COMPLETED | 0.06 kWh, €0.02 | outcome of the last request")

    async def test_ends_that_the_earlier_run_had_heard_are_not_told_again(self, central, settings_for, log):
        await driven(settings_for("CP-001\nCP-002\n"))
        log.entries.clear()
        await driven(settings_for("CP-003\n"))
        earlier = [line for line in log.of() if "earlier run" in line]
        assert earlier == ["CP-002 | COMPLETED | 0.06 kWh, €0.02 | outcome of the last request of an earlier run"]

    async def test_other_drivers_requests_are_not_taken_for_its_own(self, central, settings_for, log):
        central.script = lambda _: [ACCEPTED]
        await killed(settings_for("CP-001\n", driver_id="driver-bob"), lambda: log.shows("CP-001 | ACCEPTED"))
        central.script = lambda _: CHARGED
        await driven(settings_for("CP-002\n"))
        assert log.of()[0] == "Requested charging at CP-002"

    async def test_without_a_window_it_does_not_look_back(self, central, settings_for, log):
        await driven(settings_for("CP-001\n"))
        log.entries.clear()
        await asyncio.sleep(0.002)  # timestamps are milliseconds
        await driven(settings_for("CP-002\n", replay_window_s=0))
        assert log.of()[0] == "Requested charging at CP-002"


async def test_several_drivers_share_the_file_each_begun_a_line_further_on(central, settings_for, log, tmp_path):
    path = tmp_path / "summary.json"
    await driven(settings_for("CP-001\nCP-002\n", count=3, summary_json=path))
    by_driver: dict[str, list[str]] = {}
    for request in central.requests:
        by_driver.setdefault(request.driver_id, []).append(request.cp_id)
    assert by_driver == {
        "driver-alice-1": ["CP-001", "CP-002"],
        "driver-alice-2": ["CP-002", "CP-001"],
        "driver-alice-3": ["CP-001", "CP-002"],
    }
    assert log.of("driver-alice-2")[0] == "Requested charging at CP-002"
    summary = json.loads(path.read_text())
    assert summary["drivers"] == ["driver-alice-1", "driver-alice-2", "driver-alice-3"]
    assert (summary["requests"], summary["completed"], summary["kwh"], summary["euros"]) == (6, 6, 0.36, 0.12)


async def test_with_repeat_it_begins_again_until_it_is_stopped(central, settings_for, log):
    async with driving(settings_for("CP-001\nCP-002\n", repeat=True)):
        await central.gets(7)
    assert [request.cp_id for request in central.requests[:5]] == ["CP-001", "CP-002", "CP-001", "CP-002", "CP-001"]


async def test_a_bad_line_is_named_and_skipped(central, settings_for, log):
    settings = settings_for("CP-001\nCP 002\n\nCP-003,lots\n")
    await driven(settings)
    told = [line for who, line in log.entries if not who]
    assert told[0].startswith(f"{settings.requests_file}, line 2: skipped 'CP 002': ")
    assert told[1].startswith(f"{settings.requests_file}, line 4: skipped 'CP-003,lots': ")
    assert [request.cp_id for request in central.requests] == ["CP-001"]


async def test_a_file_that_asks_for_nothing_is_done_at_once(central, settings_for, log):
    await driven(settings_for("# nothing today\n", repeat=True))
    assert central.requests == []


async def test_a_file_without_one_good_line_is_bad_usage(settings_for, log):
    with pytest.raises(UsageError, match="no line is a request; the first: line 1"):
        await driven(settings_for("CP 001\n"))


async def test_a_file_that_is_not_there_is_bad_usage(settings_for, log):
    with pytest.raises(UsageError, match=r"--requests-file nowhere\.txt: cannot be read \(No such file"):
        await driven(settings_for("", requests_file=Path("nowhere.txt")))


async def test_a_summary_with_nowhere_to_go_is_bad_usage_before_any_request(central, settings_for, log, tmp_path):
    with pytest.raises(UsageError, match="--summary-json"):
        await driven(settings_for("CP-001\n", summary_json=tmp_path / "no" / "such" / "summary.json"))
    assert central.requests == []


@contextlib.asynccontextmanager
async def driver_process(*arguments: str, cwd: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[str]]]:
    """A driver as a process, with the lines that it has written so far; killed at the end where it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "evcharging.apps.ev_driver.main", *arguments),
        cwd=cwd,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    lines: list[str] = []
    try:
        yield process, lines
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def shows(process: asyncio.subprocess.Process, lines: list[str], part: str) -> str:
    """Read on until a line has ``part``."""
    assert process.stdout is not None
    async with asyncio.timeout(WITHIN_S):
        while True:
            raw = await process.stdout.readline()
            assert raw, "\n".join(["the driver ended after:", *lines])
            lines.append(raw.decode().rstrip())
            if part in lines[-1]:
                return lines[-1]


class TestAsAProcess:
    async def test_killed_and_started_again_over_a_real_broker_that_came_late_it_learns_its_outcome(self, tmp_path):
        (tmp_path / "requests.txt").write_text("CP-001\n", encoding="utf-8")
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            bootstrap = "{}:{}".format(*sock.getsockname())
            arguments = ("--driver-id", "driver-alice", "--kafka-bootstrap", bootstrap)
            async with driver_process(*arguments, cwd=tmp_path) as (process, lines):
                await shows(process, lines, "waiting for Kafka")
                sock.listen()
                sock.setblocking(False)
                async with AsyncExitStack() as stack:
                    broker = await stack.enter_async_context(EmbeddedKafka())
                    await stack.enter_async_context(relaying(sock, broker.address))
                    bus = create_bus(broker.bootstrap)
                    await bus.start()
                    stack.push_async_callback(bus.stop)
                    central = await stack.enter_async_context(answering(bus))
                    central.script = lambda _: [ACCEPTED, PROGRESS]
                    line = await shows(process, lines, "CP-001 | IN_PROGRESS | 22.0 kW, €0.01")
                    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \| INFO \| Driver:driver-alice \| CP-001", line)
                    process.kill()
                    await process.wait()
                    await central.says(central.requests[0], COMPLETED)
                    central.script = lambda _: CHARGED
                    async with driver_process(*arguments, cwd=tmp_path) as (again, more):
                        await shows(again, more, "CP-001 | COMPLETED | 0.06 kWh, €0.02 | outcome of the last request")
                        await shows(again, more, "Requested charging at CP-001")
                        await shows(again, more, "1 requests: 1 completed")
                        assert await asyncio.wait_for(again.wait(), WITHIN_S) == 0

    async def test_it_can_be_stopped_while_it_waits_for_a_broker(self, tmp_path):
        (tmp_path / "requests.txt").write_text("CP-001\n", encoding="utf-8")
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            bootstrap = "{}:{}".format(*sock.getsockname())
            async with driver_process("--driver-id", "d", "--kafka-bootstrap", bootstrap, cwd=tmp_path) as (
                process,
                lines,
            ):
                await shows(process, lines, "waiting for Kafka")
                process.terminate()
                assert await asyncio.wait_for(process.wait(), WITHIN_S) == 0

    async def test_a_missing_requests_file_ends_it_with_2_and_one_line(self, tmp_path):
        arguments = ("--driver-id", "d", "--requests-file", "nowhere.txt")
        async with driver_process(*arguments, cwd=tmp_path) as (process, lines):
            line = await shows(process, lines, "nowhere.txt")
            assert line.startswith("evcharging driver: --requests-file nowhere.txt: cannot be read")
            assert await asyncio.wait_for(process.wait(), WITHIN_S) == 2
        assert len(lines) == 1

    async def test_an_address_that_is_none_ends_it_with_2(self, tmp_path):
        (tmp_path / "requests.txt").write_text("CP-001\n", encoding="utf-8")
        arguments = ("--driver-id", "d", "--kafka-bootstrap", "memory://")
        async with driver_process(*arguments, cwd=tmp_path) as (process, lines):
            await shows(process, lines, "evcharging driver: --kafka-bootstrap and its kin: got 'memory://'")
            assert await asyncio.wait_for(process.wait(), WITHIN_S) == 2
