"""Every frame on the bus, as it was, but for passwords."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from evcharging.apps.ocpp_gateway import frame_trace
from evcharging.apps.ocpp_gateway.frame_trace import FrameTrace
from evcharging.apps.ocpp_gateway.metrics import GatewayMetrics
from evcharging.bus.memory import MemoryBus
from evcharging.bus.memory_log import MemoryLog
from evcharging.bus.protocol import Position
from evcharging.messages.network import OcppFrame
from evcharging.messages.topics import OCPP_FRAMES
from evcharging.ocpp.frames import Call, CallError, CallResult, Frame, encode

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
DEADLINE_S = 30


class Traced:
    def __init__(self, mode: Literal["auto", "on", "off"], connected: Callable[[], int]) -> None:
        self.bus = MemoryBus(MemoryLog())
        self.metrics = GatewayMetrics(connected=connected, opening=lambda: 0)
        self.trace = FrameTrace(
            self.bus,
            mode=mode,
            connected=connected,
            now=lambda: NOW,
            source="gateway/test",
            run_id="run",
            metrics=self.metrics,
        )

    async def published(self, count: int) -> list[OcppFrame]:
        async with self.bus.subscribe({OCPP_FRAMES.name: Position.BEGINNING}) as reading, asyncio.timeout(DEADLINE_S):
            records: list[Any] = []
            while len(records) < count:
                records += await reading.getmany(timeout_s=0.05)
            records += await reading.getmany(timeout_s=0.05)
            return [OcppFrame.from_json(record.value) for record in records]


@asynccontextmanager
async def tracing(
    mode: Literal["auto", "on", "off"] = "on", *, connected: Callable[[], int] = lambda: 1
) -> AsyncIterator[Traced]:
    traced = Traced(mode, connected)
    await traced.bus.start()
    task = asyncio.create_task(traced.trace.run())
    try:
        yield traced
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await traced.bus.stop()


def take(traced: Traced, frame: Frame, direction: Literal["in", "out"] = "in") -> None:
    traced.trace.take("CP-001", direction, frame, encode(frame))


async def test_calls_results_and_errors_are_shown_as_they_were() -> None:
    async with tracing() as traced:
        take(traced, Call("1", "Heartbeat", {}))
        take(traced, CallResult("1", {"currentTime": "2026-01-31T12:00:00Z"}), "out")
        take(traced, CallError("2", "NotSupported", "no", {"a": 1}), "out")

        frames = await traced.published(3)

    assert [(f.cp_id, f.direction, f.message_type, f.action, f.message_id) for f in frames] == [
        ("CP-001", "in", 2, "Heartbeat", "1"),
        ("CP-001", "out", 3, None, "1"),
        ("CP-001", "out", 4, None, "2"),
    ]
    assert [f.frame for f in frames] == [
        [2, "1", "Heartbeat", {}],
        [3, "1", {"currentTime": "2026-01-31T12:00:00Z"}],
        [4, "2", "NotSupported", "no", {"a": 1}],
    ]
    assert frames[0].ts == NOW


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"nonsense", "nonsense"),
        (b'{"an": "object"}', {"an": "object"}),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[" * 10_000, "[" * 4_096),
        (b"null", None),
    ],
)
async def test_what_could_not_be_read_is_shown_as_far_as_it_goes(raw: bytes, shown: object) -> None:
    async with tracing() as traced:
        traced.trace.take("CP-001", "in", None, raw)
        (frame,) = await traced.published(1)

    assert frame.frame == shown
    assert frame.message_type is None


async def test_passwords_set_on_a_station_are_not_shown() -> None:
    variables = [
        {"attributeValue": "s3cret", "component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}},
        {"attributeValue": "60", "component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}},
    ]
    async with tracing() as traced:
        take(traced, Call("1", "ChangeConfiguration", {"key": "AuthorizationKey", "value": "s3cret"}), "out")
        take(traced, Call("2", "ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}), "out")
        take(traced, Call("3", "SetVariables", {"setVariableData": variables}), "out")
        frames = await traced.published(3)

    assert "s3cret" not in str(frames)
    assert frames[1].frame[3]["value"] == "60"
    assert frames[2].frame[3]["setVariableData"][1]["attributeValue"] == "60"


@pytest.mark.parametrize(
    "payload",
    [
        {"key": 5},
        {"setVariableData": 5},
        {"setVariableData": [5, None, {"variable": 5}, {"variable": {"name": 5}}]},
        {"deep": [[[[[[[[[[]]]]]]]]]]},
    ],
)
async def test_calls_that_make_no_sense_are_shown_too(payload: dict[str, Any]) -> None:
    async with tracing() as traced:
        take(traced, Call("1", "SetVariables", payload))
        take(traced, Call("2", "ChangeConfiguration", payload))
        frames = await traced.published(2)

    assert [frame.frame[3] for frame in frames] == [payload, payload]


async def test_a_frame_that_cannot_be_published_is_counted_and_the_next_goes_on() -> None:
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    async with tracing() as traced:
        traced.trace.take("CP-001", "in", Call("1", "DataTransfer", {"vendorId": "x", "data": deep}), b"")
        take(traced, Call("2", "Heartbeat", {}))
        frames = await traced.published(1)

    assert frames[-1].message_id == "2"
    assert len(frames) + traced.metrics.events["frames_untraced"] == 2


async def test_off_is_off() -> None:
    async with tracing("off") as traced:
        take(traced, Call("1", "Heartbeat", {}))
        assert await traced.published(0) == []


async def test_auto_shows_frames_until_more_than_500_stations_are_connected() -> None:
    connected = [500]
    async with tracing("auto", connected=lambda: connected[0]) as traced:
        take(traced, Call("1", "Heartbeat", {}))
        connected[0] = 501
        take(traced, Call("2", "Heartbeat", {}))
        connected[0] = 500
        take(traced, Call("3", "Heartbeat", {}))
        frames = await traced.published(2)

    assert [frame.message_id for frame in frames] == ["1", "3"]


async def test_a_bus_that_does_not_keep_up_costs_frames_and_never_a_station(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_trace, "MOST_WAITING", 3)
    traced = Traced("on", lambda: 1)

    for number in range(5):
        take(traced, Call(str(number), "Heartbeat", {}))

    assert traced.metrics.events["frames_untraced"] == 2
