"""Decides from probes whether a charge point is healthy. Pure: it neither probes nor keeps time."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ENGINE_UNREACHABLE", "MISSES", "HealthJudge", "Offer", "Probe", "Verdict"]

ENGINE_UNREACHABLE = "engine_unreachable"
MISSES = 3


@dataclass(frozen=True, slots=True)
class Offer:
    """What an engine says of a charge point beside its health: the price it is set to, and its rated power."""

    price_per_kwh: float | None = None
    rating_kw: float | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """The outcome of one probe.

    ``detail`` says what is wrong where it is not healthy; ``latency_ms`` and ``offer`` are None where there was no
    answer.
    """

    healthy: bool
    detail: str | None = None
    latency_ms: float | None = None
    offer: Offer | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is held of a charge point after the last probe."""

    healthy: bool
    detail: str | None = None
    latency_ms: float | None = None


class HealthJudge:
    """Holds one charge point healthy until ``misses`` probes in a row were bad; one good probe heals.

    Before the first good probe, and before that many bad ones, nothing is held.
    """

    def __init__(self, misses: int = MISSES) -> None:
        self.verdict: Verdict | None = None
        self.missed = 0
        self._misses = misses

    def judge(self, probe: Probe) -> Verdict | None:
        """Take one more probe into account and return what is held now, None while nothing is."""
        if probe.healthy:
            self.missed = 0
            self.verdict = Verdict(True, probe.detail, probe.latency_ms)
            return self.verdict
        self.missed += 1
        if self.missed >= self._misses or (self.verdict is not None and not self.verdict.healthy):
            self.verdict = Verdict(False, probe.detail, probe.latency_ms)
        elif self.verdict is not None:
            self.verdict = Verdict(True, f"{self.missed} of {self._misses} probes missed", probe.latency_ms)
        return self.verdict
