"""What makes a run fail: expressions such as ``p95(StartTransaction) > 500ms``, read once and judged at the end.

::

    p50 p90 p95 p99 max mean   (Action)   latency          > 500ms
    calls failures timeouts lost (Action) counts, or a share of the calls   > 10, > 1%
    calls_per_s connects reconnects ledger disconnects    of the run   < 1000

Without an action, the figure is of all actions together. ``ledger`` counts what does not add up.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from evcharging.apps.load_run.latencies import ActionFigures
from evcharging.apps.load_run.quantities import BadQuantity, duration_s, told_duration
from evcharging.ocpp.station.wires import actions_sent
from evcharging.ocpp.versions import OcppVersion

__all__ = ["BadThreshold", "Measured", "Threshold", "Verdict"]

_LATENCIES: Final = ("p50", "p90", "p95", "p99", "max", "mean")
_COUNTS: Final = ("calls", "failures", "timeouts", "lost")
_WHOLE_RUN: Final = ("calls_per_s", "connects", "reconnects", "disconnects", "ledger")
_METRICS: Final = (*_LATENCIES, *_COUNTS, *_WHOLE_RUN)
_OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}
_EXPRESSION: Final = re.compile(
    r"\s*([a-z0-9_]+)\s*(?:\(\s*([A-Za-z]*)\s*\))?\s*(>=|<=|==|!=|>|<)\s*([0-9.]+\s*[a-z%]*)\s*"
)
_PERCENT: Final = 100.0


class BadThreshold(ValueError):
    """Text that is no threshold; says what was got and what would be right."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What thresholds are judged over: figures by action (and of all), and those of the whole run by name."""

    actions: Mapping[str, ActionFigures]
    overall: ActionFigures
    run: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a threshold was crossed, and what was measured, as people read it."""

    expression: str
    failed: bool
    measured: str


@dataclass(frozen=True, slots=True)
class Threshold:
    """One ``--fail-if``; ``limit`` is in s for latencies, a share from 0 to 1 where ``is_share``, else a count."""

    expression: str
    metric: str
    action: str | None
    compare: str
    limit: float
    is_share: bool

    @classmethod
    def parse(cls, expression: str, *, version: OcppVersion | None = None) -> Threshold:
        """Read an expression; with a ``version``, its action has to be one that stations of it send.

        Raises:
            BadThreshold: it is none.
        """
        match = _EXPRESSION.fullmatch(expression)
        if match is None:
            raise BadThreshold(
                f"{expression!r} is no threshold; expected as 'p95(StartTransaction) > 500ms', 'failures > 1%' "
                "or 'calls_per_s < 1000'"
            )
        metric, action, compare, limit = match[1], match[2] or None, match[3], match[4].replace(" ", "")
        if metric not in _METRICS:
            raise BadThreshold(f"{metric!r} in {expression!r} is no figure; expected {', '.join(_METRICS)}")
        if action is not None and metric in _WHOLE_RUN:
            raise BadThreshold(f"{metric} in {expression!r} is of the whole run; expected it without ({action})")
        if action is not None and version is not None and action not in actions_sent(version):
            raise BadThreshold(
                f"{action!r} in {expression!r} is no action that stations send; {_sent_instead(action, version)}"
            )
        is_share = limit.endswith("%")
        try:
            if metric in _LATENCIES:
                if limit[-1].isdigit():
                    raise BadThreshold(f"{limit!r} in {expression!r} has no unit; expected as 500ms or 2s")
                value = duration_s(limit)
            elif is_share and metric in _COUNTS and metric != "calls":
                value = float(limit[:-1]) / _PERCENT
            else:
                value = float(limit)
        except (BadQuantity, ValueError) as error:
            if isinstance(error, BadThreshold):
                raise
            wanted = "a duration" if metric in _LATENCIES else "a number"
            raise BadThreshold(f"{limit!r} in {expression!r} is not {wanted} that {metric} can be held to") from None
        return cls(expression.strip(), metric, action, compare, value, is_share)

    def judge(self, measured: Measured) -> Verdict:
        """Hold a run to it. A latency of calls that were never answered counts as crossed: it cannot be told."""
        if self.metric in _WHOLE_RUN:
            value = measured.run[self.metric]
            return self._verdict(value, f"{value:.6g}")
        figures = measured.overall if self.action is None else measured.actions.get(self.action)
        if figures is None or (self.metric in _LATENCIES and not figures.answered):
            if self.metric in _COUNTS:
                return self._verdict(0.0, "0 calls")
            return Verdict(self.expression, failed=True, measured="no call was answered")
        if self.metric in _LATENCIES:
            latency_s: float = getattr(figures, f"{self.metric}_s")
            return self._verdict(latency_s, told_duration(latency_s))
        counts = {
            "calls": figures.calls,
            "failures": figures.failed,
            "timeouts": figures.timeouts,
            "lost": figures.lost,
        }
        count = counts[self.metric]
        if self.is_share:
            part = count / figures.calls if figures.calls else 0.0
            return self._verdict(part, f"{part:.3%} ({count} of {figures.calls})")
        return self._verdict(count, str(count))

    def _verdict(self, value: float, measured: str) -> Verdict:
        return Verdict(self.expression, failed=_OPERATORS[self.compare](value, self.limit), measured=measured)


def _sent_instead(action: str, version: OcppVersion) -> str:
    known = sorted(actions_sent(version))
    close = difflib.get_close_matches(action, known, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    return f"{meant}OCPP {version}: {', '.join(known)}"
