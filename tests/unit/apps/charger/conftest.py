from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from can import Message

from evcharging.apps.charger.node import ChargerNode, make_model
from evcharging.can.frames import Frame, decode, encode
from evcharging.can.hub import CanHub
from evcharging.domain.charger import L2_THREE_PHASE


class Clock:
    """Monotonic seconds that move when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Bench:
    """A node on a channel, with the engine's end in the hands of the test."""

    def __init__(self, **node_options: object) -> None:
        hub = CanHub()
        self.clock = Clock()
        self.engine = hub.attach("CP-001")
        model_options = {name: node_options[name] for name in ("time_scale",) if name in node_options}
        self.node = ChargerNode(
            hub.attach("CP-001"),
            make_model(L2_THREE_PHASE, **model_options),  # type: ignore[arg-type]
            clock=self.clock,
            **node_options,  # type: ignore[arg-type]
        )
        self.said: list[Frame] = []
        self.engine.add_listener(lambda message: self.said.append(decode(message)))
        self.node.open()

    async def tell(self, *frames: Frame | Message) -> None:
        """Have the engine say ``frames`` and let the node hear them and answer."""
        for frame in frames:
            self.engine.post(frame if isinstance(frame, Message) else encode(frame))
        await self.settle()

    async def settle(self) -> None:
        """Let frames travel to the node and its answers back."""
        for _ in range(4):
            await asyncio.sleep(0)

    def pass_time(self, seconds: float, *, step_s: float = 0.1) -> None:
        """Turn the node as its wheel would, each tenth of a second."""
        for _ in range(round(seconds / step_s)):
            self.clock.now_s += step_s
            self.node.advance(self.clock.now_s)

    def last(self, kind: type[Frame]) -> Frame:
        """The latest frame of a kind that the node said."""
        return next(frame for frame in reversed(self.said) if isinstance(frame, kind))


@pytest.fixture
def bench_with() -> Callable[..., Bench]:
    """Makes a bench; call it on the event loop."""
    return Bench


@pytest.fixture
async def bench() -> Bench:
    return Bench()
