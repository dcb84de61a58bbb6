"""How the calls of a run went, by action: HDR histograms of what was answered, and counts of what was not.

A histogram cannot see a call that was never answered, so timeouts and lost connections are counted apart, and every
CALLERROR by its code. Pure bookkeeping; the caller says what happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from evcharging.apps.load_run.percentiles import Percentiles

__all__ = ["LOST", "OK", "TIMEOUT", "ActionFigures", "Latencies"]

OK: Final = "ok"
TIMEOUT: Final = "timeout"
LOST: Final = "lost"

_ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class ActionFigures:
    """One action's calls. Latencies in s, None where none was answered.

    ``answered`` counts what the latencies are of: CALLRESULT and CALLERROR alike. ``failures`` are CALLERRORs by code,
    and ``invalid`` for answers that broke the schema.
    """

    action: str
    calls: int
    answered: int
    timeouts: int
    lost: int
    failures: Mapping[str, int]
    p50_s: float | None
    p90_s: float | None
    p95_s: float | None
    p99_s: float | None
    max_s: float | None
    mean_s: float | None

    @property
    def failed(self) -> int:
        """How many were answered with an error."""
        return sum(self.failures.values())


class Latencies:
    """The calls of a run. Memory is per action, not per call."""

    def __init__(self) -> None:
        self._actions: dict[str, _Action] = {}
        self._lately: dict[str, ActionFigures] = {}
        self._turn = 0
        self.calls = 0
        self.failed = 0
        self.timeouts = 0

    def record(self, action: str, seconds: float | None, outcome: str) -> None:
        """Note the end of a call: ``ok``, ``timeout``, ``lost`` (its connection), or an error's code."""
        kept = self._actions.get(action)
        if kept is None:
            kept = self._actions[action] = _Action()
        self.calls += 1
        kept.calls += 1
        if outcome == TIMEOUT:
            kept.timeouts += 1
            self.timeouts += 1
            return
        if outcome == LOST:
            kept.lost += 1
            return
        if outcome != OK:
            kept.failures[outcome] += 1
            self.failed += 1
        if seconds is not None:
            kept.histogram.record(seconds)

    def figures(self) -> list[ActionFigures]:
        """Every action's figures, the most frequent first. Takes milliseconds an action."""
        return _most_frequent_first(_figures(action, kept) for action, kept in self._actions.items())

    def lately(self) -> list[ActionFigures]:
        """The figures as `look_at_next` last saw them: for whoever looks while calls are measured."""
        return _most_frequent_first(figures for action, figures in self._lately.items() if action in self._actions)

    def overall_lately(self) -> ActionFigures:
        """The figures of all actions together, as `look_at_next` last saw them."""
        return self._lately.get(_ALL) or _figures(_ALL, _Action())

    def look_at_next(self) -> None:
        """Renew the figures of one action, or of all together, for `lately`: a few ms, so that no call waits."""
        turns = [*self._actions, _ALL]
        name = turns[self._turn % len(turns)]
        self._turn += 1
        self._lately[name] = self.overall() if name == _ALL else _figures(name, self._actions[name])

    def overall(self) -> ActionFigures:
        """The figures of all actions together, under the name ``all``."""
        together = _Action()
        for kept in self._actions.values():
            together.histogram.add(kept.histogram)
            together.calls += kept.calls
            together.timeouts += kept.timeouts
            together.lost += kept.lost
            together.failures.update(kept.failures)
        return _figures(_ALL, together)


class _Action:
    __slots__ = ("calls", "failures", "histogram", "lost", "timeouts")

    def __init__(self) -> None:
        self.histogram = Percentiles()
        self.calls = 0
        self.timeouts = 0
        self.lost = 0
        self.failures: Counter[str] = Counter()


def _most_frequent_first(found: Iterable[ActionFigures]) -> list[ActionFigures]:
    return sorted(found, key=lambda figures: (-figures.calls, figures.action))


def _figures(action: str, kept: _Action) -> ActionFigures:
    histogram = kept.histogram
    p50_s, p90_s, p95_s, p99_s, max_s = histogram.at_s(50, 90, 95, 99, 100)
    return ActionFigures(
        action=action,
        calls=kept.calls,
        answered=histogram.count,
        timeouts=kept.timeouts,
        lost=kept.lost,
        failures=dict(kept.failures.most_common()),
        p50_s=p50_s,
        p90_s=p90_s,
        p95_s=p95_s,
        p99_s=p99_s,
        max_s=max_s,
        mean_s=histogram.mean_s,
    )
