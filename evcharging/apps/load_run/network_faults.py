"""A bad network between one station and its CSMS, by seed: latency with jitter, frames lost or doubled, sockets cut.

Frames keep their order, as on a TCP connection; a lost one is simply gone, as behind a broken proxy. The sockets
themselves are real and untouched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from evcharging.apps.load_run.quantities import BadQuantity, duration_s, share
from evcharging.ocpp.errors import OcppError
from evcharging.ocpp.station.interfaces import StationClock

__all__ = ["BadNetwork", "FrameFaults", "NetworkFaults"]

_APART_S: Final = 1e-6
"""Timers of the same time may fire in any order; frames a microsecond apart do not."""

Pass = Callable[[bytes], None]


class BadNetwork(ValueError):
    """Text that describes no network; says what was got and what would be right."""


@dataclass(frozen=True, slots=True)
class NetworkFaults:
    """How bad the network is.

    Attributes:
        latency_s: Added to every frame, each way.
        jitter_s: Added beyond that, evenly from 0 up to it.
        loss: Share of frames that vanish.
        duplicates: Share of frames that come twice.
        drops: Share of frames at which the socket is cut.
    """

    latency_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    duplicates: float = 0.0
    drops: float = 0.0

    @classmethod
    def parse(cls, text: str) -> NetworkFaults:
        """Read ``latency=50ms,jitter=20ms,loss=0.1%,duplicates=1%,drops=0.05%``.

        Raises:
            BadNetwork: a name is none, or its value is not what it wants.
        """
        values: dict[str, float] = {}
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            name, _, value = part.partition("=")
            if name not in _READERS:
                raise BadNetwork(f"{part!r}: expected NAME=VALUE with a name of {', '.join(_READERS)}")
            field, read = _READERS[name]
            try:
                values[field] = read(value)
            except BadQuantity as error:
                raise BadNetwork(f"{name}: {error}") from None
        return cls(**values)


def _with_unit_s(value: str) -> float:
    """Return a duration that says its unit: who leaves it out here means milliseconds as often as seconds."""
    if value.strip().replace(".", "", 1).isdigit():
        raise BadQuantity(f"{value!r} has no unit; expected as 50ms or 0.05s")
    return duration_s(value)


_READERS: Final[dict[str, tuple[str, Callable[[str], float]]]] = {
    "latency": ("latency_s", _with_unit_s),
    "jitter": ("jitter_s", _with_unit_s),
    "loss": ("loss", share),
    "duplicates": ("duplicates", share),
    "drops": ("drops", share),
}


class FrameFaults:
    """One direction of one station's connection.

    Args:
        faults: How bad it is.
        clock: When delayed frames arrive.
        generator: Decides about each frame in turn.
    """

    __slots__ = ("_clock", "_delayed", "_due_s", "_faults", "_generator", "_life")

    def __init__(self, faults: NetworkFaults, *, clock: StationClock, generator: Random) -> None:
        self._faults = faults
        self._clock = clock
        self._generator = generator
        self._delayed = faults.latency_s > 0.0 or faults.jitter_s > 0.0
        self._due_s = 0.0
        self._life = 0

    def reconnected(self) -> None:
        """What was still under way is gone with its socket."""
        self._life += 1
        self._due_s = 0.0

    def carry(self, data: bytes, on: Pass, drop: Callable[[], None]) -> None:
        """Pass a frame on: now, later, twice or never; or cut the socket with ``drop``."""
        faults, draw = self._faults, self._generator.random
        if faults.drops and draw() < faults.drops:
            drop()
            return
        if faults.loss and draw() < faults.loss:
            return
        times = 2 if faults.duplicates and draw() < faults.duplicates else 1
        for _ in range(times):
            if self._delayed:
                self._later(data, on)
            else:
                on(data)

    def _later(self, data: bytes, on: Pass) -> None:
        now_s = self._clock.now_s()
        wanted_s = now_s + self._faults.latency_s + self._faults.jitter_s * self._generator.random()
        self._due_s = max(wanted_s, self._due_s + _APART_S)
        life = self._life

        def arrive() -> None:
            if life == self._life:
                with contextlib.suppress(OcppError, OSError):
                    on(data)

        self._clock.call_later(self._due_s - now_s, arrive)
