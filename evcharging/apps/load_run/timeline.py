"""A run over time: a point an interval, with calls, latency, stations and connections. Bounded: points merge in pairs.

Pure bookkeeping: the caller says when an interval is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from evcharging.apps.load_run.percentiles import Percentiles

__all__ = ["LEAST_S", "MOST_POINTS", "Point", "Timeline"]

MOST_POINTS: Final = 1200
"""Past it, two neighbours become one: twenty minutes by the second, a day by the minute and a half."""

LEAST_S: Final = 0.5
"""A shorter interval, such as the last one of a run, would make rates of single events."""


@dataclass(frozen=True, slots=True)
class Point:
    """An interval.

    Attributes:
        at_s: Its end, in s from the beginning of the run.
        length_s: How long it was.
        calls, failed, timeouts: Calls that ended in it; ``failed`` with an error, ``timeouts`` never answered.
        p50_s, p95_s, max_s: Latency of those answered, None without any. Of merged intervals: the worse.
        wanted, connected: Stations the shape wanted, and those with a socket, at its end.
        connects, disconnects: Sockets opened and lost in it.
        sessions: Sessions that ran at its end.
        power_kw: What flowed through all stations then.
    """

    at_s: float
    length_s: float
    calls: int
    failed: int
    timeouts: int
    p50_s: float | None
    p95_s: float | None
    max_s: float | None
    wanted: int
    connected: int
    connects: int
    disconnects: int
    sessions: int
    power_kw: float

    @property
    def calls_per_s(self) -> float:
        """Calls a second."""
        return self.calls / self.length_s if self.length_s > 0 else 0.0


class Timeline:
    """Collects what happens in the current interval; `close` makes a point of it."""

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._histogram = Percentiles(digits=2)
        self._last_s = 0.0
        self._calls = self._failed = self._timeouts = 0
        self._connects = self._disconnects = 0

    @property
    def points(self) -> tuple[Point, ...]:
        """The points so far."""
        return tuple(self._points)

    @property
    def last(self) -> Point | None:
        """The newest point."""
        return self._points[-1] if self._points else None

    def called(self, seconds: float | None, *, failed: bool, timed_out: bool) -> None:
        """A call ended."""
        self._calls += 1
        self._failed += failed
        self._timeouts += timed_out
        if seconds is not None:
            self._histogram.record(seconds)

    def connected(self) -> None:
        """A socket opened."""
        self._connects += 1

    def disconnected(self) -> None:
        """A socket went."""
        self._disconnects += 1

    def close(self, at_s: float, *, wanted: int, connected: int, sessions: int, power_kw: float) -> Point:
        """End the interval at ``at_s`` and return its point; one that is too short joins the one before."""
        p50_s, p95_s, max_s = self._histogram.at_s(50, 95, 100)
        point = Point(
            at_s=at_s,
            length_s=at_s - self._last_s,
            calls=self._calls,
            failed=self._failed,
            timeouts=self._timeouts,
            p50_s=p50_s,
            p95_s=p95_s,
            max_s=max_s,
            wanted=wanted,
            connected=connected,
            connects=self._connects,
            disconnects=self._disconnects,
            sessions=sessions,
            power_kw=power_kw,
        )
        if point.length_s < LEAST_S and self._points:
            point = _merged(self._points.pop(), point)
        self._points.append(point)
        if len(self._points) > MOST_POINTS:
            self._points = _halved(self._points)
        self._histogram.reset()
        self._last_s = at_s
        self._calls = self._failed = self._timeouts = 0
        self._connects = self._disconnects = 0
        return point


def _halved(points: list[Point]) -> list[Point]:
    pairs = [_merged(one, other) for one, other in zip(points[::2], points[1::2], strict=False)]
    return pairs if len(points) % 2 == 0 else [*pairs, points[-1]]


def _merged(one: Point, other: Point) -> Point:
    def worse(first: float | None, second: float | None) -> float | None:
        return max((value for value in (first, second) if value is not None), default=None)

    return Point(
        at_s=other.at_s,
        length_s=one.length_s + other.length_s,
        calls=one.calls + other.calls,
        failed=one.failed + other.failed,
        timeouts=one.timeouts + other.timeouts,
        p50_s=worse(one.p50_s, other.p50_s),
        p95_s=worse(one.p95_s, other.p95_s),
        max_s=worse(one.max_s, other.max_s),
        wanted=other.wanted,
        connected=other.connected,
        connects=one.connects + other.connects,
        disconnects=one.disconnects + other.disconnects,
        sessions=other.sessions,
        power_kw=other.power_kw,
    )
