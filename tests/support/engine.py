"""Engines over a log in memory, with their chargers in the same process or on a hub that outlives them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

from evcharging.apps.charger.node import ChargerNode, make_model
from evcharging.apps.charger.wheel import NodeWheel
from evcharging.apps.ev_cp_e.charge_point import ChargePoint
from evcharging.apps.ev_cp_e.effects import Moment
from evcharging.apps.ev_cp_e.host import EngineHost
from evcharging.apps.ev_cp_e.recovery import Past
from evcharging.apps.ev_cp_e.session import SessionTerms
from evcharging.apps.ev_cp_e.settings import EngineSettings
from evcharging.apps.ev_cp_e.unit import Unit
from evcharging.apps.runtime.http import bind
from evcharging.apps.runtime.sender import HOLD_AT
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import MemoryLog
from evcharging.bus.protocol import Position
from evcharging.can.hub import CanHub
from evcharging.can.link import ChargerLink
from evcharging.can.virtual import VirtualCan
from evcharging.domain.charger import L2_THREE_PHASE
from evcharging.domain.states import ChargePointState
from evcharging.messages.base import Message
from evcharging.messages.charge_points import Alert, Status, Telemetry
from evcharging.messages.commands import Command, CommandAction, Reply
from evcharging.messages.envelope import Event, Received, decode
from evcharging.messages.topics import ALERTS, COMMANDS, REPLIES, STATUS, TELEMETRY, Topic

__all__ = ["Chargers", "EngineRig", "RunningEngine", "UnitRig", "a_rig", "assert_adds_up", "new_cp_id"]

M = TypeVar("M", bound=Message)
PATIENCE_S = 30.0

_numbers = itertools.count(1)


def new_cp_id() -> str:
    """A charge point of which no other test in this process has a channel."""
    return f"T-{next(_numbers):03}"


def now() -> Moment:
    return Moment(datetime.now(UTC), time.monotonic())


class Chargers:
    """A charger process in the same process: nodes on a hub that engines connect to and go away from."""

    def __init__(self, *, time_scale: float = 1.0) -> None:
        self._hub = CanHub()
        self._wheel = NodeWheel()
        self._time_scale = time_scale
        self._turning: asyncio.Task[None] | None = None
        self.address = ""

    async def __aenter__(self) -> Self:
        host, port = await self._hub.start(sock=bind("127.0.0.1", 0, flag="--hub-port"))
        self.address = f"hub://{host}:{port}"
        self.turn()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.freeze()
        for node in self._wheel.nodes:
            node.close()
        await self._hub.stop()

    def add(self, cp_id: str) -> ChargerNode:
        node = ChargerNode(
            self._hub.attach(cp_id),
            make_model(L2_THREE_PHASE, time_scale=self._time_scale),
            time_scale=self._time_scale,
        )
        self._wheel.add(node)
        return node

    def turn(self) -> None:
        """Have the chargers live (again)."""
        self._turning = asyncio.create_task(self._wheel.run())

    async def freeze(self) -> None:
        """Have the chargers say no more. What they are told they still do."""
        if self._turning is not None:
            self._turning.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._turning
            self._turning = None


class RunningEngine:
    """One life of an engine."""

    def __init__(self, host: EngineHost, bus: MemoryBus) -> None:
        self.host = host
        self.bus = bus
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(host.run(self._stop))

    async def ready(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not all(self.host.checks().values()):
                if self._task.done():
                    await self._task
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """As SIGTERM."""
        self._stop.set()
        await self._task

    async def kill(self) -> None:
        """As SIGKILL: nothing is ended, nothing more is said. (The channels close, as a dead process's sockets do.)"""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


class EngineRig:
    """A log, a Central that the test plays, and any number of engine lives."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.bus = MemoryBus(self.log)
        self.received: list[Received[Any]] = []
        self.lives: list[RunningEngine] = []
        self._changed = asyncio.Condition()
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for life in self.lives:
            await life.kill()
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        await self.bus.stop()

    async def engine(self, *, hold_at: int = HOLD_AT, **settings: Any) -> RunningEngine:
        """Start an engine and wait until it is ready."""
        life = self.begin(hold_at=hold_at, **settings)
        await life.ready()
        return life

    def begin(self, *, hold_at: int = HOLD_AT, **settings: Any) -> RunningEngine:
        """Start an engine."""
        bus = MemoryBus(self.log)
        made = EngineSettings(kafka_bootstrap="memory://rig", **settings)
        host = EngineHost(made, bus=bus, clock=now, boot_id=f"life-{next(_numbers)}", hold_at=hold_at)
        life = RunningEngine(host, bus)
        self.lives.append(life)
        return life

    async def command(
        self,
        action: CommandAction,
        cp_id: str,
        *,
        command_id: str | None = None,
        valid_s: float = 15.0,
        **fields: Any,
    ) -> Command:
        """Central commands."""
        moment = datetime.now(UTC)
        command = Command(
            ts=moment,
            command_id=command_id or f"command-{next(_numbers)}",
            cp_id=cp_id,
            action=action,
            expires_at=moment + timedelta(seconds=valid_s),
            **fields,
        )
        await self.say(COMMANDS, command)
        return command

    async def say(self, topic: Topic[M], message: M) -> None:
        """Publish anything."""
        await self.bus.publish(Event(topic, message, f"event-{next(_numbers)}", "test"))

    async def start(self, cp_id: str, session_id: str, **payload: Any) -> Command:
        """Central has a session started."""
        return await self.command(
            CommandAction.START_SUPPLY,
            cp_id,
            session_id=session_id,
            driver_id="driver-alice",
            payload=payload or None,
        )

    def messages(self, kind: type[M], cp_id: str) -> list[M]:
        """What was published of a kind by one charge point, in order."""
        return [
            received.message
            for received in self.received
            if isinstance(received.message, kind) and received.message.cp_id == cp_id
        ]

    def statuses(self, cp_id: str) -> list[Status]:
        return self.messages(Status, cp_id)

    def intervals(self, session_id: str) -> list[Telemetry]:
        return [
            received.message
            for received in self.received
            if isinstance(received.message, Telemetry) and received.message.session_id == session_id
        ]

    def alerts(self, cp_id: str) -> list[Alert]:
        return self.messages(Alert, cp_id)

    async def status(
        self, cp_id: str, state: ChargePointState, *, reason: str | None = None, session_id: str | None = None
    ) -> Status:
        """Wait until a status of that state (and reason, and session) was published; returns the first."""

        def found() -> Status | None:
            return next(
                (
                    status
                    for status in self.statuses(cp_id)
                    if status.state is state
                    and (reason is None or status.reason == reason)
                    and (session_id is None or status.session_id == session_id)
                ),
                None,
            )

        return await self.until(found, f"{cp_id} {state} {reason or ''} {session_id or ''}")

    async def reply(self, command: Command) -> Reply:
        """Wait for the answer to a command."""

        def found() -> Reply | None:
            return next((r for r in self.messages(Reply, command.cp_id) if r.command_id == command.command_id), None)

        return await self.until(found, f"a reply to {command.action} {command.command_id}")

    async def until(self, found: Callable[[], Any], what: str, within_s: float = PATIENCE_S) -> Any:
        """Wait until ``found`` returns something, looking at each record that comes."""
        try:
            async with asyncio.timeout(within_s), self._changed:
                while not (result := found()):
                    await self._changed.wait()
                return result
        except TimeoutError:
            tail = "\n".join(str(received.message) for received in self.received[-12:])
            raise AssertionError(f"waited {within_s:g} s in vain for {what}; the last records were:\n{tail}") from None

    async def _read(self) -> None:
        topics: dict[str, Topic[Any]] = {topic.name: topic for topic in (STATUS, TELEMETRY, REPLIES, ALERTS)}
        async with self.bus.subscribe(dict.fromkeys(topics, Position.BEGINNING)) as subscription:
            while True:
                records = await subscription.getmany()
                async with self._changed:
                    for record in records:
                        self.received.append(
                            decode(
                                topics[record.topic],
                                body=record.value,
                                headers=record.headers,
                                partition=record.partition,
                                offset=record.offset,
                            )
                        )
                    self._changed.notify_all()


def assert_adds_up(intervals: Sequence[Telemetry], end: Status) -> None:
    """The intervals of a session leave nothing out, in time and on the register, and its end agrees with them."""
    assert [interval.seq for interval in intervals] == list(range(1, len(intervals) + 1))
    for before, after in itertools.pairwise(intervals):
        assert after.interval_start == before.interval_end
        assert round(after.register_wh - before.register_wh, 1) == after.energy_wh
    for interval in intervals:
        assert round(interval.solar_wh + interval.grid_wh, 1) == interval.energy_wh
    detail = end.detail
    assert detail is not None
    assert detail.register_start_wh is not None
    assert detail.register_end_wh is not None
    assert detail.last_seq == len(intervals)
    metered_wh = round(sum(interval.energy_wh for interval in intervals), 1)
    assert metered_wh == round(detail.register_end_wh - detail.register_start_wh, 1)


class UnitRig:
    """One charge point on virtual CAN with a real charger, and what it published."""

    def __init__(self, cp_id: str, *, past: Past | None = None, session_seconds: float = 10.0) -> None:
        self.published: list[tuple[Event[Any], bool]] = []
        self.solar_fraction = 0.0
        self.congested = False
        self._ends = [VirtualCan(cp_id), VirtualCan(cp_id)]
        self.node = ChargerNode(self._ends[0], make_model(L2_THREE_PHASE))
        self._wheel = NodeWheel()
        self._wheel.add(self.node)
        link = ChargerLink(self._ends[1])
        point = ChargePoint(
            cp_id,
            terms=SessionTerms(spec=L2_THREE_PHASE, session_seconds=session_seconds),
            charger=link.readings,
            past=past or Past(),
            source="engine/test",
            boot_id=f"life-{next(_numbers)}",
        )
        self.unit = Unit(
            point,
            link,
            self._ends[1],
            clock=now,
            publish=lambda event, again: self.published.append((event, again)),
            solar_fraction=lambda: self.solar_fraction,
            congested=lambda: self.congested,
        )
        self._turning: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.unit.open()
        self._turning = asyncio.create_task(self._wheel.run())
        await self.until(lambda: self.unit.booted)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unit.close()
        self.node.close()
        await self._freeze()
        for end in self._ends:
            await end.close()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition`` holds; it is looked at with each frame of the charger."""
        await self.unit.link.wait_until(lambda _: condition(), PATIENCE_S)

    async def silence(self) -> None:
        """Have the charger say no more, and wait until the unit has noticed."""
        noticed = asyncio.Event()
        self.unit.link.on_event(lambda _: noticed.set())
        await self._freeze()
        async with asyncio.timeout(PATIENCE_S):
            await noticed.wait()

    async def _freeze(self) -> None:
        if self._turning is not None:
            self._turning.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._turning
            self._turning = None

    def command(self, action: CommandAction, **fields: Any) -> None:
        """Central commands."""
        command = Command(
            ts=now().wall,
            command_id=f"command-{next(_numbers)}",
            cp_id=self.unit.cp_id,
            action=action,
            **fields,
        )
        self.unit.command(Received(command, command.command_id, COMMANDS.name, 0, 0, None, 0), replayed=False)

    @property
    def messages(self) -> list[Message]:
        """What was published, in order."""
        return [event.message for event, _ in self.published]


@contextlib.asynccontextmanager
async def a_rig() -> AsyncIterator[EngineRig]:
    """A rig for one test."""
    async with EngineRig() as rig:
        yield rig
