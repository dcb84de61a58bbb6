"""What a gateway counts, for Prometheus. No label names a station: there may be thousands.

Counting is a few additions, since it happens at every message; what Prometheus wants is made when it asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from evcharging.ocpp.errors import Fault, error_code
from evcharging.ocpp.schemas import actions
from evcharging.ocpp.versions import OcppVersion

__all__ = ["GatewayMetrics"]

BUCKETS_S: Final = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
)
PREFIX: Final = "evcharging_gateway_"
UNKNOWN: Final = "unknown"
"""Stands for every action that the standard does not have, so that garbage makes no labels."""

OUTCOMES: Final = frozenset(
    {
        "ok",
        "timeout",
        "lost",
        "invalid",
        *(error_code(fault, version) for fault in Fault for version in OcppVersion),
        "FormatViolation",  # what many stations of 1.6 say
        "OccurrenceConstraintViolation",
    }
)
"""What a call may end as; a station may answer anything, and all else counts as ``other``."""


class GatewayMetrics(Collector):
    """The figures of one gateway; register it with a Prometheus registry.

    Args:
        connected: how many stations are connected.
        opening: how many connections have not completed their opening.
    """

    def __init__(self, *, connected: Callable[[], int], opening: Callable[[], int]) -> None:
        self._connected = connected
        self._opening = opening
        self.refusals: Counter[str] = Counter()
        self.ignored_frames: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self._handled = _Calls()
        self._called = _Calls()

    def handled(self, version: OcppVersion, action: str, seconds: float, outcome: str) -> None:
        """A call of a station's was answered."""
        self._handled.count(_action(version, action), seconds, outcome)

    def called(self, version: OcppVersion, action: str, seconds: float | None, outcome: str) -> None:
        """A call of ours ended."""
        self._called.count(_action(version, action), seconds, outcome if outcome in OUTCOMES else "other")

    def ignored(self, reason: str) -> None:
        """A frame was not acted on."""
        self.ignored_frames[reason] += 1

    def refused(self, reason: str) -> None:
        """An opening did not succeed."""
        self.refusals[reason] += 1

    def held_back(self) -> None:
        """A station was faster than its limit, and has to wait."""
        self.events["held_back"] += 1

    def calls_handled(self, action: str, outcome: str) -> int:
        """How many calls of stations ended so."""
        return self._handled.outcomes[action, outcome]

    def describe(self) -> list[CounterMetricFamily]:
        """Nothing: the registry need not ask at registration."""
        return []

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        """What Prometheus reads."""
        yield GaugeMetricFamily(PREFIX + "stations", "Stations that are connected", self._connected())
        yield GaugeMetricFamily(PREFIX + "openings", "Connections whose opening is not complete", self._opening())
        yield _counter("refused_openings", "Openings that did not succeed, by reason", "reason", self.refusals)
        yield _counter("ignored_frames", "Messages that were not acted on, by reason", "reason", self.ignored_frames)
        for name, text in _EVENTS.items():
            yield CounterMetricFamily(PREFIX + name, text, value=self.events[name])
        yield from self._handled.collect("calls", "Calls of stations")
        yield from self._called.collect("own_calls", "Calls to stations")


class _Calls:
    """Calls in one direction: how many ended how, and how long they took."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()

    def count(self, action: str, seconds: float | None, outcome: str) -> None:
        self.outcomes[action, outcome] += 1
        if seconds is not None:
            buckets = self._buckets.get(action)
            if buckets is None:
                buckets = self._buckets[action] = [0] * (len(BUCKETS_S) + 1)
            buckets[bisect_left(BUCKETS_S, seconds)] += 1
            self._seconds[action] += seconds  # type: ignore[assignment]  # a Counter of floats

    def collect(self, name: str, text: str) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        ended = CounterMetricFamily(PREFIX + name, f"{text}, by action and outcome", labels=["action", "outcome"])
        for labels, number in self.outcomes.items():
            ended.add_metric(labels, number)
        yield ended
        took = HistogramMetricFamily(f"{PREFIX}{name}_seconds", f"{text}: time to the answer, in s", labels=["action"])
        bounds = [*map(str, BUCKETS_S), "+Inf"]
        for action, buckets in self._buckets.items():
            took.add_metric([action], list(zip(bounds, accumulate(buckets), strict=True)), self._seconds[action])
        yield took


_EVENTS: Final = {
    "connections": "Openings that succeeded",
    "replaced": "Sockets that a newer one of the same station replaced",
    "held_back": "Times a station was faster than its limit and had to wait",
    "frames_traced": "Frames published on ocpp.frames",
    "frames_untraced": "Frames left out of ocpp.frames because the bus did not keep up",
}


def _action(version: OcppVersion, action: str) -> str:
    return action if action in actions(version) else UNKNOWN


def _counter(name: str, text: str, label: str, counted: Counter[str]) -> CounterMetricFamily:
    family = CounterMetricFamily(PREFIX + name, text, labels=[label])
    for value, number in counted.items():
        family.add_metric([value], number)
    return family
